"""The card of a student: the Hub's form, the run's figures, and nothing that is private or hostile."""

import json

import pytest
import yaml
from conftest import open_project
from huggingface_hub import ModelCard

from arf_programs.runs.fingerprint import digest_file
from training.model_card import ADAPTER, Card, RoleNote, base_of, escape, gather, render_card, shown_model

HOSTILE = "</td><script>alert(1)</script> | **bold** [x](javascript:1)\n---\n# Heading\u202e"


def card(**more):
    facts = {"name": "run", "arm": "arf", "form": ADAPTER, "base": "base", "arf_version": "0", "instruction": "Say it."}
    return Card(**{**facts, "examples": 3, **more})


def metadata(text):
    return yaml.safe_load(text.split("---\n")[1])


def test_the_metadata_are_those_of_the_hub():
    text = render_card(card(hub_base="org/base", base_license="apache-2.0"))
    assert metadata(text) == {
        "base_model": "org/base",
        "library_name": "peft",
        "license": "apache-2.0",
        "pipeline_tag": "text-generation",
        "tags": ["arf", "summarization", "customer-service", "distillation"],
    }
    assert ModelCard(text).data.base_model == "org/base"
    assert metadata(render_card(card(form="merged model")))["library_name"] == "transformers"


def test_a_base_that_is_a_folder_has_no_id_and_no_known_licence():
    text = render_card(card())
    assert "base_model" not in metadata(text)
    assert metadata(text)["license"] == "other"
    assert "peft.PeftModel.from\\_pretrained" in text or "peft.PeftModel.from_pretrained(base, ...)" in text


def test_no_text_can_leave_its_place():
    text = render_card(
        card(
            base=HOSTILE,
            instruction=f"Say it.\n{HOSTILE}\n```",
            roles=(RoleNote(name="teacher", model=HOSTILE, license=HOSTILE),),
            lineage=((HOSTILE, HOSTILE),),
        )
    )
    outside = [line for line in text.splitlines() if not line.startswith("    ")]
    assert not any("<script" in line or "**bold" in line or "[x](" in line or "\u202e" in line for line in outside)
    assert sum(line == "---" for line in outside) == 2
    assert "# Heading" not in outside
    (row,) = [line for line in outside if line.startswith("| teacher |")]
    assert row.replace("\\|", "").count("|") == 4


def test_escaping_leaves_plain_texts_readable():
    assert escape("openai/gpt-4o, 12.5% (3 to 9)") == "openai/gpt-4o, 12.5% (3 to 9)"
    assert escape(7) == 7


@pytest.mark.parametrize(
    ("model", "shown"),
    [
        ("openai/gpt-4o", "openai/gpt-4o"),
        ("embedded/smollm2-135m", "embedded/smollm2-135m"),
        ("embedded/org/name", "embedded/org/name"),
        ("embedded//srv/models/mine", "embedded/mine"),
        ("embedded/./models/mine", "embedded/mine"),
    ],
)
def test_folders_of_the_machine_are_not_published(model, shown):
    assert shown_model(model) == shown


def test_bases_are_named_as_the_hub_knows_them(tmp_path):
    assert base_of("smollm2-135m") == ("HuggingFaceTB/SmolLM2-135M-Instruct", "apache-2.0")
    assert base_of("org/base") == ("org/base", "other")
    assert base_of(str(tmp_path)) == (None, "other")


def test_the_figures_are_those_of_the_run(project):
    folder = open_project(project).folder
    summary = json.loads(folder.summary.read_text())
    log = json.loads((folder.student / "arf" / "training_log.json").read_text())
    text = render_card(gather(folder, "arf", form=ADAPTER, license="mit"))
    assert metadata(text)["license"] == "mit"
    assert f"{log['examples']} training examples" in text
    assert f"{summary['corpus']['holdout']} were held out" in text
    rows = {line.split(" | ")[0].strip("| "): line for line in text.splitlines() if line.startswith("|")}
    scores = text.partition("## Scores")[2].partition("This student less")[0].splitlines()
    for system, figures in summary["evaluate"]["systems"].items():
        (row,) = [line for line in scores if line.startswith(f"| {system.replace('_', chr(92) + '_')} |")]
        assert f"{figures['rougeL']['value']:.3f}" in row
        assert f"{figures['rougeL']['low']:.3f} to {figures['rougeL']['high']:.3f}" in row
    assert "| teacher | Summaries with an error |" in text
    assert digest_file(folder.config) in rows["SHA-256 of config.yaml, first 16 digits"]
    assert log["versions"]["trl"] in rows["version of trl"]
    assert str(project) not in text
    assert "None" not in text


def test_the_card_names_each_role_that_made_the_data_with_its_licence_note(project):
    folder = open_project(project).folder
    config = yaml.safe_load(folder.config.read_text())
    config["models"]["editor"] = {**config["models"]["editor"], "model": "openai/x", "license": "no distillation",
                                  "api_base": "http://internal.example:1/v1"}  # fmt: skip
    folder.config.write_text(yaml.safe_dump(config))
    text = render_card(gather(folder, "arf", form=ADAPTER))
    assert "| editor | openai/x | no distillation |" in text
    assert "internal.example" not in text
    assert "| editor |" not in render_card(gather(folder, "teacher", form=ADAPTER))
    config["analyze"]["analyst"] = False
    config["revise"] |= {"edits": "one_by_one", "candidates": 0}
    folder.config.write_text(yaml.safe_dump(config))
    text = render_card(gather(folder, "arf", form=ADAPTER))
    assert "| teacher |" in text
    assert "| analyst |" not in text and "| editor |" not in text, "neither was asked"


def test_scores_of_other_students_are_not_claimed(project):
    folder = open_project(project).folder
    config = folder.student / "arf" / "adapter_config.json"
    config.write_text(config.read_text() + "\n")
    text = render_card(gather(folder, "arf", form=ADAPTER))
    assert "Not evaluated in this state." in text
    assert "student\\_arf" not in text
