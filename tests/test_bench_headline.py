"""`bench/headline.py` draws the same conversations each time, and its pairs do not say who wrote what."""

import importlib.util
import json
from pathlib import Path

import pytest
from conftest import write_corpus

PATH = Path(__file__).parent.parent / "bench" / "headline.py"


@pytest.fixture(scope="module")
def bench():
    spec = importlib.util.spec_from_file_location("headline", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_same_conversations_are_drawn_without_the_labels_of_the_data(bench, tmp_path):
    corpus = tmp_path / "conversations.jsonl"
    write_corpus(corpus, 12)
    rows = [{**json.loads(line), "summary": "taken away"} for line in corpus.read_text("utf-8").splitlines()]
    corpus.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    drawn = bench.sample_rows(corpus, 5, seed=3)
    assert drawn == bench.sample_rows(corpus, 5, seed=3)
    assert len({row["id"] for row in drawn}) == 5
    assert not any("summary" in row for row in drawn)
    with pytest.raises(SystemExit, match="12 conversations, and 20 are wanted"):
        bench.sample_rows(corpus, 20, seed=3)


def test_pairs_are_blind_and_grades_are_counted_by_the_key(bench, finished_project, tmp_path, capsys):
    count = bench.write_pairs(finished_project / "run", tmp_path, 40, seed=1)
    pairs = [json.loads(line) for line in (tmp_path / "pairs.jsonl").read_text("utf-8").splitlines()]
    assert count == len(pairs) > 0
    assert all(set(pair) == {"pair", "conversation", "1", "2"} for pair in pairs)
    key = json.loads((tmp_path / "key.json").read_text("utf-8"))
    assert {tuple(systems).index("student_arf") for systems in key} == {0, 1}, "the order is random"
    better = [{"pair": n, "better": str(systems.index("student_arf") + 1)} for n, systems in enumerate(key)]
    better[0]["better"] = "same"
    grades = tmp_path / "grades.jsonl"
    grades.write_text("".join(json.dumps(row) + "\n" for row in better), encoding="utf-8")
    bench.grade(tmp_path, grades)
    counts = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert sum(row["wins"] for row in counts.values()) == count - 1
    assert sum(row["same"] for row in counts.values()) == 1 and not any(row["losses"] for row in counts.values())
