"""Lists of names, and of words that are no names.

The names are given names that are recognised, and names that stand-ins are drawn from. The other words are capitalised
or stand where a name may stand.
"""

from __future__ import annotations

from typing import Final

from arf_programs.checks import COMMON, ENDINGS, GENERAL, ROLES
from arf_programs.text import GIVEN_NAMES, MEN_ABROAD, WOMEN_ABROAD, word_set

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


def _listed(words: str) -> tuple[str, ...]:
    return tuple(words.split())


WOMEN: Final = _listed("""
Adela Agnes Alina Alma Anja Annika Astrid Beata Bianca Birgit Carina Celia Cordelia Dagmar Delia Edith Elin Elsa
Enid Esther Felicia Flavia Frida Gerda Gilda Greta Hilda Imogen Ines Isolde Jana Katja Kirsten Lena Leonie Livia
Lorena Mabel Magda Marta Matilda Mira Nadia Odette Olga Ottilie Paloma Petra Ramona Rhea Rosalind Sabine Selma
Silvia Tabitha Thea Ursula Verena Wilma Yvette Zelda
""")
MEN: Final = _listed("""
Alaric Alfons Ambrose Anselm Armin Bastian Bela Benno Bertram Bjorn Casper Clemens Conrad Cyril Damian Dario
Detlef Egon Emil Enzo Ernst Fabian Felipe Florian Gerard Gideon Gregor Gunnar Gustav Hector Henrik Hubert Ignaz
Igor Ivo Jonas Julius Jurgen Kaspar Klaus Kurt Lars Lothar Ludwig Magnus Milan Nils Norbert Ole Orson Osvaldo
Pascal Quentin Rainer Reuben Rolf Rufus Sven Tibor Torsten Ulrich Valentin Viggo Wendel Yannick
""")
SURNAMES: Final = _listed("""
Abernathy Aldington Amstad Arkwright Ashdown Barlowe Beckmann Bergstrom Birkett Blackwood Brandauer Brockhurst
Calloway Carrick Castellano Chadwell Coldwell Corrigan Dahlgren Danforth Delacroix Dornberg Drummond Eastwick
Eklund Ellery Engstrom Fairbourne Farnsworth Fenwick Fitzroy Galloway Garrick Gatewood Gellner Granger Hadley
Halvorsen Harcourt Hartwell Haverford Hollister Holmgren Ingersoll Jellinek Kaltenbach Kendrick Kessler Kirchner
Lachlan Landgrave Langford Lindqvist Lockhart Lundgren Mandeville Marchetti Marlowe Merriweather Montague
Nordahl Northcott Oakley Ostrander Overbeck Pemberton Penrose Prescott Quimby Radcliffe Ravenscroft Redfern
Rosenbaum Rutherford Salvatore Sandoval Sedgwick Shackleton Sorensen Stanhope Sternberg Tarkington Thackeray
Thornbury Tremaine Underhill Valcourt Vandermeer Wakefield Warburton Weatherby Westergaard Whitcombe Winslow
Wolcott Yardley Zeidler
""")
STREETS: Final = _listed("""
Alder Ashby Aster Beech Birch Briar Cedar Clover Cypress Elder Fern Foxglove Hawthorn Hazel Heather Holly
Juniper Larch Laurel Linden Magnolia Maple Myrtle Poplar Primrose Rowan Sorrel Spruce Tamarisk Willow
""")
STAND_INS: Final = word_set(" ".join((*WOMEN, *MEN, *SURNAMES)).lower())
"""All words of stand-ins for names. A text with one of them has a name, so no stand-in is taken for it."""

_WOMEN_KNOWN: Final = word_set("""
abigail aisha alice alicia alison amanda amelia amina amy ana angela anita anjali anna anne annette ashley audrey
barbara beatrice beth betty brenda camila carla carmen carol caroline catherine charlotte cheryl chloe christina
christine cindy claire clara claudia cynthia daniela danielle deborah debra denise diana diane donna doris dorothy
eileen elaine elena elizabeth ella ellen emily emma erica eva evelyn fatima fiona frances francesca gabriela gloria
hannah heather helen helena ingrid irene isabel isabella jacqueline jane janet janice jasmine jean jennifer jenny
jessica jill joan joanna judith judy julia julie karen kate katherine kathleen katie kelly kimberly lara laura lauren
linda lisa lois louise lucia lucy luna lydia lynn margaret maria marie marilyn marisa martha mary maureen megan mei
melanie melissa mia michelle monica nancy naomi natalia natalie natasha nicole nina nora norma olivia pamela patricia
paula pauline peggy priya rachel rebecca renee rita rosa ruth sally samantha sandra sara sarah sharon sheila shirley
sofia sonia sophia sophie stephanie sue susan sylvia tanya tara teresa theresa tiffany tina tracy valerie vanessa vera
veronica victoria vivian wanda wendy yasmin yolanda yvonne zoe""")

KNOWN_WOMEN: Final = frozenset(_WOMEN_KNOWN | WOMEN_ABROAD | word_set(" ".join(WOMEN).lower()))
KNOWN_MEN: Final = frozenset(
    (GIVEN_NAMES - _WOMEN_KNOWN - word_set("alex andrea chris jackie jade jamie jordan kim robin sam terry yuki"))
    | MEN_ABROAD
    | word_set(" ".join(MEN).lower())
)
GIVEN: Final = frozenset(GIVEN_NAMES | KNOWN_WOMEN | KNOWN_MEN)
"""Given names that are recognised by themselves, in lower case."""

KNOWN_SURNAMES: Final = word_set("""
adams ahmed allen almeida alonso álvarez anderson andersson bailey bakker barnes becker bennett bernard bertrand
bianchi blanco bondarenko bonnet boyle brennan bruno byrne campbell carvalho castillo castro chatterjee chaudhary
chukwu collins colombo conti costa cox dąbrowski davies davis delgado díaz dijkstra doherty domínguez dubois dupont
durand edwards eriksson esposito evans fernandes fernández ferrari ferreira fischer fontaine fournier gallagher gallo
garcia garcía georgiou girard gomes gomez gómez gonzales gonzález greco grigorescu gruber gupta gutiérrez hansen
harris hartmann hendriks hernandez hernández hoffmann hofmann horvat horváth huang hughes hussain iglesias ivanov
ivanova jackson jansen janssen jensen jiménez johansson johnson jones kaiser kamiński kaya kelly khan koller kovač
kovács kowalska kowalski krause krüger kumar lambert larsen laurent lefebvre lefèvre lehmann lewandowski lindholm
lombardi lopes lopez lópez lorenzo ludwig maier mancini marino marques martínez martinez mazur mccarthy mcdonald
mehta mendes mendoza menon mercier meyer michaud mishra mitchell mohamed molina morales moreau moreno moretti morgan
morris mukherjee müller muñoz murphy murray nakamura navarro nelson neumann nguyen nielsen novák nowak o'brien
o'connor o'neill o'sullivan okafor okonkwo olsen olsson ortega ortiz özdemir papadopoulos parker patel pedersen
pereira perez pérez petersen peterson petrov petrova phillips pietersen popescu popov quinn ramirez ramírez ramos
reddy reid reilly ribeiro ricci rinaldi rivera roberts robinson rodrigues rodríguez romano romero roux ruiz russo ryan
saito salazar sánchez sanchez santoro sato schmid schmidt schmitz schneider scholz schröder schulz schulze schuster
serrano sharma shevchenko silva simmons singh smirnov smit sokolov sørensen souza stewart suárez sullivan suzuki
svensson szabó takahashi tanaka thompson torres tóth turner vargas vasquez vázquez verma visser vogt walsh wang
watanabe watson weiss werner williams wilson wiśniewski wójcik wright yamamoto yıldız yılmaz zhang zhou zimmermann
""")
"""Frequent surnames of many countries that are no common words, in lower case."""
