import json

import pytest
import torch
from peft import LoraConfig, get_peft_model
from tiny_model import save_tiny_model
from transformers import AutoModelForCausalLM, AutoTokenizer

from arf_programs.models.local.weights import load_model
from training import export


@pytest.fixture(scope="module")
def adapter(tmp_path_factory):
    folder = tmp_path_factory.mktemp("export")
    base = save_tiny_model(folder / "tiny")
    config = LoraConfig(task_type="CAUSAL_LM", r=2, target_modules="all-linear", init_lora_weights=False)
    student = get_peft_model(AutoModelForCausalLM.from_pretrained(base), config)
    student.save_pretrained(folder / "adapter")
    AutoTokenizer.from_pretrained(base).save_pretrained(folder / "adapter")
    (folder / "adapter" / "training_log.json").write_text("{}")
    return folder / "adapter"


def test_the_merged_model_answers_as_the_student_and_needs_no_peft(adapter, tmp_path):
    output = tmp_path / "deep" / "merged"
    assert export.main(["--adapter", str(adapter), "--output", str(output)]) == 0
    merged, tokenizer = AutoModelForCausalLM.from_pretrained(output), AutoTokenizer.from_pretrained(output)
    student, _ = load_model(str(adapter))
    ids = torch.tensor([tokenizer("The order was late.")["input_ids"]])
    torch.testing.assert_close(merged(ids).logits, student(ids).logits)
    names = {path.name for path in output.iterdir()}
    assert {"model.safetensors", "tokenizer.json", "training_log.json"} <= names
    assert "adapter_config.json" not in names
    assert tokenizer.chat_template
    assert [path.name for path in output.parent.iterdir()] == ["merged"]


def test_a_folder_that_exists_is_never_overwritten(adapter, tmp_path, capsys):
    assert export.main(["--adapter", str(adapter), "--output", str(tmp_path)]) == 2
    assert f"{tmp_path} exists" in capsys.readouterr().err


def test_what_is_no_adapter_is_refused(tmp_path, capsys):
    assert export.main(["--adapter", str(tmp_path), "--output", str(tmp_path / "merged")]) == 2
    assert "is no adapter" in capsys.readouterr().err


def test_an_adapter_is_no_base_to_train_on(adapter, tmp_path, capsys):
    chained = tmp_path / "chained"
    chained.mkdir()
    (chained / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": str(adapter)}))
    assert export.main(["--adapter", str(chained), "--output", str(tmp_path / "merged")]) == 2
    assert f"python -m training.export --adapter {adapter}" in capsys.readouterr().err
