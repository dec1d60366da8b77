"""`arf plant` and `arf probe`: bytes that repeat themselves, figures, resumption, and no model where none is wanted."""

import json

import pytest
import scripted_team
from test_cli import arf

from arf_programs.models.providers.scripted import ScriptedAnswer
from arf_programs.planting.records import PlantedItem
from arf_programs.runs.jsonl import read_jsonl
from signatures.records import Failure

_THINGS = ("kettle", "lamp", "drill", "scarf", "router", "tent", "piano", "mirror", "stove", "ladder", "camera", "desk")


def _row(number, thing):
    """A conversation with details, and a right summary of it."""
    bought, order, days = f"the {thing} for ${40 + 3 * number}", f"order 88{number}41", f"within {number + 3} days"
    day = number % 9 + 1
    said = f"Hannah here. I mean {bought}, broken on {day} March, like the {thing} parts of {day + 10} May for $9."
    turns = [
        {"speaker": "Customer", "text": said},
        {"speaker": "Agent", "text": f"Sorry about the {thing}! Kevin will refund {order} {days}."},
    ]
    told = f"Hannah complained that {bought} came broken on {day} March. The agent refunded {order} {days}."
    return {"id": f"c{number}", "conversation": turns, "references": [told]}


@pytest.fixture
def config(tmp_path):
    """An arf.yaml beside a corpus whose references have details; every role is `scripted/model`."""
    rows = [_row(number, thing) for number, thing in enumerate(_THINGS)]
    (tmp_path / "conversations.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    path = tmp_path / "arf.yaml"
    path.write_text(
        f"name: test\nrun_dir: {tmp_path / 'run'}\ncorpus: {{path: conversations.jsonl}}\n"
        "models: {teacher: scripted/model}\nplant: {per_kind: 4, per_summary: 2}\nevaluate: {samples: 100}\n"
    )
    return path


def planted(config):
    return list(read_jsonl(config.parent / "run" / "planted.jsonl", PlantedItem))


def test_planting_repeats_itself_byte_for_byte_and_asks_nobody(config):
    result = arf("plant", config, "--json")
    told = json.loads(result.stdout)
    assert result.exit_code == 0
    assert told["items"] == len(planted(config)) and told["clean"] > 0
    assert sum(told["by_category"].values()) == sum(told["by_kind"].values()) == told["errors"]
    file = config.parent / "run" / "planted.jsonl"
    before = file.read_bytes()
    assert arf("plant", config).exit_code == 0
    file.unlink()
    assert arf("plant", config).exit_code == 0
    assert file.read_bytes() == before
    assert arf("plant", config, "--set", "seed=18").exit_code == 0
    assert file.read_bytes() != before


def test_no_holdout_conversation_is_planted_in(config):
    arf("plant", config)
    sides = [json.loads(line) for line in (config.parent / "run" / "conversations.jsonl").read_text().splitlines()]
    held_out = {row["conversation"]["id"] for row in sides if row["split"] == "holdout"}
    assert held_out
    assert not held_out & {item.conversation_id for item in planted(config)}


def test_a_corpus_without_right_summaries_is_refused_with_the_mend(config):
    rows = [json.loads(line) for line in (config.parent / "conversations.jsonl").read_text().splitlines()]
    text = "".join(json.dumps({**row, "references": []}) + "\n" for row in rows)
    (config.parent / "conversations.jsonl").write_text(text)
    result = arf("plant", config)
    assert result.exit_code == 2
    assert "nothing is believed right" in result.output
    assert "arf revise" in arf("plant", config, "--set", "plant.source=revisions").output


def test_the_planted_set_is_not_its_own_source(config):
    arf("plant", config)
    own = f"labeled.path={config.parent / 'run' / 'planted.jsonl'}"
    result = arf("plant", config, "--set", own, "--set", "plant.source=labeled")
    assert result.exit_code == 2 and "planted.jsonl itself" in result.output
    before = (config.parent / "run" / "planted.jsonl").read_bytes()
    assert arf("plant", config, "--set", own).exit_code == 0
    assert (config.parent / "run" / "planted.jsonl").read_bytes() == before


def test_checks_only_needs_no_model_and_no_key(config, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    result = arf("probe", config, "--checks-only", "--json", "--set", "models.teacher=openai/gpt-4o")
    told = json.loads(result.stdout)
    assert told["checks_only"] and told["revise"] is None
    assert set(told["analyze"]["overall"]) >= {"planted", "recall", "precision", "f1", "false_alarm_rate"}
    assert told["analyze"]["outside"]["planted"] > 0
    assert told["analyze"]["outside"]["located"] >= 0.8
    assert told["analyze"]["overall"]["precision_located"] >= 0.9
    assert json.loads((config.parent / "run" / "probe.json").read_text()) == told
    assert not (config.parent / "run" / "calls.jsonl").exists()
    shown = arf("probe", config, "--checks-only", "--markdown").stdout
    assert "| wrong_fact |" in shown
    refused = arf("probe", config, "--set", "models.teacher=openai/gpt-4o")
    assert refused.exit_code == 2 and "OPENAI_API_KEY" in refused.output


def an_analyst_that_knows(config):
    """Knows by heart every planted error but omissions, and the right summary."""
    known = {item.summary: item for item in planted(config)}

    def find(fields):
        notes = known[fields["summary"]].errors
        keys = ("quote", "evidence", "explanation", "category", "severity")
        return {"errors": [note.model_dump(include=set(keys)) for note in notes if note.quote]}

    def edits(fields):
        item = known[fields["summary"]]
        whole = {"quote": item.summary, "replacement": item.revised}
        return {"edits": [{"mends": [], "op": "replace", "evidence": [], **whole}]}

    return scripted_team.join(find=find, edits=edits)


def test_a_probe_measures_analyst_and_editor_and_asks_once(config, no_waiting):
    arf("plant", config)
    team = an_analyst_that_knows(config)
    find, failing = team.answers["find"], [ScriptedAnswer(error="server")]
    team.answers["find"] = lambda fields: failing.pop() if failing else find(fields)
    options = ["--set", "revise.verify_with_analyst=false", "--set", "revise.max_change=1"]
    options += ["--set", "revise.edits=together"]
    told = json.loads(arf("probe", config, "--json", *options).stdout)
    items = planted(config)
    by_category = told["analyze"]["by_category"]
    assert by_category["wrong_fact"]["recall"] > 0.9
    assert by_category["wrong_fact"]["precision"] == 1
    assert by_category["missing_outcome"]["recall"] == 0
    assert told["analyze"]["overall"]["false_alarm_rate"] == 0
    assert told["analyze"]["cost"]["calls_per_summary"] == 1
    assert told["revise"]["untouched_rate"] == 1
    assert told["revise"]["fix_rate"] > 0.8
    assert told["clean_untouched_rate"] == 1
    given = [fields["errors"] for fields in team.fields["edits"][: sum(bool(item.errors) for item in items)]]
    assert not any("The conversation says" in errors for errors in given), "an explanation gives away what is right"
    assert team.asked["find"] == len(items) + 1, "the try that failed is made again, and is no call of a summary's"
    team.forget()
    again = json.loads(arf("probe", config, "--json", *options).stdout)
    assert not team.asked
    assert again == told


def test_a_question_that_fails_is_counted(config):
    arf("plant", config)
    team = an_analyst_that_knows(config)
    (first, *_) = [item for item in planted(config) if item.errors]
    knows = team.answers["find"]
    team.answers["find"] = lambda fields: "no" if fields["summary"] == first.summary else knows(fields)
    told = json.loads(arf("probe", config, "--json", "--set", "revise.verify_with_analyst=false").stdout)
    assert told["analyze"]["cost"]["failed"] == 1
    failures = list(read_jsonl(config.parent / "run" / "failures.jsonl", Failure))
    assert [(row.stage, row.conversation_id) for row in failures] == [("probe-analyze", first.conversation_id)]


def test_a_probe_needs_no_taxonomy_and_makes_none_for_the_run(config):
    arf("plant", config)
    an_analyst_that_knows(config)
    assert arf("probe", config, "--set", "revise.verify_with_analyst=false").exit_code == 0
    assert not (config.parent / "run" / "taxonomy.yaml").exists()


def test_a_model_words_the_errors_and_only_those(config):
    team = scripted_team.join(
        naturalize=lambda fields: {"summary": fields["marked_summary"].replace("<<", "quite ").replace(">>", "")}
    )
    told = json.loads(arf("plant", config, "--json", "--set", "plant.naturalize=true").stdout)
    assert team.asked["naturalize"] > 0
    worded = [item for item in planted(config) if item.naturalized]
    assert told["naturalized"] == len(worded) > 0
    for item in worded:
        rest = item.summary
        for plant in item.plants:
            assert plant.wrong in rest
        assert all(note.quote in item.summary for note in item.errors)
    team.forget()
    team.answers["naturalize"] = lambda fields: {"summary": "Something else."}
    told = json.loads(arf("plant", config, "--json", "--set", "plant.naturalize=true", "--set", "seed=3").stdout)
    assert told["naturalized"] == 0 and told["errors"] > 0


def test_wrong_settings_are_named(config):
    result = arf("plant", config, "--set", "plant.min_errors=4", "--set", "plant.kinds=[date, date]")
    assert result.exit_code == 2
    assert "above max_errors" in result.output or "each kind once" in result.output


@pytest.mark.parametrize(
    ("setting", "counts"),
    [
        ("plant.source=references", True),
        ("plant.kinds=[date]", True),
        ("plant.min_errors=2", True),
        ("plant.max_errors=1", True),
        ("plant.clean=0.5", True),
        ("plant.per_kind=3", True),
        ("plant.per_summary=1", True),
        ("plant.naturalize=true", True),
        ("seed=18", True),
        ("corpus.holdout=0.5", True),
        ("models.editor=scripted/other", False),
        ("evaluate.samples=200", False),
        ("revise.attempts=3", False),
    ],
)
def test_what_makes_a_planted_set_stale(config, setting, counts):
    arf("plant", config)
    scripted_team.join()
    manifest = config.parent / "run" / "manifests" / "plant.json"
    before = manifest.stat().st_mtime_ns
    assert arf("plant", config, "--set", setting).exit_code == 0
    assert (manifest.stat().st_mtime_ns != before) == counts
