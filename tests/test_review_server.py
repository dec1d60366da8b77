"""The server of the review: who is let in, what a page shows, and what an act stores."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import get_args

import pytest
from fastapi.testclient import TestClient
from reviewed_run import DRAFT, HOSTILE, write_run
from typer.testing import CliRunner

from arf_programs.cli.app import app
from arf_programs.corpus import read_labeled_file, read_taxonomy
from arf_programs.review.agreement import wilson
from arf_programs.review.decisions import Job, open_reviews, read_reviews
from arf_programs.review.guard import Guard
from arf_programs.review.server import build_app
from arf_programs.review.session import Filters, ReviewSession
from arf_programs.review.start import read_order
from arf_programs.review.view import cut, revision_page, stop_hint
from arf_programs.runs import write_jsonl_atomic
from signatures.exceptions import DataError

HOST = "127.0.0.1:8765"
ORIGIN = {"origin": f"http://{HOST}"}


@pytest.fixture
def opened(tmp_path) -> Iterator[tuple[ReviewSession, TestClient]]:
    yield from open_review(tmp_path)


def open_review(
    tmp_path, *, blind: bool = False, checks_alone: bool = False
) -> Iterator[tuple[ReviewSession, TestClient]]:
    folder = write_run(tmp_path / "run")
    with open_reviews(folder, "anna") as file:
        session = ReviewSession(
            folder,
            file,
            read_taxonomy(folder.taxonomy),
            seed=0,
            name="kettles",
            blind=blind,
            checks_alone=checks_alone,
        )
        guard = Guard(8765)
        with TestClient(build_app(session, guard), base_url=f"http://{HOST}") as client:
            assert client.get(f"/start/{guard.token}").status_code == 200
            client.guard = guard
            yield session, client


def post(client: TestClient, session: ReviewSession, **act):
    return client.post("/act", json=act, headers=ORIGIN)


def row_of(session: ReviewSession, job: Job, name: str = "kettle-01", system: str = ""):
    return next(row for row in session.rows[job] if row.conversation_id == name and system in ("", row.system))


# Who is let in


def test_the_token_opens_one_browser_and_no_other(opened):
    _, client = opened
    assert client.get("/revision").status_code == 200
    other = TestClient(client.app, base_url=f"http://{HOST}")
    assert other.get("/revision").status_code == 403
    assert other.get(f"/start/{client.guard.token}").status_code == 403
    assert other.get("/start/guess").status_code == 403
    (cookie,) = client.cookies.jar
    assert cookie.has_nonstandard_attr("HttpOnly")
    assert cookie.get_nonstandard_attr("SameSite") == "strict"


def test_another_host_and_another_origin_are_refused(opened):
    session, client = opened
    row = row_of(session, "revision").key
    act = {"op": "choose", "job": "revision", "row": row, "at": 0, "choice": "accept"}
    assert client.get("/revision", headers={"host": "evil.example:8765"}).status_code == 403
    assert client.get("/revision", headers={"sec-fetch-site": "cross-site"}).status_code == 403
    for headers in ({}, {"origin": "http://evil.example"}, {"origin": "null"}, {"origin": "http://127.0.0.1:1"}):
        assert client.post("/act", json=act, headers=headers).status_code == 403
    assert client.delete("/act", headers=ORIGIN).status_code == 403
    assert client.post("/act", content="x" * 200_000, headers=ORIGIN).status_code == 403
    assert read_reviews(session.folder) == []
    assert client.post("/act", json=act, headers=ORIGIN).status_code == 200


def test_no_page_runs_or_loads_anything_foreign(opened):
    _, client = opened
    for path in ("/revision", "/label", "/figures", "/review.js", "/nothing", "/start/guess"):
        answer = client.get(path)
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy and "http" not in policy
        assert answer.headers["cache-control"] == "no-store"
        assert "<script>" not in answer.text and not re.search(r"<[^>]+\son\w+=", answer.text)


def test_hostile_words_are_shown_as_words(opened):
    session, client = opened
    for job in get_args(Job):
        text = client.get(f"/{job}", params={"row": row_of(session, job).key}).text
        assert "&lt;script&gt;document.title" in text
        assert "<img" not in text and "\u202e" not in text
    key = row_of(session, "revision").key
    words = {"op": "choose", "job": "revision", "row": key, "at": 1, "choice": "rewrite", "text": HOSTILE}
    answer = post(client, session, **words).text
    assert "<script>" not in answer and "<img" not in answer and "&lt;/textarea&gt;" in answer


# Acts


def test_edits_are_decided_one_by_one_and_undone(opened):
    session, client = opened
    key = row_of(session, "revision").key
    act = {"op": "choose", "job": "revision", "row": key}
    first = post(client, session, **act, at=0, choice="accept").text
    assert "1 of 12 reviewed" not in first
    assert re.search(r'id="accept"[^>]*"at": 1', first)  # the next edit is the present one
    second = post(client, session, **act, at=1, choice="rewrite", text="Wednesday").text
    assert "1 of 12 reviewed" in second and "Wednesday" in second
    assert [(line.edit, line.choice, line.rewrite) for line in read_reviews(session.folder)] == [
        (0, "accept", ""),
        (1, "rewrite", "Wednesday"),
    ]
    assert "0 of 12 reviewed" in post(client, session, op="undo", job="revision", row=key).text
    assert "0 of 12 reviewed" in post(client, session, op="undo", job="revision", row=key).text
    nothing = post(client, session, op="undo", job="revision", row=key)
    assert (nothing.status_code, nothing.text) == (422, "There is nothing to undo.\n")
    assert len(read_reviews(session.folder)) == 4


@pytest.mark.parametrize(
    "act",
    [
        {"op": "choose", "at": 7, "choice": "accept"},
        {"op": "choose", "at": 0},
        {"op": "choose", "at": 0, "choice": "rewrite", "text": "  "},
        {"op": "finish"},
        {"op": "burn"},
        {"op": "choose", "at": 0, "choice": "accept", "row": "nobody"},
    ],
)
def test_what_is_not_possible_stores_nothing(opened, act):
    session, client = opened
    answer = post(client, session, **{"job": "revision", "row": row_of(session, "revision").key, **act})
    assert answer.status_code == 422 and len(answer.text) > 10
    assert read_reviews(session.folder) == []


def test_a_label_is_written_where_labeled_path_reads_it(opened):
    session, client = opened
    act = {"job": "label", "row": row_of(session, "label").key}
    start = DRAFT.index("lamp")
    post(client, session, **act, op="mark", category="wrong_fact", start=start, end=start + 4)
    post(client, session, **act, op="evidence", at=0, turn=2)
    assert not session.folder.labeled.exists()
    assert "1 of 16 reviewed" in post(client, session, **act, op="finish").text
    (row,) = read_labeled_file(session.folder.labeled)
    assert (row.errors[0].quote, row.errors[0].evidence) == ("lamp", (2,))
    post(client, session, op="undo", job="label", row=act["row"])
    assert session.folder.labeled.read_text() == ""


def test_filters_choose_rows_and_next_goes_to_one_without_a_decision(opened):
    session, client = opened
    text = client.get("/revision", params={"verdict": "rejected", "category": "fabricated", "score": "unsure"}).text
    assert "0 of 4 reviewed (of 12)" in text
    assert "verdict=rejected&amp;category=fabricated&amp;score=unsure&amp;row=" in text
    assert "No revision matches" in client.get("/revision", params={"channel": "letter"}).text
    assert client.get("/revision", params={"row": "nobody"}).status_code == 404
    assert "0 of 4 reviewed" in client.get("/label", params={"side": "holdout"}).text
    done = row_of(session, "revision", "kettle-02")
    for at in (0, 1):
        act = {"op": "choose", "job": "revision", "row": done.key, "at": at, "choice": "accept"}
        post(client, session, **act, query="verdict=rejected")
    assert "0 of 3 reviewed" in client.get("/revision", params={"verdict": "rejected", "state": "open"}).text


@pytest.mark.parametrize(("checks_alone", "said"), [(True, "passed the checks"), (False, "verified")])
def test_a_revision_that_no_model_looked_at_only_passed_the_checks(tmp_path, checks_alone, said) -> None:
    for session, client in open_review(tmp_path, checks_alone=checks_alone):
        row = next(row for row in session.rows["revision"] if row.verdict == "verified")
        page = client.get("/revision", params={"row": row.key}).text
        assert f'<span class="badge v-verified">{said}</span>' in page
        assert f'<option value="verified">{said}</option>' in page


def test_blind_hides_who_wrote_what(tmp_path):
    for session, client in open_review(tmp_path, blind=True):
        shown = client.get("/label").text + client.get("/revision").text
        for word in ("student_arf", "teacher", "scripted", "kettle-0", "verified", "(check)"):
            assert word not in shown, word
        systems = [row.system for row in session.rows["label"] if row.side == "holdout"]
        assert systems != sorted(systems)


def test_the_figures_are_those_of_all_reviewers(opened):
    session, client = opened
    assert "Nobody has reviewed anything yet" in client.get("/figures").text
    key = row_of(session, "revision").key
    for at in (0, 1):
        post(client, session, op="choose", job="revision", row=key, at=at, choice="accept")
    with open_reviews(session.folder, "ben") as file:
        row = row_of(session, "revision")
        about = {"job": "revision", "conversation_id": row.conversation_id, "shown": row.shown}
        for at in (0, 1):
            file.append(file.new_line({**about, "edit": at, "choice": "accept"}))
    text = client.get("/figures").text
    assert "anna, ben" in text and "edits: wrong fact" in text and "100%" in text


def test_the_conversations_of_an_order_come_first_in_its_order(tmp_path):
    folder = write_run(tmp_path / "run")
    order = tmp_path / "arf_difficulty.jsonl"
    order.write_text("".join(json.dumps({"conversation_id": name}) + "\n" for name in ("kettle-04", "kettle-01")))
    with open_reviews(folder, "anna") as file:
        plain, given = (
            ReviewSession(folder, file, read_taxonomy(folder.taxonomy), seed=0, name="kettles", first=first)
            for first in ((), read_order(order))
        )
    names = [row.conversation_id for row in given.rows["revision"]]
    assert names[:2] == ["kettle-04", "kettle-01"]
    assert names[2:] == [
        row.conversation_id for row in plain.rows["revision"] if row.conversation_id not in ("kettle-04", "kettle-01")
    ]
    assert given.in_random_order == plain.in_random_order, "shares are estimated from the same random rows"


@pytest.mark.parametrize("content", ["", "{", '{"id": 3}', "[3]"])
def test_an_order_that_names_no_conversation_is_refused(tmp_path, content):
    (tmp_path / "order.jsonl").write_text(content)
    with pytest.raises(DataError, match=r"order\.jsonl: its lines name no conversation"):
        read_order(tmp_path / "order.jsonl")
    with pytest.raises(DataError, match="cannot be read"):
        read_order(tmp_path / "none.jsonl")


def test_a_hint_says_when_to_stop():
    assert "you may stop here" in stop_hint(wilson(97, 100), "accepted")
    assert "go on" in stop_hint(wilson(3, 5), "accepted")
    assert stop_hint(wilson(97, 100, sample=False), "accepted") == "" == stop_hint(None, "accepted")


def test_a_reviewer_is_told_to_stop_when_the_share_is_known(tmp_path):
    folder = write_run(tmp_path / "run", count=150)
    with open_reviews(folder, "anna") as file:
        session = ReviewSession(folder, file, read_taxonomy(folder.taxonomy), seed=0, name="kettles")
        row = row_of(session, "revision", "kettle-01")
        verified = [other for other in session.in_random_order["revision"] if other.verdict == "verified"]
        for number, other in enumerate(verified):
            if number == 10:
                assert revision_page(session, row, Filters(), None).page.hint == ""
            for at in other.edits:
                about = {"job": "revision", "conversation_id": other.conversation_id, "shown": other.shown}
                file.append(file.new_line({**about, "edit": at, "choice": "accept"}))
        share = session.share_so_far(row)
        assert (share.value, share.n, share.is_narrow) == (1.0, 50, True)
        assert "you may stop here" in revision_page(session, row, Filters(), None).page.hint


def test_a_text_is_cut_at_its_edits():
    assert [(piece.text, piece.on) for piece in cut("a bc d", {0: (2, 4), 1: (5, 5)})] == [
        ("a ", ()),
        ("bc", (0,)),
        (" ", ()),
        ("", (1,)),
        ("d", ()),
    ]


def test_a_run_that_was_revised_meanwhile_is_no_failure(opened):
    session, client = opened
    row = row_of(session, "revision")
    write_jsonl_atomic(session.folder.revisions, [])
    answer = client.get("/revision", params={"row": row.key})
    assert (answer.status_code, "Start `arf review` again" in answer.text) == (409, True)
    act = {"op": "choose", "job": "revision", "row": row.key, "at": 0, "choice": "accept"}
    assert post(client, session, **act).status_code == 409
    assert read_reviews(session.folder) == []


# The command


def test_the_command_says_what_is_missing(tmp_path):
    assert "is no run" in CliRunner().invoke(app, ["review", str(tmp_path)]).output
    folder = write_run(tmp_path / "run")
    wrong = CliRunner().invoke(app, ["review", str(folder.path), "--no-browser", "--row", "nobody", "--json"])
    assert wrong.exit_code == 2
    assert "no such conversation" in json.loads(wrong.stdout)["problems"][0]
    folder.revisions.unlink()
    folder.drafts.unlink()
    folder.predictions.unlink()
    empty = CliRunner().invoke(app, ["review", str(folder.path), "--no-browser"])
    assert empty.exit_code == 2 and "arf draft" in empty.output
