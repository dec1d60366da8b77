"""The quickstart in batch mode over the model server, against the same answers given live."""

from __future__ import annotations

from model_server import running_server
from model_server_faults import Faults
from quickstart_script import ASKING_MORE, QUICKSTART, RECORDS, answer, write_script
from typer.testing import CliRunner

from arf_programs.cli.app import app

BATCHED = "hosted_vllm/m"


def revise(run_dir, model):
    settings = [word for setting in (f"models={{teacher: {model}}}", *ASKING_MORE) for word in ("--set", setting)]
    result = CliRunner().invoke(app, ["revise", str(QUICKSTART), "--run-dir", str(run_dir), *settings])
    assert result.exit_code == 0, result.output + result.stderr


def test_batch_mode_gives_the_same_records_as_live_mode(tmp_path):
    scripted = f"scripted/{write_script(tmp_path / 'answers.jsonl')}"
    revise(tmp_path / "live", f"'{scripted}'")
    with running_server(Faults(), answer) as server:
        mode = "mode: batch, batch: {quiet: 0.05, poll: 0.05}"
        revise(tmp_path / "batch", f"{{model: {BATCHED}, api_base: '{server.base_url}', logprobs: false, {mode}}}")
        assert len(server.batches.batches) > 2
    for name in RECORDS:
        live = (tmp_path / "live" / name).read_text().replace(scripted, BATCHED)
        assert (tmp_path / "batch" / name).read_text() == live, name
    assert '"stage": "analyze"' in (tmp_path / "batch/failures.jsonl").read_text().replace('":"', '": "')
