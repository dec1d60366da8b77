"""The review in a browser: Chromium, driven by Playwright, with keys alone. Skipped where there is no Chromium."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from reviewed_run import DRAFT, write_run

from arf_programs.corpus import read_labeled_file
from arf_programs.review.decisions import read_reviews
from arf_programs.review.outcomes import ReviewedRevisions
from arf_programs.runs import RunFolder, read_jsonl
from signatures.records import Revision

CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome", "chrome") if (path := shutil.which(name))), None
)
SERIOUS = ("serious", "critical")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium or Chrome is installed")


@contextmanager
def reviewing(folder: RunFolder, *options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run `arf review` as a process of its own; it gives the process and the address that opens it."""
    command = [sys.executable, "-m", "arf_programs.cli.app", "review", str(folder.path), "--no-browser", "--json"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
    with subprocess.Popen([*command, *options], stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            lines: list[str] = []
            while lines[-1:] != ["}\n"]:
                lines.append(process.stdout.readline())
                assert lines[-1], "the server has ended"
            yield process, json.loads("".join(lines))["url"]
        finally:
            process.kill()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


def open_page(browser: Any, url: str) -> Any:
    """Open a page whose `problems` are what its scripts failed with."""
    page = browser.new_context(viewport={"width": 1400, "height": 900}).new_page()
    page.set_default_timeout(20_000)
    problems: list[str] = []
    page.problems = problems
    page.on("pageerror", lambda error: page.problems.append(str(error)))
    page.goto(url)
    return page


def keys(page: Any, *pressed: str) -> None:
    for key in pressed:
        page.keyboard.press(key)


def progress(page: Any, text: str) -> None:
    page.get_by_text(text, exact=False).first.wait_for()


def choose_word(page: Any, word: str) -> None:
    """Move the cursor to a word of the summary, by keys."""
    words = [item.strip(".") for item in DRAFT.split()]
    keys(page, *["ArrowRight"] * (words.index(word) + 1))


def mark_the_lamp(page: Any) -> None:
    """Mark the wrong word, cite the turn, say why, correct it, rate it, and finish: with keys alone."""
    choose_word(page, "lamp")
    page.locator("[data-word].chosen", has_text="lamp").wait_for()
    keys(page, page.get_by_role("button", name="Wrong fact").get_attribute("data-key"))
    progress(page, "1 error")
    keys(page, "ArrowDown", "ArrowDown")
    page.locator("#turn2:focus").wait_for()
    keys(page, "Enter")
    page.locator("#turn2[aria-pressed=true]").wait_for()
    keys(page, "w")
    page.locator("#why:focus").wait_for()
    page.keyboard.type("It was a kettle.")
    keys(page, "Escape", "e")
    page.locator("#revised:focus").wait_for()
    page.keyboard.type(DRAFT.replace("lamp", "kettle"))
    keys(page, "Escape", "g")
    page.locator("#rating1:focus").wait_for()
    keys(page, "ArrowRight")
    page.locator("#rating2:checked").wait_for()
    keys(page, "Escape", "d")


def test_thirty_summaries_are_labelled_by_keys_alone_and_a_killed_server_loses_nothing(browser, tmp_path):
    folder = write_run(tmp_path / "run", count=30)
    with reviewing(folder, "--reviewer", "anna") as (process, url):
        page = open_page(browser, url)
        page.goto(url.partition("/start")[0] + "/label?side=train")
        mark_the_lamp(page)
        progress(page, "1 of 30 reviewed")
        keys(page, "n", "a", "n", "a")
        progress(page, "3 of 30 reviewed")
        page.reload()
        progress(page, "3 of 30 reviewed")
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        keys(page, "n", "a")
        progress(page, "Not saved: the server does not answer")
        assert page.problems == []
    rows = read_labeled_file(folder.labeled)
    assert len(rows) == 3
    (marked,) = [row for row in rows if row.errors]
    (note,) = marked.errors
    assert (note.quote, note.evidence, note.explanation) == ("lamp", (2,), "It was a kettle.")
    assert (marked.revised, marked.rating) == (DRAFT.replace("lamp", "kettle"), 2)
    with reviewing(folder, "--reviewer", "anna") as (_, url):
        page = open_page(browser, url)
        page.goto(url.partition("/start")[0] + "/label?side=train")
        progress(page, "3 of 30 reviewed")
        for number in range(4, 31):
            keys(page, "a", "n")
            progress(page, f"{number} of 30 reviewed")
        keys(page, "u")
        progress(page, "29 of 30 reviewed")
        assert page.problems == []
    assert len(read_labeled_file(folder.labeled)) == 29


def test_edits_are_accepted_rejected_and_rewritten_by_keys(browser, tmp_path):
    folder = write_run(tmp_path / "run")
    with reviewing(folder, "--reviewer", "ben", "--row", "kettle-01") as (_, url):
        page = open_page(browser, url)
        progress(page, "kettle-01")
        assert page.title().startswith("Revisions")  # the conversation's script did not run
        keys(page, "a", "r")
        progress(page, "1 of 12 reviewed")
        page.goto(page.url.partition("?")[0] + "?verdict=rejected")
        keys(page, "a", "e")
        page.locator("#rewritten:focus").wait_for()
        keys(page, "Control+A")
        page.keyboard.type("Wednesday")
        keys(page, "Control+Enter")
        progress(page, "1 of 4 reviewed")
        keys(page, "u")
        progress(page, "0 of 4 reviewed")
        keys(page, "r", "?")
        page.locator("dialog[open]").wait_for()
        keys(page, "Escape", "j", "k")
        progress(page, "1 of 4 reviewed")
        assert page.problems == []
    reviewed = ReviewedRevisions(read_reviews(folder))
    found = {
        row.verdict.value: reviewed.outcome(row)
        for row in read_jsonl(folder.revisions, Revision)
        if reviewed.outcome(row)
    }
    assert found["verified"].text == DRAFT.replace("lamp", "kettle")
    assert (found["rejected"].kind, found["rejected"].text) == ("rejected", DRAFT.replace("lamp", "kettle"))


def test_words_are_marked_with_the_mouse(browser, tmp_path):
    folder = write_run(tmp_path / "run")
    with reviewing(folder) as (_, url):
        page = open_page(browser, url)
        page.goto(url.partition("/start")[0] + "/label?side=train")
        page.locator("[data-word]", has_text="Monday").click()
        page.get_by_role("button", name="Fabricated statement").click()
        progress(page, "1 error")
        page.locator("#turn1").click()
        page.locator("#turn1[aria-pressed=true]").wait_for()
        page.locator("#finish").click()
        progress(page, "1 of 12 reviewed")
    (row,) = read_labeled_file(folder.labeled)
    assert [(note.quote, note.evidence, note.category) for note in row.errors] == [("Monday", (1,), "fabricated")]


@pytest.mark.parametrize("width", [1400, 800, 390])
def test_nothing_is_wider_than_the_screen(browser, tmp_path, width):
    folder = write_run(tmp_path / "run")
    with reviewing(folder) as (_, url):
        page = open_page(browser, url)
        page.set_viewport_size({"width": width, "height": 900})
        for path in ("/revision", "/label", "/figures"):
            page.goto(url.partition("/start")[0] + path)
            assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(browser, tmp_path, scheme):
    """axe-core looks for what hinders people who use a keyboard or a screen reader, or see little contrast."""
    from axe_playwright_python.sync_playwright import Axe

    with reviewing(write_run(tmp_path / "run")) as (_, url):
        page = open_page(browser, url)
        page.emulate_media(color_scheme=scheme)
        for path in ("/revision", "/label", "/figures"):
            page.goto(url.partition("/start")[0] + path)
            found = Axe().run(page).response["violations"]
            serious = [(item["id"], item["nodes"][0]["html"]) for item in found if item["impact"] in SERIOUS]
            assert serious == [], path


def test_axe_finds_nothing_serious_in_a_report(browser, finished_project):
    from axe_playwright_python.sync_playwright import Axe

    page = open_page(browser, (finished_project / "run" / "report.html").as_uri())
    found = Axe().run(page).response["violations"]
    assert [(item["id"], item["nodes"][0]["html"]) for item in found if item["impact"] in SERIOUS] == []
