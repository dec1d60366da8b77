import io
import json
from collections import Counter
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

import pytest
import scripted_team
import yaml
from conftest import open_project, write_corpus
from pydantic import BaseModel

from arf_programs import pipeline
from arf_programs.config.models import DraftColumn
from arf_programs.config.schema import Config
from arf_programs.corpus.taxonomy import load_seed_taxonomy, read_taxonomy, write_taxonomy
from arf_programs.pipeline import STAGES, run_until, status
from arf_programs.runs import write_record
from arf_programs.runs.jsonl import read_jsonl, write_jsonl_atomic
from arf_programs.runs.ledger import read_ledger
from arf_programs.runs.run import SplitConversation
from arf_programs.stages.analyze import build_analyzer
from arf_programs.stages.stage import state_of
from signatures.exceptions import ConfigError
from signatures.records import Category, DraftErrors, Revision, Summary, TrainingExample
from training.build import build

NAMES = [stage.name for stage in STAGES]
ANALYST = {"taxonomy", "analyze", "revise", "evaluate"}
ALL = set(NAMES)

# What a changed setting makes stale by itself; what depends on those stages' files follows when they have run.
STALE = {
    "name": ("other", {"report"}),
    "seed": (18, ALL),
    "corpus.path": ("other.jsonl", {"corpus"}),
    "corpus.format": ("jsonl", {"corpus"}),
    "corpus.split": ("test", {"corpus"}),
    "corpus.subset": ("en", {"corpus"}),
    "corpus.columns.id": ("key", {"corpus"}),
    "corpus.columns.conversation": ("turns", {"corpus"}),
    "corpus.columns.channel": ("kind", {"corpus"}),
    "corpus.columns.references": ("gold", {"corpus"}),
    "corpus.columns.speaker": ("who", {"corpus"}),
    "corpus.columns.text": ("said", {"corpus"}),
    "corpus.columns.time": ("when", {"corpus"}),
    "corpus.group_by": ("ticket", {"corpus"}),
    "corpus.agents": (["example.org"], {"corpus"}),
    "corpus.limit": (8, {"corpus"}),
    "corpus.holdout": (0.5, {"corpus"}),
    "corpus.dev": (0.2, {"corpus"}),
    "corpus.near_duplicate": (0.5, {"corpus"}),
    "corpus.max_tokens": (500, {"corpus"}),
    "corpus.too_long": ("cut", {"corpus"}),
    "models.editors": ("[scripted/second]", {"revise", "train"}),
    "models.proposer": ("scripted/second", set()),
    "labeled.path": ("labeled.jsonl", {"corpus"}),
    "labeled.demos": (2, {"analyze", "revise", "evaluate"}),
    "labeled.pick": ("nearest", {"analyze", "revise", "evaluate"}),
    "labeled.embedding": ("mine", set()),  # it counts where the nearest are shown; `test_embedding` shows it
    "privacy.pseudonyms": (True, {"corpus", "draft", "taxonomy", "analyze", "revise", "evaluate"}),
    # They count once there are pseudonyms; `test_privacy_run` shows it.
    "privacy.keep": ("pseudonyms", set()),
    "privacy.names": (["agent"], set()),
    "privacy.ner": ("someone/names", set()),
    "summarize.instruction": ("Summarize it in one word.", {"draft", "revise", "train", "evaluate"}),
    "analyze.analyst": (False, {"analyze", "revise", "evaluate"}),
    "analyze.strategy": ("sentencewise", {"analyze", "revise", "evaluate"}),
    "analyze.checks": (False, ANALYST),
    "analyze.values": (True, {"analyze", "revise", "evaluate"}),
    "analyze.samples": (3, {"analyze", "revise", "evaluate"}),
    "analyze.calibration": ("mine.json", {"analyze", "revise", "evaluate"}),
    "analyze.checker.model": ("someone/checker", {"analyze", "revise", "evaluate"}),
    "analyze.checker.form": ("pair", set()),
    "analyze.checker.batch_size": (4, set()),
    "analyze.checker.device": ("cpu", set()),
    # Of these none counts while the analyst reads whole summaries; `test_self_calibration` shows that they do else.
    "analyze.false_alarms": (0.1, set()),
    "analyze.calibration_questions": (60, set()),
    "analyze.subtract_prior": (True, set()),
    "analyze.stack": (True, set()),
    "analyze.notes_sample": (3, {"taxonomy"}),
    "analyze.max_categories": (9, {"taxonomy"}),
    "analyze.taxonomy": ("mine.yaml", {"taxonomy"}),
    "analyze.parse_retries": (1, set()),
    "workers": (2, set()),
    "engine": ("ray", set()),
    "ray.address": ("elsewhere:6379", set()),
    "ray.workers": (3, set()),
    "ray.cpus": (0.5, set()),
    "ray.batch": (7, set()),
    "ray.format": ("jsonl", set()),
    "calls_dir": ("elsewhere", set()),
    "budget.calls": (100_000, set()),
    "budget.tokens": (100_000_000, set()),
    "budget.usd": (100.0, set()),
    # The reviser is scored on the holdout, too.
    "revise.strategy": ("rewrite", {"revise", "evaluate"}),
    "revise.edits": ("together", {"revise", "evaluate"}),
    "revise.candidates": (2, {"revise", "evaluate"}),
    "revise.values": (False, {"revise", "evaluate"}),
    "revise.attempts": (3, {"revise", "evaluate"}),
    "revise.samples": (2, {"revise", "train"}),
    "revise.max_change": (0.5, {"revise", "evaluate"}),
    "revise.min_words": (9, {"revise", "evaluate"}),
    "revise.human": ("only", {"train"}),
    "revise.on_reject": ("drop", {"revise", "train", "evaluate"}),
    "revise.verify_with_analyst": (False, {"revise", "evaluate"}),
    "train.base": ("smollm2-135m", {"train", "evaluate"}),
    "train.arms": ("[arf]", {"train", "evaluate"}),
    "train.preference.method": ("sigmoid", {"train", "evaluate"}),
    # Of these none counts while there is no preference stage; `test_arms` shows that they do where there is one.
    "train.preference.after": ("base", set()),
    "train.preference.beta": (0.2, set()),
    "train.preference.learning_rate": (0.1, set()),
    "train.preference.epochs": (3, set()),
    "train.preference.rejected": ("planted", set()),
    "train.preference.kinds": ("uniform", set()),
    "train.preference.edit_weight": (3, set()),
    "train.edit_weight": (2, {"train"}),
    "train.acknowledge_terms": ("[openai]", set()),
    "train.epochs": (3, {"train"}),
    "train.learning_rate": (0.1, {"train"}),
    "train.batch_size": (2, {"train"}),
    "train.gradient_accumulation": (2, {"train"}),
    "train.max_length": (999, {"train"}),
    "train.on_overflow": ("drop", {"train"}),
    "train.method": ("full", {"train"}),
    "train.scheduler": ("cosine", {"train"}),
    "train.warmup_ratio": (0.2, {"train"}),
    "train.gradient_checkpointing": (True, {"train"}),
    "train.precision": ("bf16", {"train"}),
    "train.packing": (True, {"train"}),
    "train.neftune_alpha": (5, {"train"}),
    "train.attention": ("sdpa", {"train"}),
    "train.liger": (True, {"train"}),
    "train.schedule.kind": ("lfr", {"train"}),
    "train.schedule.rows": ("random", {"train"}),
    "train.schedule.focus": (0.2, {"train"}),
    "train.schedule.difficulty": (True, {"train"}),
    "train.lora.rslora": (True, {"train"}),
    "train.lora.dora": (True, {"train"}),
    "train.lora.r": (3, {"train"}),
    "train.lora.alpha": (3, {"train"}),
    "train.lora.dropout": (0.5, {"train"}),
    "train.lora.targets": ("[q_proj]", {"train"}),
    "train.lora.last_layers": (1, {"train"}),
    "evaluate.analyst": (False, {"evaluate"}),
    "evaluate.judge": (False, {"evaluate"}),
    "evaluate.pairwise": (False, {"evaluate"}),
    "evaluate.pairs": ("[[reviser, teacher]]", {"evaluate"}),
    "evaluate.reviser": (False, {"evaluate"}),
    "evaluate.systems": ("{other: scripted/other}", {"evaluate"}),
    "evaluate.similarity": ("null", {"evaluate"}),
    "evaluate.max_tokens": (17, {"evaluate"}),
    "evaluate.parameters": ("{top_p: 0.5}", {"evaluate"}),
    "evaluate.device": ("cpu", set()),
    "evaluate.dtype": ("bfloat16", {"evaluate"}),
    "evaluate.engine": ("embedded", {"evaluate"}),
    "evaluate.serve": ("{student_arf: scripted/served}", {"evaluate"}),
    "evaluate.samples": (101, {"report"}),
    "evaluate.confidence": (0.9, {"report"}),
    "evaluate.cluster": ("agent", {"report"}),
    # A set that is planted is beside the pipeline: `test_cli_plant` shows what makes it stale.
    "plant.source": ("references", set()),
    "plant.kinds": ("[date]", set()),
    "plant.min_errors": (2, set()),
    "plant.max_errors": (2, set()),
    "plant.clean": (0.5, set()),
    "plant.per_kind": (3, set()),
    "plant.per_summary": (3, set()),
    "plant.naturalize": (True, set()),
    "programs.analyze": ("compiled/analyze", {"analyze", "revise", "evaluate"}),
    "programs.revise": ("compiled/revise", {"revise", "evaluate"}),
    "programs.judge": ("compiled/judge", {"evaluate"}),
    "programs.summarize": ("compiled/summarize", {"draft"}),
}
OF_ROLE = {
    "teacher": {"draft"},
    "analyst": ANALYST,
    "editor": {"revise", "evaluate"},
    "judge": {"evaluate"},
    "prompt": set(),
    "reflection": set(),
}
OF_MODEL = {
    "model": ("scripted/other", True),
    "temperature": (0.5, True),
    "max_tokens": (77, True),
    "api_base": ("http://localhost:1", True),
    "json_schema": (False, True),
    "logprobs": (False, True),
    "reasoning_effort": ("low", True),
    "parameters": ("{top_p: 0.5}", True),
    "api_key_env": ("SOME_KEY", False),
    "input_price": (1, False),
    "output_price": (1, False),
    "device": ("cpu", False),
    "dtype": ("bfloat16", True),
    "cache_marks": (True, False),
    "concurrency": (3, False),
    "requests_per_minute": (100, False),
    "tokens_per_minute": (100, False),
    "timeout": (3, False),
    "retries": (3, False),
    "parse_retries": (3, False),
    "license": ("open", False),
    "mode": ("live", False),
    "batch.max_requests": (9, False),
    "batch.max_megabytes": (9, False),
    "batch.max_batches": (9, False),
    "batch.quiet": (9, False),
    "batch.poll": (9, False),
    "batch.discount": (0.9, False),
}


def leaves(model: type[BaseModel], prefix: str = "") -> list[str]:
    """The dotted keys of all settings below a section."""
    keys = []
    for name, field in model.model_fields.items():
        kind: Any = field.annotation
        kinds = get_args(kind) if name == "teacher" else (kind,)  # a model or a column
        for kind in kinds:
            kind = get_args(kind)[0] if get_origin(kind) is Annotated else kind
            section = isinstance(kind, type) and issubclass(kind, BaseModel)
            keys += leaves(kind, f"{prefix}{name}.") if section else [f"{prefix}{name}"]
    return keys


def stale(run) -> set[str]:
    """The stages that are no longer whole: a setting that wants a further file leaves its stage without it."""
    return {stage.name for stage in STAGES if state_of(stage, run).state != "whole"}


def test_dev_conversations_are_neither_drafted_nor_trained_on_nor_held_out(make_run):
    run = make_run("corpus.dev=0.25")
    scripted_team.join()
    run_until(run, "draft")
    dev = set(run.conversations("dev"))
    assert len(dev) == 3
    assert not dev & {*run.conversations("train"), *run.conversations("holdout")}
    assert set(ids(run.folder.drafts, Summary)) == {*run.conversations("train"), *run.conversations("holdout")}
    with pytest.raises(ConfigError, match="leave nothing to train on"):
        make_run("corpus.dev=0.75")


def asked_about(team, *kinds) -> set[str]:
    """The orders of the conversations that the questions of some kinds were about."""
    texts = [
        fields.get("conversation", fields.get("turns", "")) for kind in kinds for fields in team.fields.get(kind, [])
    ]
    return {text.partition("from order ")[2].partition(" ")[0] for text in texts}


def order_of(conversation) -> str:
    """The number by which a conversation of `write_corpus` can be told."""
    return conversation.turns[0].text.partition("from order ")[2].partition(" ")[0]


def ids(path, model) -> list[str]:
    return [row.conversation_id for row in read_jsonl(path, model)]


def test_every_setting_is_in_the_tables():
    of_models = {f"models.{role}.{key}" for role in OF_ROLE for key in OF_MODEL}
    of_compile = {key for key in leaves(Config) if key.startswith(("compile.", "checker.", "embed."))}
    # A teacher that is a column of the corpus has its own table in `test_draft_column`.
    of_column = {f"models.teacher.{key}" for key in DraftColumn.model_fields}
    assert {*STALE, *of_models, *of_compile, *of_column, "run_dir"} == set(leaves(Config))


def test_how_programs_are_compiled_makes_nothing_stale(finished_project):
    how = "{dir: elsewhere, split: [0.6, 0.2, 0.2], optimizers: {gepa: {auto: heavy}, simba: {bsize: 4}}}"
    assert stale(open_project(finished_project, f"compile={how}")) == set()


def test_how_a_checker_is_trained_makes_nothing_stale(finished_project):
    how = "{dir: elsewhere, base: other, pairs: 100, epochs: 3, batch_size: 4, max_tokens: 64, frozen: 0, test: 0.5}"
    assert stale(open_project(finished_project, f"checker={how}")) == set()


@pytest.mark.parametrize("key", STALE)
def test_a_changed_setting_makes_stale_what_depends_on_it(finished_project, key):
    value, expected = STALE[key]
    assert stale(open_project(finished_project, f"{key}={value}")) == expected


@pytest.mark.parametrize("role", OF_ROLE)
@pytest.mark.parametrize("key", OF_MODEL)
def test_a_changed_model_makes_stale_what_asks_it(finished_project, role, key):
    value, counts = OF_MODEL[key]
    overrides = [f"models.{role}.{key}={value}"]
    if key.endswith("_price"):
        overrides = [f"models.{role}.{name}={value}" for name in ("input_price", "output_price")]
    assert stale(open_project(finished_project, *overrides)) == (OF_ROLE[role] if counts else set())


def test_the_finished_run_has_all_figures(finished_project):
    summary = json.loads((finished_project / "run" / "summary.json").read_text(encoding="utf-8"))
    assert set(summary) == {
        "name",
        "arf_version",
        "finished",
        "notes",
        "corpus",
        "analyze",
        "revise",
        "train",
        "evaluate",
        "review",
        "spend",
        "costs",
    }
    corpus = summary["corpus"]
    assert corpus["conversations"] == 17
    assert corpus["train"] + corpus["holdout"] == 16
    assert corpus["failed"] == 2  # one too long, one without a draft
    rows = {
        row.conversation.id: row.split
        for row in read_jsonl(finished_project / "run/conversations.jsonl", SplitConversation)
    }
    assert "novel-9999" not in rows
    assert rows["mitten-5000"] == rows["mitten-again"]
    assert summary["revise"]["failed"] == (rows["oven-8888"] == "train")
    drafted = corpus["train"] - (rows["vase-7777"] == "train")
    assert summary["analyze"]["drafts"] == drafted - summary["revise"]["failed"]
    verdicts = summary["revise"]
    assert verdicts["unchanged"] + verdicts["verified"] + verdicts["rejected"] == summary["analyze"]["drafts"]
    assert verdicts["verified"] == summary["analyze"]["with_errors"] > 0
    assert set(summary["train"]) == {"arf", "teacher"}
    assert summary["train"]["teacher"]["examples"] == drafted
    assert set(summary["evaluate"]["systems"]) == {
        "base", "teacher", "reviser", "student_teacher", "student_arf"
    }  # fmt: skip
    for row in summary["evaluate"]["win_rates"]:
        counted = row["wins"] + row["ties"] + row["losses"] + row["failures"]
        assert (row["b"], counted) == ("teacher", summary["corpus"]["holdout"])
    assert {row["a"] for row in summary["evaluate"]["win_rates"]} == {"student_teacher", "student_arf"}
    assert "The judge’s choices" in (finished_project / "run/report.html").read_text(encoding="utf-8")
    assert summary["spend"]["calls"] > 50
    assert summary["spend"]["usd"] == 0
    (cost,) = summary["costs"].values()
    assert cost["verified"] == verdicts["verified"]
    assert cost["calls_per_verified"] == pytest.approx(cost["calls"] / cost["verified"], abs=1e-3)
    assert set(summary["spend"]["seconds"]) == ALL - {"report"}


def test_what_failed_is_a_record_with_its_reason(finished_project):
    failures = {failure.conversation_id: failure for failure in open_project(finished_project).folder.read_failures()}
    assert failures["vase-7777"].stage == "draft"
    assert "no usable answer in 3 tries" in failures["vase-7777"].reason
    assert failures["novel-9999"].stage == "corpus"
    assert "corpus.max_tokens 400" in failures["novel-9999"].reason
    assert failures["oven-8888"].stage in ("analyze", "evaluate")


def test_a_second_run_does_nothing(project):
    team = scripted_team.join_troubled()
    run = open_project(project)

    def seen() -> dict[str, int]:
        moved = ("config.yaml", "base_dir.txt", ".lock")  # the project is a copy in another place
        files = [path for path in run.folder.path.rglob("*") if path.is_file() and path.name not in moved]
        return {str(path): path.stat().st_mtime_ns for path in files}

    before = seen()
    run_until(run, "report")
    assert not team.asked
    assert seen() == before
    assert {state.state for state in status(run).values()} == {"whole"}


def test_only_the_report_is_made_anew_for_more_samples(project):
    team = scripted_team.join_troubled()
    run = open_project(project, "evaluate.samples=200")
    ledger, students = run.folder.ledger.read_bytes(), (run.folder.student / "arf/training_log.json").stat().st_mtime_ns
    run_until(run, "report")
    assert not team.asked
    assert run.folder.ledger.read_bytes() == ledger
    assert (run.folder.student / "arf/training_log.json").stat().st_mtime_ns == students


def test_another_judge_costs_ratings_alone(project):
    team = scripted_team.join_troubled()
    run = open_project(project, "models.judge.temperature=0.5")
    students = (run.folder.student / "arf/training_log.json").stat().st_mtime_ns
    run_until(run, "report")
    # The analyst is asked again only what it never answered in form before: nothing was stored to answer that.
    assert set(team.asked) == {"rate", "compare"}
    assert team.asked["compare"] <= 2 * 2 * len(run.conversations("holdout"))
    assert team.asked["rate"] <= 5 * len(run.conversations("holdout"))
    assert (run.folder.student / "arf/training_log.json").stat().st_mtime_ns == students


def test_another_verification_asks_no_analyst_twice(project):
    team = scripted_team.join_troubled()
    run = open_project(project, "revise.attempts=3")
    run_until(run, "revise")
    assert not team.asked
    assert all(call.cached for call in read_ledger(run.folder.ledger)[-8:])


def test_an_edited_taxonomy_is_respected_and_makes_later_stages_stale(project):
    team = scripted_team.join_troubled()
    run = open_project(project)
    taxonomy = read_taxonomy(run.folder.taxonomy)
    mine = Category(id="my_own", name="Mine", definition="An error that only I care about.")
    write_taxonomy(run.folder.taxonomy, taxonomy.model_copy(update={"categories": (*taxonomy.categories, mine)}))
    states = status(run)
    assert states["taxonomy"].state == "whole"
    assert states["taxonomy"].why == "edited by hand, so kept"
    assert {name for name, state in states.items() if state.state == "stale"} == {
        "analyze", "revise", "train", "evaluate", "report"
    }  # fmt: skip
    assert "taxonomy.yaml" in states["analyze"].why
    edited = run.folder.taxonomy.read_bytes()
    run_until(run, "revise")
    assert run.folder.taxonomy.read_bytes() == edited
    assert set(team.asked) <= {"find", "edits", "check"}
    assert all("An error that only I care about." in fields["categories"] for fields in team.fields["find"])
    # Even when the taxonomy's own settings change, what a person wrote is kept.
    assert status(open_project(project, "analyze.notes_sample=3"))["taxonomy"].state == "whole"


def test_a_taxonomy_edited_while_it_is_in_use_makes_its_readers_stale(make_run):
    """They used the file as it was when they began."""
    team = scripted_team.join()
    run = make_run()
    run_until(run, "taxonomy")
    find, edited = team.answers["find"], "An error that only I care about."
    taxonomy = read_taxonomy(run.folder.taxonomy)
    mine = Category(id="my_own", name="Mine", definition=edited)

    def edit_and_find(fields):
        write_taxonomy(run.folder.taxonomy, taxonomy.model_copy(update={"categories": (*taxonomy.categories, mine)}))
        return find(fields)

    team.answers["find"] = edit_and_find
    run_until(run, "revise")
    for name in ("analyze", "revise"):
        assert state_of(STAGES[NAMES.index(name)], run).why == "changed since: taxonomy.yaml"
    team.forget()
    run_until(run, "revise")
    assert team.fields["find"]
    assert all(edited in fields["categories"] for fields in team.fields["find"])
    assert {status(run)[name].state for name in ("taxonomy", "analyze", "revise")} == {"whole"}


@pytest.mark.parametrize(
    ("key", "stage", "part"),
    [
        ("corpus.path", "corpus", "corpus file"),
        ("labeled.path", "corpus", "labelled set"),
        ("analyze.taxonomy", "taxonomy", "analyze.taxonomy"),
    ],
)
def test_a_change_of_a_file_in_the_home_is_noticed(make_run, tmp_path, monkeypatch, key, stage, part):
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    write_corpus(home / "x.jsonl")
    if key == "analyze.taxonomy":
        write_taxonomy(home / "x.jsonl", load_seed_taxonomy())
    elif key == "labeled.path":
        row = json.loads((home / "x.jsonl").read_text().splitlines()[0])
        row = {"conversation": row["conversation"], "summary": "A kettle.", "errors": []}
        (home / "x.jsonl").write_text(json.dumps(row) + "\n")
    scripted_team.join()
    run = make_run(f"{key}=~/x.jsonl")
    run_until(run, stage)
    assert status(run)[stage].state == "whole"
    with (home / "x.jsonl").open("a", encoding="utf-8") as file:
        file.write("\n")
    assert status(run)[stage].why == f"changed since: {part}"


def test_stored_answers_in_the_home(make_run, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    run = make_run("calls_dir=~/answers")
    assert run.calls == tmp_path / "home" / "answers"
    (tmp_path / "~" / "answers").mkdir(parents=True)  # as earlier versions made it
    assert run.calls == tmp_path / "~" / "answers"


def test_hand_edited_revisions_are_trained_on(project):
    team = scripted_team.join_troubled()
    run = open_project(project)
    revisions = list(read_jsonl(run.folder.revisions, Revision))
    mine = next(row for row in revisions if row.verdict == "verified")
    words = "This summary was written by hand."
    write_jsonl_atomic(
        run.folder.revisions,
        [row.model_copy(update={"after": words}) if row == mine else row for row in revisions],
    )
    edited = run.folder.revisions.read_bytes()
    states = status(run)
    assert states["revise"].state == "whole"
    assert (states["train"].state, "revisions.jsonl" in states["train"].why) == ("stale", True)
    run_until(run, "revise")
    assert run.folder.revisions.read_bytes() == edited
    assert not team.asked
    build(run.folder, io.StringIO())
    examples = {
        row.conversation_id: row.completion for row in read_jsonl(run.folder.train / "arf.jsonl", TrainingExample)
    }
    assert examples[mine.conversation_id] == words


def test_a_lost_file_is_made_again_from_stored_answers(project):
    team = scripted_team.join_troubled()
    run = open_project(project)
    before = run.folder.errors.read_bytes()
    run.folder.errors.unlink()
    states = status(run)
    assert (states["analyze"].state, states["analyze"].why) == ("missing", "errors.jsonl is gone")
    assert states["revise"].state == "stale"
    run_until(run, "revise")
    assert run.folder.errors.read_bytes() == before
    assert not team.asked


def test_a_lost_student_is_trained_again(project):
    run = open_project(project)
    for path in (run.folder.student / "arf").iterdir():
        path.unlink()
    (run.folder.student / "arf").rmdir()
    assert status(run)["train"].state == "missing"


def test_states_say_why(project):
    run = open_project(project, "revise.attempts=5", "train.epochs=3")
    states = {name: (state.state, state.why) for name, state in status(run).items()}
    assert states == {
        "corpus": ("whole", ""),
        "draft": ("whole", ""),
        "taxonomy": ("whole", ""),
        "analyze": ("whole", ""),
        "revise": ("stale", "changed since: revise"),
        "train": ("stale", "changed since: train"),
        "evaluate": ("stale", "changed since: revise"),
        "report": ("stale", "revise comes first"),
    }


def test_a_run_that_never_began_is_missing(make_run):
    run = make_run()
    assert {state.state for state in status(run).values()} == {"missing"}
    assert not run.folder.path.exists()


def test_one_conversation_more_costs_one_conversation(make_run, tmp_path):
    team = scripted_team.join()
    run = make_run("corpus.holdout=0.2")
    run_until(run, "revise")
    team.forget()
    old, trained = ids(run.folder.drafts, Summary), run.conversations("train")
    row = scripted_team.TROUBLESOME[3]
    with (tmp_path / "conversations.jsonl").open("a", encoding="utf-8") as corpus:
        corpus.write(json.dumps(row) + "\n")
    run_until(run, "revise")
    assert ids(run.folder.drafts, Summary) == [*old, row["id"]]
    assert team.asked["summary"] == 1
    # It can push another conversation out of the holdout.
    added = {order_of(item) for name, item in run.conversations("train").items() if name not in trained}
    assert len(added) <= 2
    assert asked_about(team, "summary") == {"5000"}
    assert asked_about(team, "notes", "find", "sentence") == added
    assert team.asked["find"] <= 2 * len(added)


def test_another_split_analyzes_what_is_now_trained_on(make_run):
    """The drafts and the taxonomy stay as they are, but which drafts are trained on changes."""
    team = scripted_team.join()
    run_until(make_run("analyze.notes_sample=0"), "revise")
    asked = team.asked["summary"]
    run = make_run("analyze.notes_sample=0", "corpus.holdout=0.5")
    run_until(run, "revise")
    train = list(run.conversations("train"))
    assert ids(run.folder.errors, DraftErrors) == train
    assert ids(run.folder.revisions, Revision) == train
    assert team.asked["summary"] == asked


def test_a_changed_turn_is_analyzed_anew_even_if_the_draft_stays(make_run, tmp_path):
    team = scripted_team.join()
    run = make_run()
    run_until(run, "revise")
    team.forget()
    path = tmp_path / "conversations.jsonl"
    first = next(iter(run.conversations("train").values()))
    order = order_of(first)
    path.write_text(
        path.read_text(encoding="utf-8").replace(first.turns[1].text, "Sorry, we never give anything back.")
    )
    run_until(run, "revise")
    assert asked_about(team, "find") == {order}


def test_without_notes_the_seed_taxonomy_is_used(make_run):
    team = scripted_team.join()
    run = make_run("analyze.notes_sample=0")
    run_until(run, "taxonomy")
    assert set(team.asked) == {"summary"}
    assert "wrong_fact" in read_taxonomy(run.folder.taxonomy).ids()


def test_a_given_taxonomy_is_used(make_run, tmp_path):
    (tmp_path / "mine.yaml").write_text("categories:\n- {id: fabricated, name: F, definition: Made up.}\n")
    team = scripted_team.join()
    run = make_run("analyze.taxonomy=mine.yaml")
    run_until(run, "analyze")
    assert set(team.asked) == {"summary", "find"}
    assert read_taxonomy(run.folder.taxonomy).ids() == ("fabricated",)
    assert team.fields["find"][0]["categories"] == "- fabricated: Made up."


def test_notes_are_taken_on_a_sample_that_grows(make_run):
    team = scripted_team.join()
    run_until(make_run("analyze.notes_sample=3"), "taxonomy")
    few = asked_about(team, "notes")
    run_until(make_run("analyze.notes_sample=5"), "taxonomy")
    assert len(few) == 3
    assert team.asked["notes"] == 5
    assert few < asked_about(team, "notes")


@pytest.mark.parametrize("strategy", ["rewrite", "taxonomy"])
def test_the_other_strategies_run_too(make_run, strategy):
    team = scripted_team.join()
    run = make_run(f"revise.strategy={strategy}")
    run_until(run, "revise")
    revisions = list(read_jsonl(run.folder.revisions, Revision))
    assert {row.strategy for row in revisions} == {strategy}
    assert Counter(row.verdict.value for row in revisions)["verified"] == sum(bool(row.errors) for row in revisions) > 0
    assert not any(scripted_team.FLAW in row.after for row in revisions)
    assert team.asked["rewrite" if strategy == "rewrite" else "by_taxonomy"] > 0


def test_sentencewise_analysis_runs_too(make_run):
    team = scripted_team.join()
    run = make_run("analyze.strategy=sentencewise")
    run_until(run, "revise")
    assert "find" not in team.asked
    errors = [row.errors for row in read_jsonl(run.folder.errors, DraftErrors)]
    assert {note.category for notes in errors for note in notes} == {"fabricated"}
    assert any(fields["sentence"] == scripted_team.FLAW for fields in team.fields["support"])


def test_checks_alone_ask_no_analyst_again(make_run):
    team = scripted_team.join()
    run = make_run("revise.verify_with_analyst=false")
    run_until(run, "revise")
    assert team.asked["find"] == len(run.conversations("train"))


def test_drafts_are_mended_without_an_editor(make_run, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    team = scripted_team.join()
    run = make_run("revise.candidates=0", "models.editor=openai/gpt-4o", "models.analyst=scripted/model")
    run_until(run, "revise")
    assert "sentence" not in team.asked
    revised = [row for row in read_jsonl(run.folder.revisions, Revision) if row.errors]
    assert revised and all(scripted_team.FLAW not in row.after for row in revised)


def test_what_cannot_be_asked_is_named_before_any_call(make_run, monkeypatch):
    """Hours of drafting must not end at the judge's missing key."""
    for name in ("EDITOR_KEY", "SERVE_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    team = scripted_team.join()
    run = make_run(
        "models.analyst=nobody/model",
        "models.editor={model: openai/gpt-4o-mini, api_key_env: EDITOR_KEY}",
        "models.judge=anthropic/claude-sonnet-4-5",
        "evaluate.serve.student_arf={model: openai/served, api_key_env: SERVE_KEY}",
    )
    with pytest.raises(ConfigError) as caught:
        run_until(run, "report")
    told = "\n".join(caught.value.problems)
    assert len(caught.value.problems) == 4
    assert "SERVE_KEY is not set" in told
    assert "nobody/model: LiteLLM knows no such model" in told
    assert "EDITOR_KEY is not set" in told
    assert "ANTHROPIC_API_KEY is not set" in told
    assert not team.asked
    # Drafts need none of them, and revisions no judge.
    run_until(run, "draft")
    assert team.asked["summary"] == 12
    with pytest.raises(ConfigError) as caught:
        run_until(run, "revise")
    assert len(caught.value.problems) == 2


def test_a_whole_run_needs_no_keys(project, monkeypatch):
    monkeypatch.delenv("JUDGE_KEY", raising=False)
    run = open_project(project, "models.judge.api_key_env=JUDGE_KEY")
    assert run.config.models.judge.api_key_env == "JUDGE_KEY"
    run_until(run, "report")


def test_no_secret_is_in_the_run_folder(make_run, monkeypatch):
    monkeypatch.setenv("MY_KEY", "sk-very-secret-0123456789")
    team = scripted_team.join(find=lambda fields: "no" if "kettle" in fields["conversation"] else {"errors": []})
    run = make_run("models.teacher.api_key_env=MY_KEY", "models.teacher.license=for research only")
    run_until(run, "revise")
    assert team.asked["summary"] == 12
    files = [path for path in run.folder.path.rglob("*") if path.is_file()]
    assert len(files) > 8
    for path in files:
        assert b"very-secret" not in path.read_bytes(), path
    resolved = yaml.safe_load(run.folder.config.read_text(encoding="utf-8"))
    assert resolved["models"]["judge"]["api_key_env"] == "MY_KEY"


def test_the_holdout_is_never_analyzed_or_revised(make_run):
    team = scripted_team.join()
    run = make_run()
    run_until(run, "revise")
    train = set(run.conversations("train"))
    assert set(ids(run.folder.errors, DraftErrors)) == train
    assert set(ids(run.folder.revisions, Revision)) == train
    orders = {order_of(item) for item in run.conversations("holdout").values()}
    assert not orders & asked_about(team, "notes", "find", "sentence")


def test_stages_are_told_in_the_order_of_the_story():
    assert NAMES == ["corpus", "draft", "taxonomy", "analyze", "revise", "train", "evaluate", "report"]
    assert len(Path(pipeline.__file__).read_text(encoding="utf-8").splitlines()) < 100


def test_a_corpus_file_that_grew_makes_the_corpus_stale(make_run, tmp_path):
    scripted_team.join()
    run = make_run()
    run_until(run, "draft")
    write_corpus(tmp_path / "conversations.jsonl", 11)
    states = status(run)
    assert (states["corpus"].state, states["corpus"].why) == ("stale", "changed since: corpus file")
    assert states["draft"].why == "corpus comes first"


def test_a_calibration_moves_the_threshold_and_scores_are_in_the_records(make_run, tmp_path):
    from arf_programs.metrics import fit_calibration

    # The analyst says yes to the flaw too, only less surely: by its word it would find nothing.
    scripted_team.join(
        support=lambda fields: scripted_team.yes(0.7 if scripted_team.FLAW in fields["sentence"] else 0.95)
    )
    settings = ("analyze.strategy=sentencewise", "analyze.checks=false", "revise.edits=one_by_one")
    run = make_run(*settings, "analyze.calibration=null")
    run_until(run, "analyze")
    assert not any(row.errors for row in read_jsonl(run.folder.errors, DraftErrors))
    prompt = build_analyzer(run).analysis.support.prompt_digest()
    made = fit_calibration([0.05, 0.06, 0.3, 0.31], [False, False, True, True], model="scripted/model", prompt=prompt)
    write_record(tmp_path / "mine.json", made)
    run = make_run(*settings, "analyze.calibration=mine.json")
    run_until(run, "revise")
    notes = [note for row in read_jsonl(run.folder.errors, DraftErrors) for note in row.errors]
    assert {note.quote for note in notes} == {scripted_team.FLAW}
    assert all(note.score >= made.threshold for note in notes)
    revised = [row for row in read_jsonl(run.folder.revisions, Revision) if row.applied]
    assert revised
    assert all(edit.gain > 0 for row in revised for edit in row.applied)
