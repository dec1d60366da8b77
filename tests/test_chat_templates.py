"""Chat templates that students of real families have: mended where that is safe, refused before anything is paid."""

import json
import re

import pytest
import scripted_team
from conftest import write_corpus
from test_training_sft import FLAGS, make_rows
from tiny_model import save_tiny_model
from transformers import AutoTokenizer
from typer.testing import CliRunner

from arf_programs.cli.app import app
from arf_programs.models.embedded.base import open_weights
from arf_programs.models.embedded.engine import Engine
from arf_programs.models.embedded.memory import PrefixCache
from arf_programs.models.local.chat_template import mend_template, refuse_template, render_text
from arf_programs.runs.jsonl import write_jsonl_atomic
from signatures.exceptions import DataError
from training import export, sft
from training.loop.base_model import load_base, load_tokenizer
from training.loop.lengths import chat_messages, learned_text, measure, render

TURNS = "{% for m in messages %}<s>{{ m['role'] }}\n{{ m['content'] }}</s>\n{% endfor %}"
ASK = "{% if add_generation_prompt %}<s>assistant\n{% endif %}"
REFUSES = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('No system role') }}{% endif %}" + TURNS + ASK
ALTERNATES = (
    "{% for m in messages %}{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('roles must alternate') }}{% endif %}<s>{{ m['role'] }}\n{{ m['content'] | trim }}</s>\n"
    "{% endfor %}" + ASK + "\n"
)
DROPS = TURNS.replace("{% for m in messages %}", "{% for m in messages if m['role'] != 'system' %}") + ASK
# The system text stands in the last turn of the user, so only where no answer follows.
LAST_TURN = (
    "{% if messages[0]['role'] == 'system' %}{% set first = messages[0]['content'] %}"
    "{% set messages = messages[1:] %}{% endif %}{{ bos_token }}{% for m in messages %}"
    "{% if m['role'] == 'user' %}[I]{% if loop.last and first is defined %}{{ first }} {% endif %}"
    "{{ m['content'] }}[/I]{% else %} {{ m['content'] }}</s>{% endif %}{% endfor %}"
)
THINKS = (
    "{% for m in messages %}<s>{{ m['role'] }}\n{% if m['role'] == 'assistant' and loop.last %}<think>\n\n</think>\n\n"
    "{% endif %}{{ m['content'] }}</s>\n{% endfor %}{% if add_generation_prompt %}<s>assistant\n"
    "{% if enable_thinking is defined and enable_thinking is false %}<think>\n\n</think>\n\n{% endif %}{% endif %}"
)
OPENS_THINKING = TURNS + "{% if add_generation_prompt %}<s>assistant\n<think>\n{% endif %}"
DATED = "{% set day = strftime_now('%d %b %Y') %}Today is {{ day }}, {{ strftime_now(\"%A\") }}.\n" + TURNS + ASK
NO_END = (
    "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}"
    "{% if add_generation_prompt %}assistant:{% endif %}"
)
PARTS = TURNS.replace("{{ m['content'] }}", "{% for part in m['content'] %}{{ part['text'] }}{% endfor %}") + ASK
# Without a request for an answer it ends the text, so the text before an answer is never the prompt of a chat.
ENDS_THE_TEXT = TURNS + "{% if add_generation_prompt %}<s>assistant\n<think>\n{% else %}{{ eos_token }}{% endif %}"
# The question is written otherwise where an answer follows.
ASKS_OTHERWISE = TURNS.replace(
    "{% for m in messages %}", "{% for m in messages %}{% if loop.last and m['role'] == 'user' %}Last: {% endif %}"
)
DATES = (
    "{{ strftime_now('%d %B %Y') | upper }}, {{ strftime_now('%y') | int + 1 }}, "
    "{{ strftime_now('%-d/' ~ '%m') }}\n" + TURNS + ASK
)
SIGNS = TURNS.replace("{{ m['content'] }}", "{{ m['content'] }}{% if m['role'] == 'assistant' %}<|done|>{% endif %}")
MENDED = {
    "refuses": (REFUSES, "it refuses a system text"),
    "alternates": (ALTERNATES, "it refuses a system text"),
    "drops": (DROPS, "it leaves the system text out"),
    "last turn": (LAST_TURN, "it leaves the system text out"),
    "thinks": (THINKS, "its prompts did not end with the text before an answer"),
    "opens thinking": (OPENS_THINKING, "its prompts did not end with the text before an answer"),
    "dated": (DATED, "it writes today's date"),
    "no end": (NO_END, "it ends an answer without a stop token"),
    "parts": (PARTS, "it reads a text as a list of parts alone"),
    "ends the text": (ENDS_THE_TEXT, "its prompts did not end with the text before an answer"),
    "asks otherwise": (ASKS_OTHERWISE + ASK, "its prompts did not end with the text before an answer"),
    "counts": ("{{ messages | length }}" + TURNS + ASK, "its prompts did not end with the text before an answer"),
    "dates": (DATES, "it writes today's date"),
    "signs": (SIGNS + ASK, "it writes '<|done|>' after an answer"),
    "always asks": (TURNS + "<s>assistant\n\n", "it writes 'assistant' after an answer"),
}
REFUSED = {
    "none": ("", "has no chat template"),
    "blank": (" \n", "has no chat template"),
    "broken": ("{% for m in messages %}", "cannot write these messages: Unexpected end of template"),
    "no system at all": ("{{ raise_exception('Tools only') }}", "cannot write these messages: Tools only"),
    "calls itself": (
        "{% macro turn() %}{{ turn() }}{% endmacro %}{{ turn() }}",
        "cannot write these messages: maximum rec",
    ),
    "counts without end": ("{% for n in range(10**9) %}{% endfor %}" + TURNS, "cannot write these messages: "),
    "divides by nothing": ("{{ 1 / 0 }}" + TURNS + ASK, "cannot write these messages: division by zero"),
    "reads a number": ("{{ '%d' % 'x' }}" + TURNS + ASK, "cannot write these messages: "),
    "no conversation": ("Hello!</s>", "leaves out or changes the instruction or the conversation"),
    "the user alone": (
        "{{ bos_token }}{% for m in messages if m['role'] == 'user' %}{{ m['content'] }}{% endfor %}",
        "leaves out or changes the answer",
    ),
    "escapes": (TURNS.replace("m['content']", "m['content'] | e") + ASK, "leaves out or changes the instruction"),
    "writes JSON": (
        TURNS.replace("m['content']", "m['content'] | tojson") + ASK,
        "leaves out or changes the instruction",
    ),
    "one line": (TURNS.replace("m['content']", "m['content'] | replace('\\n', ' ')") + ASK, "leaves out or changes"),
    "cuts long texts": (TURNS.replace("m['content']", "m['content'] | truncate(2000)") + ASK, "leaves out or changes"),
    "shouts": (TURNS.replace("m['content']", "m['content'] | upper") + ASK, "leaves out or changes the instruction"),
    "cuts": (
        TURNS.replace("m['content']", "(m['content'][:20] if m['role'] == 'assistant' else m['content'])") + ASK,
        "changes the summary",
    ),
    "measures the answer": (
        "{{ messages[-1]['content'] | length }}" + TURNS + ASK,
        "differently in training and in serving",
    ),
}
(ROW,) = make_rows(1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_tiny_model(tmp_path_factory.mktemp("templates") / "tiny")


@pytest.fixture
def make_base(tmp_path):
    """Makes a tiny model with another chat template."""

    def make(template):
        base = save_tiny_model(tmp_path / "base")
        (base / "chat_template.jinja").unlink()
        tokenizer = AutoTokenizer.from_pretrained(base)
        tokenizer.chat_template = template or None
        tokenizer.save_pretrained(base)
        return base

    return make


def tokenizer_with(folder, template):
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.chat_template = template or None
    return tokenizer


@pytest.mark.parametrize("name", MENDED)
def test_a_mended_template_asks_as_it_trains(name, folder):
    template, note = MENDED[name]
    tokenizer = tokenizer_with(folder, template)
    stops = {tokenizer.eos_token_id}
    (said,) = mend_template(tokenizer, stops)
    assert said.startswith(note)
    assert mend_template(tokenizer, stops) == ()
    prompt, completion = chat_messages(ROW)
    served = render_text(tokenizer, prompt, for_answer=True)
    assert served.count("Summarize.") == served.count("my order is late.") == 1
    assert re.fullmatch(
        r" ?" + re.escape(ROW.completion) + r"(\n?</s>)+\n?", learned_text(tokenizer, prompt, completion)
    )
    measure(tokenizer, [ROW], stops)


def test_a_date_is_the_same_on_every_day(folder):
    tokenizer = tokenizer_with(folder, DATES)
    mend_template(tokenizer)
    assert render_text(tokenizer, chat_messages(ROW)[0], for_answer=True).startswith("26 JULY 2024, 25, 26/07\n<s>")


def test_a_space_before_an_answer_is_left_to_the_answer(folder):
    """Else the tokens of the prompt would not be those of the training, where the space begins a word."""
    tokenizer = tokenizer_with(folder, "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}</s>{% endfor %}")
    tokenizer.chat_template += "{% if add_generation_prompt %}assistant: {% endif %}"
    tokenizer.add_tokens([" Q", " T"])
    stops = {tokenizer.eos_token_id}
    (said,) = mend_template(tokenizer, stops)
    assert said.endswith("they now end with '</s>assistant:'")
    assert learned_text(tokenizer, *chat_messages(ROW)) == f" {ROW.completion}</s>"
    measure(tokenizer, [ROW], stops)


def test_a_stop_token_of_the_model_follows_where_the_tokenizer_names_another(folder):
    tokenizer = tokenizer_with(folder, NO_END)
    stop = tokenizer.convert_tokens_to_ids("<s>")
    assert mend_template(tokenizer, {stop}) == ("it ends an answer without a stop token: <s> now follows an answer",)
    measure(tokenizer, [ROW], {stop})


def test_a_template_without_fault_stays_as_it_is(folder):
    tokenizer = tokenizer_with(folder, TURNS + ASK + "\n")
    assert mend_template(tokenizer, {tokenizer.eos_token_id}) == ()
    assert tokenizer.chat_template == TURNS + ASK + "\n"


def test_of_several_templates_that_for_chats_is_mended(folder):
    tokenizer = tokenizer_with(folder, {"default": REFUSES, "tool_use": DATED})
    mend_template(tokenizer)
    assert "Summarize." in render_text(tokenizer, chat_messages(ROW)[0], for_answer=True)
    assert tokenizer.chat_template["tool_use"] == DATED


def test_earlier_turns_are_kept_where_the_system_text_moves(folder):
    tokenizer = tokenizer_with(folder, ALTERNATES)
    mend_template(tokenizer)
    chat = [{"role": role, "content": role * 2} for role in ("system", "user", "assistant", "user")]
    assert render_text(tokenizer, chat, for_answer=True) == (
        "<s>user\nsystemsystem\n\nuseruser</s>\n<s>assistant\nassistantassistant</s>\n<s>user\nuseruser</s>\n<s>assistant\n"
    )
    alone = render_text(tokenizer, chat[:1], for_answer=True)
    assert alone == "<s>user\nsystemsystem</s>\n<s>assistant\n"


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_mended_is_refused_in_a_sentence(name, folder):
    template, message = REFUSED[name]
    tokenizer = tokenizer_with(folder, template)
    stops = {tokenizer.eos_token_id}
    mend_template(tokenizer, stops)
    with pytest.raises(DataError, match=re.escape(message)):
        measure(tokenizer, [ROW], stops)


def test_a_student_is_trained_evaluated_and_exported_with_one_prompt(make_base, tmp_path):
    base = make_base(REFUSES.replace(TURNS, THINKS.replace(ASK, "")).removesuffix(ASK))
    write_jsonl_atomic(tmp_path / "arf.jsonl", make_rows(2))
    student, merged = tmp_path / "student", tmp_path / "merged"
    files = ["--data", str(tmp_path / "arf.jsonl"), "--output", str(student), "--base", str(base)]
    assert sft.main([*files, *FLAGS]) == 0
    assert len(json.loads((student / "training_log.json").read_bytes())["template"]) == 2
    assert export.main(["--adapter", str(student), "--output", str(merged)]) == 0
    prompt, completion = chat_messages(ROW)
    trained = render(AutoTokenizer.from_pretrained(student), prompt + completion, for_answer=False)
    for asked in (base, student, merged):
        engine = Engine(open_weights(str(asked)), PrefixCache(1000))
        try:
            tokens = list(engine.tokenize(prompt))
            assert trained[: len(tokens)] == tokens
            assert engine.model.decode(trained[len(tokens) :]).strip() == ROW.completion
        finally:
            engine.close()
    # A server reads the template from the folder.
    served = AutoTokenizer.from_pretrained(merged)
    assert render(served, prompt, for_answer=True) == tokens


@pytest.fixture
def config(tmp_path):
    write_corpus(tmp_path / "conversations.jsonl")
    path = tmp_path / "arf.yaml"
    path.write_text(
        f"name: test\nrun_dir: {tmp_path / 'run'}\ncorpus: {{path: conversations.jsonl}}\n"
        f"models: {{teacher: scripted/model}}\ntrain: {{base: {tmp_path / 'base'}}}\n"
    )
    return path


def arf(*arguments):
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert "Traceback" not in result.output
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result


def test_check_says_what_is_mended_and_shows_what_is_learned(make_base, config):
    scripted_team.join()
    make_base(REFUSES)
    checked = arf("check", config)
    assert checked.exit_code == 0
    assert "is mended: it refuses a system text" in checked.stdout
    assert "learns" not in checked.stdout
    shown = json.loads(arf("check", config, "--show-example", "--json").stdout)["example"]
    assert shown["prompt"].startswith("<s>user\nSummarize this customer-service conversation")
    assert "My kettle from order 4000" in shown["prompt"]
    assert shown["learns"] == "The customer's kettle came broken and the agent sent a new kettle.</s>\n"
    assert f"-- and learns to say:\n{shown['learns']}" in arf("check", config, "--show-example").stdout


@pytest.mark.parametrize("command", [("check",), ("run",), ("train",), ("train", "--dry-run")])
def test_a_base_without_a_template_is_found_before_anything_is_paid(command, make_base, config):
    team = scripted_team.join()
    make_base("")
    name, *options = command
    result = arf(name, config, *options)
    assert result.exit_code == 2
    assert "has no chat template: choose an instruction-tuned base" in result.output
    assert set(team.asked) <= {"ping"}


def test_a_base_that_cannot_be_read_is_a_problem(config, tmp_path):
    scripted_team.join()
    (tmp_path / "base").mkdir()
    result = arf("check", config)
    assert result.exit_code == 2
    assert f"problem: The tokenizer of the base model '{tmp_path / 'base'}' cannot be loaded" in result.stdout


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("model.safetensors", b"version https://git-lfs.github.com/spec/v1\noid sha256:4f1c\nsize 5\n"),
        ("model.safetensors", b""),
        ("tokenizer.json", b"{}"),
        ("tokenizer.json", b"version https://git-lfs.github.com/spec/v1\n"),
        ("tokenizer_config.json", b"[]"),
        ("config.json", b"{"),
        ("generation_config.json", b"[]"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_base_whose_files_are_damaged_is_a_mistake_of_the_user(file, content, make_base):
    base = make_base(REFUSES)
    (base / file).write_bytes(content)
    with pytest.raises(DataError, match="cannot be loaded: "):
        load_base(str(base), "auto")
    with pytest.raises(DataError, match="cannot be loaded: "):
        open_weights(str(base))
    if file != "model.safetensors":
        with pytest.raises(DataError, match="cannot be loaded: "):
            load_tokenizer(str(base))


def test_a_base_of_the_hub_that_is_out_of_reach_is_a_warning(config):
    scripted_team.join()
    result = arf("check", config, "--set", "train.base=nobody/nothing")
    assert result.exit_code == 0
    assert "beware: train.base: its chat template was not looked at" in result.stdout


def test_an_embedded_model_says_that_its_template_refuses_a_chat(make_base, tmp_path):
    engine = Engine(open_weights(str(make_base(ALTERNATES))), PrefixCache(1000))
    try:
        with pytest.raises(ValueError, match="cannot write these messages: roles must alternate"):
            engine.tokenize([{"role": "user", "content": "one"}, {"role": "user", "content": "two"}])
    finally:
        engine.close()


def test_the_built_in_base_needs_no_mend():
    """So `arf run` and `arf check` need not look at it."""
    base = load_tokenizer("smollm2-135m")
    refuse_template(base.tokenizer)
    assert base.notes == ()
