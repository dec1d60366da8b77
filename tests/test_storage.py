"""Where answers and rows lie: local disks, texts only, an index that keeps nothing but places."""

import os
import pickle
import sqlite3
from pathlib import Path

import diskcache
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arf_programs.models.answers.files import TextDisk, file_system, refuse_network_folder
from arf_programs.runner.steps import Checkpoint, remove_checkpoints
from arf_programs.runs.jsonl import JsonlIndex, write_jsonl_atomic
from signatures.exceptions import ConfigError, DataError
from signatures.records import Failure, Summary

MOUNTS = """22 1 8:1 / / rw - ext4 /dev/sda1 rw
30 22 0:40 / /srv/share rw - nfs4 server:/x rw
31 30 8:2 / /srv/share/local rw - ext4 /dev/sdb1 rw
32 22 0:41 / /srv/with\\040space rw - fuse.sshfs host: rw
33 22 0:42 / /srv/Büro rw - nfs4 server:/y rw
34 22 0:43 / /srv/gr\\303\\274n rw - cifs //server/z rw
35 22 0:44 / /srv/automatic rw - autofs systemd-1 rw
36 35 8:3 / /srv/automatic rw - ext4 /dev/sdc1 rw
"""


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("/srv/share/run", "nfs4"),
        ("/srv/share/local/run", "ext4"),
        ("/srv/with space", "fuse.sshfs"),
        ("/srv/Büro/run", "nfs4"),
        ("/srv/grün/run", "cifs"),
        ("/srv/automatic/run", "ext4"),
        ("/opt/x", "ext4"),
    ],
)
def test_a_network_folder_is_refused(tmp_path, folder, kind):
    mounts = tmp_path / "mountinfo"
    mounts.write_text(MOUNTS, encoding="utf-8")
    assert file_system(Path(folder), mounts) == kind
    if kind == "ext4":
        refuse_network_folder(Path(folder), mounts)
    else:
        with pytest.raises(
            ConfigError, match=f"network file system \\({kind}\\).*set calls_dir to a folder on a local"
        ):
            refuse_network_folder(Path(folder), mounts)


def mounted(tmp_path, kind: str, point: bytes = b"/data"):
    mounts = tmp_path / "mountinfo"
    mounts.write_bytes(b"22 1 8:1 / / rw - ext4 /dev/sda1 rw\n30 22 0:40 / %b rw - %b x rw\n" % (point, kind.encode()))
    return mounts


@pytest.mark.parametrize(
    "kind",
    ["ext4", "xfs", "btrfs", "zfs", "apfs", "vfat", "ntfs3", "fuseblk", "tmpfs", "overlay", "fuse.fuse-overlayfs"],
)
def test_a_local_file_system_is_taken(tmp_path, kind):
    refuse_network_folder(Path("/data/run"), mounted(tmp_path, kind))


@pytest.mark.parametrize(
    "kind",
    [
        "nfs",
        "smb3",
        "9p",
        "vboxsf",
        "davfs",
        "gfs2",
        "ocfs2",
        "orangefs",
        "fuse",
        "fuse.rclone",
        "ext4x",
        "notext4",
        "x",
    ],
)
def test_any_other_file_system_counts_as_one_of_the_network(tmp_path, kind):
    with pytest.raises(ConfigError, match=rf"network file system \({kind}\), or on one that ARF does not know"):
        refuse_network_folder(Path("/data/run"), mounted(tmp_path, kind))


@given(
    st.binary(min_size=1, max_size=30).filter(lambda name: not set(name) & set(b"/\0") and name not in (b".", b".."))
)
def test_a_mount_is_recognised_whatever_its_name(tmp_path, name):
    """The kernel escapes white space and backslashes, and writes all other bytes as they are."""
    escaped = b"".join(b"\\%03o" % byte if byte in b" \t\n\\#" else bytes([byte]) for byte in name)
    mounts = mounted(tmp_path, "nfs", b"/srv/" + escaped)
    assert file_system(Path("/srv", os.fsdecode(name), "run"), mounts) == "nfs"


@pytest.mark.parametrize("content", [None, "", "no mounts here"])
def test_a_folder_is_taken_where_the_system_lists_no_mounts(tmp_path, content):
    mounts = tmp_path / "mountinfo"
    if content is not None:
        mounts.write_text(content)
    refuse_network_folder(Path("/data/run"), mounts)


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
