"""The report: honest, whole, and safe with hostile text."""

import base64
import hashlib
import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest

from arf_programs.metrics.systems.comparisons import Comparison
from arf_programs.report.data import ReportData, RevisionCase, RunSummary
from arf_programs.report.gather import revision_costs, sample_revisions
from arf_programs.report.page.cases import mark_errors, word_diff
from arf_programs.report.page.headline import headline, outcome
from arf_programs.report.page.render import render_report
from arf_programs.report.page.svg import loss_curve, smoothed, thinned, ticks
from arf_programs.report.probe import Table
from arf_programs.report.text import dollars, duration, figure, system_label
from arf_programs.runs.ledger import Call
from arf_programs.text import clean
from signatures.records import Category, Conversation, Edit, ErrorNote, Failure, RefusedEdit, Revision, Taxonomy, Turn

HOSTILE = (
    "</style></script><script>alert(1)</script><img src=x onerror=alert(2)> "
    "\"' onload='x {{ 7*7 }} \x1b[31m \u202egp.exe"
)
VERDICTS = ("verified", "rejected", "verified", "unchanged")
VOID = {"meta", "input", "br", "hr", "img", "link"}


class Page(HTMLParser):
    """Elements, attributes and visible text of a page; raises on a tag that is closed out of order."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert not self._open, self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self._open or self._open[-1] not in ("style", "script"):
            self.text.append(data)

    def words(self) -> str:
        return " ".join(" ".join(self.text).split())


def comparison(low: float, high: float, *, metric: str = "error_rate", n: int = 40) -> dict[str, object]:
    return {
        "a": "student_arf",
        "b": "teacher",
        "metric": metric,
        "difference": (low + high) / 2,
        "low": low,
        "high": high,
        "n": n,
    }


def summary(*comparisons: dict[str, object]) -> dict[str, object]:
    interval = {"value": 0.4375, "low": 0.25, "high": 0.625, "n": 32}
    return {
        "name": "demo",
        "arf_version": "0.1.0",
        "finished": True,
        "corpus": {"conversations": 1160, "train": 1128, "holdout": 32, "failed": 3},
        "analyze": {"drafts": 1128, "with_errors": 571, "errors": 903, "by_category": {"wrong_fact": 417}},
        "revise": {"unchanged": 557, "verified": 502, "rejected": 66, "failed": 3},
        "train": {"arf": {"examples": 1059, "steps": 530, "tokens": 987654, "loss_first": 2.345, "loss_last": 1.234}},
        "evaluate": {
            "systems": {
                "teacher": {"error_rate": interval, "rating": {"value": 3.25, "low": 3, "high": 3.5, "n": 32}},
                "student_arf": {"error_rate": {"value": 0.1875, "low": 0.0625, "high": 0.3125, "n": 32}},
            },
            "comparisons": list(comparisons) or [comparison(-0.4, -0.1)],
        },
        "spend": {
            "calls": 4321,
            "cached": 1234,
            "failed": 98,
            "prompt_tokens": 7654321,
            "completion_tokens": 234567,
            "usd": 12.345,
            "seconds": {"analyze": 425.0},
        },
    }


def case(text: str = "It came on 6 May.", **fields: object) -> RevisionCase:
    conversation = Conversation(
        id=text, channel=text, turns=(Turn(speaker=text, text=text), Turn(speaker="B", text="-"))
    )
    note = ErrorNote(
        id="e", category=fields.pop("category", "wrong_fact"), quote=text[:6], evidence=(2,), explanation=text
    )
    revision = Revision.model_validate(
        {
            "conversation_id": text,
            "before": text,
            "after": text + " Added.",
            "strategy": text,
            "model": text,
            "verdict": "verified",
            "attempts": 1,
            "errors": (note,),
            "remaining": (note,),
            "refused": (RefusedEdit(edit=Edit.model_validate({"op": "delete", "quote": text}), reason=text),),
            "feedback": (text,),
            **fields,
        }
    )
    return RevisionCase(conversation=conversation, revision=revision)


def causal(category: str) -> list[dict[str, object]]:
    """A causal table of one category, and of any error."""

    def interval(value: float) -> dict[str, float]:
        return {"value": value, "low": value - 0.0625, "high": value + 0.0625, "n": 32}

    training = {"drafts": 0.5, "revisions": 0.125, "change": -0.375, "fixed": 0.75, "added": 0.0625}
    holdout = {
        "holdout": {"teacher": interval(0.5), "student_arf": interval(0.25)},
        "against_teacher": {"student_arf": interval(-0.25)},
        "gain": {"student_arf": interval(-0.375)},
        "part": {"student_arf": 0.875},
    }
    shares = {name: interval(value) for name, value in training.items()}
    return [{"category": name, **shares, **holdout} for name in ("", category)]


def full(text: str = "plain words") -> ReportData:
    figures = summary()
    figures["spend"]["seconds"][text] = 1.0  # type: ignore[index]
    figures["train"][text] = figures["train"]["arf"]  # type: ignore[index]
    figures["costs"] = {
        text: {
            "revisions": 3,
            "verified": 2,
            "calls": 9,
            "calls_per_verified": 4.5,
            "tokens_per_verified": 1234.4,
            "usd_per_verified": 0.0123,
        }
    }
    figures["evaluate"]["systems"][text] = figures["evaluate"]["systems"]["teacher"]  # type: ignore[index]
    strata = {text: {text: {"n": 3, "error_rate": 0.0625}}}
    figures["evaluate"] |= {"by_channel": strata, "by_length": strata, "causal": causal(text)}  # type: ignore[operator]
    return ReportData(
        name=text,
        summary=RunSummary.model_validate(figures),
        errors_by_category={"teacher": {text: 0.5, "wrong_fact": 0.28125}, text: {text: 1.0}},
        losses={text: ((1, 2.5), (2, float("nan")), (3, 1.5))},
        revisions=(case(text, category=text),),
        revisions_total=1125,
        failures=(Failure(conversation_id=text, stage=text, system=text, reason=text),) * 7,
        taxonomy=Taxonomy(categories=(Category(id="wrong_fact", name=text, definition=text, example=text),)),
        config_yaml=text,
        prompts={text: text},
    )


def test_the_figures_shown_are_those_of_the_data() -> None:
    words = Page(render_report(full())).words()
    for shown in (
        "1,160 conversations", "1,128 to train on, 32 held out, 3 left out",  # corpus
        "571 with an error", "51% of the drafts, 903 errors", "502 verified", "557 unchanged", "66 rejected",
        "3 failed",
        "1,059 training examples", "987,654", "2.345", "1.234",  # training
        "43.8% 25.0–62.5", "18.8% 6.2–31.2", "3.25 3.00–3.50",  # systems
        "−25.0 pts −40.0 to −10.0", "6.2%",  # comparison, channel
        "0.50", "0.28",  # categories
        "50.0% 43.8–56.2", "75.0% 68.8–81.2, of 32", "25.0% −31.2 to −18.8", "−0.38 −0.44 to −0.31 88%",  # causal table
        "4,321 98 more tries failed", "1,234 29%", "7,654,321", "234,567", "$12.35", "7 min 05 s",  # spend
        "4.5 1,234 $0.01",  # a verified revision
        "7 rows failed", "417",  # failures, taxonomy
    ):  # fmt: skip
        assert shown in words, shown


def test_hostile_text_does_not_become_markup() -> None:
    plain, hostile = Page(render_report(full())), Page(render_report(full(HOSTILE)))
    assert [tag for tag, _ in hostile.elements] == [tag for tag, _ in plain.elements]
    for (_, expected), (tag, attributes) in zip(plain.elements, hostile.elements, strict=True):
        assert attributes.keys() == expected.keys(), tag
        assert not any(name.startswith("on") or name == "style" for name in attributes)
    assert "<img src=x onerror=alert(2)>" in hostile.words(), "it is shown as it was written"
    assert "{{ 7*7 }}" in hostile.words()


def test_control_characters_and_overrides_are_made_visible() -> None:
    html = render_report(full(HOSTILE))
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", html)
    assert "\ufffdgp.exe" in html
    assert clean("a\x00b\u202ec\u2066d\ud800e") == "a\ufffdb\ufffdc\ufffdd\ufffde"
    assert clean("a\r\nb\u2028c\td\u200fש👩\u200d💻") == "a\nb\nc\td\u200fש👩\u200d💻"
    html.encode("utf-8")


def test_nothing_is_loaded_and_only_our_own_script_and_style_may_run() -> None:
    html = render_report(full("https://evil.example/x.js"))
    page = Page(html)
    links = [attributes[name] for _, attributes in page.elements for name in ("href", "src") if name in attributes]
    ids = {attributes.get("id") for _, attributes in page.elements}
    assert links and all(link and link.startswith("#") and link[1:] in ids for link in links)
    assert {"link", "img", "iframe", "object", "base"}.isdisjoint(tag for tag, _ in page.elements)
    policy = next(a["content"] for _, a in page.elements if a.get("http-equiv") == "Content-Security-Policy") or ""
    assert policy.startswith("default-src 'none'; ") and "unsafe" not in policy and "http" not in policy
    for tag in ("style", "script"):
        inline = re.findall(f"<{tag}>(.*?)</{tag}>", html, re.DOTALL)
        assert len(inline) == 1
        assert "http" not in inline[0] and "url(" not in inline[0] and "@import" not in inline[0]
        assert base64.b64encode(hashlib.sha256(inline[0].encode()).digest()).decode() in policy


def test_ids_are_unique() -> None:
    data = full().model_copy(update={"revisions": (case("One."), case("Two."))})
    ids = [attributes["id"] for _, attributes in Page(render_report(data)).elements if "id" in attributes]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("text", ["plain words", HOSTILE])
def test_every_plot_is_well_formed_and_described(text: str) -> None:
    drawings = re.findall(r"<svg .*?</svg>", render_report(full(text)), re.DOTALL)
    roots = [ElementTree.fromstring(drawing) for drawing in drawings]
    assert len(roots) > 8
    for root in roots:
        if root.get("aria-hidden") == "true":
            continue
        assert root.get("role") == "img"
        labels = {child.get("id"): child.text for child in root if child.tag in ("title", "desc")}
        assert all(labels[name] for name in (root.get("aria-labelledby") or "").split())


@pytest.mark.parametrize(
    "figures",
    [
        {},
        {"finished": False, "corpus": {"conversations": 2, "train": 1, "holdout": 1}},
        {"evaluate": {"systems": {"student_arf": {"error_rate": {"value": 0, "low": 0, "high": 0}}}}},
        {"train": {"arf": {"examples": 1}}, "evaluate": {"systems": {"teacher": {}}}},
        summary(comparison(0.0, 0.0, n=1)),
    ],
)
def test_minimal_runs_can_be_rendered(figures: dict[str, object]) -> None:
    page = Page(render_report(ReportData(name="tiny", summary=RunSummary.model_validate(figures))))
    assert "Nothing failed." in page.words()
    assert ("not finished" in page.words()) == (figures.get("finished") is False)


def test_zero_errors_and_one_loss_can_be_drawn() -> None:
    data = ReportData(
        name="clean",
        summary=RunSummary(),
        errors_by_category={"teacher": {"wrong_fact": 0.0}, "student_arf": {}},
        losses={"arf": ((1, 2.0),), "teacher": ()},
        revisions=(case(verdict="unchanged", after="It came on 6 May.", errors=(), remaining=(), refused=()),),
    )
    words = Page(render_report(data)).words()
    assert "The draft, unchanged." in words and "0 errors" in words


@pytest.mark.parametrize(
    ("low", "high", "n", "title"),
    [
        (-0.4, -0.1, 40, "The student beats its teacher."),
        (0.1, 0.4, 40, "The student does worse than its teacher."),
        (-0.4, 0.1, 40, "The student is not shown to beat its teacher."),
        (-0.4, 0.0, 40, "The student is not shown to beat its teacher."),
        (-1.0, -1.0, 1, "The student is not shown to beat its teacher."),
        (-1.0, -0.5, 9, "The student is not shown to beat its teacher."),
    ],
)
def test_the_headline_claims_no_more_than_the_interval(low: float, high: float, n: int, title: str) -> None:
    opening = headline(RunSummary.model_validate(summary(comparison(low, high, n=n))))
    assert opening.title == title
    told = " ".join(opening.details)
    assert figure(low, "error_rate", signed=True).removesuffix(" pts") in told
    assert ("includes zero" in told) == (low <= 0 <= high)
    assert ("too few" in told) == (n < 10)


def test_few_clusters_are_too_few_however_many_conversations_they_hold() -> None:
    opening = headline(RunSummary.model_validate(summary(comparison(-0.4, -0.1, n=200) | {"clusters": 4})))
    assert opening.verdict == "unclear"
    told = " ".join(opening.details)
    assert "A claim needs at least 10 clusters of conversations, and 4 are too few." in told


def test_a_comparison_without_its_number_of_pairs_stands_for_the_holdout() -> None:
    figures = summary(comparison(-1, -1, n=0)) | {"corpus": {"holdout": 1}}
    assert headline(RunSummary.model_validate(figures)).verdict == "unclear"


def test_the_headline_tells_what_speaks_against_it() -> None:
    worse_rating = comparison(-0.9, -0.2, metric="rating")
    opening = headline(RunSummary.model_validate(summary(worse_rating, comparison(-0.4, -0.1))))
    assert opening.verdict == "better"
    assert opening.details[-1] == "But it is worse by: Judge's rating, 1 to 5."


def test_the_headline_says_when_checks_alone_counted_the_errors() -> None:
    figures = summary()
    alone = {**figures, "evaluate": {**figures["evaluate"], "checks_alone": True}}  # type: ignore[dict-item]
    told = headline(RunSummary.model_validate(alone)).details[0]
    assert told.startswith(
        "18.8% of the student's summaries have at least one error that the automatic checks could see"
    )
    assert told.endswith("No model and no person read these summaries.")
    assert "automatic checks" not in " ".join(headline(RunSummary.model_validate(figures)).details)


def test_without_a_comparison_nothing_is_claimed() -> None:
    opening = headline(RunSummary())
    assert (opening.verdict, opening.details) == ("missing", ())


def test_the_headline_tells_of_the_test_and_of_what_would_settle_it() -> None:
    tested = comparison(-0.4, 0.1) | {"p": 0.2, "p_holm": 0.4, "settles_at": 1234}
    told = " ".join(headline(RunSummary.model_validate(summary(tested, tested | {"metric": "rating"}))).details)
    assert "p = 0.200, and 0.400 after Holm's correction for the 2 comparisons" in told
    assert "about 1,234 held-out conversations" in told
    sure = comparison(-0.4, -0.1) | {"p": 0.0002, "p_holm": 0.0002}
    told = " ".join(headline(RunSummary.model_validate(summary(sure))).details)
    assert "gives p < 0.001." in told and "Holm" not in told and "four times in five" not in told


def test_a_comparison_shows_its_statistics() -> None:
    stats = {
        "p": 0.0312,
        "p_holm": 0.25,
        "effect": {"name": "cliffs_delta", "value": -0.5},
        "wins": 7,
        "ties": 30,
        "losses": 3,
        "settles_at": 340,
    }
    figures = summary(comparison(-0.4, 0.1, metric="rating") | stats)
    words = Page(render_report(ReportData(name="demo", summary=RunSummary.model_validate(figures)))).words()
    for shown in ("0.031 Holm 0.250", "−0.50 Cliff's δ", "7–30–3 of 40, needs 340"):
        assert shown in words, shown


def test_a_share_is_bold_where_its_difference_from_the_teacher_leaves_out_zero() -> None:
    figures = summary()
    table = causal("wrong_fact")
    for row, low in zip(table, (0.05, 0.0), strict=True):
        row["against_teacher"] = {"student_arf": {"value": 0.1, "low": low, "high": 0.3}}
    figures["evaluate"]["causal"] = table  # type: ignore[index]
    html = render_report(ReportData(name="demo", summary=RunSummary.model_validate(figures)))
    section = html[html.index('<section id="causal"') : html.index("Where the difference from the teacher")]
    assert re.findall(r'best">25.0%<small>(.*?)<', section) == ["+5.0 to +30.0"]
    assert re.findall(r'best">12.5%<small>(.*?)<', section) == ["−43.8 to −31.2"] * 2


def test_the_mean_over_references_is_shown_where_it_says_something_else() -> None:
    interval = {"value": 0.25, "low": 0.2, "high": 0.3, "n": 9}
    systems = {"teacher": {"rougeL": interval, "rougeL_mean": interval}}
    same = RunSummary.model_validate({"evaluate": {"systems": systems}})
    systems["teacher"]["rougeL_mean"] = interval | {"value": 0.2}
    other = RunSummary.model_validate({"evaluate": {"systems": systems}})
    shown = [Page(render_report(ReportData(name="demo", summary=figures))).words() for figures in (same, other)]
    assert ["ROUGE-L, mean of references" in words for words in shown] == [False, True]


def test_students_of_other_arms_have_names() -> None:
    assert [system_label(name) for name in ("student_rewrite", "student_short", "student_arf", "gpt")] == [
        "Student on rewrites",
        "Student (short)",
        "Student (ARF)",
        "gpt",
    ]


def test_longer_summaries_are_neither_better_nor_worse() -> None:
    assert outcome(Comparison.model_validate(comparison(3, 9, metric="words"))) == "unclear"
    assert outcome(Comparison.model_validate(comparison(0.1, 0.2, metric="rougeL"))) == "better"


def test_overlapping_quotes_are_marked_piece_by_piece() -> None:
    notes = [ErrorNote(id=quote, category="x", quote=quote) for quote in ("b c", "c d", "", "absent")]
    pieces = mark_errors("a b c d e", notes)
    assert "".join(piece.text for piece in pieces) == "a b c d e"
    assert [(p.text, p.errors, p.ends) for p in pieces] == [
        ("a ", (), ()),
        ("b ", (0,), ()),
        ("c", (0, 1), (0,)),
        (" d", (1,), (1,)),
        (" e", (), ()),
    ]
    assert mark_errors("", notes) == []


def test_the_diff_names_the_words_and_makes_up_the_revision() -> None:
    before, after = "She paid $45.00, on 3 May.  It was refused.", "She paid $54.00, on 3 May. It was granted at once."
    changes = word_diff(before, after)
    assert [(c.kind, c.text) for c in changes if c.kind != "same"] == [
        ("removed", "45.00"),
        ("added", "54.00"),
        ("removed", "refused"),
        ("added", "granted at once"),
    ]
    assert "".join(c.text for c in changes if c.kind != "removed") == after
    assert [c.kind for c in word_diff("a b", "a")] == ["same", "removed"]
    assert word_diff("", "") == []


def test_the_sample_is_bounded_and_hides_no_verdict() -> None:
    made = [
        case(f"{verdict} {number}.", verdict=verdict)
        for verdict, count in (("unchanged", 30), ("rejected", 4), ("verified", 50))
        for number in range(count)
    ]
    conversations = {c.conversation.id: c.conversation for c in made}
    sample = sample_revisions([c.revision for c in made], conversations, limit=20)
    verdicts = [c.revision.verdict.value for c in sample]
    assert verdicts == ["verified"] * 13 + ["rejected"] * 4 + ["unchanged"] * 3
    assert len(sample_revisions([c.revision for c in made], conversations)) == 60
    assert sample_revisions([made[0].revision], {}) == ()


def test_ticks_are_round_and_cover_the_range() -> None:
    assert ticks(0.87) == [0, 0.5, 1.0]
    assert ticks(43) == [0, 20, 40, 60]
    assert ticks(0) == [0, 1]


def test_long_loss_curves_are_thinned_and_smoothed() -> None:
    points = [(step, float(step % 2)) for step in range(1, 5001)]
    assert len(thinned(points)) <= 301 and thinned(points)[-1] == points[-1]
    assert smoothed(points[:4], 2) == [(1, 1.0), (2, 0.5), (3, 0.5), (4, 0.5)]
    assert len(loss_curve("l", "Loss", points, 5000, 1.0)) < 20_000


def test_figures_are_written_as_people_read_them() -> None:
    assert [figure(-0.0001, "error_rate", signed=True), figure(0.5, "rating", signed=True)] == ["0.0 pts", "+0.50"]
    assert [duration(8.24), duration(185), duration(7620)] == ["8.2 s", "3 min 05 s", "2 h 07 min"]
    assert [dollars(0), dollars(0.0042), dollars(1234.5)] == ["$0.00", "$0.0042", "$1,234.50"]


@pytest.mark.parametrize("theme", [0, 1])
def test_text_has_the_contrast_that_wcag_asks_for(theme: int) -> None:
    style = re.search("<style>(.*?)</style>", render_report(full()), re.DOTALL)
    assert style is not None
    colours = {name: pair for name, *pair in re.findall(r"--([\w-]+): light-dark\((#\w{6}), (#\w{6})\)", style[1])}
    pairs = [(text, ground) for text in ("ink", "soft", "link") for ground in ("page", "card", "sunk", "note")]
    pairs += [("good", "good-tint"), ("bad", "bad-tint"), ("bad", "card"), ("bad", "note")]
    for text, ground in pairs:
        assert contrast(colours[text][theme], colours[ground][theme]) >= 4.5, (text, ground)
    for mark in ("base", "teacher", "reviser", "drafts", "arf", "edge", "note-line"):
        assert contrast(colours[mark][theme], colours["card"][theme]) >= 3, mark


def contrast(a: str, b: str) -> float:
    """Contrast ratio of WCAG 2.2."""
    dark, light = sorted((luminance(a), luminance(b)))
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_the_tables_of_a_probe_have_a_section_and_are_escaped():
    table = Table(title=f"Found {HOSTILE}", note="In brackets.", header=("kind", "recall"), rows=((HOSTILE, "0.50"),))
    html = render_report(ReportData(name="demo", summary=RunSummary(**summary()), probe=(table,)))
    page = Page(html)
    assert "0.50" in page.words() and "In brackets." in page.words()
    assert ("section", "probe") in [(name, attributes.get("id")) for name, attributes in page.elements]
    assert "<img src=x" not in html
    without = render_report(ReportData(name="demo", summary=RunSummary(**summary())))
    assert 'id="probe"' not in without


def test_the_score_of_an_error_and_the_gain_of_an_edit_are_shown() -> None:
    note = {"id": "e", "category": "wrong_fact", "quote": "6 May", "explanation": "May 7.", "score": 0.83}
    edit = {"op": "replace", "quote": "6 May", "replacement": "7 May", "mends": ("e",), "gain": 0.412}
    shown = case(errors=(note,), applied=(edit,))
    page = render_report(full().model_copy(update={"revisions": (shown,)}))
    assert "83% unsupported" in page
    assert "support +0.41" in page
    assert "unsupported" not in render_report(full())


@pytest.mark.parametrize(("check", "said"), [("private_data", "check of private data"), (None, ">check<")])
def test_the_check_that_saw_an_error_is_named(check: str | None, said: str) -> None:
    note = {"id": "e", "category": "private_data", "quote": "6 May", "explanation": "Why.", "source": "check"}
    shown = case(errors=({**note, "check": check},))
    assert said in render_report(full().model_copy(update={"revisions": (shown,)}))


def test_what_a_verified_revision_cost() -> None:
    def call(stage: str, cached: bool = False) -> Call:
        figures = {} if cached else {"prompt_tokens": 100, "completion_tokens": 20, "usd": 0.01}
        return Call(stage=stage, model="m", cached=cached, **figures)

    calls = [call("draft"), call("analyze"), call("analyze"), call("revise"), call("revise", cached=True)]
    calls.append(Call(stage="revise", model="m", cached=False, failed=True))
    revisions = [case(f"{n}.", verdict=verdict, strategy="edits").revision for n, verdict in enumerate(VERDICTS)]
    (cost,) = revision_costs(calls, revisions, "edits").values()
    assert (cost.revisions, cost.verified, cost.calls) == (4, 2, 3)
    assert (cost.calls_per_verified, cost.tokens_per_verified, cost.usd_per_verified) == (1.5, 180, 0.015)
    assert revision_costs(calls, [], "edits") == {}


def test_each_strategy_has_its_own_calls_and_the_analysis() -> None:
    def call(stage: str, strategy: str, tokens: int) -> Call:
        return Call(stage=stage, strategy=strategy, model="m", cached=False, prompt_tokens=tokens, usd=tokens / 1000)

    calls = [
        call("analyze", "", 40),
        call("revise", "edits", 10),
        call("revise", "rewrite", 100),
        call("revise", "rewrite", 100),
    ]
    revisions = [case(verdict="verified", strategy=name).revision for name in ("edits", "rewrite")]
    costs = revision_costs(calls, revisions, "edits")
    assert {name: (cost.calls, cost.tokens_per_verified, cost.usd_per_verified) for name, cost in costs.items()} == {
        "edits": (2, 50, 0.05),
        "rewrite": (3, 240, 0.24),
    }


def test_without_a_verified_revision_there_is_no_cost_of_one() -> None:
    costs = revision_costs([], [case(verdict="rejected", strategy="rewrite").revision], "edits")
    assert costs["rewrite"].usd_per_verified is None
    shown = Page(render_report(ReportData(name="n", summary=RunSummary(costs=costs)))).words()
    assert "rewrite 0 – – –" in shown
