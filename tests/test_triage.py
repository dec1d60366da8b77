"""`arf triage`: the curve of a ranking, what is learned from other drafts, and what is refused."""

import json

import pytest
from typer.testing import CliRunner

from arf_programs.cli.app import app
from arf_programs.metrics import Resampling, catch_curve
from arf_programs.runs import SplitConversation, write_jsonl_atomic
from arf_programs.tools.probing import rank_drafts
from signatures.exceptions import ConfigError, DataError
from signatures.records import Conversation, DraftErrors, ErrorNote, Summary, Turn


def arf(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


FEW = Resampling(samples=50)


def caught(curve, share):
    return next(point.caught.value for point in curve.points if point.analysed == share)


def test_a_perfect_ranking_needs_the_share_of_flawed_drafts():
    flawed = [True] * 3 + [False] * 7
    curve = catch_curve("x", [9, 8, 7, *range(7)], flawed, recall=1.0, resampling=FEW)
    assert curve.needed.value == pytest.approx(0.3)
    assert [caught(curve, share) for share in (0.1, 0.2, 0.3, 0.9)] == pytest.approx([1 / 3, 2 / 3, 1, 1])


def test_equal_scores_are_in_random_order():
    curve = catch_curve("x", [0.0] * 10, [True, True, *[False] * 8], recall=0.9, resampling=FEW)
    assert curve.needed.value == pytest.approx(0.9)
    assert caught(curve, 0.4) == pytest.approx(0.4)


def test_a_wrong_ranking_needs_nearly_all_and_the_interval_holds_the_value():
    scores = list(range(20))
    curve = catch_curve("x", scores, [score < 5 for score in scores], recall=0.8, resampling=FEW)
    assert curve.needed.value == pytest.approx(0.95)
    assert curve.needed.low <= curve.needed.value <= curve.needed.high
    assert caught(curve, 0.7) == 0
    with pytest.raises(ValueError, match="none"):
        catch_curve("x", [1.0], [False], recall=0.9)


@pytest.fixture
def analysed(make_run):
    """A run with 60 analysed drafts: each third one is flawed, and they speak of a refund."""

    def make(*overrides, count=60, every=3, source="lm", metadata=True):
        run = make_run(*overrides)
        talks, drafts, errors = [], [], []
        for number in range(count):
            flawed = number % every == 0
            name, thing = f"c{number}", ("lamp", "mug", "kettle", "chair")[number % 4]
            turns = (
                Turn(speaker="Customer", text=f"my {thing} broke"),
                Turn(speaker="Agent", text="we send a new one"),
            )
            talk = Conversation(id=name, turns=turns, metadata={"day": number} if metadata else {})
            text = f"The {thing} broke. " + ("The refund was paid." if flawed else "A new one is sent.")
            note = ErrorNote(id="e", category="wrong_fact", quote="The refund", source=source)
            talks.append(SplitConversation(conversation=talk, split="train"))
            drafts.append(Summary(conversation_id=name, text=text, system="teacher", model="m"))
            errors.append(DraftErrors(conversation_id=name, system="teacher", errors=(note,) if flawed else ()))
        run.folder.path.mkdir(parents=True, exist_ok=True)
        write_jsonl_atomic(run.folder.conversations, talks)
        write_jsonl_atomic(run.folder.drafts, drafts)
        write_jsonl_atomic(run.folder.errors, errors)
        return run

    return make


def test_words_that_go_with_errors_are_learned_from_other_drafts(analysed):
    made = rank_drafts(analysed())
    curves = {curve.name.partition(" ")[0]: curve for curve in made.curves}
    assert (made.drafts, made.flawed) == (60, 20)
    assert curves["random"].needed.value == pytest.approx(0.9)
    assert curves["text"].needed.value == pytest.approx(0.3)
    assert set(curves) == {"random", "longest", "checks", "text"}


def test_by_time_only_the_later_half_is_measured(analysed):
    made = rank_drafts(analysed(), time="day")
    assert made.drafts == 30
    assert "earlier half by day" in made.split
    with pytest.raises(ConfigError, match="--time: 60 of 60"):
        rank_drafts(analysed(metadata=False), time="day")


def test_a_run_that_cannot_be_triaged_says_why(analysed, make_run):
    with pytest.raises(DataError, match="run `arf analyze` first"):
        rank_drafts(make_run())
    with pytest.raises(DataError, match=r"2 of 60 drafts .* analyse more drafts"):
        rank_drafts(analysed(every=30))
    with pytest.raises(DataError, match=r"0 of 60 drafts .* set analyze\.analyst to true"):
        rank_drafts(analysed("analyze.analyst=false", source="check"))


def test_the_command_prints_a_table_or_json(analysed, tmp_path):
    run = analysed()
    result = arf("triage", tmp_path / "arf.yaml", "--run-dir", run.folder.path)
    assert "to catch 90%" in result.stdout
    assert "Best: text" in result.stdout
    found = json.loads(arf("triage", tmp_path / "arf.yaml", "--run-dir", run.folder.path, "--json").stdout)
    assert found["ok"]
    assert len(found["curves"]) == 4
