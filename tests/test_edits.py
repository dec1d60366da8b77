import itertools
import random

import pytest

from arf_programs.text.changes import find_changes, measure_change
from arf_programs.text.edits import apply_edits
from signatures.records import Edit, EditOp

TEXT = "The customer, Mary, paid $45. The agent (Tom) said sorry, and left. He left!"


def delete(quote):
    return Edit(op=EditOp.DELETE, quote=quote)


def replace(quote, replacement):
    return Edit(op=EditOp.REPLACE, quote=quote, replacement=replacement)


def insert(quote, replacement):
    return Edit(op=EditOp.INSERT, quote=quote, replacement=replacement)


@pytest.mark.parametrize(
    ("edit", "after"),
    [
        (replace("$45", "$54"), TEXT.replace("$45", "$54")),
        (replace("paid $45.", "paid $54"), TEXT.replace("$45", "$54")),
        (replace("paid $45", "paid $54."), TEXT.replace("$45", "$54")),
        (replace("said sorry", "apologised."), TEXT.replace("said sorry", "apologised")),
        (replace("he LEFT!", "He stayed"), TEXT.replace("He left", "He stayed")),
        (replace(", and left", "before he left"), TEXT.replace("sorry, and left", "sorry before he left")),
        (replace(", Mary,", " Ann"), TEXT.replace(", Mary,", " Ann")),
        (delete("The agent (Tom) said sorry, and left."), "The customer, Mary, paid $45. He left!"),
        (delete("The customer, Mary, paid $45."), "The agent (Tom) said sorry, and left. He left!"),
        (delete("The customer, Mary, paid $45"), "The agent (Tom) said sorry, and left. He left!"),
        (delete("He left!"), "The customer, Mary, paid $45. The agent (Tom) said sorry, and left."),
        (delete("Tom"), TEXT.replace(" (Tom)", "")),
        (delete("(Tom)"), TEXT.replace(" (Tom)", "")),
        (delete(", and left"), TEXT.replace(", and left", "")),
        (delete("and left"), TEXT.replace(", and left", "")),
        (delete("paid"), TEXT.replace(" paid", "")),
        (replace("paid ", ""), TEXT.replace(" paid", "")),
        (insert("paid", "nearly"), TEXT.replace("paid", "paid nearly")),
        (insert("paid $45", "It was late."), TEXT.replace("$45.", "$45. It was late.")),
        (insert("", "All is well."), TEXT + " All is well."),
        (insert("Tom", "Beck"), TEXT.replace("Tom", "Tom Beck")),
    ],
)
def test_one_edit(edit, after):
    result = apply_edits(TEXT, [edit])
    assert result.after == after
    assert len(result.applied) == 1
    assert not result.refused


def test_lines_stay_lines():
    text = "One came.\nTwo came.\n\nThree came. Four came."
    assert apply_edits(text, [delete("Two came.")]).after == "One came.\n\nThree came. Four came."
    assert apply_edits(text, [delete("Three came.")]).after == "One came.\nTwo came.\n\nFour came."


def test_untouched_white_space_and_punctuation_stay_as_they_are():
    text = "A  double  space ,, here . And  $45 there  ;  so ."
    assert apply_edits(text, [replace("$45", "$54")]).after == text.replace("$45", "$54")


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (delete("a voucher"), "does not contain the quote 'a voucher'"),
        (delete(""), "a delete needs a quote"),
        (replace("$45", "$45"), "equals the quote"),
        (insert("Tom", " "), "no text to insert"),
        (insert("", ""), "no text to insert"),
    ],
)
def test_refusals_say_why(edit, reason):
    result = apply_edits(TEXT, [edit])
    assert result.after == TEXT
    assert reason in result.refused[0].reason
    assert result.refused[0].edit == edit


def test_of_overlapping_edits_the_first_wins():
    result = apply_edits(TEXT, [replace("paid $45", "owed $45"), replace("$45", "$54"), delete("He left!")])
    assert "owed $45" in result.after
    assert [item.reason for item in result.refused] == ["it overlaps another edit, of 'paid $45'"]


def test_a_summary_is_never_emptied():
    result = apply_edits("One. Two.", [delete("One."), delete("Two.")])
    assert result.after == "Two."
    assert result.refused[0].reason == "nothing would be left of the summary"


def test_the_order_of_edits_does_not_matter():
    edits = [replace("$45", "$54"), delete("The agent (Tom) said sorry, and left."), insert("", "End."), delete("Mary")]
    results = {apply_edits(TEXT, list(order)).after for order in itertools.permutations(edits)}
    assert results == {"The customer paid $54. He left! End."}


def test_neighbouring_deletions_leave_one_space():
    assert apply_edits("One. Two. Three. Four.", [delete("Two."), delete("Three.")]).after == "One. Four."
    assert apply_edits("One. Two. Three. Four.", [delete("Three."), delete("Four.")]).after == "One. Two."


def test_applied_edits_yield_the_same_text_again():
    first = apply_edits(TEXT, [replace("the CUSTOMER", "Mary Lind"), delete("he left"), delete("nothing such")])
    again = apply_edits(TEXT, first.applied)
    assert (again.after, again.applied, again.refused) == (first.after, first.applied, ())
    assert first.applied[0].quote == "The customer"


def test_random_replacements_touch_nothing_else():
    rng = random.Random(7)
    letters = "abcdefghij"
    for _ in range(300):
        words = ["".join(rng.choices(letters, k=6)) + rng.choice(["", "", ",", "."]) for _ in range(12)]
        gaps = [rng.choice([" ", " ", "  ", "\n"]) for _ in words]
        text = "".join(word + gap for word, gap in zip(words, gaps, strict=True)).rstrip()
        chosen = rng.sample(range(12), 3)
        bare = {n: words[n].rstrip(".,") for n in chosen}
        if any(text.count(word) > 1 for word in bare.values()):
            continue
        result = apply_edits(text, [replace(word, "ZZ" + word) for word in bare.values()])
        expected = text
        for word in bare.values():
            expected = expected.replace(word, "ZZ" + word)
        assert result.after == expected


def test_random_deletions_leave_no_double_space_or_orphan():
    rng = random.Random(8)
    sentences = [f"Sentence {number} says so, and ends." for number in range(8)]
    for _ in range(200):
        gone = rng.sample(sentences, rng.randint(1, 7))
        kept = [sentence for sentence in sentences if sentence not in gone]
        assert apply_edits(" ".join(sentences), [delete(sentence) for sentence in gone]).after == " ".join(kept)


def test_change_share():
    assert measure_change("a b c", "a b c") == 0
    assert measure_change("a b", "c d") == 1
    assert measure_change("a b c d", "a b c e") == pytest.approx(0.25)
    assert measure_change("", "") == 0
    assert measure_change("a b", "") == 1


def test_words_that_only_say_where_an_edit_belongs_overlap_nothing():
    before = "It broke. It broke. The agent paid. It broke."
    edits = [
        Edit(op=EditOp.REPLACE, quote="It broke. It broke.", replacement="It broke."),
        Edit(op=EditOp.REPLACE, quote="It broke. The agent paid.", replacement="It broke. He paid."),
        Edit(op=EditOp.REPLACE, quote="The agent paid. It broke.", replacement="The agent paid."),
    ]
    result = apply_edits(before, edits)
    assert (result.after, len(result.applied)) == ("It broke. He paid.", 3)
    assert apply_edits(before, result.applied).after == result.after


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("Paid 5 euros on Friday.", "Paid 7 euros on Friday.", ["7"]),
        ("Paid 5 euros.", "Paid 5 euros. It came  late.", ["It came  late."]),
        ("Paid 5 euros. It came late.", "Paid 5 euros.", []),
        ("One two three", "four two five six", ["four", "five six"]),
        ("Same  words.", "Same words.", []),
        ("", "All new.", ["All new."]),
        ("All gone.", "", []),
    ],
)
def test_changed_places_are_the_words_that_were_not_there(before, after, words):
    assert [after[slice(*place)] for place in find_changes(before, after)] == words
