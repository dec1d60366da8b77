"""The Modelfile for Ollama: its template, rendered as Go does, is the prompt of the training."""

import re

import pytest
from test_chat_templates import ALTERNATES, ASK, REFUSES, THINKS, TURNS
from tiny_model import byte_tokenizer
from transformers import AutoTokenizer

from arf_programs.config.schema import DEFAULT_INSTRUCTION
from arf_programs.models.local.chat_template import mend_template, render_text
from arf_programs.runs.jsonl import read_jsonl
from arf_programs.text.student_prompt import build_messages
from signatures.exceptions import DataError
from signatures.records import Conversation, TrainingExample, Turn
from training import export
from training.ollama import write_modelfile

CONVERSATION = Conversation(
    id="c",
    turns=(
        Turn(speaker="Customer", text='My "order" {{ 12 }} is\nlate {% raw %} \\n.'),
        Turn(speaker="Agent", text="  Sorry: 1 < 2 & </s>  "),
    ),
)
CHATML = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
LLAMA3 = (
    "{{ bos_token }}{% for m in messages %}<|start_header_id|>{{ m['role'] }}<|end_header_id|>\n\n"
    "{{ m['content'] | trim }}<|eot_id|>{% endfor %}"
    "{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}"
)
BRACES = TURNS.replace("<s>", "{{ '{{' }}").replace("</s>", "{{ '}}' }}") + ASK
TEMPLATES = {"chatml": CHATML, "llama": LLAMA3, "braces": BRACES, "alternates": ALTERNATES, "refuses": REFUSES}


def modelfile_values(text: str) -> dict[str, list[str]]:
    """The commands of a Modelfile with their values, as Ollama reads them."""
    found: dict[str, list[str]] = {}
    for key, quoted, plain in re.findall(r'^([A-Z]+) (?:([^\n"]*"""(?:.|\n)*?""")|(.*))$', text, re.MULTILINE):
        found.setdefault(key, []).append(quoted.replace('"""', "") or plain)
    return found


def go_template(template: str, values: dict[str, str]) -> str:
    """Render what a template of ours has: `{{ .Name }}`, and `{{ "text" }}` where the text itself has braces.

    Ollama cuts the template at the answer that is to come.
    """
    asked = template.split("{{ .Response }}")[0]

    def action(match: re.Match[str]) -> str:
        return values[match[1]] if match[1] else match[2]

    return re.sub(r'\{\{ (?:\.(\w+)|"([^"\\]*)") \}\}', action, asked)


def tokenizer_of(template: str):
    tokenizer = byte_tokenizer()
    tokenizer.chat_template = template
    mend_template(tokenizer)
    return tokenizer


@pytest.mark.parametrize("template", TEMPLATES.values(), ids=TEMPLATES)
def test_the_rendered_prompt_is_that_of_the_training(template: str):
    tokenizer = tokenizer_of(template)
    system, user = build_messages(DEFAULT_INSTRUCTION, CONVERSATION)
    trained = render_text(tokenizer, [message.model_dump() for message in (system, user)], for_answer=True)
    values = modelfile_values(write_modelfile(tokenizer, system.content, context=512, answer=64))
    assert values["SYSTEM"] == [system.content]
    rendered = go_template(values["TEMPLATE"][0], {"System": values["SYSTEM"][0], "Prompt": user.content})
    assert rendered == trained


def test_the_parameters_are_those_of_the_run():
    text = write_modelfile(tokenizer_of(CHATML), "Summarise.", context=512, answer=64)
    assert modelfile_values(text)["PARAMETER"] == [
        "temperature 0", "num_ctx 512", "num_predict 64", "stop </s>",
    ]  # fmt: skip
    assert modelfile_values(text)["FROM"] == ["."]
    assert "#   Conversation:\n#   <the conversation>\n#   \n#   Write the summary of this conversation." in text


def test_a_token_that_begins_every_text_is_not_written_twice():
    from tokenizers.processors import TemplateProcessing

    tokenizer = tokenizer_of(LLAMA3)
    assert 'TEMPLATE """<s><|start_header_id|>' in write_modelfile(tokenizer, "Go.", context=8, answer=8)
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    assert 'TEMPLATE """<|start_header_id|>' in write_modelfile(tokenizer, "Go.", context=8, answer=8)


@pytest.mark.parametrize(
    "template",
    [
        TURNS.replace("m['content']", "m['content'] | upper") + ASK,
        TURNS.replace("m['content']", "m['content'] | replace('{', '')") + ASK,
        TURNS.replace("{{ m['content'] }}", "{{ m['content'] }}{{ m['content'] }}") + ASK,
    ],
)
def test_a_template_that_changes_the_texts_is_refused(template: str):
    with pytest.raises(DataError, match="no Modelfile can be written"):
        write_modelfile(tokenizer_of(template), "Go.", context=8, answer=8)


@pytest.mark.parametrize("instruction", ['Say """ now.', 'Say "now"'])
def test_a_text_that_a_modelfile_cannot_hold_is_refused(instruction: str):
    with pytest.raises(DataError, match="A Modelfile cannot hold"):
        write_modelfile(tokenizer_of(THINKS), instruction, context=8, answer=8)


def test_an_exported_student_has_a_modelfile_of_its_training(project, capsys):
    output = project / "student"
    where = ["--run-dir", str(project / "run"), "--arm", "arf", "--output", str(output)]
    assert export.main([*where, "--ollama"]) == 0, capsys.readouterr().err
    assert (output / "model.safetensors").is_file() and (output / "README.md").is_file()
    values = modelfile_values((output / "Modelfile").read_text(encoding="utf-8"))
    example = next(read_jsonl(project / "run" / "train" / "arf.jsonl", TrainingExample))
    system, user = (message.content for message in example.messages)
    trained = render_text(
        AutoTokenizer.from_pretrained(output),
        [{"role": "system", "content": system}, {"role": "user", "content": user}],
        for_answer=True,
    )
    assert go_template(values["TEMPLATE"][0], {"System": values["SYSTEM"][0], "Prompt": user}) == trained
    assert values["PARAMETER"][2] == "num_predict 16"
