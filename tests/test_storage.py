"""Where answers and rows lie: local disks, texts only, an index that keeps nothing but places."""

import pickle
import sqlite3

import diskcache
import pytest

from arf_programs.models.answer_files import TextDisk, file_system, refuse_network_folder
from arf_programs.runner.steps import Checkpoint, remove_checkpoints
from arf_programs.runs.jsonl import JsonlIndex, write_jsonl_atomic
from signatures.exceptions import ConfigError, DataError
from signatures.records import Failure, Summary

MOUNTS = """22 1 8:1 / / rw - ext4 /dev/sda1 rw
30 22 0:40 / /srv/share rw - nfs4 server:/x rw
31 30 8:2 / /srv/share/local rw - ext4 /dev/sdb1 rw
32 22 0:41 / /srv/with\\040space rw - fuse.sshfs host: rw
"""


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("/srv/share/run", "nfs4"),
        ("/srv/share/local/run", "ext4"),
        ("/srv/with space", "fuse.sshfs"),
        ("/opt/x", "ext4"),
    ],
)
def test_a_network_folder_is_refused(tmp_path, folder, kind):
    from pathlib import Path

    mounts = tmp_path / "mountinfo"
    mounts.write_text(MOUNTS)
    assert file_system(Path(folder), mounts) == kind
    if kind == "ext4":
        refuse_network_folder(Path(folder), mounts)
    else:
        with pytest.raises(
            ConfigError, match=f"network file system \\({kind}\\).*set calls_dir to a folder on a local"
        ):
            refuse_network_folder(Path(folder), mounts)


def test_a_pickle_in_the_store_is_not_opened(tmp_path):
    with diskcache.Cache(str(tmp_path), disk=TextDisk) as cache:
        cache.set("key", "text")
        assert cache.get("key") == "text"
        with pytest.raises(TypeError):
            cache.set("other", {"not": "a text"})
    evil = sqlite3.Binary(pickle.dumps("opened"))
    with sqlite3.connect(tmp_path / "cache.db") as database:
        database.execute("update Cache set mode = 4, value = ?", (evil,))
    with diskcache.Cache(str(tmp_path), disk=TextDisk) as cache, pytest.raises(DataError, match="did not write"):
        cache.get("key")


def summaries(count):
    return [Summary(conversation_id=f"c{n}", text=f"text {n}", system="teacher", model="m") for n in range(count)]


def index(path):
    return JsonlIndex(path, Summary, key=lambda row: row["conversation_id"], value=lambda row: row)


def test_an_index_gives_the_rows_by_key_and_in_order(tmp_path):
    path = tmp_path / "rows.jsonl"
    rows = summaries(50)
    write_jsonl_atomic(path, rows)
    found = index(path)
    assert len(found) == 50
    assert list(found) == [row.conversation_id for row in rows]
    assert list(found.values()) == rows
    assert found["c17"] == rows[17]
    assert "c17" in found
    assert "c99" not in found
    assert found.get("c99") is None


def test_a_broken_row_is_named_when_the_index_is_made(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text(summaries(1)[0].model_dump_json() + "\n{broken\n")
    with pytest.raises(DataError, match=r"rows.jsonl line 2: not a Summary record"):
        index(path)


def test_a_checkpoint_knows_what_was_done_under_the_same_settings(tmp_path):
    first = Checkpoint(tmp_path, "draft", {"model": "a"})
    first.add(2, "row two", '{"n": 2}')
    first.add(0, "row zero", '{"n": 0}')
    first.close()
    half = next(tmp_path.iterdir())
    half.write_bytes(half.read_bytes() + b'{"row": "row one", "resu')
    again = Checkpoint(tmp_path, "draft", {"model": "a"})
    assert [again.recall(n, f"row {name}") for n, name in enumerate(["zero", "one", "two"])] == [True, False, True]
    again.add(1, "row one", '{"n": 1}')
    assert again.finish(tmp_path / "drafts.jsonl") == 3
    assert (tmp_path / "drafts.jsonl").read_text() == '{"n": 0}\n{"n": 1}\n{"n": 2}\n'
    assert len(list(tmp_path.iterdir())) == 2, "it stays until the stage is whole"
    remove_checkpoints(tmp_path, "draft")
    assert [path.name for path in tmp_path.iterdir()] == ["drafts.jsonl"]


def test_a_checkpoint_knows_what_failed_until_it_is_to_be_tried_again(tmp_path):
    failure = Failure(conversation_id="c1", stage="draft", reason="no answer", attempts=3, usd=0.5)
    first = Checkpoint(tmp_path, "draft", {})
    first.add_failure("row one", failure)
    first.close()
    second = Checkpoint(tmp_path, "draft", {})
    assert (second.failure("row one"), second.recall(1, "row one")) == (failure, False)
    second.close()
    third = Checkpoint(tmp_path, "draft", {}, again=True)
    assert third.failure("row one") is None
    third.add(1, "row one", "{}")
    third.close()
    last = Checkpoint(tmp_path, "draft", {})
    assert (last.failure("row one"), last.recall(1, "row one")) == (None, True)
    last.close()


def test_a_checkpoint_of_other_settings_is_not_taken_up(tmp_path):
    first = Checkpoint(tmp_path, "draft", {"model": "a"})
    first.add(0, "row", "{}")
    first.close()
    other = Checkpoint(tmp_path, "draft", {"model": "b"})
    assert not other.recall(0, "row")
    other.close()
    assert len(list(tmp_path.iterdir())) == 1
