"""Words by which the label of a speaker is told from other text before a colon, in many languages."""

from __future__ import annotations

import re
from typing import Final


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


ROLE: Final = re.compile(
    "advis[eo]r|agent|assistant|bot|buyer|caller|chatbot|clerk|client|consultant|customer|employee|expert|guest|helpdesk|"
    "manager|operator|patient|rep|representative|salesperson|seller|service|specialist|staff|supervisor|support|system|"
    "technician|user|visitor|"
    # German, Dutch, Swedish, Danish, Norwegian, Finnish
    "kund(?:e|in)|agentin|berater(?:in)?|mitarbeiter(?:in)?|kundenservice|kundendienst|anrufer(?:in)?|besucher(?:in)?|"
    "benutzer(?:in)?|klant|medewerk(?:st)?er|adviseur|gebruiker|kund|handläggare|medarbetare|rådgivare|kundtjänst|"
    "medarbejder|rådgiver|kundeservice|saksbehandler|asiakas|asiakaspalvelija|asiakaspalvelu|"
    # French, Spanish, Portuguese, Italian, Romanian
    "client[ea]?|agent[ea]|conseill(?:er|ère)|assistant[ea]|assistent[ea]?|opérat(?:eur|rice)|utilisat(?:eur|rice)|"
    "technicien(?:ne)?|asesora?|operadora?|usuari[oa]|representante|técnic[oa]|soporte|atendente|atendimento|suporte|"
    "operat(?:ore|rice)|utente|assistenza|consulente|operator(?:ul)?|clientul|agentul|"
    # Polish, Czech, Slovak, Hungarian, Turkish, Greek
    "klient(?:ka)?|konsultant(?:ka)?|doradca|pracownik|zákazník|zákaznice|operátor(?:ka)?|ügyfél|ügyintéző|ügynök|müşteri|"
    "temsilci|danışman|destek|πελάτης|πελάτισσα|εκπρόσωπος|"
    # Russian, Ukrainian, Bulgarian
    "клиент(?:ка)?|оператор|агент|консультант|менеджер|специалист|поддержка|покупатель|пользователь|бот|клієнт|підтримка|"
    # Hindi, Bengali, Tamil, Arabic, Hebrew, Persian, Urdu
    "ग्राहक|एजेंट|প্রতিনিধি|গ্রাহক|এজেন্ট|வாடிக்கையாளர்|முகவர்|عميل|العميل|وكيل|الوكيل|موظف|الموظف|"
    "לקוח|לקוחה|נציג|נציגה|مشتری|کارشناس|پشتیبان|گاہک|نمائندہ|"
    # Chinese, Japanese, Korean, Thai, Vietnamese, Indonesian
    "客户|客戶|顾客|顧客|客服|客服人员|坐席|用户|用戶|お客様|お客さま|オペレーター|担当者|エージェント|고객|상담원|상담사|"
    "ลูกค้า|เจ้าหน้าที่|khách|pelanggan|petugas|agen",
    re.IGNORECASE,
)
# A role of two words counts too.
ROLE_PHRASES: Final = frozenset(["khách hàng", "nhân viên", "tư vấn viên"])
# The first word of these labels says that a line is a field of a form, or the beginning of a letter.
FIELD: Final = re.compile(
    "address|cc|date|dear|e-?mail|example|fwd|important|name|notes?|p\\.?s\\.?|phone|please|price|re|reminder|sent|status|"
    "subject|time|tip|total|update|warning",
    re.IGNORECASE,
)
# Labels of only these words come back in the signatures and forms of several messages, and are still no speakers.
FIELD_NOUNS: Final = _words(
    """
    account address amount balance charge refund attachment attachments booking callback case cell code
    contact cost date delivery direct e-mail email fax fee hours id invoice item items line link mail mob
    mobile model month name no nr number office order payment phone price product quantity ref reference
    reservation serial shipping site size sku status subject tel tele telephone ticket time total tracking
    type url user version web website www year adresse artikel bestellnummer bestellung kundennummer mobil
    nummer rechnung rechnungsnummer telefax telefon commande facture numéro tél téléphone portable dirección
    factura móvil número pedido teléfono cellulare fattura ordine telefono telefoon bestelnummer
    """
)
# The first words of labels above a chat, in the heading of an export.
HEADINGS: Final = _words(
    "channel chat conversation duration ended participants queue session started tags topic transcript priority"
)
# Words with which a sentence or a letter begins, before a comma or a name.
OPENINGS: Final = _words(
    """
    absolutely actually also alright and apologies best but cheers ciao correct dear exactly fine first finally
    good great greetings guten hallo hello hey hi hola however kind lastly next no not now oh ok okay perfect
    please regards right second so sorry sure thank thanks then third warm well yeah yes yours ja nein danke
    bonjour merci oui non si sì gracias estimado estimada olá oi sim não grazie buongiorno
    """
)
PARTICLES: Final = _words(
    """
    al and av bin da das de del della den der di do dos du e el from i ibn la le of te ten ter the und van von y
    """
)
GREETINGS: Final = _words("hi hello hey hallo bonjour hola ciao")
SYSTEM: Final = "System"
"""Who says what nobody says: `12:04 - Joe left`."""

SYSTEMS: Final = _words("system sistema système система")
# What stands in brackets before a text and does not speak: tags of web pages, and notes of a transcriber.
TAGS: Final = _words(
    """
    a b blockquote body br code div em font form h1 h2 h3 h4 h5 h6 head hr html i img li ol p pre s script small span
    strong style sub sup table tbody td th title tr u ul
    """
)
NO_SPEAKERS: Final = _words(
    """
    attachment attached audio call crosstalk deleted document edited email file gif image inaudible laughter laughs
    link media message missed name note order pause phone photo picture removed screenshot silence sticker unclear
    url video voice
    """
)
