"""Words by which the label of a speaker is told from other text before a colon, in many languages."""

from __future__ import annotations

import re
from typing import Final

from arf_programs.text import word_set

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
PROFESSION: Final = re.compile(
    "accountant|attorney|banker|broker|caregiver|carer|cashier|chef|coach|counsell?or|courier|dentist|dispatcher|doctor|dr|"
    "driver|engineer|host|instructor|interpreter|landlord|lawyer|librarian|mechanic|member|nurse|officer|owner|"
    "paralegal|parent|pharmacist|physician|pilot|plumber|professor|receptionist|reporter|secretary|shopkeeper|student|"
    "subscriber|teacher|teller|tenant|therapist|traveller|tutor|vendor|vet|waiter|waitress|"
    "arzt|ärztin|anwalt|anwältin|apotheker(?:in)?|fahrer(?:in)?|lehrer(?:in)?|pfleger(?:in)?|schüler(?:in)?|vermieter(?:in)?|"
    "médecin|docteur|avocate?|infirmi(?:er|ère)|pharmacien(?:ne)?|chauffeur|médic[oa]|doctora?|abogad[oa]|enfermer[oa]|"
    "conductor|profesora?|medico|dottor(?:e|essa)|avvocat[oa]|infermier[ea]|advogad[oa]|enfermeir[oa]",
    re.IGNORECASE,
)
"""Who else talks to a customer. The same words name fields of a form (`Driver: J. Miller`), so what follows counts."""
SERVES: Final = re.compile(
    "agent|operator|rep|representative|advis[eo]r|specialist|technician|supervisor|conseill(?:er|ère)|berater(?:in)?",
    re.IGNORECASE,
)
"""Roles that may stand before the name of a person."""

# A role of two words counts too.
ROLE_PHRASES: Final = frozenset(
    (
        *("khách hàng", "nhân viên", "tư vấn viên", "auto reply", "automatic reply", "auto response"),
        *("automatic response", "automated message", "automated response", "automated reply", "automatische antwort"),
        *("réponse automatique", "respuesta automática", "risposta automatica", "resposta automática"),
    )
)
_TALK: Final = "(?:chat|call|conversation|session|room)"
_HAPPENED: Final = "(?:started|ended|closed|transferred|assigned|connected|disconnected|joined|left)"
NOTICE: Final = re.compile(
    rf"(?P<mark>[-=#~_]{{2,}}|\*{{3,}})\s*(?:[^\s:]+ )*?(?:{_TALK}|transcript|ticket|{_HAPPENED})\b[^:]*(?P=mark)"
    rf"|[\[(](?:(?:[^\s()\[\]]+ ){{1,3}}(?:is typing|joined|left)(?: the {_TALK})?|"
    rf"(?:the )?{_TALK} {_HAPPENED}\b[^()\[\]]*)[\])]"
    rf"|(?:\S+ ){{1,4}}(?:has |have )?(?:joined|left|entered) (?:the|this) {_TALK}\.?"
    rf"|(?:the )?{_TALK} (?:has |was )?(?:been )?{_HAPPENED}(?: (?:to|at|on|by)\b[^:]*)?\.?"
    rf"|{_TALK} transcript|transcript of (?:the )?{_TALK}\b[^:]*",
    re.IGNORECASE,
)
"""A line that nobody says: `*** Anna joined ***`, `[Chat started at 10:32]`, `Joe has left the chat.`"""

# The first word of these labels says that a line is a field of a form, or the beginning of a letter.
FIELD: Final = re.compile(
    "address|cc|date|dear|e-?mail|example|fwd|important|name|notes?|p\\.?s\\.?|phone|please|price|re|reminder|sent|status|"
    "subject|time|tip|total|update|warning",
    re.IGNORECASE,
)
# Labels of only these words come back in the signatures and forms of several messages, and are still no speakers.
FIELD_NOUNS: Final = word_set(
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
HEADINGS: Final = word_set(
    "channel chat conversation duration ended participants queue session started tags topic transcript priority"
)
# Words with which a sentence or a letter begins, before a comma or a name.
OPENINGS: Final = word_set(
    """
    absolutely actually also alright and apologies best but cheers ciao correct dear exactly fine first finally
    good great greetings guten hallo hello hey hi hola however kind lastly next no not now oh ok okay perfect
    please regards right second so sorry sure thank thanks then third warm well yeah yes yours ja nein danke
    bonjour merci oui non si sì gracias estimado estimada olá oi sim não grazie buongiorno
    """
)
PARTICLES: Final = word_set(
    """
    al and av bin da das de del della den der di do dos du e el from i ibn la le of te ten ter the und van von y
    """
)
# Labels of a message that come once and are no names: `Solution: ...`, `Departure: ...`.
LABEL_WORDS: Final = word_set(
    """
    a abfahrt able about achtung action actions activity adresse advice after agenda aktuell alert all also
    alternative always amenities an ankunft anlage anmerkung announcement another answer antwort any appointment area
    arrival as at attention author available average aviso back bad bags banner based because before behavior
    behaviour beispiel bemerkung benefit benefits besoin betrag betreff bill birth body bonus both bottom brand
    breakfast browser budget business button cabin cantidad capacity car card cast category causa cause caution caveat
    certain chambre changes check checklist checkout choice choices city ciudad clarification class clause click
    closing color colour comment comments common company complaint component conclusion conclusión condition
    conditions configuration confirmation connection consequence content context contract copy correct correction
    couleur country coverage credentials critical currency current data date datum dauer day days deadline deal debit
    debug decision default delay demand departure deposit depth description desired destination destino detail details
    detalle detalles device diagnosis dienstag difference dinner disclaimer discount distance district documents
    donnerstag download draft drive driver due duración duration durée départ détail détails edit effect either
    ejemplo eligibility email enclosed end ends entry erreur error errors estimate eta event evidence exactly
    exception exemple exit expected expiry explanation extension extra fact facts faq faqs farbe fatal fazit feature
    features fecha feedback fehler figure file files finally first fix flight flights follow-up footer form format
    forum found frage freitag friday frist from full function further gate gepäck gerät goal grund größe guarantee
    guide hardware head headline height help hint hinweis history home host hotel how however human idea if image
    images impact important importante importe in incident included info information inhalt input install instruction
    instructions insurance interest intro introduction invoice is issue issues it job key keys kosten label language
    last latitude layer least left legal length lesson level license lieu limit limitation limits link links list
    local location log login longitude loss lugar luggage lunch lösung maintenance make manual manufacturer margin
    market material maximum mean meaning means measure medium memo menge menu method minimum minutes mittwoch mode
    monday money montag montant mood morning most motive motivo motto name namely near network new news nickname
    nights no none noon normal nota notice now number objective objet observation occupation offer offers old on one
    only opción open opening option options or origin original ort other others our out outcome output over overview
    own owner package packages page pages paragraph part parts passenger passengers passport password path pay penalty
    per percentage perhaps period person photo place plan planned platform plot plus policy position possibly postcode
    precio pregunta preis premium present preview previously private prix problem problema problems problème procedure
    process profile program project promo promotion proof property proposal pros public punkt purpose quality quantité
    query question questions quote rabatt raison range rate rates rating reading reason reasons receipt recipe
    recommendation record region registration released remark remarks remarque remedy reply report request required
    requirement requirements reservations resolution response respuesta rest result results resumen return returning
    returns review right risk role room rooms route row rule rules running réponse résumé sale salida samstag saturday
    scenario schedule schritt scope score screen screenshot search season seat seats second section selected sender
    sent serious server service services setting settings setup shape short show side signature signed similar since
    situation slot software solución solution solutions something sometimes sonntag source spec special specification
    specs speed stadt stage standard start starting starts state statement station statistics step steps stock stop
    stops story strategy straße street style subtotal suggestion suggestions suite summary sunday sure surname symptom
    symptoms syntax table tag taille take talla target task tasks tax taxes team technically terms test tests text
    that the their theme theory these third this thread thursday timeline title titles to today tomorrow tonight tool
    top total town trace track transaction transfer transit translation travel treatment trip trouble truth tuesday tv
    two type types uhrzeit ultimately under understanding unit units until update updates upgrade urgent ursache us
    usage use used user username using vacation vague valid value values variant vehicle verdict verification via
    video view ville visit vorschlag voucher voyage wait wanted warranty we weather web wednesday week weekdays
    weekend weekends weight what when where whether which while who why wichtig wifi will wish with without work
    workaround working worth yesterday you your ziel zimmer zip zone zusammenfassung
    """
)
TALKING: Final = re.compile(
    r"[?!]\s*$|\b(?:i|i'm|i've|i'll|me|my|we|us|our|you|your|ich|mich|mir|mein|meine|wir|uns|sie|ihnen|ihr|du|dir|je|j'ai|"
    r"moi|mon|ma|nous|vous|votre|yo|mi|usted|ustedes|nosotros|io|mio|lei|noi|eu|meu|nós|ik|mijn|u|hi|hello|hallo|hola|bonjour|"
    r"thanks|thank|danke|merci|gracias|sorry)\b",
    re.IGNORECASE,
)
"""What people say of themselves and to each other, unlike the value of a field."""

GREETINGS: Final = word_set("hi hello hey hallo bonjour hola ciao")
SYSTEM: Final = "System"
"""Who says what nobody says: `12:04 - Joe left`."""

SYSTEMS: Final = word_set("system sistema système система")
# What stands in brackets before a text and does not speak: tags of web pages, and notes of a transcriber.
TAGS: Final = word_set(
    """
    a b blockquote body br code div em font form h1 h2 h3 h4 h5 h6 head hr html i img li ol p pre s script small span
    strong style sub sup table tbody td th title tr u ul
    """
)
NO_SPEAKERS: Final = word_set(
    """
    attachment attached audio call crosstalk deleted document edited email file gif image inaudible laughter laughs
    link media message missed name note order pause phone photo picture removed screenshot silence sticker unclear
    url video voice
    """
)
