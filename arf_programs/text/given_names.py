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
