"""Tables as spreadsheets, databases and data frames write them: read as they are meant, or refused with the place."""

import bz2
import gzip
import io
import json
import lzma
import zipfile
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strategies import hostile_text

from arf_programs.config import ColumnsConfig, CorpusConfig
from arf_programs.corpus.read import read_corpus
from signatures.exceptions import DataError
from signatures.records import Turn

TALK = "Customer: My lamp, the red one, broke.\nAgent: Sorry."
TURNS = (Turn(speaker="Customer", text="My lamp, the red one, broke."), Turn(speaker="Agent", text="Sorry."))
ROWS = [{"speaker": turn.speaker, "text": turn.text} for turn in TURNS]


def read(folder, name="corpus.csv", columns=None, **settings):
    config = CorpusConfig(path=name, columns=ColumnsConfig(**columns or {}), **settings)
    return read_corpus(config, base_dir=folder).conversations


def refused(folder, name="corpus.csv", **settings):
    with pytest.raises(DataError) as error:
        read(folder, name, **settings)
    return str(error.value).split("\n")


CELL = f'"{TALK}"'
AS_WRITTEN = {
    "with the index of a data frame": f",id,conversation\n0,a,{CELL}\n1,b,{CELL}\n",
    "with a comma at each end": f"id,conversation,\na,{CELL},\nb,{CELL},\n",
    "with commas only in rows": f"id,conversation\na,{CELL},,\nb,{CELL},,\n",
    "with empty rows": f"id,conversation\na,{CELL}\n,\n   \n\nb,{CELL}\n,,,\n",
    "with blank lines first": f"\n\r\nid,conversation\na,{CELL}\nb,{CELL}\n",
    "with Excel's declaration": f"sep=;\nid;conversation\na;{CELL}\nb;{CELL}\n",
    "with a quoted declaration": f'"sep=|"\r\nid|conversation\r\na|{CELL}\r\nb|{CELL}\r\n',
    "with a declared tab": f"SEP=\t\nid\tconversation\na\t{CELL}\nb\t{CELL}\n",
    "with semicolons": f"id;conversation\na;{CELL}\nb;{CELL}\n",
    "with semicolons and commas in a name": f'id;conversation;"notes, tags, more"\na;{CELL};x\nb;{CELL};y\n',
    "with tabs and an index": f"\tid\tconversation\n0\ta\t{CELL}\n1\tb\t{CELL}\n",
    "with line ends of old systems": f"id,conversation\ra,{CELL}\rb,{CELL}\r",
    "with line ends of Windows": f"id,conversation\r\na,{CELL}\r\nb,{CELL}",
    "with spaces after the commas": f"id, conversation \na, {CELL}\nb, {CELL}\n",
    "with quoted names": f'"id","conversation"\n"a",{CELL}\n"b",{CELL}\n',
    "with NUL": f"id,conv\0ersation\0\na\0,{CELL}\nb,{CELL}\n",
}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("form", AS_WRITTEN)
def test_csv_is_read_as_its_writer_meant_it(tmp_path, form, encoding):
    (tmp_path / "corpus.csv").write_bytes(AS_WRITTEN[form].encode(encoding))
    items = read(tmp_path)
    assert [(item.id, item.turns) for item in items] == [("a", TURNS), ("b", TURNS)]


def test_line_breaks_within_quotes_belong_to_the_text_and_count_as_lines(tmp_path):
    text = '"Customer: a ""quote""\r\n\r\nand more\r\nAgent: b"'
    (tmp_path / "corpus.csv").write_bytes(f"conversation,id\r\n{text},x\r\nnobody,y\r\n".encode())
    assert refused(tmp_path)[0].startswith("corpus.csv line 6: the text begins with 'nobody'")
    (tmp_path / "corpus.csv").write_bytes(f"conversation,id\r\n{text},x\r\n".encode())
    assert [turn.text for turn in read(tmp_path)[0].turns] == ['a "quote"\n\nand more', "b"]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"id,conversation,id\na,b,c\n", "line 1: a column name occurs twice (id): rename or remove one"),
        (b"id,conversation\na\n", "line 2: 1 fields instead of 2: mend or quote the row"),
        (b"id,conversation\na,Customer: b, and c\n", "line 2: 3 fields instead of 2: mend or quote the row"),
        (b'id,conversation\na,"Customer: "yes" I said"\n', "line 2: not valid CSV from here on"),
        (b'id,conversation\na,"Customer: yes\n', "line 2: not valid CSV from here on"),
        (b"id,conversation\na,Customer: b\nc,Customer: \xe9\n", "line 3: not UTF-8 (byte 0xe9 at column 13)"),
        (b"\xff\xfei\x00d\x00\n", "line 1: not utf-16 from here on"),
        (b"id,conversation\n", "holds no conversations"),
        (b"sep=;\n", "holds no conversations"),
        (
            b"Export of May\nid,conversation\na,Customer: b\n",
            "line 1: the only column is 'Export of May': begin the file",
        ),
        (b'conversation\n"Customer: a"\n""\n', "line 3: an empty conversation"),
        (b"PK\x03\x04rest", "is a ZIP archive that cannot be read"),
        (b"\x1f\x8brest", "cannot be read"),
        (b"PAR1rest", "is a Parquet file: set corpus.format to parquet"),
    ],
)
def test_csv_that_cannot_be_understood_is_refused_with_its_line(tmp_path, content, problem):
    (tmp_path / "corpus.csv").write_bytes(content)
    assert any(problem in line for line in refused(tmp_path))


def test_rows_after_a_broken_one_are_not_guessed(tmp_path):
    (tmp_path / "corpus.csv").write_text("id,conversation\na,b,c\nCustomer: d,e\n")
    assert refused(tmp_path) == ["corpus.csv line 2: 3 fields instead of 2: mend or quote the row"]


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=60) | hostile_text.map(str.encode), header=st.sampled_from(["", "id,conversation\n"]))
@pytest.mark.parametrize("name", ["corpus.csv", "corpus.jsonl"])
def test_any_bytes_are_conversations_or_a_refusal(tmp_path, name, content, header):
    (tmp_path / name).write_bytes(header.encode() + content)
    try:
        assert read(tmp_path, name)
    except DataError as error:
        assert str(error).startswith(name)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | hostile_text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(hostile_text, inner, max_size=3),
    max_leaves=8,
)
rows = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(("id", "conversation", "channel", "references", "metadata", "other"), json_values),
)


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.lists(rows, min_size=1, max_size=3), indent=st.sampled_from([None, 2]))
def test_any_json_is_conversations_or_a_refusal(tmp_path, content, indent):
    (tmp_path / "corpus.json").write_text(json.dumps(content, indent=indent))
    try:
        assert len(read(tmp_path, "corpus.json")) == len(content)
    except DataError as error:
        assert str(error).startswith("corpus.json line") or "no column" in str(error)


THREE = [{"id": name, "conversation": ROWS} for name in "abc"]
JSON_FORMS = {
    "an array on one line": json.dumps(THREE),
    "an array, a row a line": "[\n" + ",\n".join(map(json.dumps, THREE)) + "\n]\n",
    "a printed array": json.dumps(THREE, indent=2),
    "a printed array with Windows line ends": json.dumps(THREE, indent="\t").replace("\n", "\r\n"),
    "printed objects one after the other": "\n".join(json.dumps(row, indent=1) for row in THREE),
    "one a line": "\n\n".join(map(json.dumps, THREE)),
    "one a line with line ends of old systems": "\r".join(map(json.dumps, THREE)),
    "printed objects without indentation": "\n".join(json.dumps(row, indent=0) for row in THREE),
    "objects without line ends": "".join(map(json.dumps, THREE)),
    "several objects a line": " ".join(map(json.dumps, THREE[:2])) + "\n" + json.dumps(THREE[2]),
    "one a line with commas": ",\n".join(map(json.dumps, THREE)) + ",\n",
    "one a line with marks of records": "".join(f"\x1e{json.dumps(row)}\n" for row in THREE),
    "files put together, each with its mark": "\n\ufeff".join(map(json.dumps, THREE)),
}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be"])
@pytest.mark.parametrize("form", JSON_FORMS)
def test_json_in_all_its_forms(tmp_path, form, encoding):
    (tmp_path / "corpus.json").write_bytes(JSON_FORMS[form].encode(encoding))
    assert [(item.id, item.turns) for item in read(tmp_path, "corpus.json")] == [(name, TURNS) for name in "abc"]
    assert [item.id for item in read(tmp_path, "corpus.json", limit=2)] == ["a", "b"]


def test_problems_of_a_printed_array_have_their_lines(tmp_path):
    broken = [THREE[0], {"id": "b", "conversation": []}, 3, THREE[0]]
    (tmp_path / "corpus.json").write_text(json.dumps(broken, indent=1))
    text = (tmp_path / "corpus.json").read_text().split("\n")
    lines = refused(tmp_path, "corpus.json")
    places = [int(line.split("line ")[1].split(":")[0]) for line in lines]
    assert [text[place - 1].strip() for place in places] == ["{", "3,", "{"]
    assert [line.split(": ")[1].split(" ")[0] for line in lines] == ["an", "holds", "id"]


@pytest.mark.parametrize("cut", [1, 30, 200])
def test_a_printed_array_that_is_cut_off_is_refused(tmp_path, cut):
    (tmp_path / "corpus.json").write_text(json.dumps(THREE, indent=1)[:-cut])
    assert any("not valid JSON from here on" in line for line in refused(tmp_path, "corpus.json"))


@pytest.mark.parametrize("depth", [120, 400, 5_000, 100_000])
@pytest.mark.parametrize("column", ["metadata", "conversation", "id", "channel", "references", "other"])
def test_deeply_nested_brackets_are_a_problem_of_their_line(tmp_path, depth, column):
    nested = "[" * depth + "]" * depth
    row = json.dumps({"conversation": TALK, column: "?"}).replace('"?"', f'{{"a": {nested}}}')
    (tmp_path / "corpus.jsonl").write_text(json.dumps(THREE[0]) + "\n" + row + "\n")
    if column == "other" and depth < 900:
        assert len(read(tmp_path, "corpus.jsonl")) == 2
    else:
        (line,) = refused(tmp_path, "corpus.jsonl")
        assert line.startswith("corpus.jsonl line 2: ")


@pytest.mark.parametrize("value", [7, 7.0, "7", " 7 ", "7.0"])
def test_an_id_is_the_same_however_a_table_writes_it(tmp_path, value):
    (tmp_path / "corpus.jsonl").write_text(json.dumps({"id": value, "conversation": TALK}))
    assert [item.id for item in read(tmp_path, "corpus.jsonl")] == ["7"]


@pytest.mark.parametrize("value", ["NaN", "null", '""', '"  "', '"NaN"', '"<NA>"'])
def test_rows_without_an_id_get_one_of_their_content(tmp_path, value):
    (tmp_path / "corpus.jsonl").write_text(f'{{"id": {value}, "conversation": {json.dumps(TALK)}}}\n' * 2)
    first, second = read(tmp_path, "corpus.jsonl")
    assert len(first.id) == 16
    assert second.id == f"{first.id}-2"


@pytest.mark.parametrize("value", ["1.5", "Infinity", "1e300", "9007199254740994.0", "true", "[]"])
def test_ids_that_name_nothing_are_refused(tmp_path, value):
    (tmp_path / "corpus.jsonl").write_text(f'{{"id": {value}, "conversation": {json.dumps(TALK)}}}\n')
    assert refused(tmp_path, "corpus.jsonl")[0].startswith("corpus.jsonl line 1: the id")


def test_parquet_as_a_data_frame_writes_it(tmp_path):
    import pandas

    frame = pandas.DataFrame(
        {
            "id": [1, None, 3],
            "conversation": [TALK, ROWS, TALK],
            "channel": pandas.Categorical(["mail", "chat", None]),
            "references": [["One.", "Two."], None, []],
            "metadata": [{"day": datetime(2025, 3, 4), "price": Decimal("2.50"), "parts": [{"n": date(2025, 1, 2)}]}]
            * 3,
            "unread": [Decimal("1.10")] * 3,
        },
        index=["x", "y", "z"],
    )
    frame["conversation"] = [TALK, json.dumps(ROWS), TALK]
    frame.to_parquet(tmp_path / "corpus.parquet")
    first, second, third = read(tmp_path, "corpus.parquet")
    assert (first.id, len(second.id), third.id) == ("1", 16, "3")
    assert [item.channel for item in (first, second, third)] == ["mail", "chat", "default"]
    assert first.references == ("One.", "Two.")
    assert first.metadata == {"day": "2025-03-04 00:00:00", "price": "2.50", "parts": [{"n": "2025-01-02"}]}
    assert {item.turns for item in (first, second, third)} == {TURNS}


def parquet(folder, columns, name="corpus.parquet"):
    import pyarrow
    import pyarrow.parquet

    arrays = [values if isinstance(values, pyarrow.Array) else pyarrow.array(values) for values in columns.values()]
    pyarrow.parquet.write_table(pyarrow.table(arrays, names=list(columns)), folder / name)


def test_parquet_of_other_writers(tmp_path):
    import pyarrow

    of_lists = {"speaker": [turn.speaker for turn in TURNS], "text": [turn.text for turn in TURNS]}
    maps = pyarrow.array([[("k", 1)]] * 2, pyarrow.map_(pyarrow.string(), pyarrow.int64()))
    ids = pyarrow.array([Decimal("7"), Decimal("8")], pyarrow.decimal128(10, 2))
    parquet(tmp_path, {"id": ids, "conversation": [of_lists] * 2, "metadata": maps, "channel": [date(2025, 1, 2)] * 2})
    first, second = read(tmp_path, "corpus.parquet")
    assert (first.id, second.id, first.channel, first.metadata) == ("7", "8", "2025-01-02", {"k": 1})
    assert first.turns == TURNS
    parquet(tmp_path, {"id": [b"a", b"b"], "conversation": [TALK.encode()] * 2})
    assert [(item.id, item.turns) for item in read(tmp_path, "corpus.parquet")] == [("a", TURNS), ("b", TURNS)]


def test_parquet_that_cannot_be_understood_is_refused(tmp_path):
    parquet(tmp_path, {"id": [b"\xff", b"b"], "conversation": [TALK] * 2})
    assert refused(tmp_path, "corpus.parquet") == [
        "corpus.parquet row 1: the id is a bytes, not a text or a whole number"
    ]
    parquet(tmp_path, {"id": ["a", "a"], "conversation": [TALK] * 2})
    assert "row 2: id 'a' is taken by row 1" in refused(tmp_path, "corpus.parquet")[0]
    (tmp_path / "folder").mkdir()
    assert "no Parquet file is in this folder" in refused(tmp_path, "folder", format="parquet")[0]
    parquet(tmp_path / "folder", {"conversation": [TALK]}, name="part-1.parquet")
    assert len(read(tmp_path, "folder", format="parquet")) == 1
    content = (tmp_path / "corpus.parquet").read_bytes()
    (tmp_path / "corpus.parquet").write_bytes(content[: len(content) // 2])
    assert "the data cannot be read" in refused(tmp_path, "corpus.parquet")[0]


def test_splits_that_were_saved_together(tmp_path):
    from datasets import Dataset, DatasetDict

    train = Dataset.from_list([{"id": "a", "conversation": ROWS}])
    other = Dataset.from_list([{"id": "b", "conversation": TALK, "more": 1}])
    DatasetDict({"train": train, "test": other}).save_to_disk(tmp_path / "saved")
    assert [item.id for item in read(tmp_path, "saved")] == ["a"]
    assert [item.id for item in read(tmp_path, "saved", split="test")] == ["b"]
    (line,) = refused(tmp_path, "saved", split="dev")
    assert line.endswith("it has no such split: set corpus.split to one of 'train', 'test')")


def test_a_data_set_of_several_subsets(tmp_path):
    """A folder has subsets by the same rules as the hub."""
    folder = tmp_path / "many"
    for name in ("en", "de"):
        (folder / name).mkdir(parents=True)
        (folder / name / "train.jsonl").write_text(json.dumps({"id": name, "conversation": TALK}) + "\n")
    subsets = "".join(f"- config_name: {name}\n  data_files: {name}/train.jsonl\n" for name in ("en", "de"))
    (folder / "README.md").write_text(f"---\nconfigs:\n{subsets}---\n")
    assert [item.id for item in read(tmp_path, "many", subset="de")] == ["de"]
    for subset in (None, "fr"):
        (line,) = refused(tmp_path, "many", subset=subset)
        assert "set corpus.subset to one of 'en', 'de'" in line


def test_whatever_a_library_raises_is_a_refusal(tmp_path, monkeypatch):
    import datasets

    class OddError(Exception):
        """Not an error of the operating system, as those of HTTP clients."""

    def load_dataset(*place: Any, split: str, streaming: bool) -> None:
        raise OddError("first line\nsecond line")

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    assert refused(tmp_path, "someone/something")[0].endswith("cannot be read (first line second line)")


def test_csv_of_a_data_frame_with_lists_and_gaps(tmp_path):
    import pandas

    frame = pandas.DataFrame(
        {"id": [1, None, 3], "conversation": [ROWS, [{"speaker": "A", "text": 'it\'s "ok"'}], ROWS]}
    )
    frame.to_csv(tmp_path / "corpus.csv")
    first, second, third = read(tmp_path)
    assert (first.id, len(second.id), third.id) == ("1", 16, "3")
    assert first.turns == third.turns == TURNS
    assert [turn.text for turn in second.turns] == ['it\'s "ok"']


@pytest.mark.parametrize(
    "cell", ["[{'speaker': print('x')}]", "[{" * 2000, "[{'a': 'b'}", "[{1: 2}]", "[{'speaker': b'a', 'text': {1}}]"]
)
def test_a_cell_that_only_looks_like_a_list_of_python_is_refused(tmp_path, cell):
    import pandas

    pandas.DataFrame({"conversation": [cell]}).to_csv(tmp_path / "corpus.csv", index=False)
    assert refused(tmp_path)[0].startswith("corpus.csv line 2: ")


def test_a_name_over_two_lines_within_quotes_is_one_column(tmp_path):
    (tmp_path / "corpus.csv").write_text(f'"Ticket-\nnumber";"conversation"\na;{CELL}\nb;"nobody"\n')
    assert refused(tmp_path, columns={"id": "Ticket- number"})[0].startswith("corpus.csv line 5: the text begins with")
    (tmp_path / "corpus.csv").write_text(f'"Ticket-\nnumber";"conversation"\na;{CELL}\n')
    assert [item.id for item in read(tmp_path, columns={"id": "Ticket- number"})] == ["a"]


def test_returns_that_excel_has_escaped_are_line_ends(tmp_path):
    (tmp_path / "corpus.csv").write_text(
        'id,conversation\na,"Customer: My lamp_x000D_\nbroke.\nAgent: Sorry._x000D_"\n'
    )
    assert [turn.text for turn in read(tmp_path)[0].turns] == ["My lamp\nbroke.", "Sorry."]


@pytest.mark.parametrize("value", ["#N/A", "#NAME?", "#REF!", "#VALUE!", "\\N"])
def test_an_error_of_a_spreadsheet_or_a_null_of_a_database_is_no_id(tmp_path, value):
    (tmp_path / "corpus.csv").write_text(f"id,conversation\n{value},{CELL}\n{value},{CELL}\n")
    first, second = (item.id for item in read(tmp_path))
    assert second == f"{first}-2" and value not in first


def test_an_id_that_excel_keeps_as_a_formula_has_its_zeros(tmp_path):
    (tmp_path / "corpus.csv").write_text(f'id,conversation\n"=""0012""",{CELL}\n')
    assert [item.id for item in read(tmp_path)] == ["0012"]


def test_ids_that_a_spreadsheet_has_rounded_are_refused(tmp_path):
    (tmp_path / "corpus.csv").write_text(f'id,conversation\n4.47112E+11,{CELL}\n"4,5E+11",{CELL}\n')
    assert [line.split(": ")[0] for line in refused(tmp_path)] == ["corpus.csv line 2", "corpus.csv line 4"]


@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize("name", ["tickets", "conversations", "data"])
def test_rows_that_an_export_holds_in_one_object(tmp_path, name, indent):
    rows = [{"id": name, "conversation": ROWS} for name in "abc"]
    (tmp_path / "corpus.json").write_text(json.dumps({name: rows, "count": 3, "next_page": None}, indent=indent))
    assert [(item.id, item.turns) for item in read(tmp_path, "corpus.json")] == [(name, TURNS) for name in "abc"]
    assert [item.id for item in read(tmp_path, "corpus.json", limit=2)] == ["a", "b"]


@pytest.mark.parametrize("name", ["corpus.csv", "corpus.jsonl"])
@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"<!DOCTYPE html>\n<html>Sign in</html>", "is a web page"),
        (b"\xef\xbb\xbf\n <HTML><table>", "is a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 5\n", "git lfs pull"),
        (b"ARROW1\0\0\xff\xff\xff\xff", "is an Arrow file"),
    ],
)
def test_what_stands_in_the_place_of_a_file_is_named(tmp_path, name, content, problem):
    (tmp_path / name).write_bytes(content)
    (line,) = refused(tmp_path, name)
    assert line.startswith(f"{name}: ") and problem in line


def test_hidden_files_beside_parquet_files_are_left_out(tmp_path):
    pyarrow, parquet = (pytest.importorskip(name) for name in ("pyarrow", "pyarrow.parquet"))
    (tmp_path / "parts").mkdir()
    parquet.write_table(pyarrow.table({"id": ["a"], "conversation": [TALK]}), tmp_path / "parts" / "part-0.parquet")
    for name in ("._part-0.parquet", ".part-1.parquet", "_metadata.parquet"):
        (tmp_path / "parts" / name).write_bytes(b"\0\5junk")
    assert [item.id for item in read(tmp_path, "parts", format="parquet")] == ["a"]


ONE_TABLE = f"id,conversation\na,{CELL}\n".encode()


def zipped(*names):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name in names:
            archive.writestr(name, ONE_TABLE)
    return packed.getvalue()


def named(value):
    """Name a test by its texts: packed bytes hold the time, and all workers have to collect the same names."""
    return value if isinstance(value, str) else "content"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("corpus.csv.gz", gzip.compress(ONE_TABLE, mtime=0)),
        ("corpus.csv", gzip.compress(ONE_TABLE, mtime=0)),
        ("corpus.csv.bz2", bz2.compress(ONE_TABLE)),
        ("corpus.csv.xz", lzma.compress(ONE_TABLE)),
        ("corpus.csv.zip", zipped("corpus.csv")),
        ("corpus.zip", zipped("corpus.csv", "__MACOSX/corpus.csv")),
        ("corpus.jsonl.gz", gzip.compress(json.dumps({"id": "a", "conversation": TALK}).encode(), mtime=0)),
    ],
    ids=named,
)
def test_a_packed_file_is_read_as_its_text(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    (item,) = read(tmp_path, name)
    assert (item.id, item.turns) == ("a", TURNS)


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("corpus.csv.gz", gzip.compress(ONE_TABLE, mtime=0)[:-9], "cannot be read"),
        ("corpus.csv.zip", zipped("a.csv", "b.csv"), "is a ZIP archive of several files (a.csv, b.csv): unpack it"),
        ("corpus.jsonl", ONE_TABLE, "looks like CSV, not JSON: set corpus.format to csv"),
        ("corpus.csv", json.dumps({"id": "a", "conversation": TALK}).encode(), "looks like JSON, not CSV"),
        ("corpus.zip", zipped("a.csv", "b.csv"), "is a ZIP archive of several files"),
        ("corpus.zip", zipped(*(f"{n}.jsonl" for n in range(9))), "(0.jsonl, 1.jsonl, 2.jsonl, 3.jsonl, 4.jsonl, ...)"),
        ("corpus.csv", zipped("[Content_Types].xml", "xl/workbook.xml"), "is a file of Excel or of another office"),
        ("corpus.arrow", b"ARROW1\0\0rest", "is an Arrow file: save it as Parquet"),
        ("corpus.csv", b"SQLite format 3\0\x10\0\1\1", "is a database of SQLite"),
        ("corpus.jsonl", b"%PDF-1.7\n%\xe2\xe3\n", "is a PDF"),
        ("corpus.csv", b"Obj\x01\x04\x14avro.codec", "is no text: save it as JSONL, CSV or Parquet"),
        ("corpus.jsonl", b"\x80\x04\x95pickled", "is no text: save it as JSONL, CSV or Parquet"),
    ],
    ids=named,
)
def test_a_file_of_another_kind_than_its_name_says_is_told(tmp_path, name, content, problem):
    (tmp_path / name).write_bytes(content)
    (line,) = refused(tmp_path, name)
    assert problem in line


@pytest.mark.parametrize(
    "turns",
    [
        [f"{turn.speaker}: {turn.text}" for turn in TURNS],
        [[turn.speaker, turn.text] for turn in TURNS],
        [{turn.speaker: turn.text} for turn in TURNS],
        [{"speaker": {"name": turn.speaker, "id": 7}, "text": turn.text} for turn in TURNS],
        json.dumps(json.dumps(ROWS)),
    ],
    ids=["texts", "pairs", "one key", "a speaker with a name", "encoded twice"],
)
def test_turns_in_other_forms(tmp_path, turns):
    (tmp_path / "corpus.jsonl").write_text(json.dumps({"id": 1, "conversation": turns}))
    assert read(tmp_path, "corpus.jsonl")[0].turns == TURNS


def test_speakers_of_a_list_whose_names_look_equal_are_one(tmp_path):
    names = ["Zoë", "Zoe\u0308", "Agent", "\u0410gent", "agent"]  # the fourth begins with a Cyrillic letter
    turns = [{"speaker": name, "text": str(number)} for number, name in enumerate(names)]
    (tmp_path / "corpus.jsonl").write_text(json.dumps({"id": 1, "conversation": turns}))
    assert [turn.speaker for turn in read(tmp_path, "corpus.jsonl")[0].turns] == [
        "Zoë",
        "Zoë",
        "Agent",
        "Agent",
        "agent",
    ]


def test_turns_of_a_chat_history_and_of_numbered_speakers(tmp_path):
    history = [{"user": "Hi", "assistant": "Hello"}, {"user": "Bye", "assistant": "Goodbye"}]
    numbered = [{"speaker": 115712, "text": "Hi"}, {"speaker": 2.0, "text": "Hello"}]
    rows = [{"id": name, "conversation": turns} for name, turns in (("a", history), ("b", numbered))]
    (tmp_path / "corpus.jsonl").write_text("\n".join(map(json.dumps, rows)))
    one, other = read(tmp_path, "corpus.jsonl")
    assert [(turn.speaker, turn.text) for turn in one.turns][1:3] == [("assistant", "Hello"), ("user", "Bye")]
    assert [turn.speaker for turn in other.turns] == ["115712", "2"]


@pytest.mark.parametrize(
    "turns", [[{"text": "Hi"}, {"text": "Hello"}], [["a", "b", "c"]], [{}], ["Hi", "Hello"], [[1, 2]]]
)
def test_turns_whose_speaker_cannot_be_told_are_refused(tmp_path, turns):
    (tmp_path / "corpus.jsonl").write_text(json.dumps({"id": 1, "conversation": turns}))
    assert len(refused(tmp_path, "corpus.jsonl")) == 1
