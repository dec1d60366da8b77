"""`arf embed train`: a tuned embedding, its comparison with BM25, and its use for the nearest labelled examples."""

import json
from pathlib import Path

import pytest
from tiny_checkers import save_roberta
from typer.testing import CliRunner

from arf_programs.cli.app import app
from arf_programs.corpus import load_seed_taxonomy
from arf_programs.critic.embedding import BM25, EmbeddingCard, make_triples
from arf_programs.metrics import EmbeddingRanking, Interval, find_model, load_embedder
from arf_programs.pipeline import run_until
from arf_programs.planting import RightSummary
from arf_programs.programs.asking import demos_for
from arf_programs.stages.analyze import build_analyzer, demos_digest
from signatures.exceptions import ConfigError
from signatures.records import Conversation, Turn

SAMPLE = Path(__file__).parent.parent / "examples" / "quickstart" / "conversations.jsonl"


def talk(name, text, channel="chat"):
    return Conversation(id=name, channel=channel, turns=(Turn(speaker="Customer", text=text),))


def trained(make_run, tmp_path, *more):
    run = make_run(f"corpus.path={SAMPLE}")
    base = save_roberta(tmp_path / "base")
    settings = (f"corpus.path={SAMPLE}", f"embed.base={base}", "embed.max_tokens=64", "embed.epochs=1", *more)
    words = [word for setting in settings for word in ("--set", setting)]
    command = ["embed", "train", tmp_path / "arf.yaml", "--run-dir", run.folder.path, "--json", *words]
    return run, CliRunner().invoke(app, [str(word) for word in command])


def test_the_wrong_answer_is_the_most_alike_conversation_of_the_channel():
    talks = [
        talk("a", "my kettle leaks"),
        talk("b", "my kettle is loud"),
        talk("c", "the train was late"),
        talk("d", "the kettle leaks and leaks", "mail"),
    ]
    known = {item.id: item for item in talks}
    (triple,) = make_triples([RightSummary(talks[0], "The kettle leaks.", "references")], known, set())
    assert triple == ("The kettle leaks.", talks[0].as_text(), talks[1].as_text())
    (triple,) = make_triples([RightSummary(talks[3], "The kettle leaks.", "references")], known, {"a"})
    assert triple[2] == talks[1].as_text(), "no other mail is there, and the first chat is held out"


def test_a_training_leaves_an_embedding_that_is_compared_with_bm25(make_run, tmp_path):
    run, result = trained(make_run, tmp_path)
    assert result.exit_code == 0, result.output
    printed = json.loads(result.stdout)
    folder = tmp_path / "embedding"
    assert printed["folder"] == str(folder)
    card = EmbeddingCard.model_validate_json((folder / "embedding.json").read_text(encoding="utf-8"))
    found = {row.ranking: row for row in card.found}
    assert list(found) == [BM25, "untuned", "tuned"]
    assert all(row.at_1.value <= row.at_10.value for row in card.found)
    assert found[BM25].at_1.value > found["tuned"].at_1.value, "random weights know no words"
    assert not card.beats_bm25
    assert card.steps > 0
    assert card.candidates == len(run.conversations("train"))
    ranking = EmbeddingRanking(load_embedder(find_model("embedding", tmp_path)), ["a lamp", "a chair"])
    assert ranking.order("a chair")[0] == 1
    assert str(tmp_path) not in (folder / "embedding.json").read_text(encoding="utf-8")


def test_training_ends_at_its_time(make_run, tmp_path):
    _, result = trained(make_run, tmp_path, "embed.minutes=0.0001", "embed.batch_size=2")
    card = json.loads(result.stdout)
    assert card["stopped"]
    assert card["steps"] == 1


def test_a_folder_with_other_things_is_not_overwritten(make_run, tmp_path):
    (tmp_path / "embedding").mkdir()
    (tmp_path / "embedding" / "thesis.txt").write_text("mine")
    _, result = trained(make_run, tmp_path)
    assert result.exit_code == 2
    assert "embed.dir" in result.stdout
    assert (tmp_path / "embedding" / "thesis.txt").read_text() == "mine"


def test_a_gain_within_chance_does_not_beat_bm25():
    gain = Interval(value=0.1, low=-0.01, high=0.2, n=9)
    card = EmbeddingCard(
        base="b", seed=1, summaries=20, queries=9, candidates=9, steps=1, stopped=False, seconds=1, found=(), gain=gain
    )
    assert not card.beats_bm25
    assert card.model_copy(update={"gain": gain.model_copy(update={"low": 0.02})}).beats_bm25


@pytest.fixture
def labelled_run(make_run, tmp_path):
    """A run with a labelled set of three cases, whose nearest are shown."""
    rows = [
        {"conversation": f"Customer: {text}\nAgent: sorry", "summary": "It broke.", "errors": []}
        for text in ("the lamp broke", "the kettle leaks", "the chair fell over")
    ]
    (tmp_path / "labels.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    settings = ("labeled.path=labels.jsonl", "labeled.demos=1", "labeled.pick=nearest")

    def make(*more):
        run = make_run(*settings, *more)
        run_until(run, "corpus")
        return run

    return make


def test_the_nearest_are_ranked_by_the_configured_embedding(labelled_run, tmp_path, monkeypatch):
    save_roberta(tmp_path / "base")
    run = labelled_run("labeled.embedding=base")
    assert demos_digest(run) != demos_digest(labelled_run())
    # An embedding that sees the word "chair" alone, so its choice is known.
    monkeypatch.setattr(
        "arf_programs.stages.analyze.load_embedder",
        lambda folder: lambda texts: [[float("chair" in text or "sofa" in text), 0.1] for text in texts],
    )
    (predictor,) = build_analyzer(run, taxonomy=load_seed_taxonomy()).predictors()
    (shown,) = demos_for(predictor, {"conversation": "Customer: the sofa leaks", "summary": "The kettle leaks."})
    assert "chair" in shown.conversation


def test_an_embedding_that_is_not_there_is_named(labelled_run, tmp_path):
    run = labelled_run("labeled.embedding=nowhere")
    with pytest.raises(ConfigError, match=r"labeled.embedding: .*'nowhere'"):
        build_analyzer(run, taxonomy=load_seed_taxonomy())
