"""`arf serve --fallback teacher`: which answers go to the teacher, what that gives on the holdout, and the server."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import aiohttp
import pytest
import scripted_team
from aiohttp import web
from conftest import open_project
from test_compare import rewrite
from typer.testing import CliRunner

from arf_programs.cli.app import app
from arf_programs.metrics.bootstrap import Resampling
from arf_programs.metrics.detectors.fallback import (
    FallbackRow,
    doubt_of,
    fallback_curve,
    point_at,
    threshold_for_errors,
    threshold_for_share,
)
from arf_programs.models.servers.vllm import free_port
from arf_programs.report.gather import fallback_curves, fallback_rows
from arf_programs.report.page.figures import fallback_plot
from arf_programs.text.student_prompt import build_user_text, read_user_text
from arf_programs.tools.serving.fallback import Limits, choose_threshold, fallback_of
from arf_programs.tools.serving.front import ANSWERED_BY, DOUBT, Fallback, Front, serve_front
from signatures.exceptions import ConfigError, ModelError, StageError

TALK = "Customer: My order 12345 is late.\nAgent: I am sorry. It comes on Monday."


def rows(count: int = 100) -> dict[str, FallbackRow]:
    """The higher the doubt, the surer the student errs; the teacher errs on one conversation in ten."""
    return {
        f"c{number}": FallbackRow(
            doubt=number / count, student_errs=number >= count // 2, teacher_errs=number % 10 == 0
        )
        for number in range(count)
    }


# The curve and its thresholds


def test_the_curve_goes_from_the_student_alone_to_the_teacher_alone():
    curve = fallback_curve("student_arf", rows(), Resampling(samples=200))
    assert curve is not None and len(curve.points) == 21
    first, last = curve.points[0], curve.points[-1]
    assert (first.threshold, first.share.value, first.errors.value) == (None, 0.0, 0.5)
    assert (last.threshold, last.share.value, last.errors.value) == (0.0, 1.0, 0.1)
    shares = [point.share.value for point in curve.points]
    assert shares == sorted(shares)
    half = point_at(rows(), 0.5, Resampling(samples=200))
    assert (half.share.value, half.errors.value) == (0.5, 0.05)
    assert half.errors.low < 0.05 < half.errors.high
    assert fallback_curve("student_arf", {}) is None


def test_the_threshold_for_an_error_rate_asks_as_seldom_as_it_can():
    found, threshold = threshold_for_errors(rows(), 0.2)
    assert found and threshold is not None
    errors = point_at(rows(), threshold, Resampling()).errors.value
    assert (100 * errors + 1) / 101 <= 0.2 < (100 * errors + 2) / 101
    assert threshold_for_errors(rows(), 0.001) == (False, None)
    assert threshold_for_errors(rows(), 0.9) == (True, None)  # the student alone is good enough


def test_an_error_rate_holds_on_new_conversations():
    """The bound of conformal risk control, over 300 seeded holdouts of 50 conversations."""
    import numpy as np

    drawn, rates = np.random.default_rng(4), []
    for _ in range(300):
        doubt = drawn.random((2, 50))
        errs = drawn.random((2, 50)) < doubt  # an answer errs as often as its doubt says, the teacher never
        held, new = (
            {
                str(number): FallbackRow(float(doubt[side][number]), bool(errs[side][number]), False)
                for number in range(50)
            }
            for side in (0, 1)
        )
        found, threshold = threshold_for_errors(held, 0.2)
        assert found
        rates.append(point_at(new, threshold, Resampling(samples=2)).errors.value)
    assert 0.15 < np.mean(rates) <= 0.2


def test_a_share_of_calls_is_not_exceeded():
    assert threshold_for_share(rows(), 0.25) == 0.75
    assert threshold_for_share(rows(), 0.0) is None
    same = {name: FallbackRow(1.0, True, False) for name in ("a", "b", "c")}
    assert threshold_for_share(same, 0.5) is None  # equal doubts are sent together or not at all


def test_one_error_of_the_checks_counts_more_than_any_score():
    assert doubt_of(1) > doubt_of(0, 0.99) > doubt_of(0, 0.2) > doubt_of(0)


# A run


def test_the_doubt_about_an_answer_is_that_of_the_checks(project: Path):
    run = open_project(project)
    found = fallback_rows(run, "student_arf")
    assert set(found) == set(run.conversations("holdout"))
    victim = next(iter(found))

    def invent(row):
        if row["system"] == "student_arf" and row["conversation_id"] == victim:
            row["text"] = "The customer was promised 9876 euros by Mr Zebulon."
        return row

    rewrite(run.folder.predictions, invent)
    assert fallback_rows(run, "student_arf")[victim].doubt >= 1


def test_the_report_draws_the_curve(project: Path):
    page = (project / "run" / "report.html").read_text(encoding="utf-8")
    assert 'id="fallback"' in page and "calls to the teacher" in page
    summary = json.loads((project / "run" / "summary.json").read_text(encoding="utf-8"))
    curve = next(item for item in summary["evaluate"]["fallback"] if item["student"] == "student_arf")
    systems = summary["evaluate"]["systems"]
    assert curve["points"][0]["errors"]["value"] == systems["student_arf"]["error_rate"]["value"]
    assert curve["points"][-1]["errors"]["value"] == systems["teacher"]["error_rate"]["value"]
    assert "The same checks find the doubtful answers" not in page  # an analyst counted the errors too


def test_a_curve_of_the_checks_alone_says_so(project: Path):
    run = open_project(project, "evaluate.analyst=false")
    (curve, *_) = fallback_curves(run)
    assert curve.circular
    assert "calls to the teacher" in fallback_plot(curve)


def test_a_limit_that_cannot_be_kept_is_refused(project: Path):
    run = open_project(project)
    for limits, words in (
        (Limits(errors=0.001), "show no threshold that keeps it"),
        (Limits(errors=0.5, calls=0.5), "give one of"),
        (Limits(usd=1.0), "have no price"),
    ):
        with pytest.raises(ConfigError, match=words):
            choose_threshold(run, "student_arf", limits)
    assert choose_threshold(run, "student_arf", Limits(calls=0.0)).share.value == 0.0
    assert choose_threshold(run, "student_arf", Limits()).threshold == 1.0


def test_options_that_do_not_go_together_are_refused(project: Path):
    for options, words in (
        (["--max-calls", "0.2"], "need --fallback teacher"),
        (["--fallback", "teacher", "--base"], "serves one student"),
    ):
        shown = CliRunner().invoke(app, ["serve", str(project / "run"), *options])
        assert shown.exit_code == 2 and words in shown.stderr


def test_the_teacher_of_the_run_answers_and_nothing_is_kept(project: Path):
    team = scripted_team.join()
    run = open_project(project)
    before = (project / "run" / "calls.jsonl").read_bytes()
    talk = next(iter(run.conversations("holdout").values()))

    async def ask(fallback: Fallback) -> tuple[str, float]:
        return await fallback.teacher(talk), await fallback.doubt(talk, "The customer paid 9876 euros.")

    with fallback_of(run, 1.0) as fallback:
        text, doubt = asyncio.run(ask(fallback))
    assert text == scripted_team.draft({"conversation": talk.as_text()})
    assert doubt >= 1 and team.asked["summary"] == 1
    assert (project / "run" / "calls.jsonl").read_bytes() == before


# The server in front


async def doubt_of_length(conversation, text: str) -> float:
    return 1.0 if "invented" in text else 0.0


async def teach(conversation) -> str:
    return f"The teacher read {len(conversation.turns)} turns."


async def fail(conversation) -> str:
    raise ModelError("no answer")


def student(answer: str) -> web.Application:
    """A student's server that always gives this answer."""

    async def complete(request: web.Request) -> web.StreamResponse:
        body = await request.json()
        assert not body.get("stream") or "raw" in body
        message = {"role": "assistant", "content": answer}
        choice = {"index": 0, "message": message, "finish_reason": "length"}
        return web.json_response({"id": "1", "model": body["model"], "choices": [choice], "usage": {"total_tokens": 3}})

    async def healthy(request: web.Request) -> web.Response:
        return web.Response(text="well")

    application = web.Application()
    application.router.add_post("/v1/chat/completions", complete)
    application.router.add_get("/health", healthy)
    return application


def asked(answer: str, fallback: Fallback | None, path: str = "/v1/chat/completions", **body):
    """(status, headers, text) of a request to the front of a student that gives `answer`."""
    question = {"model": "student_arf", "messages": [{"role": "user", "content": build_user_text(TALK)}], **body}

    async def run() -> tuple[int, dict[str, str], str]:
        ports = free_port(), free_port()
        runners = [web.AppRunner(student(answer))]
        async with aiohttp.ClientSession(f"http://127.0.0.1:{ports[0]}") as session:
            runners.append(web.AppRunner(Front(["student_arf"], session, fallback).application()))
            for runner, port in zip(runners, ports, strict=True):
                await runner.setup()
                await web.TCPSite(runner, "127.0.0.1", port).start()
            address = f"http://127.0.0.1:{ports[1]}{path}"
            method = "GET" if path != "/v1/chat/completions" else "POST"
            async with aiohttp.request(method, address, json=question if method == "POST" else None) as got:
                told = got.status, dict(got.headers), await got.text()
            for runner in runners:
                await runner.cleanup()
            return told

    return asyncio.run(run())


def content(text: str) -> str:
    return json.loads(text)["choices"][0]["message"]["content"]


def test_a_doubtful_answer_is_the_teachers_and_another_the_students():
    fallback = Fallback(doubt_of_length, teach, 0.5)
    status, headers, text = asked("An invented refund.", fallback)
    assert (status, headers[ANSWERED_BY], headers[DOUBT]) == (200, "teacher", "1.000")
    assert content(text) == "The teacher read 2 turns."
    assert json.loads(text)["choices"][0]["finish_reason"] == "stop" and "usage" not in json.loads(text)
    _, headers, text = asked("The order is late.", fallback)
    assert (headers[ANSWERED_BY], content(text)) == ("student", "The order is late.")
    _, headers, text = asked("An invented refund.", Fallback(doubt_of_length, teach, None))
    assert (headers[ANSWERED_BY], headers[DOUBT]) == ("student", "1.000")


def test_a_teacher_that_fails_leaves_the_students_answer():
    _, headers, text = asked("An invented refund.", Fallback(doubt_of_length, fail, 0.5))
    assert headers[ANSWERED_BY] == "student; the teacher failed"
    assert content(text) == "An invented refund."


def test_another_question_is_passed_through():
    other = [{"role": "user", "content": "Say an invented word."}]
    _, headers, text = asked("invented", Fallback(doubt_of_length, teach, 0.5), messages=other)
    assert (headers[ANSWERED_BY], content(text)) == ("student", "invented")
    assert DOUBT not in headers


def test_an_answer_may_be_streamed():
    _, headers, text = asked("An invented refund.", Fallback(doubt_of_length, teach, 0.5), stream=True)
    first, end, _ = text.split("\n\n")
    assert json.loads(first.removeprefix("data: "))["choices"][0]["delta"]["content"] == "The teacher read 2 turns."
    assert (end, headers[ANSWERED_BY]) == ("data: [DONE]", "teacher")


def test_models_are_listed_and_all_else_is_passed_through():
    status, _, text = asked("x", None, "/v1/models")
    assert (status, [row["id"] for row in json.loads(text)["data"]]) == (200, ["student_arf"])
    assert asked("x", None, "/health")[::2] == (200, "well")
    assert asked("x", None, "/v1/nothing")[0] == 404
    assert content(asked("plain", None, raw=1)[2]) == "plain"


def test_a_students_server_that_ends_is_an_error():
    ended = subprocess.Popen([sys.executable, "-c", "raise SystemExit(3)"])
    ended.wait()
    front = serve_front(
        ["a"], "http://127.0.0.1:1", host="127.0.0.1", port=free_port(), process=ended, when_ready=lambda: None
    )
    with pytest.raises(StageError, match="exit code 3"):
        asyncio.run(front)


def test_the_conversation_is_read_from_the_prompt_of_the_training():
    assert read_user_text(build_user_text(TALK)) == TALK
    assert read_user_text("Summarise this.") is None
