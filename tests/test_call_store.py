import asyncio
import stat

import dspy
import pytest
import scripted_team
from conftest import stored_calls
from tiny_model import save_tiny_model

from arf_programs.config.models import ModelConfig
from arf_programs.models import scripted
from arf_programs.models.answers.store import open_store, request_key
from arf_programs.models.calls.lm import build_lm
from arf_programs.models.calls.session import Session, within
from arf_programs.models.local.weights import weights_digest
from arf_programs.programs.revision.propose import EditSummary
from arf_programs.runner.context import ask_rows
from arf_programs.runner.rows import RowKey
from arf_programs.runs.ledger import Call, read_ledger
from arf_programs.text.quotes import locate_error

ASKED = {"model": "openai/m", "messages": [{"role": "user", "content": "hi"}], "temperature": 0.0}


@pytest.fixture
def store(tmp_path):
    with open_store(tmp_path / "calls", tmp_path / "calls.jsonl") as opened:
        yield opened


def ask(lm: dspy.LM, text: str = "hi", **settings) -> str:
    (answer,) = lm(text, **settings)
    return answer


def model(**settings) -> dspy.LM:
    return build_lm(ModelConfig(model="scripted/model", **settings), seed=17)


def test_an_answer_is_never_asked_for_again(tmp_path):
    scripted.register("model", lambda messages, params: f"answer {len(scripted.calls('model'))}")
    for _ in range(2):
        with stored_calls(tmp_path):
            assert [ask(model()) for _ in range(2)] == ["answer 1", "answer 1"]
    assert len(scripted.calls("model")) == 1
    booked = read_ledger(tmp_path / "calls.jsonl")
    assert [call.cached for call in booked] == [False, True, True, True]
    assert [call.prompt_tokens for call in booked] == [1, 0, 0, 0]


def test_calls_are_booked_to_their_stage_with_tokens_and_price(tmp_path):
    scripted.register("model", lambda messages, params: "one two three")
    with stored_calls(tmp_path):
        with within(stage="draft"):
            ask(model(input_price=1_000_000, output_price=2_000_000), "a b")
        ask(model(input_price=1_000_000, output_price=2_000_000), "a b")
    first, again = read_ledger(tmp_path / "calls.jsonl")
    assert first == Call(
        stage="draft", model="scripted/model", cached=False, prompt_tokens=2, completion_tokens=3, usd=2 + 6
    )
    assert again == Call(stage="test", model="scripted/model", cached=True)


@pytest.mark.parametrize(
    ("changed", "is_another"),
    [
        ({"model": "openai/other"}, True),
        ({"messages": [{"role": "user", "content": "ho"}]}, True),
        ({"temperature": 0.1}, True),
        ({"api_base": "http://localhost:1"}, True),
        ({"max_tokens": 5}, True),
        ({"seed": 5}, True),
        ({"rollout_id": 1}, True),
        ({"response_format": {"type": "json_object"}}, True),
        ({"api_key": "sk-secret"}, False),
        ({"extra_headers": {"authorization": "secret"}}, False),
    ],
    ids=str,
)
def test_what_tells_calls_apart(changed, is_another):
    assert (request_key(ASKED) != request_key({**ASKED, **changed})) is is_another


def test_settings_of_the_model_reach_the_key(tmp_path):
    scripted.register("model", lambda messages, params: str(len(scripted.calls("model"))))
    with stored_calls(tmp_path):
        told = [
            ask(model()),
            ask(model(api_base="http://localhost:1")),
            ask(model(temperature=0.5)),
            ask(model(parameters={"top_p": 0.5})),
            ask(model(), "ho"),
            ask(model()),
        ]
    assert told == ["1", "2", "3", "4", "5", "1"]


def test_no_key_is_stored(tmp_path, monkeypatch):
    monkeypatch.setenv("MY_KEY", "sk-very-secret-0123456789")
    scripted.register("model", lambda messages, params: "fine")
    with stored_calls(tmp_path):
        ask(model(api_key_env="MY_KEY"))
        monkeypatch.setenv("MY_KEY", "sk-another-secret")
        ask(model(api_key_env="MY_KEY"))
    assert len(scripted.calls("model")) == 1
    for path in tmp_path.rglob("*"):
        if path.is_file():
            assert b"secret" not in path.read_bytes(), path


def test_the_folder_of_answers_is_private(store, tmp_path):
    assert stat.S_IMODE((tmp_path / "calls").stat().st_mode) == 0o700


def test_a_half_written_ledger_is_mended(tmp_path):
    ledger = tmp_path / "calls.jsonl"
    with stored_calls(tmp_path):
        scripted.register("model", lambda messages, params: "fine")
        ask(model())
    whole = ledger.read_bytes()
    ledger.write_bytes(whole + whole[: len(whole) // 2])
    assert len(read_ledger(ledger)) == 1
    with stored_calls(tmp_path):
        ask(model(), "ho")
    assert [call.model for call in read_ledger(ledger)] == ["scripted/model"] * 2


def test_an_answer_to_a_schema_with_references_is_found_again(call, lm, conversation):
    """LiteLLM resolves some references of a schema in place while it sends it."""
    team = scripted_team.join()
    program = EditSummary(retries=0)
    program.set_lm(lm)
    errors = [locate_error(scripted_team.FLAW, conversation, category="fabricated", quote="95 euros")]

    class Once:
        async def acall(self):
            return await program.propose(conversation, f"It leaked. {scripted_team.FLAW}", errors, "")

    assert call(Once()) == call(Once())
    assert team.asked["edits"] == 1


def test_a_missing_ledger_has_no_calls(tmp_path):
    assert read_ledger(tmp_path / "calls.jsonl") == []


def test_a_model_is_not_asked_outside_of_a_run():
    """Nothing would say where its answer is stored, and what it is booked to."""
    with pytest.raises(dspy.utils.exceptions.LMConfigurationError, match="stored_lm"):
        ask(model())


def test_a_stage_awaits_its_models(tmp_path):
    with stored_calls(tmp_path) as context:
        session = Session(context.session.store)
        with within(session=session), pytest.raises(dspy.utils.exceptions.LMConfigurationError, match="acall"):
            ask(model())


def test_an_answer_with_odd_characters_comes_back_as_it_was(tmp_path):
    odd = 'ü "quoted" \\ 🙂 \u2028 end'
    scripted.register("model", [odd])
    with stored_calls(tmp_path):
        assert ask(model()) == odd
        assert ask(model()) == odd


def test_failures_are_not_stored(tmp_path, no_waiting):
    scripted.register("model", [scripted.ScriptedAnswer(error="server"), "fine"])
    with stored_calls(tmp_path):
        with pytest.raises(dspy.utils.exceptions.LMServerError):
            ask(model(retries=0))
        assert ask(model(retries=0)) == "fine"


def test_each_try_that_failed_is_booked(tmp_path, no_waiting, make_run):
    scripted.register("model", [scripted.ScriptedAnswer(error="server", times=2), "fine"])
    run = make_run()
    lm = model(retries=3)

    async def say(_: str) -> list:
        return await lm.acall("hi")

    ask_rows(run, "draft", ["row"], say, key=RowKey, concurrency=1)
    booked = read_ledger(run.folder.ledger)
    assert [(call.failed, call.paid, call.stage) for call in booked] == [
        (True, False, "draft"),
        (True, False, "draft"),
        (False, True, "draft"),
    ]
    assert sum(call.prompt_tokens for call in booked[:2]) == 0


@pytest.mark.parametrize(("in_a_batch", "booked"), [(False, 1), (True, 0)])
def test_a_call_that_is_cancelled_is_booked_unless_a_batch_goes_on_with_it(tmp_path, monkeypatch, in_a_batch, booked):
    async def cancelled(*_: object) -> None:
        raise asyncio.CancelledError

    monkeypatch.setattr("arf_programs.models.calls.sender.send_by_litellm", cancelled)
    senders = {"scripted/model": cancelled} if in_a_batch else {}
    with stored_calls(tmp_path, senders=senders) as context:
        session = Session(context.session.store, senders=senders)
        with within(session=session), pytest.raises(asyncio.CancelledError):
            asyncio.run(model().acall("hi"))
        assert not context.session.store.budget.is_held
    assert [call.failed for call in read_ledger(tmp_path / "calls.jsonl")] == [True] * booked


def test_a_student_trained_anew_is_asked_anew(make_run, tmp_path, monkeypatch):
    """The student's folder keeps its name, so its weights have to be part of the key."""
    student = save_tiny_model(tmp_path / "student")
    lm = build_lm(ModelConfig(model=f"embedded/{student}", max_tokens=4), seed=17)
    run = make_run()

    def work() -> None:
        async def say(_: str) -> list:
            return await lm.acall("hi")

        ask_rows(run, "evaluate", ["row"], say, key=RowKey, concurrency=1)

    work()
    work()
    before = weights_digest(f"embedded/{student}")
    weights = student / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    assert weights_digest(f"embedded/{student}") != before
    monkeypatch.setenv("HOME", str(student.parent))
    assert weights_digest(f"embedded/~/{student.name}") == weights_digest(f"embedded/{student}")
    work()
    assert [call.cached for call in read_ledger(run.folder.ledger)] == [False, True, False]


def test_only_embedded_folders_have_weights(tmp_path):
    assert weights_digest("openai/gpt-4o") == ""
    assert weights_digest("embedded/smollm2-135m") == ""
    assert weights_digest(f"scripted/{tmp_path}") == ""
