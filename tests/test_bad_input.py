"""Wrong input through the command line: exit code 2, what is wrong and where, how to mend it, and no traceback."""

import json
import os
import shutil
from pathlib import Path

import pytest
import scripted_team
from conftest import open_project, write_corpus
from typer.testing import CliRunner

import arf_programs
from arf_programs.cli.app import app
from arf_programs.models.providers.scripted import ScriptedAnswer
from arf_programs.runs.jsonl import read_jsonl
from arf_programs.runs.run import SplitConversation, lock_run
from signatures.records import DraftErrors, Failure, Summary

TALK = {"conversation": "Customer: My lamp is broken.\nAgent: A new one is on its way."}


@pytest.fixture
def folder(tmp_path):
    """A folder with an arf.yaml and a sound corpus."""
    write_corpus(tmp_path / "conversations.jsonl")
    (tmp_path / "arf.yaml").write_text(
        f"name: test\nrun_dir: {tmp_path / 'run'}\ncorpus: {{path: conversations.jsonl}}\n"
        "models: {teacher: scripted/model}\n"
    )
    return tmp_path


@pytest.fixture
def team():
    return scripted_team.join()


def arf(folder, command, *sets, code):
    """What a command says on stderr; it must end with this exit code."""
    options = [item for pair in sets for item in ("--set", pair)]
    result = CliRunner().invoke(app, [command, str(folder / "arf.yaml"), *options])
    assert result.exception is None or isinstance(result.exception, SystemExit), repr(result.exception)
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output
    return result.stderr


def refused(folder, *sets, command="draft"):
    return arf(folder, command, *sets, code=2)


def append(folder, *rows):
    with (folder / "conversations.jsonl").open("a", encoding="utf-8") as corpus:
        corpus.writelines(row if isinstance(row, str) else json.dumps(row) + "\n" for row in rows)


def failures(folder) -> list[Failure]:
    return list(read_jsonl(folder / "run" / "failures.jsonl", Failure))


def test_a_missing_configuration(folder):
    (folder / "arf.yaml").unlink()
    assert "arf.yaml: no such file or folder. `arf init DIR`" in refused(folder)


def test_what_is_given_in_the_place_of_an_arf_yaml_is_told_apart(folder):
    data = folder / "conversations.jsonl"
    shutil.copy(Path(arf_programs.__file__).parent / "cli/templates/init/conversations.jsonl", data)
    told = CliRunner().invoke(app, ["check", str(data)]).output
    assert "It is no arf.yaml: name conversations.jsonl as corpus.path in one." in told.replace("\n", "")
    told = CliRunner().invoke(app, ["run", str(folder)]).output
    assert f"Give {folder / 'arf.yaml'}." in told.replace("\n", "")


def test_a_configuration_with_several_mistakes(folder):
    (folder / "arf.yaml").write_text("corpus: {path: c.jsonl}\nmodels: {techer: a/b}\ntrain: {epochs: 0}\n")
    told = refused(folder)
    assert "arf.yaml line 2: models.techer is not a known key: did you mean teacher?" in told
    assert "arf.yaml line 3: train.epochs: " in told
    assert "arf.yaml line 2: models.teacher is missing" in told


def test_a_configuration_of_aliases_that_multiply(folder):
    levels = [f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]" for n in range(1, 12)]
    (folder / "arf.yaml").write_text("\n".join(["l0: &l0 [x, x]", *levels]))
    assert "arf.yaml: not valid YAML: aliases multiply to more than 100000 values" in refused(folder)


def test_a_missing_corpus(folder):
    (folder / "conversations.jsonl").unlink()
    assert "conversations.jsonl: no such file" in refused(folder)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_corpus_that_may_not_be_read(folder):
    (folder / "conversations.jsonl").chmod(0)
    assert "conversations.jsonl: cannot be read (Permission denied)" in refused(folder)


def test_a_folder_in_the_place_of_the_corpus(folder):
    (folder / "empty").mkdir()
    assert "empty: the data" in refused(folder, "corpus.path=empty")


def test_a_broken_line_and_other_mistakes_of_the_corpus_at_once(folder, team):
    append(
        folder,
        "{broken\n",
        {"id": "c00", **TALK},
        {"id": "empty", "conversation": []},
        {"id": "blank", "conversation": [{"speaker": "Customer", "text": "  "}]},
        {"id": "other", "talk": "A: hi"},
        "[1, 2]\n",
        '{"id": "half", "conv',
    )
    told = refused(folder)
    assert "conversations.jsonl line 13: not valid JSON" in told
    assert "conversations.jsonl line 14: id 'c00' is taken by line 1: make the ids unique" in told
    assert "conversations.jsonl line 15: an empty conversation (no turns)" in told
    assert "conversations.jsonl line 16: an empty conversation (only blank turns)" in told
    assert "conversations.jsonl line 17: no column 'conversation' (this row has: id, talk)" in told
    assert "conversations.jsonl line 18: holds a JSON list, not an object" in told
    assert "conversations.jsonl line 19: the last line is half-written" in told
    assert not team.asked


def test_a_broken_row_of_a_csv_file(folder):
    (folder / "talks.csv").write_text("id,conversation\na,A: hi\nb,A: ho,extra\nc,A: hey\n")
    told = refused(folder, "corpus.path=talks.csv")
    assert "talks.csv line 3: 3 fields instead of 2: mend or quote the row" in told


def test_a_column_that_is_not_there(folder):
    told = refused(folder, "corpus.columns.conversation=dialogue")
    assert "conversations.jsonl: no column 'dialogue' (there are: channel, conversation, id, references)" in told
    assert "set corpus.columns.conversation" in told
    assert "no column 'chan'" in refused(folder, "corpus.columns.channel=chan")


def test_an_empty_corpus_and_a_single_conversation(folder):
    (folder / "conversations.jsonl").write_text("")
    assert "conversations.jsonl: holds no conversations" in refused(folder)
    append(folder, {"id": "one", **TALK})
    assert "corpus: there is one conversation" in refused(folder)


def test_a_conversation_beyond_the_limit_is_skipped_and_counted(folder, team):
    append(folder, {"id": "long", "conversation": f"A: hi\nB: {'word ' * 500}"})
    assert "1 skipped" in arf(folder, "draft", "corpus.max_tokens=400", code=0)
    (failure,) = failures(folder)
    assert (failure.conversation_id, failure.stage) == ("long", "corpus")
    assert "set corpus.too_long to cut" in failure.reason
    assert team.asked["summary"] == 12


def test_a_conversation_beyond_the_limit_is_cut_at_a_turn(folder):
    scripted_team.join(summary=lambda fields: "A summary of what was said.")
    append(folder, {"id": "long", "conversation": f"A: hi\nB: ho\nA: {'word ' * 500}"})
    assert "0 skipped" in arf(folder, "draft", "corpus.max_tokens=400", "corpus.too_long=cut", code=0)
    *_, row = read_jsonl(folder / "run" / "conversations.jsonl", SplitConversation)
    assert [turn.text for turn in row.conversation.turns] == ["hi", "ho"]
    assert row.conversation.metadata == {"cut_turns": 1}


def test_a_missing_labelled_set_and_a_wrong_one(folder):
    assert "labeled.jsonl: no such file" in refused(folder, "labeled.path=labeled.jsonl")
    (folder / "labeled.jsonl").write_text(
        '{"id": "c00", "summary": "It broke.", "errors": [{"category": "x", "quote": "not there"}]}\n{"id": "zz"}\n'
    )
    told = refused(folder, "labeled.path=labeled.jsonl")
    assert "labeled.jsonl line 1: error 1: " in told
    assert "labeled.jsonl line 2: " in told


def test_an_unknown_model_before_any_call(folder, team):
    told = refused(folder, "models.judge=nobody/model", command="run")
    assert "nobody/model: LiteLLM knows no such model" in told
    assert not team.asked


def test_an_unknown_role(folder):
    assert "--set models.edtor=a/b: models.edtor is not a known key: did you mean editor?" in refused(
        folder, "models.edtor=a/b"
    )


def test_a_missing_key_before_any_call(folder, team, monkeypatch):
    monkeypatch.delenv("NO_SUCH_KEY", raising=False)
    told = refused(folder, "models.judge={model: openai/gpt-4o, api_key_env: NO_SUCH_KEY}", command="run")
    assert "the environment variable NO_SUCH_KEY is not set: `export NO_SUCH_KEY=...`" in told
    assert not team.asked


def test_a_model_that_does_not_answer(folder, no_waiting):
    """Work fails (exit code 1) with the reason; when the server is back, the same command goes on."""
    scripted_team.join(summary=lambda _: ScriptedAnswer(error="server", answer="the server is down"))
    told = arf(folder, "draft", "models.teacher.retries=1", code=1)
    assert "draft: all 12 rows failed" in told
    assert "the server is down" in told
    team = scripted_team.join()
    arf(folder, "draft", "models.teacher.retries=1", code=0)
    assert team.asked["summary"] == 12


def test_a_server_that_is_not_there(folder, monkeypatch, no_waiting):
    monkeypatch.setenv("ANY_KEY", "x")
    settings = "{model: openai/m, api_base: 'http://127.0.0.1:9/v1', api_key_env: ANY_KEY, retries: 1}"
    told = arf(folder, "draft", f"models.teacher={settings}", "corpus.limit=2", code=1)
    assert "draft: all 2 rows failed" in told
    assert "onnect" in told


def test_malformed_output_is_retried_and_then_a_counted_failure(folder):
    def find(fields):
        if "kettle" in fields["conversation"]:
            return "I am a language model."
        return {"errors": []}

    team = scripted_team.join(find=find)
    # Without holdout luck: the kettle is analysed wherever it is trained on.
    arf(folder, "analyze", "corpus.holdout=0.1", "analyze.parse_retries=2", code=0)
    rows = list(read_jsonl(folder / "run" / "conversations.jsonl", SplitConversation))
    train = [row.conversation.id for row in rows if row.split == "train"]
    assert "c00" in train
    (failure,) = failures(folder)
    assert (failure.conversation_id, failure.stage) == ("c00", "analyze")
    assert "no usable answer in 3 tries" in failure.reason
    assert team.asked["find"] == len(train) - 1 + 3
    analysed = [row.conversation_id for row in read_jsonl(folder / "run" / "errors.jsonl", DraftErrors)]
    assert [*analysed, "c00"] == [*train[1:], "c00"]


def test_an_answer_that_is_no_text_is_made_one(folder):
    """Half of a surrogate pair, as of an emoji cut in two, can be neither stored nor sent on."""
    scripted_team.join(
        summary=lambda fields: "Broken \ud83d." if "kettle" in fields["conversation"] else scripted_team.draft(fields)
    )
    arf(folder, "analyze", code=0)
    drafts = {row.conversation_id: row.text for row in read_jsonl(folder / "run" / "drafts.jsonl", Summary)}
    assert len(drafts) == 12
    assert drafts["c00"] == "Broken \ufffd."


def test_a_structured_answer_that_is_no_text_does_not_stop_a_stage(folder):
    odd = '{"errors": [{"quote": "broken", "evidence": [1], "explanation": "Cut \\ud83d", "category": "fabricated", '
    scripted_team.join(find=lambda fields: odd + '"severity": "minor"}]}')
    arf(folder, "analyze", code=0)
    rows = list(read_jsonl(folder / "run" / "errors.jsonl", DraftErrors))
    assert {note.explanation for row in rows for note in row.errors if note.source == "lm"} == {"Cut \ufffd"}


def test_an_edited_taxonomy_that_is_broken(folder, team):
    arf(folder, "taxonomy", code=0)
    taxonomy = folder / "run" / "taxonomy.yaml"
    taxonomy.write_text("categories:\n- {id: Tone!, name: Tone, definition: Rude., severty: minor}\n")
    told = refused(folder, command="analyze")
    assert "taxonomy.yaml: categories[0] (Tone!): unknown key 'severty'; did you mean `severity`?" in told
    assert "id: must be small letters" in told
    taxonomy.write_text("categories: [\n")
    assert "taxonomy.yaml" in refused(folder, command="analyze")


def test_a_given_taxonomy_that_is_missing(folder, team):
    assert "mine.yaml: cannot be read" in refused(folder, "analyze.taxonomy=mine.yaml", command="taxonomy")


@pytest.mark.parametrize("name", ["drafts.jsonl", "errors.jsonl"])
def test_a_half_written_last_line_of_a_run(folder, team, name):
    arf(folder, "analyze", code=0)
    path = folder / "run" / name
    path.write_bytes(path.read_bytes()[:-20])
    told = refused(folder, command="revise")
    assert f"{name} line " in told
    assert "mend or remove the line" in told


def test_a_half_written_ledger_goes_on(folder, team):
    arf(folder, "draft", code=0)
    ledger = folder / "run" / "calls.jsonl"
    ledger.write_bytes(ledger.read_bytes()[:-20])
    arf(folder, "analyze", code=0)
    assert len(ledger.read_text().splitlines()) > 12


def test_a_run_folder_of_another_run(folder, team):
    arf(folder, "draft", code=0)
    told = refused(folder, "name=other")
    assert "holds another run (name is test, here other): give another --run-dir or name, or remove that folder" in told
    write_corpus(folder / "others.jsonl", 6)
    told = refused(folder, "corpus.path=others.jsonl")
    assert "corpus.path is conversations.jsonl, here others.jsonl" in told
    assert team.asked["summary"] == 12


@pytest.mark.parametrize("content", [b"", b"- 1", b"{", b"\xff\xfe", b"name: test\ncorpus: 3\n"])
def test_a_folder_that_arf_did_not_write(folder, content):
    (folder / "run").mkdir()
    (folder / "run" / "config.yaml").write_bytes(content)
    assert "not a configuration that arf wrote: give another --run-dir" in refused(folder)


def test_a_run_folder_that_is_a_file(folder, team):
    (folder / "run").write_text("mine")
    assert f"run_dir: {folder / 'run'} is no folder" in refused(folder)


def test_a_folder_where_another_arf_is_at_work(folder):
    with lock_run(open_project(folder)):
        assert "another arf is at work here" in refused(folder)


def test_hand_edited_revisions_that_are_broken(folder, team):
    """What the training's own process refuses is the user's to mend, like everything else."""
    arf(folder, "revise", code=0)
    with (folder / "run" / "revisions.jsonl").open("a", encoding="utf-8") as revisions:
        revisions.write('{"conversation_id": "mine"}\n')
    told = refused(folder, command="train")
    assert "revisions.jsonl line 11: not a Revision record" in told
    assert "mend or remove the line" in told
