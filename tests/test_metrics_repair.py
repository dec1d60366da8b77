"""Repair, token by token, against the labelled correction."""

import pytest

from arf_programs.metrics.repair import Place, count_untouched, find_exact_fixes, score_repair

CORRECT = "The customer paid 40 euros on Monday. The agent refunded it."
DRAFT = "The customer paid 50 euros on Friday. The agent refunded it."


def test_a_copy_of_the_correction_is_perfect_and_the_draft_itself_is_nothing():
    perfect = score_repair(DRAFT, CORRECT, CORRECT)
    assert (perfect.score, perfect.mended, perfect.kept, perfect.over_edit) == (1, 1, 1, 0)
    unchanged = score_repair(DRAFT, CORRECT, DRAFT)
    assert (unchanged.score, unchanged.mended, unchanged.kept) == (0, 0, 1)
    clean = score_repair(CORRECT, CORRECT, CORRECT)
    assert (clean.score, clean.mended) == (1, 1)


def test_half_mended_is_half():
    half = score_repair(DRAFT, CORRECT, DRAFT.replace("50", "40"))
    assert (half.mended, half.kept, half.score) == (0.5, 1, 0.5)
    assert half.feedback == 'Not mended: "friday" should read "monday".'


def test_another_wrong_value_is_not_mended():
    other = score_repair(DRAFT, CORRECT, CORRECT.replace("40", "60"))
    assert other.mended == 0.5
    # The invented value is a token that the correction does not need: 1 to 11 right ones.
    assert other.over_edit == pytest.approx(1 / 11)


def test_rewording_right_text_costs():
    reworded = score_repair(DRAFT, CORRECT, "The customer paid 40 euros on Monday. The agent returned money.")
    # Right are 11 tokens: the, customer, paid, euros, on, ., the, agent, refunded, it, .
    assert reworded.mended == 1
    assert reworded.kept == pytest.approx(9 / 11)
    assert reworded.over_edit == pytest.approx(4 / 11)
    assert reworded.score == pytest.approx(1 - 4 / 11)
    assert '"refunded", "it"' in reworded.feedback


def test_words_added_without_need_cost_even_in_a_clean_draft():
    padded = score_repair(CORRECT, CORRECT, CORRECT + " All were happy.")
    assert padded.kept == 1
    assert padded.over_edit == pytest.approx(4 / 13)
    assert "added" in padded.feedback


def test_new_errors_cost_and_the_score_is_clipped():
    assert score_repair(DRAFT, CORRECT, CORRECT, new_errors=1).score == 0.75
    assert score_repair(DRAFT, CORRECT, CORRECT, new_errors=9).score == 0


def test_an_invented_sentence_has_to_go():
    draft = CORRECT + " A voucher was sent."
    assert score_repair(draft, CORRECT, CORRECT).score == 1
    assert score_repair(draft, CORRECT, draft).score == 0
    part = score_repair(draft, CORRECT, CORRECT + " A voucher.")
    assert 0 < part.score < 1


def test_a_missing_sentence_counts_by_its_words():
    draft = "The customer paid 40 euros on Monday."
    assert score_repair(draft, CORRECT, CORRECT).score == 1
    assert score_repair(draft, CORRECT, draft).score == 0
    part = score_repair(draft, CORRECT, draft + " The agent refunded all.")
    assert part.mended == pytest.approx(4 / 5)  # the agent refunded . of: the agent refunded it .


def test_deleting_everything_is_no_repair():
    assert score_repair(DRAFT, CORRECT, "").score == 0


def test_case_and_apostrophes_do_not_count():
    assert score_repair("It’s 50.", "It’s 40.", "it's 40.").score == 1


def place(wrong, right):
    start = CORRECT.index(right)
    return Place(start, start + len(right), wrong)


def test_exact_fixes_tell_for_each_place():
    places = [place("50", "40"), place("Friday", "Monday")]
    assert find_exact_fixes(CORRECT, places, CORRECT) == [True, True]
    assert find_exact_fixes(CORRECT, places, DRAFT) == [False, False]
    assert find_exact_fixes(CORRECT, places, DRAFT.replace("50", "40")) == [True, False]
    assert find_exact_fixes(CORRECT, places, "They paid 40 euros on Monday, and got it back.") == [True, True]
    assert find_exact_fixes(CORRECT, places, DRAFT.replace("50", "40 (not 50)")) == [False, False]


def test_exact_fix_of_what_was_added_or_left_out():
    added = [Place(len(CORRECT), len(CORRECT), " A voucher was sent.")]
    assert find_exact_fixes(CORRECT, added, CORRECT) == [True]
    assert find_exact_fixes(CORRECT, added, CORRECT + " A voucher was sent.") == [False]
    left_out = [place("", " The agent refunded it.")]
    assert find_exact_fixes(CORRECT, left_out, CORRECT) == [True]
    assert find_exact_fixes(CORRECT, left_out, "The customer paid 40 euros on Monday.") == [False]


def test_untouched_counts_the_text_outside_the_places():
    places = [place("50", "40"), place("Friday", "Monday")]
    assert count_untouched(CORRECT, places, CORRECT) == (11, 11, True)
    assert count_untouched(CORRECT, places, DRAFT) == (11, 11, True)
    assert count_untouched(CORRECT, places, CORRECT.replace("refunded", "returned")) == (10, 11, False)
    assert count_untouched(CORRECT, places, CORRECT + " Fine.") == (11, 11, False)
    assert count_untouched(CORRECT, [], CORRECT) == (13, 13, True)
