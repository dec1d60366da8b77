"""`arf checker`: what a checker is trained on and measured on, a training, and the folder that it leaves."""

import json
from collections import Counter
from pathlib import Path
from random import Random

import pytest
from tiny_checkers import save_roberta
from typer.testing import CliRunner

from arf_programs.checkers import load_checker
from arf_programs.cli.app import app
from arf_programs.config import CheckerConfig
from arf_programs.corpus import LabeledExample
from arf_programs.critic import read_card
from arf_programs.critic.pairs import (
    DRAFT,
    ELSEWHERE,
    LABEL,
    RIGHT,
    Pair,
    balance,
    collect_pairs,
    features,
    join_sentences,
    overlap_auc,
    reword,
)
from arf_programs.critic.probe import hash_id, own_sets, planted_sets
from arf_programs.metrics import CHECKER_PROBE, CheckerProbe
from arf_programs.pipeline import run_until
from arf_programs.planting import RightSummary, plant_sentences, right_summaries
from arf_programs.runs import read_record, write_jsonl_atomic
from signatures.exceptions import DataError
from signatures.records import Conversation, ErrorNote, Revision, Turn, Verdict

SAMPLE = Path(__file__).parent.parent / "examples" / "quickstart" / "conversations.jsonl"


@pytest.fixture
def sample(make_run):
    run = make_run(f"corpus.path={SAMPLE}")
    run_until(run, "corpus")
    return run


def pairs_of(run):
    return collect_pairs(run, dict(run.conversations("train").items()), right_summaries(run), [])


def test_planted_summaries_differ_from_right_ones_in_one_sentence(conversation):
    right = RightSummary(conversation, "The customer's kettle leaked. The agent sent a replacement.", "references")
    sentences, summaries = planted_sets(plant_sentences([right], seed=1, most=10))
    assert {item.kinds for item in sentences.items} > {()}
    clean = [item for item in summaries.items if not item.kinds]
    assert [item.text for item in clean] == [right.text]
    for item in summaries.items:
        changed = set(item.sentences) - set(clean[0].sentences)
        assert len(changed) == bool(item.kinds)


@pytest.mark.parametrize("seed", range(3))
def test_rewording_changes_words_and_no_fact(seed):
    rng = Random(seed)
    sentence = "The customer did not get the 2 lamps because an agent was ill."
    words = set(reword(sentence, rng).lower().replace(",", "").rstrip(".").split())
    assert {"2", "lamps", "ill"} <= words
    assert {"not", "didn't"} & words
    assert "an client" not in " ".join(words)
    assert reword("Nothing here.", rng) is None
    assert reword("An agent wrote.", rng) == "A representative wrote."


def test_joined_sentences_hold_both():
    sentences = ["The customer reported that the kettle leaks badly.", "The agent sent another."]
    assert set(join_sentences(sentences, Random(1)).split()) == set(" ".join(sentences).split())
    assert join_sentences(sentences[:1], Random(1)) is None


def test_sentences_of_other_conversations_have_a_word_that_the_conversation_lacks(sample):
    for pair in pairs_of(sample):
        if pair.kind == ELSEWHERE:
            assert not pair.supported
            assert features(pair)[0] < 1


def test_labels_and_verified_revisions_are_trained_on(make_run, conversation):
    run = make_run()
    run.folder.path.mkdir(parents=True)
    before, after = "The kettle leaked. A refund was paid.", "The kettle leaked. A replacement was sent."
    write_jsonl_atomic(
        run.folder.revisions,
        [
            Revision(
                conversation_id=conversation.id,
                before=before,
                after=after,
                verdict=Verdict.VERIFIED,
                attempts=1,
                strategy="edits",
                model="m",
            )
        ],
    )
    note = ErrorNote(id="e", category="wrong_fact", quote="Tuesday", source="human")
    example = LabeledExample(
        conversation=conversation, summary="It arrives by Tuesday. It leaked.", errors=(note,), revised="It leaked."
    )
    made = {
        (pair.sentence, pair.kind): pair.supported
        for pair in collect_pairs(run, {conversation.id: conversation}, [], [example])
    }
    assert made["A refund was paid.", DRAFT] is False
    assert made["A replacement was sent.", DRAFT] is True
    assert made["It arrives by Tuesday.", LABEL] is False
    assert made["It leaked.", LABEL] is True


def test_overlap_and_length_say_nothing_after_balancing(sample):
    pairs = pairs_of(sample)
    made = balance(pairs, 1000, seed=17)
    assert len(made) >= 200
    assert Counter(pair.supported for pair in made)[True] * 2 == len(made)
    assert overlap_auc(made) < 0.6
    assert overlap_auc(pairs) > overlap_auc(made)


def test_an_overlap_that_gives_the_answer_away_is_noticed():
    talk = [Conversation(id=f"c{n}", turns=(Turn(speaker="Customer", text=f"lamp {n} broke"),)) for n in range(20)]
    pairs = [Pair(item, "lamp broke", True, RIGHT) for item in talk]
    pairs += [Pair(item, "sofa burnt down", False, ELSEWHERE) for item in talk]
    assert overlap_auc(pairs) == 1.0
    assert balance(pairs, 100, seed=1) == []


def test_rare_kinds_are_kept_when_there_is_too_much(sample):
    pairs = [pair for pair in pairs_of(sample) if pair.supported or pair.kind in ("number", "negation")]
    whole = Counter(pair.kind for pair in balance(pairs, 10_000, seed=1))
    rare = min(("number", "negation"), key=lambda kind: whole[kind])
    few = Counter(pair.kind for pair in balance(pairs, 2 * 2 * whole[rare], seed=1))
    assert few[rare] == whole[rare]


def arf(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


def trained(sample, tmp_path, *more):
    base = save_roberta(tmp_path / "base")
    settings = (f"corpus.path={SAMPLE}", f"checker.base={base}", "checker.pairs=64", "checker.epochs=1", *more)
    words = [word for setting in (*settings, "checker.probe_sentences=60") for word in ("--set", setting)]
    return arf("checker", "train", tmp_path / "arf.yaml", "--run-dir", sample.folder.path, "--json", *words)


@pytest.fixture
def checker(sample, tmp_path):
    """The folder of a tiny trained checker."""
    result = trained(sample, tmp_path)
    assert result.exit_code == 0, result.output
    return tmp_path / "checker", json.loads(result.stdout)


def test_a_trained_folder_is_a_checker_as_it_is(sample, tmp_path, checker):
    folder, printed = checker
    assert (folder / "model.safetensors").is_file()
    assert not [path for path in folder.rglob("*") if path.suffix in (".bin", ".pt", ".pkl")]
    loaded = load_checker(CheckerConfig(model=str(folder)))
    assert loaded.longest == 96
    assert all(0 < score < 1 for score in loaded.score([("Customer: hi", "It works."), ("Agent: no", "No.")]))
    card = read_card(folder)
    assert card.steps == 4
    assert sum(card.pairs.values()) == 64
    assert card.overlap_auc is not None
    assert printed["card"]["seed"] == 17
    text = (folder / "README.md").read_text()
    assert "area under the curve" in text
    assert "chance" in text
    assert read_record(folder / CHECKER_PROBE, CheckerProbe).rates() is not None


def test_training_sees_neither_the_holdout_nor_the_conversations_it_is_measured_on(sample, checker):
    card = read_card(checker[0])
    seen = card.seen(sample.conversations())
    train, holdout = set(sample.conversations("train")), set(sample.conversations("holdout"))
    assert seen < train
    assert not seen & holdout
    assert len(seen) + card.test_conversations == len(train)
    assert hash_id(next(iter(seen))) in card.conversations
    tested = {item.conversation.id for items in own_sets(sample, seen=seen) for item in items.items}
    assert tested
    assert not tested & seen
    with pytest.raises(DataError, match="trained on every conversation"):
        own_sets(sample, seen=train)


def test_the_same_seed_trains_the_same_checker(sample, tmp_path, checker):
    first = (checker[0] / "model.safetensors").read_bytes()
    assert trained(sample, tmp_path).exit_code == 0  # in the place of the first
    assert (checker[0] / "model.safetensors").read_bytes() == first
    assert trained(sample, tmp_path, "seed=18").exit_code == 0
    assert (checker[0] / "model.safetensors").read_bytes() != first


def test_training_ends_at_its_time_and_the_card_says_so(sample, tmp_path):
    result = trained(sample, tmp_path, "checker.minutes=0.0001", "checker.batch_size=4")
    card = json.loads(result.stdout)["card"]
    assert card["stopped"]
    assert card["steps"] < 16
    assert "The time ended" in (tmp_path / "checker" / "README.md").read_text()


def test_the_threshold_flags_few_right_sentences(sample, checker):
    """At random weights, too: the output is moved, whatever the model has learned."""
    rows = [row for row in checker[1]["rows"] if row["scorer"] == "checker"]
    assert all(row["figures"]["specificity"]["value"] > 0.7 for row in rows)


def test_a_folder_with_other_things_is_not_overwritten(sample, tmp_path):
    (tmp_path / "checker").mkdir()
    (tmp_path / "checker" / "thesis.txt").write_text("mine")
    result = trained(sample, tmp_path)
    assert result.exit_code == 2
    assert "checker.dir" in result.stdout
    assert (tmp_path / "checker" / "thesis.txt").read_text() == "mine"


def test_probe_of_a_run_measures_its_checker_on_what_it_has_not_seen(sample, tmp_path, checker):
    words = [
        "--run-dir",
        sample.folder.path,
        "--set",
        f"corpus.path={SAMPLE}",
        "--set",
        "analyze.checker.model=checker",
    ]
    result = arf("checker", "probe", tmp_path / "arf.yaml", *words, "--set", "checker.probe_sentences=60")
    assert result.exit_code == 0, result.output
    assert "planted sentences" in result.stdout
    made = read_record(sample.folder.checker_probe, CheckerProbe)
    assert made.checker == "checker"
    assert {row.scorer for row in made.rows} == {"checker", "checks"}
    seen = read_card(checker[0]).seen(sample.conversations("train"))
    most = len(sample.conversations("train")) - len(seen)
    assert all(row.figures.conversations <= most for row in made.rows)
    source, rates = made.rates()
    assert source == "planted summaries"
    assert 0 <= rates.sensitivity.value <= 1


def test_without_a_checker_the_checks_are_measured(make_run, tmp_path):
    run = make_run()
    result = arf("checker", "probe", tmp_path / "arf.yaml", "--run-dir", run.folder.path, "--json")
    made = json.loads(result.stdout)
    assert made["ok"]
    assert made["checker"] is None
    assert {row["scorer"] for row in made["rows"]} == {"checks"}


@pytest.fixture
def labelled_file(tmp_path):
    rows: list[dict] = []
    for n in range(6):
        talk = f"Customer: my lamp number {n} broke\nAgent: we send a new one on Monday"
        rows.append({"conversation": talk, "summary": f"Lamp {n} broke.", "errors": []})
        rows.append({
            "conversation": talk,
            "summary": f"Lamp {n} broke. It cost 4711 dollars.",
            "errors": [{"category": "wrong_fact"}],
        })  # fmt: skip
    path = tmp_path / "calls.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_a_file_of_labelled_summaries_is_measured_on_in_a_run_and_for_a_folder(make_run, tmp_path, labelled_file):
    run = make_run()
    words = ["--run-dir", run.folder.path, "--data", labelled_file, "--json"]
    rows = json.loads(arf("checker", "probe", tmp_path / "arf.yaml", *words).stdout)["rows"]
    (found,) = (row["figures"] for row in rows if row["data"] == "calls")
    assert (found["texts"], found["wrong"], found["conversations"]) == (12, 6, 6)
    assert found["auc"]["value"] == 1.0  # the checks see an invented amount
    assert found["recall_by_kind"]["wrong_fact"]["value"] == 1.0
    folder = save_roberta(tmp_path / "given")
    made = json.loads(arf("checker", "probe", folder, "--data", labelled_file, "--json").stdout)
    assert [(row["data"], row["scorer"]) for row in made["rows"]] == [("calls", "given"), ("calls", "checks")]


def test_what_cannot_be_probed_says_why(tmp_path, labelled_file):
    assert "--data" in arf("checker", "probe", tmp_path).stderr
    result = arf("checker", "probe", tmp_path, "--data", labelled_file)
    assert result.exit_code == 2
    assert "no checker" in result.stderr
    only = tmp_path / "right.jsonl"
    only.write_text(labelled_file.read_text().splitlines()[0] + "\n")
    folder = save_roberta(tmp_path / "given")
    assert "right and wrong" in arf("checker", "probe", folder, "--data", only).stderr


def test_a_base_that_is_no_model_is_named(sample, tmp_path):
    words = ["--run-dir", sample.folder.path, "--set", f"corpus.path={SAMPLE}", "--set", "checker.base=no/where/here"]
    result = arf("checker", "train", tmp_path / "arf.yaml", *words)
    assert result.exit_code == 2
    assert "no/where/here" in result.stderr
