"""`train.preference.rejected`: pairs whose rejected side is the revision with one error planted in it."""

from pathlib import Path
from typing import Any

import pytest
from reviewed_run import DRAFT, write_run
from rich.console import Console

from arf_programs.config import load_config
from arf_programs.runs import Progress, Run, RunFolder, read_jsonl, write_jsonl_atomic
from arf_programs.stages import train
from signatures.records import DraftErrors, PreferencePair, Revision
from training import build

REVISION = DRAFT.replace("lamp", "kettle").replace("Friday", "Thursday")
VERIFIED = ["kettle-01", "kettle-04", "kettle-07", "kettle-10"]


def configure(folder: RunFolder, **preference: object) -> RunFolder:
    lines = folder.config.read_text().split("train:")[0].rstrip()
    folder.config.write_text(f"{lines}\ntrain: {{preference: {preference}}}\n")
    return folder


def pairs_of(path: Path, **preference: object) -> list[PreferencePair]:
    folder = configure(write_run(path / "run"), **{"method": "sigmoid", **preference})
    assert build.main(["--run-dir", str(folder.path)]) == 0
    return list(read_jsonl(folder.train / "preference.jsonl", PreferencePair))


def rejected(pairs):
    return [pair.rejected[0].content for pair in pairs]


def test_the_draft_is_rejected_unless_something_else_is_said(tmp_path):
    pairs = pairs_of(tmp_path)
    assert [pair.conversation_id for pair in pairs] == VERIFIED
    assert rejected(pairs) == [DRAFT] * 4
    assert not any("planted" in pair.provenance for pair in pairs)
    assert rejected(pairs_of(tmp_path, method="none", rejected="planted")) == [DRAFT] * 4, "no pair is trained on"


def test_a_planted_pair_differs_in_one_error_and_says_which(tmp_path, capsys):
    every = pairs_of(tmp_path, rejected="planted", kinds="uniform")
    pairs = [pair for pair in every if pair.conversation_id in VERIFIED]
    assert len(pairs) == 4
    for pair in pairs:
        planted: Any = pair.provenance["planted"]
        right, wrong = planted["right"], planted["wrong"]
        assert pair.chosen[0].content == REVISION
        worse = pair.rejected[0].content
        assert worse.split() != REVISION.split()
        text, there, instead, other = (worse, wrong, right, REVISION) if wrong else (REVISION, right, wrong, worse)
        before, _, after = text.partition(there)
        assert (before + instead + after).split() == other.split()
        assert planted["category"] and planted["kind"]
        assert pair.provenance["verdict"] == "verified"
    assert f"preference: {len(every)} pairs" in capsys.readouterr().err
    assert pairs_of(tmp_path, rejected="planted", kinds="uniform") == every


def test_errors_are_planted_in_clean_drafts_too_but_not_in_rejected_revisions(tmp_path):
    pairs = pairs_of(tmp_path, rejected="planted", kinds="uniform")
    revisions = list(read_jsonl(tmp_path / "run" / "revisions.jsonl", Revision))
    right = {row.conversation_id: row.after for row in revisions if row.verdict != "rejected"}
    assert {pair.conversation_id: pair.chosen[0].content for pair in pairs} == right
    assert len(VERIFIED) < len(right) < len(revisions)


def test_both_makes_a_pair_of_each_sort(tmp_path):
    both = pairs_of(tmp_path, rejected="both", kinds="uniform")
    assert both[:4] == pairs_of(tmp_path)
    assert both[4:] == pairs_of(tmp_path, rejected="planted", kinds="uniform")


def test_the_kinds_are_those_of_the_teachers_errors(tmp_path, capsys):
    """The errors of the drafts are a wrong fact and a fabrication each."""
    pairs = pairs_of(tmp_path, rejected="planted")
    planted: list[Any] = [pair.provenance["planted"] for pair in pairs]
    assert {error["category"] for error in planted} <= {"wrong_fact", "fabricated"}
    folder = configure(RunFolder(tmp_path / "run"), method="sigmoid", rejected="planted")
    write_jsonl_atomic(folder.errors, [DraftErrors(conversation_id="kettle-01", system="teacher")])
    capsys.readouterr()
    assert build.main(["--run-dir", str(folder.path)]) == 2
    assert "set train.preference.kinds to uniform" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("preference", "counts"),
    [
        ({"method": "sigmoid"}, False),
        ({"method": "none", "rejected": "planted"}, False),
        ({"method": "sigmoid", "rejected": "planted", "kinds": "uniform"}, False),
        ({"method": "sigmoid", "rejected": "planted"}, True),
        ({"method": "sigmoid", "rejected": "both", "kinds": "commonest"}, True),
    ],
)
def test_training_depends_on_the_teachers_errors_where_their_kinds_are_drawn(tmp_path, preference, counts):
    folder = configure(write_run(tmp_path / "run"), **preference)
    progress = Progress(Console(stderr=True), quiet=True)
    before = train.fingerprint(Run(load_config(folder.config), tmp_path, folder, progress))
    assert ("errors.jsonl" in before) == counts
    for key, value in (("rejected", "draft"), ("edit_weight", 3)):
        changed = configure(folder, **{**preference, key: value})
        after = train.fingerprint(Run(load_config(changed.config), tmp_path, folder, progress))
        assert (after != before) == (preference["method"] != "none" and preference.get(key, "draft") != value)
