"""What a notebook imports: programs with any `dspy.LM`, with and without await, and a run opened to look at."""

import asyncio
import contextlib
import io
import json
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import dspy
import pytest

import arf_programs
from arf_programs import (
    Analyze,
    HolisticAnalysis,
    Judge,
    Revise,
    SentencewiseAnalysis,
    Summarize,
    analysis_metric,
    checks,
    labeled_examples,
    load_run,
    parse_conversation,
    read_labeled_file,
    revision_metric,
    stored_lm,
)
from arf_programs.models import scripted
from arf_programs.models.providers.litellm import declare_model, register_providers
from arf_programs.models.providers.scripted_llm import ScriptedLLM
from arf_programs.runs.ledger import read_ledger
from signatures.exceptions import ConfigError, DataError

TEXT = "Customer: The kettle from order 4471 leaks.\nAgent: Sorry! A new one arrives on Friday.\nCustomer: Thanks!"
DRAFT = "The kettle of the customer leaks. The agent promises a refund."
WRONG = "The agent promises a refund."
ERROR = {
    "quote": WRONG,
    "category": "wrong_fact",
    "evidence": [2],
    "explanation": "The agent sends a new one.",
    "severity": "major",
}


def answer(messages, params):
    """An editor, analyst, teacher and judge in one, by what they are asked for."""
    asked = "\n".join(str(message["content"]) for message in messages)
    if "corrected" in asked:
        return json.dumps({"corrected": "The agent sends a new kettle, which arrives on Friday."})
    if "rating" in asked:
        rating = {"reasons": "Fine.", "faithful": 5, "complete": 4, "concise": 5, "rating": 5}
        return json.dumps({key: value if key == "reasons" else str(value) for key, value in rating.items()})
    if "new_errors" in asked:
        return json.dumps({"checks": [{"id": "e1", "explanation": "As it is.", "mended": True}], "new_errors": []})
    if "categories" in asked:
        return json.dumps({"errors": [ERROR] if WRONG in asked else []})
    return "A summary."


def plain(name):
    """A model as DSPy makes it, without ARF's engine and store."""
    register_providers()
    declare_model(f"scripted/{name}", json_schema=True)
    return dspy.LM(f"scripted/{name}", engine="litellm", cache=False)


@pytest.fixture
def plain_lm():
    """The model as a notebook configures it, without DSPy's cache on this machine's disk."""
    scripted.register("model", answer)
    with dspy.context(lm=plain("model"), adapter=dspy.JSONAdapter()):
        yield


def test_five_lines_analyse_and_revise_one_conversation(plain_lm):
    conversation = parse_conversation(TEXT)
    errors = Analyze()(conversation=conversation, summary=DRAFT).errors
    assert [note.quote for note in errors if note.source == "lm"] == [WRONG]
    revision = Revise()(conversation=conversation, draft=DRAFT, errors=errors).revision
    assert revision.after == "The kettle of the customer leaks. The agent sends a new kettle, which arrives on Friday."
    assert revision.verdict == "verified"
    assert revision.model == "scripted/model"


def test_revise_analyses_the_draft_itself_where_no_errors_are_given(plain_lm):
    revision = Revise()(conversation=parse_conversation(TEXT), draft=DRAFT).revision
    assert WRONG not in revision.after
    assert [note.quote for note in revision.errors] == [WRONG]


def test_every_program_is_called_with_and_without_await(plain_lm):
    conversation = parse_conversation(TEXT)
    inputs = {"conversation": conversation, "summary": DRAFT}
    assert Summarize()(conversation=conversation).summary == "A summary."
    assert Judge()(**inputs).rating.rating == 5

    async def both():
        """As in Jupyter: an event loop is running, and a cell calls the program without `await`."""
        waited = await Analyze(HolisticAnalysis()).acall(**inputs)
        return waited.errors, Analyze()(**inputs).errors

    waited, called = asyncio.run(both())
    assert waited == called


def test_a_program_without_a_model_finds_what_checks_find():
    found = Analyze(None)(conversation=parse_conversation(TEXT), summary="The order 9999 leaks.").errors
    assert [note.quote for note in found] == ["9999"]
    assert [note.quote for note in checks.run_checks(parse_conversation(TEXT), "The order 9999 leaks.")] == ["9999"]


def test_a_stored_model_is_asked_once_and_its_calls_are_booked(tmp_path):
    scripted.register("model", lambda messages, params: f"answer {len(scripted.calls('model'))}")
    assert [stored_lm("scripted/model", tmp_path)("Hi") for _ in range(2)] == [["answer 1"], ["answer 1"]]
    assert [call.cached for call in read_ledger(tmp_path / "calls.jsonl")] == [False, True]


def test_a_stored_model_is_asked_once_within_a_running_loop(tmp_path):
    scripted.register("model", lambda messages, params: f"answer {len(scripted.calls('model'))}")

    async def cell():
        """As in Jupyter: a cell asks with `await`, and without."""
        lm = stored_lm("scripted/model", tmp_path)
        together = await asyncio.gather(lm.acall("Hi"), lm.acall("Hi"))
        return [*together, lm("Hi")]

    assert asyncio.run(cell()) == [["answer 1"]] * 3
    assert [call.cached for call in read_ledger(tmp_path / "calls.jsonl")] == [False, True, True]


@pytest.mark.parametrize("concurrency", [1, 2])
def test_threads_share_the_limit_of_a_stored_model(tmp_path, monkeypatch, concurrency):
    scripted.register("model", lambda messages, params: "answer")
    lm = stored_lm("scripted/model", tmp_path, concurrency=concurrency)
    answer_at_once = ScriptedLLM.acompletion
    running = [0]  # calls under way, after each start and end
    both = asyncio.Event()

    async def wait_for_the_other(*arguments, **settings):
        running.append(running[-1] + 1)
        if running[-1] == 2:
            both.set()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(both.wait(), timeout=0.3)
        running.append(running[-1] - 1)
        return await answer_at_once(*arguments, **settings)

    monkeypatch.setattr(ScriptedLLM, "acompletion", wait_for_the_other)
    with ThreadPoolExecutor(2) as threads:
        assert list(threads.map(lm, ("one", "two"))) == [["answer"]] * 2
    assert max(running) == concurrency


def test_wrong_settings_of_a_stored_model_are_named(tmp_path):
    with pytest.raises(ConfigError, match="concurency"):
        stored_lm("scripted/model", tmp_path, concurency=2)


def test_text_that_is_no_conversation_is_said_to_be_none():
    with pytest.raises(DataError, match="conversation"):
        parse_conversation("no speaker here")


@pytest.fixture
def labeled(tmp_path):
    rows: list[dict[str, Any]] = [
        {"conversation": TEXT, "summary": DRAFT, "errors": [ERROR], "revised": DRAFT.replace("a refund", "a new one")},
        {"conversation": TEXT.replace("4471", "4472"), "summary": "The kettle leaks.", "errors": [], "rating": 4},
    ]
    path = tmp_path / "labeled.jsonl"
    path.write_text("".join(json.dumps({"id": f"c{n}", **row}) + "\n" for n, row in enumerate(rows)))
    return read_labeled_file(path)


def test_labelled_cases_become_examples_for_a_program(labeled):
    analyze, revise, judge = (labeled_examples(labeled, name) for name in ("analyze", "revise", "judge"))
    assert [len(item) for item in (analyze, revise, judge)] == [2, 1, 1]
    assert set(analyze[0].inputs().keys()) == {"conversation", "summary"}
    assert set(revise[0].inputs().keys()) == {"conversation", "draft", "errors"}


def test_metrics_give_a_number_and_for_gepa_feedback(plain_lm, labeled):
    (example,) = labeled_examples(labeled, "revise")
    prediction = Revise()(**example.inputs())
    assert 0 <= revision_metric(example, prediction) <= 1
    analysis = labeled_examples(labeled, "analyze")[0]
    told = analysis_metric(analysis, Analyze()(**analysis.inputs()), pred_name="analysis.find_errors")
    assert not isinstance(told, float)
    assert told.score == 1.0
    assert isinstance(told.feedback, str)


@pytest.mark.parametrize("analysis", ["holistic", "sentencewise"])
def test_a_program_is_saved_and_loaded_as_dspys_are(tmp_path, analysis):
    program = Analyze(analysis)
    program.predictors()[0].signature = program.predictors()[0].signature.with_instructions("Look twice.")
    program.save(tmp_path / "program.json")
    again = Analyze(SentencewiseAnalysis() if analysis == "sentencewise" else HolisticAnalysis())
    again.load(tmp_path / "program.json")
    assert again.predictors()[0].signature.instructions == "Look twice."


@pytest.mark.parametrize("optimizer", ["gepa", "mipro"])
def test_any_optimizer_compiles_a_program(plain_lm, labeled, optimizer, tmp_path):
    """As with any DSPy program: a metric, examples, an optimizer, and no `arf compile`."""
    examples = labeled_examples(labeled, "analyze")
    reflection = scripted_reflection()
    with contextlib.redirect_stdout(io.StringIO()):
        if optimizer == "gepa":
            gepa = dspy.GEPA(metric=analysis_metric, max_metric_calls=8, reflection_lm=reflection, num_threads=1)
            compiled = gepa.compile(Analyze(), trainset=examples, valset=examples)
        else:
            mipro = dspy.MIPROv2(
                metric=analysis_metric, prompt_model=reflection, auto=None, num_candidates=2, num_threads=1
            )
            compiled = mipro.compile(
                Analyze(), trainset=examples, valset=examples, num_trials=2, minibatch=False, seed=9
            )
    (predictor,) = compiled.predictors()
    compiled.save(tmp_path / "compiled.json")
    loaded = Analyze()
    loaded.load(tmp_path / "compiled.json")
    assert loaded.predictors()[0].signature.instructions == predictor.signature.instructions
    assert loaded(**examples[0].inputs()).errors


def test_the_code_of_the_page_on_notebooks_runs(plain_lm, labeled, finished_project, tmp_path, monkeypatch, capsys):
    """From top to bottom, with scripted models in place of hosted ones, and shorter searches."""
    page = (Path(__file__).parent.parent / "docs" / "notebook.md").read_text(encoding="utf-8")
    code = "".join(re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL))
    code = code.replace("max_metric_calls=100", "max_metric_calls=8")
    code = code.replace('auto="light")', "auto=None, num_candidates=2)")
    code = code.replace("valset=valset)\nagain", "valset=valset, num_trials=2, minibatch=False)\nagain")
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "quickstart").symlink_to(finished_project / "run")
    (tmp_path / "examples" / "quickstart").mkdir(parents=True)
    (tmp_path / "labeled.jsonl").rename(tmp_path / "examples" / "quickstart" / "labeled.jsonl")
    scripted.register("model", answer)  # the finished project has answers of its own
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(dspy, "configure", lambda **_: None)
    reflection = scripted_reflection()
    monkeypatch.setattr(dspy, "LM", lambda *_, **__: reflection)
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    exec(compile(code, "notebook.md", "exec"), {})
    printed = capsys.readouterr().out
    assert "verified The customer's kettle leaks" in printed
    assert (tmp_path / "analyze.json").is_file()


def scripted_reflection():
    """A model that proposes an instruction, in the form that either optimizer asks for."""
    fields = (
        "observations",
        "summary",
        "program_description",
        "module_description",
        "proposed_instruction",
        "new_instruction",
        "new_instructions",
    )
    proposal = json.dumps(dict.fromkeys(fields, "```\nFind each error. Look twice.\n```"))
    scripted.register("reflection", lambda messages, params: proposal)
    return plain("reflection")


def test_a_finished_run_is_opened_to_look_at(finished_project):
    run = load_run(finished_project / "run")
    ids = [conversation.id for conversation in run.conversations()]
    assert {draft.conversation_id for draft in run.drafts()} <= set(ids)
    assert len(list(run.conversations("train"))) + len(list(run.conversations("holdout"))) == len(ids)
    assert len(list(run.errors())) >= len(list(run.revisions())) > 0
    assert run.figures()["name"] if "name" in run.figures() else run.figures()
    scores = run.to_pandas("scores")
    assert {"conversation_id", "system", "words"} <= set(scores.columns)
    assert len(scores) == len(list(run.scores()))
    assert run.to_dataset("drafts").column_names[:2] == ["conversation_id", "text"]
    assert run.to_pandas("calls")["model"].nunique() >= 1


def test_what_is_no_run_or_not_yet_there_is_said(tmp_path):
    with pytest.raises(DataError, match=r"config\.yaml"):
        load_run(tmp_path)
    (tmp_path / "config.yaml").write_text("name: test\n")
    with pytest.raises(DataError, match="arf status"):
        load_run(tmp_path).drafts()
    with pytest.raises(ValueError, match="drafts"):
        load_run(tmp_path).to_pandas("draughts")  # type: ignore[arg-type]


def test_every_public_name_is_there_and_is_what_is_listed():
    assert all(getattr(arf_programs, name) is not None for name in arf_programs.__all__)
    with pytest.raises(AttributeError):
        _ = arf_programs.no_such_name
