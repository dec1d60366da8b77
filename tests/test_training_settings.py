import json
from typing import Any

import pytest

from arf_programs.config.train import TrainConfig
from signatures.exceptions import ConfigError
from training import preference
from training.settings import TrainSettings, load_settings


def write(tmp_path, content):
    path = tmp_path / "train.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_the_train_section_of_a_configuration_is_a_valid_file(tmp_path):
    section = TrainConfig(epochs=3, lora={"r": 8})
    path = write(tmp_path, {**section.model_dump(mode="json"), "arm": "arf", "seed": 5})
    settings = load_settings(path, {})
    assert (settings.epochs, settings.lora.r, settings.arm, settings.seed) == (3, 8, "arf", 5)


def test_flags_go_before_the_file_key_by_key(tmp_path):
    path = write(tmp_path, {"epochs": 3, "lora": {"r": 8, "alpha": 8}})
    settings = load_settings(path, {"epochs": 1.0, "lora": {"r": 4}})
    assert (settings.epochs, settings.lora.r, settings.lora.alpha) == (1, 4, 8)


def test_all_problems_are_listed_at_once(tmp_path):
    path = write(tmp_path, {"epoch": 3, "learning_rate": -1, "lora": {"r": 0}})
    with pytest.raises(ConfigError) as caught:
        load_settings(path, {})
    assert len(caught.value.problems) == 3
    assert "epoch is not a known setting" in str(caught.value)
    assert "learning_rate: " in str(caught.value)
    assert "lora.r: " in str(caught.value)


@pytest.mark.parametrize("content", ["{", "[1]", '{"lora": 3}'])
def test_a_file_that_is_no_object_is_refused(tmp_path, content):
    with pytest.raises(ConfigError, match=r"train\.json"):
        load_settings(write(tmp_path, content), {})


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"nowhere\.json: cannot be read"):
        load_settings(tmp_path / "nowhere.json", {})


def test_checkpoints_come_after_whole_steps_or_shares_of_them():
    assert TrainSettings(save_steps=0.5).save_steps == 0.5
    assert TrainSettings(save_steps=7).save_steps == 7
    with pytest.raises(ValueError, match="whole number"):
        TrainSettings(save_steps=2.5)


@pytest.mark.parametrize(
    "change",
    [{"epochs": 3}, {"seed": 3}, {"base": "other"}, {"lora": {"r": 3}}, {"arm": "arf"}, {"schedule": {"kind": "lfr"}}],
)
def test_the_fingerprint_follows_every_setting(change):
    assert TrainSettings().fingerprint(b"rows") != TrainSettings(**change).fingerprint(b"rows")


def test_the_fingerprint_follows_the_rows_but_not_what_else_the_run_trains():
    assert TrainSettings().fingerprint(b"rows") != TrainSettings().fingerprint(b"other rows")
    assert TrainSettings().fingerprint(b"rows") == TrainSettings(arms=("arf",)).fingerprint(b"rows")


def test_a_new_key_that_says_nothing_leaves_an_old_student_as_it_is(tmp_path):
    """The hashes are those of a version without `schedule` and the newer keys of `preference`."""
    told = TrainSettings(preference={"method": "sigmoid"})
    (tmp_path / "pairs.jsonl").write_text("{}\n")
    assert TrainSettings().fingerprint(b"rows").startswith("f3bcaa7a4f6211e3")
    of_pairs = preference._fingerprint(preference._with_preference(told), tmp_path / "pairs.jsonl", None)
    assert of_pairs.startswith("130236e94556feed")


@pytest.mark.parametrize("change", [{"rejected": "both"}, {"kinds": "uniform"}, {"edit_weight": 1.0}, {"beta": 0.2}])
def test_the_fingerprint_of_a_training_on_pairs_follows_its_keys(tmp_path, change):
    (tmp_path / "pairs.jsonl").write_text("{}\n")
    plain, changed = (
        preference._fingerprint(TrainSettings(preference={"method": "sigmoid", **more}), tmp_path / "pairs.jsonl", None)
        for more in (dict[str, Any](), change)
    )
    assert plain != changed
