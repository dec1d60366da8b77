"""Lists of names: given names that are recognised, and the names that stand-ins are drawn from."""

from __future__ import annotations

from typing import Final

from arf_programs.text import GIVEN_NAMES, MEN_ABROAD, WOMEN_ABROAD, word_set


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
