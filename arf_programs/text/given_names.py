"""Given names of many countries."""

from __future__ import annotations

from typing import Final

from arf_programs.text.sentences import word_set

GIVEN_NAMES: Final = word_set("""
aaron abigail adam adrian ahmed aisha alan albert alejandro alex alexander alexandra alexis alice alicia alison amanda
amber amelia amina amy ana andrea andreas andrew angela anil anita anjali anna anne annette anthony antonio arjun arthur
ashley audrey barbara beatrice ben benjamin bernard beth betty beverly boris bradley brandon brenda brian bruce bryan
caleb cameron camila carl carla carlos carmen carol caroline carolyn catherine cecilia charles charlotte cheryl chloe
chris christian christina christine christopher cindy claire clara claudia colin connor craig cynthia daniel daniela
danielle david deborah debra denise dennis derek deepak diana diane diego dmitri donald donna doris dorothy douglas
dylan edgar eduardo edward eileen elaine elena eli elijah elizabeth ella ellen emily emma eric erica erik ethan eugene
eva evan evelyn fatima felix fernando fiona frances francesca francis francisco frank fred frederick gabriel gabriela
gary george gerald giovanni gloria gordon gregory guillermo hannah hans harold harry hassan heather hector helen helena
henry howard hugo ian ibrahim imran ingrid irene isaac isabel isabella ivan jack jackie jacob jacqueline jade jake james
jamie jane janet janice jasmine jason javier jean jeff jeffrey jennifer jenny jeremy jerry jesse jessica jill jim joan
joanna joe joel john johnny jonathan jordan jorge jose joseph joshua juan judith judy julia julian julie justin karen
karl karim kate katherine kathleen kathryn katie keith kelly kenneth kevin kim kimberly kyle lara larry laura lauren
lawrence leah leo leon leonard leslie liam lillian linda lisa logan lois lorenzo louis louise lucas lucia lucy luis luke
luna lydia lynn madison manuel marcia marco marcus margaret maria marie marilyn mario marion marisa marjorie martha
martin marvin mary mateo matteo matthew maureen maurice max megan mei melanie melissa mia michael michelle miguel mike
mildred mohammed monica mohamed muhammad nancy naomi natalia natalie natasha nathan neil nicholas nicole nina noah nora
norma norman oliver olivia omar oscar pablo pamela patricia patrick paul paula pauline pedro peggy peter philip phillip
phyllis pierre priya rachel rafael raj rajesh ralph ramon raymond rebecca renee ricardo richard rita robert roberto
robin rodney roger ronald rosa rosemary roy russell ruth ryan sally samantha samuel sandra sanjay sara sarah scott sean
sebastian sergio shannon sharon shawn sheila shirley simon sofia sonia sophia sophie stanley stephanie stephen steve
steven stuart sue susan suzanne sylvia tamara tanya tara teresa terry thelma theodore theresa thomas tiffany timothy
tina todd tom tomas tony tracy travis tyler valerie vanessa vera veronica victor victoria vincent viktor vivian walter
wanda wayne wendy wesley william xavier yasmin yolanda yuki yusuf yvonne zachary zainab zoe
""")
"""Common given names, in lower case. Those that are more often other words ("Will", "Grace", "Mark") are left out."""

WOMEN_ABROAD: Final = word_set("""
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
MEN_ABROAD: Final = word_set("""
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
"""Further given names, mostly of other languages than English. Some are also other words there."""
