import pytest

from arf_programs.programs.revision.attempts import deletions, verified_edits
from arf_programs.programs.revision.verify import Verification
from arf_programs.text.edits import apply_edits
from signatures.records import Edit, EditOp, ErrorNote

TEXT = "The kettle leaked. The agent refunded 39.90 on Friday. It arrives soon."


def note(name, quote="", evidence=(), source="check", explanation="") -> ErrorNote:
    given = {"category": "wrong_fact", "quote": quote, "evidence": evidence, "explanation": explanation}
    return ErrorNote(id=name, source=source, **given)


def edit(quote, replacement, *mends) -> Edit:
    return Edit(op=EditOp.REPLACE, quote=quote, replacement=replacement, mends=mends)


GOOD = edit("39.90", "the price", "a")
BAD = edit("Friday", "Sunday", "b")


ERRORS = [note("a", "39.90"), note("b", "Friday")]


def kept_of(edits, remaining=(), new=(), errors=ERRORS):
    """The edits that are kept, by their replacements."""
    result = apply_edits(TEXT, edits)
    verification = Verification(remaining=tuple(remaining), new=tuple(new))
    return [item.replacement for item in verified_edits(TEXT, result.after, result.applied, verification, errors)]


@pytest.mark.parametrize(
    ("remaining", "new", "kept"),
    [
        ([], [], ["the price", "Sunday"]),
        ([note("b", "Friday")], [], ["the price"]),
        ([], [note("n", "on Sunday")], ["the price"]),
        ([], [note("n", "Sun")], ["the price", "Sunday"]),  # no word of its own
        ([], [note("n", "It arrives soon")], ["the price", "Sunday"]),
        ([], [note("n")], ["the price", "Sunday"]),  # an omission that no edit can have caused
        ([], [note("n", explanation="That it was on Friday.")], ["the price"]),
    ],
)
def test_the_edits_that_verify(remaining, new, kept):
    assert kept_of([GOOD, BAD], remaining, new) == kept


def test_an_edit_that_does_not_say_what_it_mends_is_kept_unless_something_speaks_against_it():
    unnamed = edit("Friday", "Sunday")
    assert kept_of([unnamed]) == ["Sunday"]
    assert kept_of([unnamed], remaining=[note("b", "Friday")]) == []
    assert kept_of([unnamed], new=[note("n", "Sunday")]) == []


def test_one_deletion_a_sentence():
    errors = [note("a", "39.90", (2,)), note("b", "Friday", (3, 2)), note("c", "soon", (4,)), note("d")]
    found = deletions(TEXT, errors)
    assert [(item.op, item.quote, item.mends, item.evidence) for item in found] == [
        (EditOp.DELETE, "The agent refunded 39.90 on Friday.", ("a", "b"), (2, 3)),
        (EditOp.DELETE, "It arrives soon.", ("c",), (4,)),
    ]
    assert apply_edits(TEXT, found).after == "The kettle leaked."


def test_a_quote_over_two_sentences_takes_both():
    found = deletions(TEXT, [note("a", "on Friday. It arrives")])
    assert [item.quote for item in found] == ["The agent refunded 39.90 on Friday.", "It arrives soon."]


def test_no_errors_delete_nothing():
    assert deletions(TEXT, [note("a"), note("b", "not there")]) == []


def test_a_cut_off_sentence_is_deleted_where_it_stands_not_where_its_words_stand_first():
    before = "The customer service team refunded 85 euros. It was late. The customer service"
    cut_off = note("length", "The customer service", source="check")
    (edit,) = deletions(before, [cut_off])
    assert apply_edits(before, [edit]).after == "The customer service team refunded 85 euros. It was late."
    assert edit.mends == (cut_off.id,)
