"""The data that users give.

Conversations, the labelled set and the taxonomy, and how conversations are split into sides.

Each file is read and checked as a whole. All its problems are reported at once, and everything left out is counted.
"""

from arf_programs.corpus.labeled import (
    LabeledExample,
    label_notes,
    load_labeled,
    load_labeled_of_corpus,
    read_labeled_file,
    read_labeled_of,
    refuse_no_labels,
)
from arf_programs.corpus.near_duplicates import cluster_duplicates, group_duplicates
from arf_programs.corpus.read import store_corpus
from arf_programs.corpus.split import Split, read_clusters, split_conversations, split_corpus
from arf_programs.corpus.taxonomy import (
    FORM_CATEGORIES,
    NOT_OF_FACT,
    load_configured_taxonomy,
    load_seed_taxonomy,
    read_taxonomy,
    write_taxonomy,
)
from arf_programs.corpus.turns import clean_text, parse_conversation
