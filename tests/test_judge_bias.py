"""Judge against people: agreement, and bias by length and by system."""

import pytest

from arf_programs.metrics import Resampling
from arf_programs.metrics.agreement import RatedPair, calibrate_judge, split_by_length


def pair(number: int, words: int, judge: int, human: int, system: str = "") -> RatedPair:
    return RatedPair(conversation_id=f"c{number}", words=words, judge=judge, human=human, system=system)


def test_a_judge_that_likes_length_is_found_out():
    rows = [pair(n, 10 * n, judge=min(5, 1 + n // 2), human=3) for n in range(1, 10)]
    found = calibrate_judge(rows, resampling=Resampling(100))
    assert found.length_bias > 0.9
    short, _, long = found.by_length
    assert short.bias.value < 0 < long.bias.value
    assert [item.group for item in found.by_length] == [
        "short (10-30 words)", "middle (40-60 words)", "long (70-90 words)"
    ]  # fmt: skip


def test_a_judge_that_likes_a_system_is_found_out():
    rows = [pair(1, 9, 5, 3, "student"), pair(2, 9, 4, 3, "student"), pair(3, 9, 3, 3, "teacher"), pair(4, 9, 2, 2)]
    found = calibrate_judge(rows, resampling=Resampling(100), model="m", prompt="p", failed=2)
    assert [(item.group, item.bias.value, item.bias.n) for item in found.by_system] == [
        ("student", 1.5, 2), ("teacher", 0, 1)
    ]  # fmt: skip
    assert (found.bias.value, found.agreement.n, found.agreement.exact) == (0.75, 4, 0.5)
    assert (found.model, found.prompt, found.failed) == ("m", "p", 2)


def test_summaries_of_one_conversation_are_one_observation():
    rows = [pair(1, 5, 5, 1), pair(1, 6, 4, 2), pair(2, 7, 3, 3)]
    assert calibrate_judge(rows, resampling=Resampling(100)).bias.n == 2
    assert calibrate_judge(rows, resampling=Resampling(100)).bias.value == 1.5


def test_equal_lengths_stay_together():
    (band,) = split_by_length([pair(n, 8, 3, 3) for n in range(5)])
    assert band[0] == "long (8 words)" and len(band[1]) == 5


def test_nothing_to_compare_is_an_error():
    with pytest.raises(ValueError, match="no summary"):
        calibrate_judge([])
