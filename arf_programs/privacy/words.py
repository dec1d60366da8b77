"""Words that are no names, though they are capitalised or stand where a name may stand."""

from __future__ import annotations

from typing import Final

from arf_programs.checks import COMMON, ENDINGS, GENERAL, ROLES
from arf_programs.text import word_set

_ENGLISH: Final = word_set("""
able about actually afraid again ahead all almost already always am anyway around ask asking available away back bad
based because been being best better bit both bought bring calling came can cannot certain chat checking clear close
come coming confused contacting could currently day delighted did didn don done down early easy else end enough even
ever everything exactly excited expecting fine following found free full furious gave get getting give given glad go
going gone good got great guess guys had happening happy hard has have having hear hearing help helping here hey hope
hoping hour i'd if i'll i'm interested it its just keep keen kind know last late left let like line list listening
little live living local locked long look looking lost lot lots love made make making many may maybe me mean member
might mine missing more morning most moving much must name near need never new nice night nobody not nothing off often
on one only open other our out over own owner part past pay paying perfect please pleased plus point possible probably
put quick quite rather read ready really recently retired right running said same saw say saying see seeing seems sent
serious shall she should show shocked sick side since sitting so some someone something soon speaking stay still stuck
stupid such super sure surely take taking talking tell than that the their them there they thing think thinking this
though thought through till time tired to together told tomorrow tonight too tried true trying turn two unable
unfortunately until up upgrade using usually very waiting want was wasn way we welcome well went were what when where
whether which while who whole why will willing wish won wondering word working world worried worth would wow writing
wrong year yes yet you your yours
account address agent airport app april august bank billing booking branch browser business card case chatbot city
claim client cloud code colleague community company consumer contact country credit customer data debit december dept
delivery department desk direct director e-mail email escalation english february finance flight form forum france
friday front german germany gmail god google group guest head home hotel house html id info insurance internet invoice
italy january july june kingdom link loan logistics loyalty mail management manager march marketing media microsoft
monday mortgage mr mrs ms netherlands network november number october office officer offer online operations operator
order paris payment payments personal phone policy portal premium privacy product products quality receipt reception
refund reservation retail returns safety sales saturday security september server service services shipping shop site
sir madam social spain speaker staff station status store street subject sunday support system team tech technical
technician thursday ticket tuesday uk unit united usa user vip visitor warehouse web website wednesday weekend york
anyone everybody everyone folks friend friends ladies gentlemen guys lads mate mates all both again ever so very much
advance regards sincerely wishes thanks cheers yours confirmed correct cancelled canceled closed
yeah yep nope nah hmm okay alright apologies sorry excuse pardon
chicken fish coffee tea water food pizza birthday anniversary christmas
android iphone ipad macbook samsung galaxy xbox playstation nintendo sony apple amazon windows facebook twitter
instagram whatsapp netflix spotify paypal visa mastercard amex uber ebay dhl ups fedex hermes dpd usps
london berlin madrid rome milan amsterdam vienna lisbon dublin warsaw munich hamburg barcelona boston chicago
""")
_GERMAN: Final = word_set("""
aber alle allen alles als also am an anfrage antwort auch auf aus bei bestellung bin bis bitte da damen damit danke
das dass dem den der des die dies diese doch ein eine einen einer er es etwas für ganz geehrte gern gerne gut habe
haben hallo herr herren frau hier ich ihnen ihr ihre im immer in ist ja jetzt kann kein keine konto kunde kundendienst
kundenservice kundin leider lieber mal mein meine mich mir mit morgen nach nicht noch nun nur ob oder rechnung schon
sehr sie sind so support team und uns unser unsere vielen vom von was weil wenn wie wieder wir wird zu zum zur
zusammen zufrieden enttäuscht umgezogen mitglied
""")
_OTHER: Final = word_set("""
a alors au aussi avec bien bon bonjour c'est ce cela cette chez client cliente comme commande compte dans de des donc
elle en est et fait il ils je j'ai la le les leur ma mais merci mes moi mon monsieur madame ne non nos notre nous on ou
oui par pas pour qu que qui sa sans se ses si son sont sur toute tous tout très un une vos votre vous équipe service
al algo aquí así atención buenas buenos cliente cómo con cuando cuenta del desde día días el ella en entonces eres es
esta está estoy gracias hay hola la las le lo los más me mi mis muy nada no nos nosotros o para pedido pero por porque
que qué se señor señora si sí sin sobre soy su sus también tengo todo todos tu un una usted ustedes y ya yo equipo
abbiamo alla allo anche assistenza che chi ci cliente come con cosa da dal della di ed e è grazie ho i il in io la lei
lo ma mi mio molto ne nel noi non nostro o ordine per più prego questo qui sì si sono sua suo team ti tutti un una vi
aan als bent bestelling bij daar dan dank dat de deze die dit een en er ga goed graag heb hebben heeft het hier hoe
ik in is ja je kan klant klantenservice maar meer met mij mijn naar niet nog of om ons ook op over team te tot u uit uw
van veel voor was wat we wel wij ze zijn zo
""")
NO_NAMES: Final = frozenset(COMMON | GENERAL | ROLES | _ENGLISH | _GERMAN | _OTHER)
"""Words in lower case that are never taken for a name by the phrase around them."""

COMMON_NAMES: Final = word_set("""
will mark bill grace may rose hope faith joy art grant rich jack frank drew chase ray dean penny amber ruby violet lily
iris olive ivy summer autumn april june august dawn eve crystal pearl star page young long black white brown green gray
grey gold king knight bishop baker cook carter mason miller smith taylor walker hunter fisher bell ball banks bridges
brooks church cross day fields fox french hall hand head hill holland hood house lake lane law lee love marsh mills
moon moore noble park parks parish pike pool pope porter ring rivers rock sharp shield stone stock storm strong swift
temple underwood wall ward waters weeks wells west winter winters wise wolf wood woods worth major sue dale glen guy
harry pat sally max clay cliff rusty sandy skip sunny trip van lance miles rob bob nick don jean ben dick jay ace
klein lang kurz weiß schwarz richter koch bauer wagner vogel petit grand blanc leroy rey reyes cruz santos flores luna
rossi bianchi neri""")
"""Names that are common words as well. They count as a name only where they are capitalised."""


_SURNAMES_ONLY: Final = word_set("price best short small power post savage friend child case wood rich day sales bond")


def is_name_word(word: str, *, after_given: bool = False) -> bool:
    """Say whether a word can be part of a name. A common word can if it is also a name and is capitalised.

    Some are names only after a given name: "Grace Price".
    """
    plain = word.lower()
    if after_given and plain in _SURNAMES_ONLY:
        return word[0].isupper()
    if len(plain) < 2 or plain.endswith(("'s", "'re", "'m", "'ll", "'ve", "n't")):
        return False
    if plain in COMMON_NAMES:
        return word[0].isupper()
    return plain not in NO_NAMES and (word[0].isupper() or not plain.endswith(ENDINGS))
