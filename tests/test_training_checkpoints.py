from training.loop.records import Checkpoints, Tally


def make(checkpoints, step):
    checkpoints.path(step).mkdir(parents=True)
    (checkpoints.path(step) / "adapter_model.safetensors").write_bytes(b"")


def test_the_newest_whole_checkpoint_is_found_and_the_others_are_removed(tmp_path):
    checkpoints = Checkpoints(tmp_path, "f")
    for step in (9, 10, 11):
        make(checkpoints, step)
    checkpoints.mark_whole(9, Tally(tokens=90))
    checkpoints.mark_whole(10, Tally(tokens=100, padding=25, seconds=1.5))
    mark = checkpoints.last_whole()
    assert (mark.step, mark.tally.tokens, mark.tally.padding_share) == (10, 100, 0.2)
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint-10"]


def test_a_checkpoint_of_other_settings_or_with_a_broken_mark_counts_as_not_there(tmp_path):
    make(Checkpoints(tmp_path, "old"), 4)
    Checkpoints(tmp_path, "old").mark_whole(4, Tally())
    make(Checkpoints(tmp_path, "new"), 5)
    (tmp_path / "checkpoint-5" / "whole.json").write_text('{"fingerprint": "new", "st')
    assert Checkpoints(tmp_path, "new").last_whole() is None
    assert list(tmp_path.iterdir()) == []


def test_no_folder_is_no_checkpoint(tmp_path):
    checkpoints = Checkpoints(tmp_path / "none", "f")
    assert checkpoints.last_whole() is None
    checkpoints.remove()
