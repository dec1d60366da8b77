"""`arf improve`: from errors on the dev side to patterns, training pairs, the next student, and its figures."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import scripted_team
import yaml
from conftest import open_project, write_corpus
from tiny_model import save_tiny_model
from typer.testing import CliRunner

from arf_programs.cli.app import app
from arf_programs.corpus import store_corpus
from arf_programs.metrics import Resampling
from arf_programs.pipeline import run_until
from arf_programs.runs import read_jsonl, remove_conversations, remove_rows
from arf_programs.stages import own_model
from arf_programs.tools.rounds.augment import counterfactuals, filtered, nearest_first, training_pairs
from arf_programs.tools.rounds.figures import compare_students
from arf_programs.tools.rounds.improvement import do_stage, holdout_setting, improve
from arf_programs.tools.rounds.patterns import cluster, count_by_pattern, errors_by_name, facets_of, find_embedding
from arf_programs.tools.rounds.proposals import training_stage
from arf_programs.tools.rounds.records import Watched, read_patterns
from signatures.exceptions import ConfigError
from signatures.records import ErrorNote, PreferencePair, TrainingExample

DEV, HOLDOUT = "devword", "holdoutword"


def endings_missing(fields):
    """An analyst that misses the ending in whatever the teacher has not written."""
    if fields["summary"].startswith("The customer wrote"):
        return scripted_team._DEFAULTS["find"](fields)
    error = {"quote": "", "evidence": [2], "explanation": "The ending is missing.", "category": "missing_outcome"}
    return {"errors": [error]}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A project whose student has been through a round; its dev and holdout have words of their own in each turn."""
    project = tmp_path_factory.mktemp("rounds")
    base = save_tiny_model(project / "tiny")
    corpus = project / "conversations.jsonl"
    write_corpus(corpus)
    (project / "arf.yaml").write_text(
        f"""
name: rounds
corpus: {{path: conversations.jsonl, holdout: 0.25, dev: 0.25}}
models: {{teacher: scripted/model}}
analyze: {{checks: false}}
train: {{base: {base}, epochs: 1, arms: [arf], lora: {{r: 2}}}}
evaluate: {{max_tokens: 16, samples: 100, similarity: null, judge: false, pairwise: false, reviser: false}}
""",
        encoding="utf-8",
    )
    scripted_team.join(find=endings_missing)
    run = open_project(project)
    run_until(run, "corpus")
    words = dict.fromkeys(run.conversations("dev"), DEV) | dict.fromkeys(run.conversations("holdout"), HOLDOUT)
    rows = [json.loads(line) for line in corpus.read_text(encoding="utf-8").splitlines()]
    for row in rows:
        for turn in row["conversation"]:
            turn["text"] += f" {words.get(row['id'], '')}".rstrip()
    corpus.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    run_until(run, "train")
    assert set(run.conversations("dev")) == {name for name, word in words.items() if word == DEV}
    team = scripted_team.join(find=endings_missing)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(run), "conversations", without_holdout(type(run).conversations))
        improve(run, 1)
    asked = [fields for kind in team.fields.values() for fields in kind]
    (project / "asked.json").write_text(json.dumps(asked), encoding="utf-8")
    return project


def without_holdout(read):
    """How conversations are read, but not those of the holdout."""

    def conversations(self, *sides):
        assert "holdout" not in sides, "the second round asked for the holdout"
        return read(self, *sides)

    return conversations


@pytest.fixture
def project(finished, tmp_path):
    return shutil.copytree(finished, tmp_path / "project", ignore=shutil.ignore_patterns("tiny"))


def test_a_round_goes_from_errors_to_a_student_and_nothing_of_the_holdout_reaches_it(finished):
    """It was done without asking for the holdout, and no word of the holdout stands in its files and questions."""
    run = open_project(finished)
    improved = improve(run, 1)
    (figures,) = improved.rounds
    folder = run.folder.rounds / "1"
    (pattern,) = read_patterns(folder / "patterns.yaml")
    assert pattern.name == "missing endings", "the analyst names it"
    assert pattern.facets == ("action",)
    assert len(pattern.errors) == figures.patterns[0].before == 3
    rows = list(read_jsonl(folder / "augmented.jsonl", TrainingExample))
    assert {row.provenance["made_by"] for row in rows} == {"counterfactual", "editor"}
    assert figures.pairs == len(rows) == figures.patterns[0].pairs
    assert figures.conversations == 3
    assert figures.kept == (figures.more_errors.value <= 0)
    assert improved.student == (folder / "student" if figures.kept else run.folder.student / "arf")
    trained = list(read_jsonl(folder / "train.jsonl", TrainingExample))
    assert trained[-len(rows) :] == rows
    assert len(trained) == len(rows) + len(list(read_jsonl(run.folder.train / "arf.jsonl", TrainingExample)))
    log = json.loads((folder / "student" / "training_log.json").read_text(encoding="utf-8"))
    assert log["examples"] == len(trained)

    held_out = list(run.conversations("holdout"))
    written = [path for path in folder.rglob("*") if path.suffix in (".jsonl", ".yaml", ".json", ".txt")]
    assert written
    for path in written:
        text = path.read_text(encoding="utf-8")
        assert HOLDOUT not in text and not any(f'"{name}"' in text for name in held_out), path
    asked = (finished / "asked.json").read_text(encoding="utf-8")
    assert DEV in asked and HOLDOUT not in asked
    trained_on = (folder / "train.jsonl").read_text(encoding="utf-8")
    assert DEV not in trained_on, "dev is looked at, and not trained on"


def test_a_round_that_is_whole_asks_nobody_and_an_edited_file_of_patterns_is_used(project):
    team = scripted_team.join(find=endings_missing)
    run = open_project(project)
    again = improve(run, 1)
    assert not team.asked
    path = run.folder.rounds / "1" / "patterns.yaml"
    edited = yaml.safe_load(path.read_text(encoding="utf-8"))
    edited["patterns"][0] |= {"name": "mine", "pairs": 2, "facets": ["number"]}
    path.write_text(yaml.safe_dump(edited), encoding="utf-8")
    (figures,) = improve(open_project(project), 1).rounds
    assert again.rounds[0].patterns[0].name == "missing endings"
    assert (figures.patterns[0].name, figures.pairs) == ("mine", 2)
    rows = list(read_jsonl(run.folder.rounds / "1" / "augmented.jsonl", TrainingExample))
    changed = [str(row.provenance["changed"]) for row in rows if row.provenance["made_by"] == "counterfactual"]
    assert changed and all("number: " in text and "name: " not in text and "date: " not in text for text in changed)

    path.write_text("patterns: [{id: a, name: b, facets: [colour], pairs: -1, errors: [x], more: 1}]")
    with pytest.raises(ConfigError) as error:
        improve(open_project(project), 1)
    assert all(word in str(error.value) for word in ("facets.0", "pairs", "more", str(path)))


def test_the_next_student_can_be_scored_on_the_holdout_as_the_others_are(finished):
    run = open_project(finished, "evaluate.max_tokens=40", "evaluate.parameters={no_repeat_ngram_size: 6}")
    student = run.folder.rounds / "1" / "student"
    named = open_project(finished, holdout_setting(run, student)).config.evaluate.systems["improved"]
    own = own_model(run, str(student))
    assert named.max_tokens == 40 and named.model_copy(update={"concurrency": own.concurrency}) == own


def test_the_baseline_has_as_many_pairs_in_a_folder_of_its_own_and_asks_no_editor(project):
    team = scripted_team.join(find=endings_missing)
    command = ["improve", str(project / "arf.yaml"), "--run-dir", str(project / "run"), "--untargeted", "--json"]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    (figures,) = json.loads(result.stdout)["rounds"]
    folder = project / "run" / "rounds" / "1-untargeted"
    rows = list(read_jsonl(folder / "augmented.jsonl", TrainingExample))
    wanted = sum(pattern.pairs for pattern in read_patterns(folder / "patterns.yaml"))
    assert figures["pairs"] == len(rows) == wanted > 0
    assert figures["untargeted"]
    assert not team.asked["variant"]
    assert {row.provenance["pattern"] for row in rows} == {""}
    removed = remove_rows(open_project(project).folder, rows[0].conversation_id)
    assert {folder / "augmented.jsonl", folder / "train.jsonl"} <= set(removed)
    gone = remove_conversations(open_project(project).folder)
    assert folder / "patterns.yaml" in gone and not list(folder.rglob("*.jsonl"))


def test_what_is_missing_is_said_before_any_work(make_run):
    with pytest.raises(ConfigError, match=r"corpus\.dev: is 0"):
        improve(make_run(), 1)
    with pytest.raises(ConfigError, match=r"train\.arms.*add arf"):
        improve(make_run("corpus.dev=0.2", "train.arms=[teacher]"), 1)


def test_pairs_with_an_error_are_not_trained_on_and_others_are_made_in_their_place(finished, tmp_path):
    run = open_project(finished, f"run_dir={shutil.copytree(finished / 'run', tmp_path / 'run')}")
    pairs = training_pairs(run, run.folder.train / "arf.jsonl")
    wrong = [pair._replace(summary=f"{pair.summary} {scripted_team.FLAW}") for pair in pairs[:2]]
    scripted_team.join()
    made = filtered(run, "test", iter([*wrong, *pairs]), 4)
    assert (made.kept, made.refused) == (pairs[:4], 2)
    assert filtered(run, "test", iter(pairs[:2]), 4) == (pairs[:2], 0, []), "as many as there are"


def test_a_pair_about_which_the_analyst_gives_no_usable_answer_is_a_counted_failure(finished, tmp_path):
    run = open_project(finished, f"run_dir={shutil.copytree(finished / 'run', tmp_path / 'run')}")
    pairs = training_pairs(run, run.folder.train / "arf.jsonl")[:3]
    odd = pairs[0]._replace(summary=f"{pairs[0].summary} Odd.")
    scripted_team.join(find=lambda fields: "no" if "Odd." in fields["summary"] else {"errors": []})
    made = filtered(run, "test", iter([odd, *pairs[1:]]), 3)
    assert (made.kept, made.refused) == (pairs[1:], 0)
    assert [failure.conversation_id for failure in made.failures] == [odd.conversation.id]


def note(name, category="wrong_fact", quote="", explanation=""):
    return ErrorNote(id=name, category=category, quote=quote, explanation=explanation)


def test_errors_that_are_alike_are_one_pattern(make_run):
    amounts = [f"The summary says {n} dollars, but the refund was another amount." for n in (10, 20, 30, 40)]
    names = [f"The customer is called {name}, and not as the text says." for name in ("Ann", "Bob", "Cid", "Dot")]
    embed = find_embedding(make_run("evaluate.similarity=null"), [*amounts, *names])
    labels = cluster(embed([*amounts, *names]), 17)
    assert len(set(labels[:4])) == len(set(labels[4:])) == 1
    assert labels[0] != labels[4]
    assert cluster(np.ones((9, 3)) / np.sqrt(3), 17) == [0] * 9, "errors that are the same are one pattern"
    assert cluster(embed(names[:2]), 17) == [0, 0]


def test_new_errors_are_counted_for_the_pattern_that_they_are_most_like(make_run):
    from arf_programs.tools.rounds.records import Pattern

    known = {
        "a/1": note("1", quote="95 dollars", explanation="The refund was 20 dollars."),
        "b/1": note("1", "missing_outcome", explanation="The ending is missing."),
    }
    patterns = [
        Pattern(id="money", name="money", facets=("amount",), pairs=1, errors=("a/1",)),
        Pattern(id="ending", name="ending", facets=("action",), pairs=1, errors=("b/1",)),
    ]
    new = {"c/1": note("1", "missing_outcome", explanation="The ending is not told.")}
    embed = find_embedding(make_run("evaluate.similarity=null"), [str(item) for item in known.values()])
    assert count_by_pattern(patterns, known, new, embed) == {"money": 0, "ending": 1}
    assert count_by_pattern(patterns, known, known, embed) == {"money": 1, "ending": 1}
    assert count_by_pattern(patterns, known, {}, embed) == {"money": 0, "ending": 0}


def test_what_a_counterfactual_changes_follows_from_what_the_errors_quote():
    assert facets_of([note("1", quote="the 3 May"), note("2", quote="95 dollars")]) == ("amount", "date")
    assert facets_of([note("1", "contradicts_outcome")]) == ("action",)
    assert len(facets_of([note("1", quote="the blue one")])) == 5, "any, if nothing is known"


def test_the_training_pairs_most_like_the_failures_come_first(finished):
    run = open_project(finished)
    pairs = training_pairs(run, run.folder.train / "arf.jsonl")
    last = pairs[-1].conversation
    embed = find_embedding(run, [pair.conversation.as_text() for pair in pairs])
    assert nearest_first(pairs, [last], embed)[0].conversation.id == last.id
    made = list(counterfactuals(pairs, ("number",), "seed"))
    assert [pair.conversation.id for pair in made] == 2 * [pair.conversation.id for pair in pairs]
    assert made == list(counterfactuals(pairs, ("number",), "seed"))
    assert made != list(counterfactuals(pairs, ("number",), "another"))


def watched(*counts):
    return [
        Watched(conversation_id=f"c{n}", summary="", errors=[note(str(e)) for e in range(count)])
        for n, count in enumerate(counts)
    ]


def test_a_student_is_kept_if_it_makes_no_more_errors_and_the_points_are_said():
    tool = Resampling(samples=200)
    better = compare_students(watched(1, 1, 0, 2), watched(0, 1, 0, 1), tool)
    assert better.kept and better.more_errors.value == -0.5 and better.points.value == -25
    same = compare_students(watched(1, 0), watched(0, 1), tool)
    assert same.kept and same.points.value == 0
    worse = compare_students(watched(*[0] * 8), watched(*[1] * 8), tool)
    assert not worse.kept and worse.points.value == 100 and worse.p < 0.05
    missing = compare_students(watched(5, 1), watched(0), tool)
    assert missing.conversations == 1 and missing.errors_before.value == 5
    assert list(errors_by_name(watched(2))) == ["c0/0", "c0/1"]


def test_a_search_for_failures_leaves_a_corpus_and_rows_and_comes_to_try_what_fails(project):
    """The analyst finds an error wherever the two talk about something else."""

    def find(fields):
        aside = any(word in fields["conversation"] for word in ("marathon", "piano", "hedgehog"))
        error = {"quote": "", "evidence": [2], "explanation": "The ending is missing.", "category": "missing_outcome"}
        return {"errors": [error] if aside else []}

    team = scripted_team.join(find=find)
    command = ["stress", str(project / "arf.yaml"), "--run-dir", str(project / "run"), "--tries", "40", "--json"]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    printed = json.loads(result.stdout)
    tries = {name: outcome["tries"] for name, outcome in printed["operators"].items()}
    assert sum(tries.values()) == printed["tries"] == 40
    assert tries["digression"] >= printed["operators"]["digression"]["failures"] == printed["failures"] > 10
    assert max(tries, key=lambda name: tries[name]) == "digression"
    assert printed["kinds"] == ["digression: missing_outcome"]

    run = open_project(project, f"corpus.path={project / 'run' / 'rounds' / 'stress' / 'hard.jsonl'}", "run_dir=other")
    corpus = store_corpus(run.config, base_dir=project, path=project / "read.jsonl")
    assert len(corpus.conversations) == printed["failures"], "arf reads it as a corpus"
    failed = [json.loads(line)["metadata"] for line in Path(run.config.corpus.path).read_text("utf-8").splitlines()]
    assert all(row["student"] and row["failed"] == ["missing_outcome"] for row in failed)
    hard = next(iter(corpus.conversations.values()))
    assert hard.references[0].startswith("The customer wrote")
    rows = list(read_jsonl(project / "run" / "rounds" / "stress" / "train.jsonl", TrainingExample))
    assert [row.completion for row in rows] == [item.references[0] for item in corpus.conversations.values()]
    assert HOLDOUT not in json.dumps([fields for kind in team.fields.values() for fields in kind])

    team = scripted_team.join(find=find)
    assert json.loads(CliRunner().invoke(app, command).stdout) == printed
    assert not team.asked, "a whole search is not done again"
    baseline = json.loads(CliRunner().invoke(app, [*command, "--random"]).stdout)
    assert baseline["chosen"] == "at random" and baseline["failures"] < printed["failures"]
    result = CliRunner().invoke(app, [*command, "--set", "train.arms=[teacher]"])
    assert result.exit_code == 2 and "train.arms" in result.stdout


HARD = "hardword"


def search_with_proposals(project):
    """Search with a proposer of whose answers one in three is hard for the student, and one has an error of its own."""

    def find(fields):
        if fields["summary"].startswith("The customer wrote"):
            return scripted_team._DEFAULTS["find"](fields)
        error = {"quote": "", "evidence": [2], "explanation": "The ending is missing.", "category": "missing_outcome"}
        return {"errors": [error] if HARD in fields["conversation"] else []}

    def propose(fields):
        number = next(numbers)
        made = scripted_team.variant(fields)
        if number == 1:
            made["new_summary"] += f" {scripted_team.FLAW}"
        elif number % 3 == 0:
            made["new_conversation"][0]["text"] += f" {HARD}"
        return made

    numbers = iter(range(1000))
    command = ["stress", str(project / "arf.yaml"), "--run-dir", str(project / "run"), "--tries", "40", "--json"]
    team = scripted_team.join(find=find, variant=propose)
    result = CliRunner().invoke(app, [*command, "--set", "models.proposer=scripted/model"])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout), team


def test_a_model_proposes_conversations_and_its_proposals_become_pairs(project):
    printed, team = search_with_proposals(project)
    proposer = printed["operators"]["proposer"]
    assert proposer["tries"] == team.asked["variant"] > 5
    assert proposer["refused"] == 1, "its own summary had an error"
    assert 0 < proposer["failures"] < proposer["tries"]
    assert "proposer: missing_outcome" in printed["kinds"]
    assert {params["temperature"] for params in team.params["variant"]} == {0.7}, "answers to one question differ"
    assert HOLDOUT not in json.dumps(team.fields["variant"])

    folder = project / "run" / "rounds" / "stress"
    rows = [json.loads(line) for line in (folder / "hard.jsonl").read_text(encoding="utf-8").splitlines()]
    written = [row for row in rows if row["metadata"]["operator"] == "proposer"]
    assert len(written) == proposer["failures"]
    assert all(HARD in row["conversation"][0]["text"] and "teapot" in row["references"][0] for row in written)
    pairs = list(read_jsonl(folder / "proposals.jsonl", PreferencePair))
    assert pairs
    for pair in pairs:
        assert HARD in pair.chosen[0].content and HARD not in pair.rejected[0].content
        assert "new_conversation" in json.loads(pair.chosen[0].content)
        assert pair.prompt[-1].role == "user" and "missing_outcome" in pair.prompt[-1].content


def test_a_proposer_is_trained_on_its_pairs_and_can_be_trained_further(project, tmp_path):
    search_with_proposals(project)
    folder = project / "run" / "rounds" / "stress"
    pairs = folder / "short.jsonl"  # the tiny model reads bytes, and few of them
    row = json.loads((folder / "proposals.jsonl").read_text(encoding="utf-8").splitlines()[0])
    row["prompt"] = [{"role": "user", "content": "Write a conversation."}]
    row["chosen"], row["rejected"] = ([{"role": "assistant", "content": text}] for text in ("Hard.", "Easy."))
    pairs.write_text(json.dumps(row) + "\n", encoding="utf-8")
    run = open_project(project)
    run = open_project(project, f"models.proposer=embedded/{run.config.train.base}")
    do_stage(run, training_stage("stress-proposer", pairs, folder / "proposer"))
    trained = folder / "proposer"
    assert (trained / "adapter_model.safetensors").exists()
    stage = training_stage("stress-proposer", pairs, folder / "proposer")
    copy = shutil.copytree(run.config.train.base, tmp_path / "copy")
    moved = open_project(project, f"models.proposer=embedded/{copy}")
    assert stage.fingerprint(moved) == stage.fingerprint(run), "the same weights at another place"
    again = open_project(project, f"models.proposer=embedded/{trained}")
    do_stage(again, training_stage("stress-again", pairs, folder / "further"))
    assert (folder / "further" / "adapter_model.safetensors").exists(), "it goes on from a trained one"


def test_only_a_proposer_whose_weights_are_here_can_be_trained(project):
    scripted_team.join()
    command = ["stress", str(project / "arf.yaml"), "--run-dir", str(project / "run"), "--train-proposer"]
    for setting in ([], ["--set", "models.proposer=scripted/model"]):
        result = CliRunner().invoke(app, [*command, *setting])
        assert result.exit_code == 2
        assert "models.proposer" in result.output and "embedded/" in result.output


def test_the_terms_of_a_proposer_have_to_be_acknowledged(project):
    command = ["stress", str(project / "arf.yaml"), "--run-dir", str(project / "run")]
    result = CliRunner().invoke(app, [*command, "--set", "models.proposer=openai/gpt-4.1"])
    assert result.exit_code == 2
    assert "proposer openai/gpt-4.1" in " ".join(result.output.split()) and "acknowledge_terms" in result.output
