"""A whole run with pseudonyms, against a server that keeps every request."""

import json
import stat

import pytest
from conftest import open_project
from private_project import find_originals, originals, private_values, serving_team, write_project
from tiny_model import save_tiny_model

from arf_programs import pipeline
from arf_programs.privacy import read_values
from arf_programs.runs import read_jsonl
from signatures.records import Revision, Summary, TrainingExample


@pytest.fixture(scope="module")
def server():
    with serving_team() as running:
        yield running


def finish(folder, server, privacy, last="report"):
    server.calls.clear()
    write_project(folder, server.url, privacy, base=save_tiny_model(folder / "tiny"))
    run = open_project(folder)
    pipeline.run_until(run, last)
    return run


@pytest.fixture(scope="module")
def finished(tmp_path_factory, server):
    run = finish(tmp_path_factory.mktemp("originals"), server, "{pseudonyms: true}")
    return run, [json.dumps(body, ensure_ascii=False) for body in server.calls]


def test_no_request_has_an_original_value(finished):
    _, sent = finished
    assert len(sent) > 40
    assert not [(found, body[:300]) for body in sent if (found := find_originals(body))]


def test_amounts_are_sent_as_they_are(finished):
    assert any("€41.50" in body for body in finished[1])


def test_the_files_of_the_run_have_the_originals(finished):
    run, _ = finished
    drafts = {draft.conversation_id: draft.text for draft in read_jsonl(run.folder.drafts, Summary)}
    for number in range(8):
        has = private_values(number)
        assert drafts[f"p{number}"].startswith(f"{has['given']} {has['surname']} wrote that the ")
        assert has["order"] in drafts[f"p{number}"]
    revisions = list(read_jsonl(run.folder.revisions, Revision))
    mended = [row for row in revisions if row.verdict == "verified"]
    assert mended  # quotes of the analyst and the editor match the drafts
    assert all(row.before == drafts[row.conversation_id] for row in revisions)
    examples = list(read_jsonl(run.folder.train / "arf.jsonl", TrainingExample))
    assert all(find_originals(example.completion) for example in examples)


def test_stored_answers_and_what_was_sent_hold_no_original(finished):
    run, sent = finished
    stored = b"".join(path.read_bytes() for path in run.folder.calls.rglob("*") if path.is_file())
    assert not find_originals(stored.decode("utf-8", "ignore"))
    lines = run.folder.sent.read_text(encoding="utf-8").splitlines()
    assert len(lines) == len(sent)
    assert not find_originals("\n".join(lines))


def test_the_mapping_is_in_a_file_that_only_its_owner_reads(finished):
    run, _ = finished
    values = {item.value: item.stand_in for row in read_values(run.folder) for item in row.values}
    assert set(originals()) - {"Thistledown"} <= set(values)
    assert values["4111 1111 1111 1111"] != "4111 1111 1111 1111"
    assert stat.S_IMODE(run.folder.pseudonyms.stat().st_mode) == 0o600


def test_a_second_run_pays_for_nothing(finished, server):
    run, sent = finished
    for name in ("drafts.jsonl", "revisions.jsonl"):
        (run.folder / name).unlink()
    pipeline.run_until(open_project(run.base_dir), "report")
    assert len(server.calls) == len(sent)


def test_with_keep_pseudonyms_no_file_has_an_original(tmp_path, server):
    run = finish(tmp_path, server, "{pseudonyms: true, keep: pseudonyms}", last="revise")
    assert not [found for body in server.calls if (found := find_originals(json.dumps(body, ensure_ascii=False)))]
    for path in run.folder.path.rglob("*"):
        if path.is_file() and path != run.folder.pseudonyms:
            text = path.read_bytes().decode("utf-8", "ignore")
            assert not find_originals(text), path
    assert any(row.verdict == "verified" for row in read_jsonl(run.folder.revisions, Revision))
