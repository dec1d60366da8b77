"""DSPy's weight optimizers on ARF programs: real training with TRL and PEFT of a tiny model."""

import json
from pathlib import Path

import conftest
import dspy
import pytest
from dspy.clients.utils_finetune import TrainDataFormat
from peft import LoraConfig, get_peft_model
from tiny_model import save_tiny_model
from transformers import AutoModelForCausalLM, AutoTokenizer

from arf_programs.config.models import ModelConfig
from arf_programs.models import scripted
from arf_programs.models.calls.lm import build_lm
from arf_programs.models.local.weights import is_adapter
from arf_programs.programs.judge import Judge
from arf_programs.programs.summarize import Summarize
from arf_programs.runs.jsonl import read_jsonl
from arf_programs.text.student_prompt import build_messages
from signatures.exceptions import ConfigError, DataError
from signatures.records import Conversation, TrainingExample, Turn
from training.dspy_provider import SummaryAdapter, TrlProvider, TypedAdapter, examples_from, trainable_lm

INSTRUCTION = "Summarize this conversation."
SUMMARY = "The order was late."
SETTINGS = {"epochs": 1, "batch_size": 2, "learning_rate": 0.01, "lora": {"r": 2}}
CONVERSATIONS = [Conversation(id=f"c{n}", turns=(Turn(speaker="Customer", text=f"Order {n}?"),)) for n in range(3)]
EXAMPLES = [dspy.Example(conversation=conversation).with_inputs("conversation") for conversation in CONVERSATIONS]


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return save_tiny_model(tmp_path_factory.mktemp("base") / "tiny")


@pytest.fixture(scope="module")
def adapter(base):
    """A student trained before, as a base for further training."""
    config = LoraConfig(task_type="CAUSAL_LM", r=2, target_modules="all-linear", init_lora_weights=False)
    get_peft_model(AutoModelForCausalLM.from_pretrained(base), config).save_pretrained(base.parent / "adapter")
    AutoTokenizer.from_pretrained(base).save_pretrained(base.parent / "adapter")
    return base.parent / "adapter"


@pytest.fixture
def trained(tmp_path):
    return tmp_path / "trained"


@pytest.fixture
def lm(base, trained):
    return trainable_lm(ModelConfig(model=f"embedded/{base}", max_tokens=8), trained, seed=1)


@pytest.fixture(autouse=True)
def stored_calls(tmp_path):
    with conftest.stored_calls(tmp_path):
        yield


def program(lm):
    made = dspy.syncify(Summarize(INSTRUCTION, retries=0), in_place=False)
    made.set_lm(lm)
    return made


def teacher():
    scripted.register("model", lambda messages, params: SUMMARY)
    return program(build_lm(ModelConfig(model="scripted/model"), seed=1))


def finetune(**more):
    return dspy.BootstrapFinetune(adapter=SummaryAdapter(), train_kwargs=SETTINGS, num_threads=1, **more)


def folder_of(model):
    return Path(model.removeprefix("embedded/"))


def test_bootstrap_finetune_trains_on_the_teachers_answers_and_its_model_answers(adapter, trained):
    lm = trainable_lm(ModelConfig(model=f"embedded/{adapter}", max_tokens=8), trained, seed=1)
    optimizer = finetune(metric=lambda example, answer, trace=None: example.conversation.id != "c1")
    compiled = optimizer.compile(program(lm), trainset=EXAMPLES, teacher=teacher())
    lm = compiled.predictors()[0].lm
    assert lm.supports_response_schema
    student = folder_of(lm.model)
    assert is_adapter(student)
    assert student.is_relative_to(trained)
    rows = list(read_jsonl(student.parent / "train.jsonl", TrainingExample))
    assert [row.completion for row in rows] == [SUMMARY, SUMMARY]
    assert {row.messages for row in rows} == {build_messages(INSTRUCTION, CONVERSATIONS[n]) for n in (0, 2)}
    assert compiled(conversation=CONVERSATIONS[1]).summary
    log = json.loads((student / "training_log.json").read_text())
    assert (log["epochs"], log["settings"]["lora"]["r"]) == (1, 2)
    # What was trained before is merged into its base, and is the base of this training.
    assert Path(log["base"]).parent == trained
    assert not is_adapter(Path(log["base"]))


def test_better_together_chains_prompts_and_weights(lm):
    prompts = dspy.BootstrapFewShot(metric=lambda *_: True, max_bootstrapped_demos=1, max_labeled_demos=0)
    optimizer = dspy.BetterTogether(metric=lambda example, answer, trace=None: 1.0, p=prompts, w=finetune())
    compiled = optimizer.compile(
        program(lm),
        trainset=EXAMPLES[:2],
        valset=EXAMPLES[2:],
        strategy="p -> w",
        num_threads=1,
        # DSPy hands a teacher that is given once to every optimizer as a list, which BootstrapFewShot does not take.
        optimizer_compile_args={"p": {"teacher": teacher()}},
    )
    assert not compiled.flag_compilation_error_occurred
    by_strategy = {item["strategy"]: item["program"] for item in compiled.candidate_programs}
    assert sorted(by_strategy) == ["", "p", "p -> w"]
    trained = by_strategy["p -> w"].predictors()[0].lm.model
    assert is_adapter(folder_of(trained))
    assert by_strategy["p -> w"](conversation=CONVERSATIONS[0]).summary
    rows = list(read_jsonl(folder_of(trained).parent / "train.jsonl", TrainingExample))
    assert {len(row.messages) for row in rows} == {4}  # the demonstration is part of the prompt


def test_an_unknown_setting_is_told(lm):
    broken = dspy.BootstrapFinetune(adapter=SummaryAdapter(), train_kwargs={"epoch": 1}, num_threads=1)
    with pytest.raises(ConfigError, match="epoch is not a known setting"):
        broken.compile(program(lm), trainset=EXAMPLES, teacher=teacher())


def test_rows_of_another_form_are_refused(tmp_path):
    provider = TrlProvider(tmp_path)
    with pytest.raises(ConfigError, match="use an adapter for chats"):
        provider.finetune(None, "embedded/x", [], TrainDataFormat.COMPLETION)
    with pytest.raises(DataError, match="no row to train on"):
        provider.finetune(None, "embedded/x", [], TrainDataFormat.CHAT)
    user = {"role": "user", "content": "Hi"}
    for last in (user, {"role": "assistant", "content": " "}):
        with pytest.raises(DataError, match="row 1: its last message is no answer"):
            examples_from([{"messages": [user, last]}])


def test_only_models_of_this_process_are_trained(tmp_path):
    with pytest.raises(ConfigError, match="openai/gpt-4o: only embedded/"):
        trainable_lm(ModelConfig(model="openai/gpt-4o"), tmp_path, seed=1)
    assert TrlProvider.is_provider_model("embedded/smollm2-135m")
    assert not TrlProvider.is_provider_model("openai/gpt-4o")


def test_typed_answers_are_trained_on_as_the_json_that_is_asked_for():
    (predict,) = Judge(retries=0).predictors()
    inputs = {"conversation": "[1] Customer: Hi.", "summary": SUMMARY}
    given = {"reasons": "Nothing is wrong.", "faithful": 5, "complete": 5, "concise": 5, "rating": 5}
    data = TypedAdapter().format_finetune_data(predict.signature, [], inputs, given)
    *prompt, answer = data["messages"]
    assert prompt == dspy.JSONAdapter().format(predict.signature, [], inputs)
    assert json.loads(answer["content"]) == given
