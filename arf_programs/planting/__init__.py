"""Plants known errors in right summaries, so that analysts and editors can be measured without labels.

`right_summaries` finds the texts, `choose_items` decides which errors go into which text, and `make_item` writes them.
`make_counterfactual` changes a conversation and its right summary together, so that the summary stays right.
`harden` makes a conversation harder to summarise, and knows what is right for it.
"""

from arf_programs.planting.choose import FACT_KINDS, DrawnError, RightSummary, choose_items, draw_errors
from arf_programs.planting.counterfactuals import FACETS, Facet, make_counterfactual
from arf_programs.planting.hard import OPERATOR_NAMES, Hard, OperatorName, Trap, harden
from arf_programs.planting.items import NaturalizeErrors, make_item
from arf_programs.planting.pairs import PlantedSentence, PlantedTalk, plant_sentences
from arf_programs.planting.records import Plant, PlantedItem, by_category, by_kind, short_of
from arf_programs.planting.sources import (
    labelled_talks,
    labels_are_planted,
    needs_revisions,
    right_summaries,
    summaries_to_calibrate,
)
