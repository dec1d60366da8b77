"""Files of records: whole or not there, and a crash costs at most the line that was being written."""

import threading

import pytest

from arf_programs.runs.jsonl import JsonlAppender, JsonlIndex, read_jsonl, write_jsonl_atomic, write_text_atomic
from signatures.exceptions import DataError
from signatures.records import Turn

TURNS = [Turn(speaker="Customer", text="Müßte\nes nicht ‘gehen’?"), Turn(speaker="Agent", text="")]


def test_records_come_back_as_they_were(tmp_path):
    path = tmp_path / "new" / "turns.jsonl"
    write_jsonl_atomic(path, TURNS)
    assert list(read_jsonl(path, Turn)) == TURNS
    assert path.read_bytes().count(b"\n") == 2
    assert "Müßte" in path.read_text(encoding="utf-8")


def test_an_interrupted_write_leaves_the_old_file_and_no_rubbish(tmp_path):
    path = tmp_path / "turns.jsonl"
    write_jsonl_atomic(path, TURNS)

    def rows():
        yield TURNS[0]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_jsonl_atomic(path, rows())
    assert list(read_jsonl(path, Turn)) == TURNS
    assert list(tmp_path.iterdir()) == [path]


def test_text_is_written_with_plain_line_ends(tmp_path):
    write_text_atomic(tmp_path / "a.yaml", "a: ü\nb: 2\n")
    assert (tmp_path / "a.yaml").read_bytes() == "a: ü\nb: 2\n".encode()


def cut_lines():
    """Every way in which the write of a second record can be cut short."""
    whole = TURNS[0].model_dump_json().encode()
    return [whole[:end] for end in range(1, len(whole))]


@pytest.mark.parametrize("cut", cut_lines(), ids=len)
def test_a_half_written_line_is_passed_over_and_cut_off(tmp_path, cut):
    path = tmp_path / "turns.jsonl"
    write_jsonl_atomic(path, TURNS)
    with path.open("ab") as file:
        file.write(cut)
    assert list(read_jsonl(path, Turn, ignore_half_line=True)) == TURNS
    with pytest.raises(DataError, match="line 3: not a Turn record"):
        list(read_jsonl(path, Turn))
    with JsonlAppender(path) as appender:
        appender.append(TURNS[1])
    assert list(read_jsonl(path, Turn)) == [*TURNS, TURNS[1]]


def test_a_whole_last_line_without_a_newline_is_kept(tmp_path):
    path = tmp_path / "turns.jsonl"
    path.write_text(TURNS[0].model_dump_json(), encoding="utf-8")
    assert list(read_jsonl(path, Turn, ignore_half_line=True)) == TURNS[:1]
    with JsonlAppender(path) as appender:
        appender.append(TURNS[1])
    assert list(read_jsonl(path, Turn)) == TURNS


@pytest.mark.parametrize("end", ["", "\n"])
def test_a_line_of_deep_brackets_is_named_and_kept(tmp_path, end):
    path = tmp_path / "turns.jsonl"
    write_jsonl_atomic(path, TURNS)
    with path.open("a", encoding="utf-8") as file:
        file.write('{"speaker": ' + "[" * 100_000 + "]" * 100_000 + "}" + end)
    with JsonlAppender(path) as appender:
        appender.append(TURNS[0])
    assert len(path.read_text(encoding="utf-8").splitlines()) == 4
    with pytest.raises(DataError, match="line 3: not a Turn record"):
        JsonlIndex(path, Turn, key=lambda row: row["speaker"], value=lambda turn: turn)
    with pytest.raises(DataError, match="line 3: not a Turn record"):
        list(read_jsonl(path, Turn))


def test_a_last_line_longer_than_a_block_is_healed(tmp_path):
    path = tmp_path / "turns.jsonl"
    long = Turn(speaker="Customer", text="ü" * 100_000)
    write_jsonl_atomic(path, [long, long])
    path.write_bytes(path.read_bytes()[:-10])
    with JsonlAppender(path) as appender:
        appender.append(TURNS[0])
    assert list(read_jsonl(path, Turn)) == [long, TURNS[0]]


def test_an_appender_flushes_each_record_and_takes_threads(tmp_path):
    path = tmp_path / "made" / "turns.jsonl"
    with JsonlAppender(path) as appender:
        appender.append(TURNS[0])
        assert list(read_jsonl(path, Turn)) == TURNS[:1]
        threads = [threading.Thread(target=lambda: [appender.append(TURNS[0]) for _ in range(50)]) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert list(read_jsonl(path, Turn)) == TURNS[:1] * 201


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"speaker": "A"}', "text: Field required"),
        (b'{"speaker": "A", "text": "x", "mood": 1}', "mood: Extra inputs are not permitted"),
        (b"{broken}", "Invalid JSON"),
        (b'{"speaker": "A", "text": "\xff"}', "Turn record"),
    ],
)
def test_a_broken_line_is_named_even_when_half_lines_are_ignored(tmp_path, line, reason):
    path = tmp_path / "turns.jsonl"
    path.write_bytes(TURNS[0].model_dump_json().encode() + b"\n\n" + line + b"\n")
    with pytest.raises(DataError, match=f"turns.jsonl line 3: .*{reason}"):
        list(read_jsonl(path, Turn, ignore_half_line=True))


def test_a_missing_file_is_a_data_error(tmp_path):
    with pytest.raises(DataError, match=r"absent\.jsonl: cannot be read"):
        list(read_jsonl(tmp_path / "absent.jsonl", Turn))
