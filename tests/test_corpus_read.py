"""Reading the corpus: what is understood, and that everything wrong is told at once, with its place."""

import csv
import json
from typing import Any

import pytest

from arf_programs.config.schema import ColumnsConfig, CorpusConfig
from arf_programs.corpus.read import read_corpus
from signatures.exceptions import DataError
from signatures.records import Turn

TURNS = [{"speaker": "Customer", "text": "Where is it?"}, {"speaker": "Agent", "text": "On its way."}]


def write(folder, *rows, name="corpus.jsonl"):
    """A JSONL file; a row given as text is written as it is."""
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    (folder / name).write_text("".join(line + "\n" for line in lines), encoding="utf-8")


def read(folder, name="corpus.jsonl", columns=None, **settings):
    return read_corpus(CorpusConfig(path=name, columns=ColumnsConfig(**columns or {}), **settings), base_dir=folder)


def refused(folder, *args, **settings):
    """The lines of the error."""
    with pytest.raises(DataError) as error:
        read(folder, *args, **settings)
    return str(error.value).split("\n")


def test_a_row_becomes_a_conversation(tmp_path):
    row = {
        "id": 7,
        "channel": "chat",
        "conversation": TURNS,
        "references": "Short.",
        "metadata": {"n": [1, None]},
        "x": 1,
    }
    write(tmp_path, row)
    corpus = read(tmp_path)
    (item,) = corpus.conversations
    assert (item.id, item.channel, item.references, item.metadata) == ("7", "chat", ("Short.",), {"n": [1, None]})
    assert item.turns == tuple(Turn(**turn) for turn in TURNS)
    assert corpus.columns_seen == ("channel", "conversation", "id", "metadata", "references", "x")
    assert corpus.skipped == ()


@pytest.mark.parametrize(
    ("conversation", "columns"),
    [
        (TURNS, {}),
        (json.dumps(TURNS), {}),
        ("Customer: Where is it?\r\nAgent: On its way.\r\n", {}),
        ([{"role": t["speaker"], "content": t["text"]} for t in TURNS], {"speaker": "role", "text": "content"}),
    ],
    ids=["turns", "json text", "lines", "role and content"],
)
def test_the_forms_of_a_conversation(tmp_path, conversation, columns):
    write(tmp_path, {"conversation": conversation})
    (item,) = read(tmp_path, columns=columns).conversations
    assert item.turns == tuple(Turn(**turn) for turn in TURNS)


def test_columns_may_have_other_names_and_rows_may_lack_what_is_optional(tmp_path):
    write(
        tmp_path,
        {"key": "a", "turns": TURNS, "domains": ["bank", "hotel"], "gold": ["One.", " ", "Two."]},
        {"key": "b", "turns": TURNS, "domains": None},
    )
    names = {"id": "key", "conversation": "turns", "channel": "domains", "references": "gold"}
    first, second = read(tmp_path, columns=names).conversations
    assert (first.channel, first.references) == ("bank+hotel", ("One.", "Two."))
    assert (second.channel, second.references) == ("default", ())


def test_rows_whose_columns_differ_in_type_are_read(tmp_path):
    values: list[Any] = [{"a": 1}, {"a": "x"}, {"a": {}}, "text", [1], None]
    rows = [{"conversation": TURNS, "metadata": value} for value in values]
    write(tmp_path, *rows)
    assert [item.metadata for item in read(tmp_path).conversations] == [{"a": 1}, {"a": "x"}, {"a": {}}, {}, {}, {}]


def test_ids_made_of_the_content_are_stable_and_differ_for_copies(tmp_path):
    other = [{"speaker": "Customer", "text": "Something else"}]
    write(tmp_path, *({"conversation": turns} for turns in (TURNS, other, TURNS, TURNS)))
    ids = [item.id for item in read(tmp_path).conversations]
    assert [item.id for item in read(tmp_path).conversations] == ids
    assert len(ids[0]) == 16
    assert ids[2:] == [f"{ids[0]}-2", f"{ids[0]}-3"]
    write(tmp_path, *({"conversation": turns} for turns in (other, TURNS)))
    assert [item.id for item in read(tmp_path).conversations] == [ids[1], ids[0]]


def test_control_characters_and_lone_surrogates_do_not_get_in(tmp_path):
    turn = r'{"speaker": "A\nB", "text": "\u0000Bell\u0007 and\ttab\r\nline \ud800 \ud83d\ude00"}'
    write(tmp_path, r'{"id": "a\u0001", "metadata": {"k": "\ud800"}, "conversation": [' + turn + "]}")
    (item,) = read(tmp_path).conversations
    assert item.turns == (Turn(speaker="A B", text="Bell and\ttab\nline \ufffd 😀"),)
    assert (item.id, item.metadata) == ("a", {"k": "\ufffd"})
    assert "😀" in item.model_dump_json()


def test_blank_turns_keep_the_numbers_of_the_others(tmp_path):
    write(tmp_path, {"conversation": [TURNS[0], {"speaker": "Agent", "text": None}, TURNS[1]]})
    assert [turn.text for turn in read(tmp_path).conversations[0].turns] == ["Where is it?", "", "On its way."]


def test_all_problems_are_told_at_once_with_their_lines(tmp_path):
    write(
        tmp_path,
        {"id": "a", "conversation": TURNS},
        "{broken",
        {"id": "a", "conversation": TURNS},
        "",
        {"id": "c", "conversation": []},
        {"id": "d", "conversation": [{"speaker": "Customer", "text": "  "}]},
        {"id": "e", "conversation": "no speaker here"},
        {"id": "f", "conversation": [{"role": "user", "text": "hi"}]},
        {"id": "g", "conversation": ["hi"]},
        {"id": "h", "dialogue": TURNS},
        {"id": ["i"], "conversation": TURNS},
        [1],
        {"id": "k", "conversation": {"a": 1}},
        {"id": "l", "conversation": '[{"speaker": '},
        {"id": "m", "conversation": TURNS, "channel": {"a": 1}},
        {"id": "n", "conversation": TURNS, "references": [1]},
    )
    lines = refused(tmp_path)
    expected = [
        "line 2: not valid JSON (Expecting property name enclosed in double quotes at column 2): mend or remove",
        "line 3: id 'a' is taken by line 1: make the ids unique, or set corpus.columns.id to null",
        "line 5: an empty conversation (no turns)",
        "line 6: an empty conversation (only blank turns)",
        "line 7: the text begins with 'no speaker here', not with a `Speaker: ...` line",
        "line 8: turn 1 has no 'speaker' (it has: role, text): set corpus.columns.speaker",
        "line 9: turn 1 is a str, not an object with a speaker and a text",
        "line 10: no column 'conversation' (this row has: id, dialogue): add it or remove",
        "line 11: the id is a list, not a text or a whole number",
        "line 12: holds a JSON list, not an object: write one object a line",
        "line 13: the conversation is a dict, not a list of turns or a text",
        "line 14: the conversation looks like a JSON list but is not valid JSON: write it with a JSON encoder",
        "line 15: the channel is not a text or a list of texts",
        "line 16: the references are not a text or a list of texts",
    ]
    assert len(lines) == len(expected)
    for line, start in zip(lines, expected, strict=True):
        assert line.startswith(f"corpus.jsonl {start}")


def test_at_most_twenty_problems_are_shown(tmp_path):
    write(tmp_path, *[{"conversation": f"text {number} of nobody"} for number in range(33)])
    lines = refused(tmp_path)
    assert len(lines) == 21
    assert lines[-1] == "and 13 more"


def test_a_problem_of_many_lines_is_told_once_with_its_lines_in_order(tmp_path):
    good, empty = {"conversation": TURNS}, {"conversation": ""}
    write(tmp_path, *[empty] * 3, "{", good, empty, *[good, empty] * 8)
    first, second = refused(tmp_path)
    assert first.startswith("corpus.jsonl lines 1-3, 6, 8, 10, 12, 14 and 4 more (12 times): an empty conversation")
    assert second.startswith("corpus.jsonl line 4: not valid JSON")


def test_a_half_written_last_line_has_its_own_words(tmp_path):
    write(tmp_path, {"conversation": TURNS})
    path = tmp_path / "corpus.jsonl"
    path.write_bytes(path.read_bytes() + b'{"conversation": [{"speaker": "Cust\xc3')
    (line,) = refused(tmp_path)
    assert line.startswith(
        "corpus.jsonl line 2: the last line is half-written (no newline at its end, and not valid JSON)"
    )


def test_missing_columns_are_told_once_with_those_that_are_there(tmp_path):
    write(tmp_path, *[{"id": str(i), "dialogue": TURNS} for i in range(30)])
    assert refused(tmp_path) == [
        "corpus.jsonl: no column 'conversation' (there are: dialogue, id): set corpus.columns.conversation"
    ]
    (line,) = refused(tmp_path, columns={"conversation": "dialogue", "channel": "domain"})
    assert (
        line
        == "corpus.jsonl: no column 'domain' (there are: dialogue, id): set corpus.columns.channel, or null for none"
    )


@pytest.mark.parametrize("content", ["", "\n\n", "\ufeff"])
@pytest.mark.parametrize("name", ["corpus.jsonl", "corpus.csv"])
def test_an_empty_file_is_refused(tmp_path, name, content):
    (tmp_path / name).write_text(content, encoding="utf-8")
    assert "holds no conversations" in refused(tmp_path, name)[0]


def test_files_that_cannot_be_read(tmp_path):
    assert "absent.jsonl: no such file" in refused(tmp_path, "absent.jsonl")[0]
    assert "no such file" in refused(tmp_path, "some data.txt")[0]
    assert "cannot be read" in refused(tmp_path, ".", format="jsonl")[0]
    (tmp_path / "notes.txt").write_text("x")
    assert "set corpus.format" in refused(tmp_path, "notes.txt")[0]
    (tmp_path / "bad.parquet").write_text("x")
    assert "bad.parquet: the data cannot be read" in refused(tmp_path, "bad.parquet")[0]


def test_other_encodings_are_told_with_their_place(tmp_path):
    line = json.dumps({"conversation": "Customer: für\nAgent: ja"}, ensure_ascii=False)
    (tmp_path / "corpus.jsonl").write_bytes(line.encode("latin-1") + b"\n")
    assert refused(tmp_path)[0].startswith("corpus.jsonl line 1: not UTF-8 (byte 0xfc at column 30)")
    for encoding in ("utf-8-sig", "utf-16", "utf-16-le", "utf-32"):
        (tmp_path / "corpus.jsonl").write_bytes((line + "\r\n").encode(encoding))
        assert read(tmp_path).conversations[0].turns[0].text == "für"


def test_a_limit_reads_the_first_rows_and_no_more(tmp_path):
    write(tmp_path, "", *[{"id": str(i), "conversation": TURNS} for i in range(3)], "{broken")
    assert [item.id for item in read(tmp_path, limit=3).conversations] == ["0", "1", "2"]
    assert "line 5" in refused(tmp_path, limit=4)[0]


def test_a_path_is_relative_to_the_config_then_to_the_working_directory(tmp_path, monkeypatch):
    here, config = tmp_path / "here", tmp_path / "config"
    here.mkdir()
    config.mkdir()
    monkeypatch.chdir(here)
    write(here, {"id": "here", "conversation": TURNS})
    assert read(config).conversations[0].id == "here"
    write(config, {"id": "config", "conversation": TURNS})
    assert read(config).conversations[0].id == "config"
    assert read(config, str(here / "corpus.jsonl")).conversations[0].id == "here"


def long_rows():
    """Turns of 100 characters each as shown, newline apart: 8 turns are 807 characters, 202 tokens."""
    turns = [{"speaker": "A", "text": f"{n}" * 97} for n in range(8)]
    return {"id": "long", "conversation": turns}, {"id": "short", "conversation": turns[:4]}


def test_too_long_conversations_are_skipped_and_counted(tmp_path):
    write(tmp_path, *long_rows())
    assert len(read(tmp_path, max_tokens=202).conversations) == 2
    corpus = read(tmp_path, max_tokens=201)
    assert [item.id for item in corpus.conversations] == ["short"]
    (failure,) = corpus.skipped
    assert (failure.conversation_id, failure.stage) == ("long", "corpus")
    assert "about 202 tokens in 8 turns, more than corpus.max_tokens 201" in failure.reason
    with pytest.raises(DataError, match="no conversation is short enough"):
        read(tmp_path, max_tokens=50)


def test_too_long_conversations_are_cut_at_a_turn_border(tmp_path):
    write(tmp_path, *long_rows(), {"id": "one", "conversation": [{"speaker": "A", "text": "x" * 900}]})
    corpus = read(tmp_path, max_tokens=101, too_long="cut")  # four turns are 403 characters, 101 tokens
    assert [len(item.turns) for item in corpus.conversations] == [4, 4]
    assert [item.metadata for item in corpus.conversations] == [{"cut_turns": 4}, {}]
    assert [failure.conversation_id for failure in corpus.skipped] == ["one"]


def write_csv(folder, *rows, name="corpus.csv", delimiter=",", encoding="utf-8"):
    with (folder / name).open("w", newline="", encoding=encoding) as file:
        csv.writer(file, delimiter=delimiter).writerows(rows)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_csv(tmp_path, delimiter, encoding):
    write_csv(
        tmp_path,
        ["id", "conversation", "channel", "references"],
        ["007", 'Customer: a, b; "c"\nAgent: NA', "NA", '["One.", "Two."]'],
        [],
        ["", json.dumps(TURNS), "", ""],
        delimiter=delimiter,
        encoding=encoding,
    )
    first, second = read(tmp_path, "corpus.csv").conversations
    assert (first.id, first.channel, first.references) == ("007", "NA", ("One.", "Two."))
    assert first.turns == (Turn(speaker="Customer", text='a, b; "c"'), Turn(speaker="Agent", text="NA"))
    assert (len(second.id), second.channel, second.references) == (16, "default", ())
    assert second.turns == tuple(Turn(**turn) for turn in TURNS)


def test_csv_problems_have_the_line_where_the_row_begins(tmp_path):
    good = ["a", "Customer: x\nAgent: y"]
    write_csv(tmp_path, ["id", "conversation"], good, ["b"], ["c", "Customer: x", "more"], good)
    assert refused(tmp_path, "corpus.csv") == [
        "corpus.csv line 4: 1 fields instead of 2: mend or quote the row",
        "corpus.csv line 5: 3 fields instead of 2: mend or quote the row",
    ]
    write_csv(tmp_path, ["id", "conversation"], good, ["b", "nobody speaks"], good)
    assert refused(tmp_path, "corpus.csv") == [
        "corpus.csv line 4: the text begins with 'nobody speaks', not with a `Speaker: ...` line",
        "corpus.csv line 5: id 'a' is taken by line 2: make the ids unique, or set corpus.columns.id to null",
    ]
    (tmp_path / "corpus.csv").write_bytes(b'id,conversation\na,"Customer: x\nb,"Customer: y\n')
    assert "line 2: not valid CSV from here on" in refused(tmp_path, "corpus.csv")[0]
    (tmp_path / "corpus.csv").write_bytes(b"id,conversation\na,Customer: f\xfcr\n")
    assert "line 2: not UTF-8 (byte 0xfc at column 14)" in refused(tmp_path, "corpus.csv")[0]


def test_csv_limit_and_long_cells(tmp_path):
    write_csv(tmp_path, ["conversation"], ["Customer: " + "x" * 200_000], ["Customer: b"], ["Customer: c", "broken"])
    assert len(read(tmp_path, "corpus.csv", limit=2, max_tokens=10**6).conversations) == 2


def test_parquet_folders_and_saved_data_sets(tmp_path):
    from datasets import Dataset, DatasetDict

    rows = [{"id": i, "conversation": TURNS, "references": ["One."], "metadata": {"n": i}} for i in range(3)]
    data = Dataset.from_list(rows)
    data.to_parquet(tmp_path / "corpus.parquet")
    (tmp_path / "folder").mkdir()
    data.to_parquet(tmp_path / "folder" / "test-0.parquet")
    data.save_to_disk(tmp_path / "saved")
    DatasetDict({"train": data, "test": data}).save_to_disk(tmp_path / "both")
    for name, split in (("corpus.parquet", "train"), ("folder", "test"), ("saved", "train"), ("both", "test")):
        corpus = read(tmp_path, name, split=split, limit=2)
        assert [item.id for item in corpus.conversations] == ["0", "1"]
        assert corpus.conversations[1].metadata == {"n": 1}
        assert corpus.conversations[0].turns == tuple(Turn(**turn) for turn in TURNS)
    assert "folder: the data cannot be read" in refused(tmp_path, "folder", split="nope")[0]
    assert refused(tmp_path, "corpus.parquet", columns={"id": None, "text": "words"})[0].startswith(
        "corpus.parquet rows 1-3 (3 times): turn 1 has no 'words'"
    )


def test_a_hub_data_set_that_cannot_be_loaded(tmp_path, monkeypatch):
    import datasets

    def load_dataset(name, *, split, streaming):
        assert (name, split, streaming) == ("someone/something", "validation", True)
        raise ConnectionError("no network here")

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    line = refused(tmp_path, "someone/something", split="validation")[0]
    reason = "no such file or folder, and the data set of that Hugging Face id cannot be read (no network here)"
    assert line == f"someone/something: {reason}"
