"""Lists of names: given names that are recognised, and the names that stand-ins are drawn from."""

from __future__ import annotations

from typing import Final

from arf_programs.text import GIVEN_NAMES, word_set


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
_OTHER_WOMEN: Final = word_set("""
ayşe aylin agnieszka aleksandra amélie anastasia aneta anke anneliese aurélie ayesha beata bettina birgit britta camille
cécile céline chantal chiara chloé claudine concepción consuelo corinne dolores dorota élise eloise esra ewa fatma
federica florence franziska freya gabriele geneviève giulia gisela giorgia grażyna gudrun hanna heidi heike hélène
ilaria ilona ines inès ingeborg inge irina irmgard isabelle iwona joanne josefine jutta karin karolina katarzyna
katrin katja khadija kirsten kristin leila lena léa leonie lucía lucie małgorzata magdalena manon manuela marcela
margarita margot marianne marina marta martina mathilde mathilda mercedes mireille mónica monika muriel nadia nadine
nathalie nicola nicoletta noémie olga paola petra pilar raquel regina renate rocío sabine sandrine saskia sevgi silke
silvia simone sinéad siobhán solange sonja steffi stefanie susanne svetlana tatiana tatjana teodora ulrike ursula
valentina valérie véronique virginie waltraud xenia ximena yuko zeynep zofia niamh aoife ciara imogen poppy gemma
kirsty hayley lindsay tamsin priyanka deepika lakshmi sunita kavita neha pooja ananya meera mariam noor layla amara
chiamaka ngozi adaeze folake thandiwe nomsa""")
_OTHER_MEN: Final = word_set("""
adam adrián alain alejandro alessandro alexandre alfonso álvaro andrej andré andrzej andrés ángel antoine antoni
armand arnaud arne axel balázs bartosz bastien bernd björn bogdan cédric christoph clément cornelius dariusz davide
detlef didier dieter dietmar dirk domenico dominik eckhard emanuele emre enrique enrico ernst étienne fabio fabrice
federico ferdinand florian françois friedrich georg gérard gerd gert giuseppe gonzalo grzegorz guido günter günther
gustavo guy hakan hamza harald hartmut heiko heinrich heinz helmut hendrik henri hervé holger horst hubert ignacio
igor iker jacek jan jacques jarosław javier jens jérôme jochen jörg jürgen joão josé juan-carlos karl-heinz kasper
kemal klaus konrad krzysztof kurt lars laurent loïc lothar luc luca łukasz luigi maciej manfred marcel marcin marek
massimo mathieu matthias maxime mehmet michal michał michel mikael miroslav murat mustafa nicolas niklas nikolai
olaf ole olivier osman otto pascal patrice paolo paweł pascal pedro per philippe pieter piotr rainer ralf ramón
rémi renaud riccardo rodrigo roland rolf romain roberto rüdiger salvatore sébastien serge siegfried simone sławomir
stefan stéphane svein sven tadeusz thierry thorsten tiago tobias tomasz torsten udo ulrich umberto uwe vadim
vicente vincenzo vladimir volker werner wilhelm witold wojciech wolfgang yann yannick yves zbigniew zoltán callum
declan ewan fergus finlay fraser gareth graham hamish iain lachlan liam niall nigel oisín rhys rory ruairi seamus
stuart trevor aarav aditya ajay amit anand arnav ashok dev ganesh gaurav harish karan kiran mahesh manish mohit
nikhil pranav rahul rakesh rohan rohit sachin sandeep siddharth sunil suresh varun vijay vikram vivek chidi emeka
kwame kofi tunde babajide sipho thabo hiroshi kenji takeshi haruto jiro wei jian ming chen jun hiro satoshi""")

KNOWN_WOMEN: Final = frozenset(_WOMEN_KNOWN | _OTHER_WOMEN | word_set(" ".join(WOMEN).lower()))
KNOWN_MEN: Final = frozenset(
    (GIVEN_NAMES - _WOMEN_KNOWN - word_set("alex andrea chris jackie jade jamie jordan kim robin sam terry yuki"))
    | _OTHER_MEN
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
