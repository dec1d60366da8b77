import scripted_team

from arf_programs.corpus.taxonomy import load_seed_taxonomy
from arf_programs.programs.analysis.taxonomy import MergeNotes, merge_proposals
from signatures.induce_taxonomy import KnownCategory, ProposedCategory
from signatures.records import Category, Taxonomy

SEED = Taxonomy(
    categories=(
        Category(id="wrong_fact", name="Wrong fact", definition="Told otherwise."),
        Category(id="missing_outcome", name="Missing outcome", definition="No end."),
    )
)


def proposal(name, *notes, **values) -> ProposedCategory:
    given = {"name": "", "definition": "By the model.", "severity": "minor", "example": ""}
    return ProposedCategory(**{**given, "id": name, "notes": list(notes), **values})


def merged(*proposals, notes=9, limit=5, seed=SEED) -> dict[str, int]:
    taxonomy = merge_proposals(seed, proposals, notes=notes, limit=limit)
    return {category.id: category.count for category in taxonomy.categories}


def test_known_categories_stay_and_count_their_notes():
    taxonomy = merge_proposals(SEED, [proposal("wrong_fact", 1, 2)], notes=3, limit=5)
    assert taxonomy.categories[0] == SEED.categories[0].model_copy(update={"count": 2})
    assert taxonomy.categories[1] == SEED.categories[1]


def test_new_categories_need_notes_and_a_usable_id():
    found = merged(proposal("Tone & Style!", 1), proposal("empty"), proposal("123", 2), proposal("", 3))
    assert found == {"wrong_fact": 0, "missing_outcome": 0, "tone_style": 1}


def test_a_note_counts_once_and_only_if_it_exists():
    assert merged(proposal("wrong_fact", 1, 1, 2, 0, -1, 10), proposal("other", 2, 3)) == {
        "wrong_fact": 2,
        "missing_outcome": 0,
        "other": 1,
    }


def test_a_known_category_is_not_written_anew_and_an_unknown_one_is_not_known():
    found = merged(
        KnownCategory(id="wrong_fact", notes=[1, 2]), KnownCategory(id="tone", notes=[3]), proposal("new", 3)
    )
    assert found == {"wrong_fact": 2, "missing_outcome": 0, "new": 1}


def test_no_more_categories_than_wanted():
    found = merged(proposal("a", 1), proposal("b", 2), proposal("wrong_fact", 3), limit=3)
    assert found == {"wrong_fact": 1, "missing_outcome": 0, "a": 1}


def test_a_category_proposed_twice_is_one():
    assert merged(proposal("tone", 1), proposal("Tone", 2))["tone"] == 2


def test_texts_are_tidy_and_a_name_is_made_from_the_id():
    taxonomy = merge_proposals(SEED, [proposal("bad_tone", 1, definition="a\n b", example=" c\td ")], notes=1, limit=9)
    made = taxonomy.categories[-1]
    assert (made.name, made.definition, made.example, made.severity) == ("bad tone", "a b", "c d", "minor")


def test_many_notes_are_merged_in_chunks_that_know_of_each_other(call, lm):
    team = scripted_team.join(
        induce=lambda fields: {
            "known": [],
            "categories": [
                {**proposal("late_answer").model_dump(), "notes": list(range(1, fields["notes"].count("\n") + 2))}
            ],
        }
    )
    program = MergeNotes(max_categories=14, retries=0)
    program.set_lm(lm)
    answer = call(program, notes=[f"note {n}" for n in range(120)], seed=load_seed_taxonomy())
    first, second, third = team.fields["induce"]
    assert first["notes"].startswith("1. note 0\n2. note 1")
    assert second["notes"].startswith("1. note 50")
    assert third["notes"].endswith("20. note 119")
    assert "late_answer" not in first["known_categories"]
    assert "- late_answer: By the model." in second["known_categories"]
    (made,) = [category for category in answer.taxonomy.categories if category.id == "late_answer"]
    assert made.count == 120
    assert answer.taxonomy.ids()[: len(load_seed_taxonomy().ids())] == load_seed_taxonomy().ids()
