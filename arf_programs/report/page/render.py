"""Renders ReportData as one HTML file, which needs no network and is forbidden to use it."""

from __future__ import annotations

import base64
import hashlib
from functools import lru_cache, partial
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from arf_programs.metrics import Comparison
from arf_programs.report import text
from arf_programs.report.data import ReportData
from arf_programs.report.page import figures, svg
from arf_programs.report.page.cases import build_browser, build_holdout
from arf_programs.report.page.causal import build_causal_view
from arf_programs.report.page.figures import fallback_plot, fallback_table
from arf_programs.report.page.headline import Difference, difference, differences, headline
from arf_programs.review import verdict_name
from arf_programs.text import readable


def render_report(data: ReportData) -> str:
    """Render the whole report as HTML. Every text of `data` is escaped and cleaned (`text.clean`)."""
    environment = _environment()
    cases = build_browser(data)
    style = environment.get_template("style.css.j2").render(most_errors=cases.most_errors)
    script = environment.get_template("script.js.j2").render()
    return environment.get_template("report.html.j2").render(
        data=data,
        summary=data.summary,
        browser=cases,
        style=Markup(style),  # noqa: S704 - our own template, with a number as its only data
        script=Markup(script),  # noqa: S704 - our own template, without data
        policy=_content_policy(style, script),
        **_evaluation(data),
        **_work(data),
    )


def _content_policy(style: str, script: str) -> str:
    """A Content-Security-Policy that loads nothing, and runs only this style and this script."""
    rules = ["default-src 'none'", f"style-src '{_digest(style)}'", f"script-src '{_digest(script)}'"]
    return "; ".join([*rules, "base-uri 'none'", "form-action 'none'"])


def _digest(inline: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()


def _evaluation(data: ReportData) -> dict[str, Any]:
    summary = data.summary
    return {
        "headline": (opening := headline(summary, confidence=data.confidence)),
        "hero": _hero(opening.comparison),
        "metrics": [
            text.metric_column(name, summary.evaluate.checks_alone)
            for name in figures.measured(summary.evaluate.systems)
        ],
        "systems": figures.system_table(summary),
        "plots": figures.interval_plots(summary),
        "pairs": differences(summary),
        "choices": summary.evaluate.win_rates,
        "causal": build_causal_view(data),
        "holdout": build_holdout(data),
        "fallbacks": [(curve, fallback_plot(curve), fallback_table(curve)) for curve in summary.evaluate.fallback],
        "category_plots": figures.category_plots(data),
        "strata": [
            (*labels, *figures.stratum_table(table))
            for *labels, table in (
                ("channels", "Channel", "Channels", summary.evaluate.by_channel),
                ("lengths", "Length", "Length of the conversation", summary.evaluate.by_length),
            )
            if table
        ],
    }


def _hero(comparison: Comparison | None) -> Difference | None:
    if comparison is None:
        return None
    return difference(comparison, 1.15 * max(abs(comparison.low), abs(comparison.high)) or 1.0)


def _work(data: ReportData) -> dict[str, Any]:
    revise = data.summary.revise
    verdicts = [(name, getattr(revise, name)) for name in ("verified", "unchanged", "rejected", "failed")]
    named = partial(verdict_name, checks_alone=revise.checks_alone)
    groups, unlisted = figures.failure_groups(data)
    return {
        "verdicts": verdicts,
        "verdict_bar": svg.stacked_bar("verdicts", "Verdicts on the revisions", verdicts, say=named),
        "loss_plots": figures.loss_plots(data),
        "stages": figures.stage_bars(data.summary.spend.seconds),
        "failure_groups": groups,
        "failures_unlisted": unlisted,
    }


@lru_cache(maxsize=1)
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("arf_programs.report.page"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=text.finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        duration=text.duration,
        dollars=text.dollars,
        integer=text.integer,
        metric=text.metric_label,
        readable=readable,
        swatch=svg.swatch,
        system=text.system_label,
        verdict=verdict_name,
    )
    environment.globals.update(share=text.share, bar=figures.bar)
    return environment
