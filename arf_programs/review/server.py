"""The pages of a review, served to one browser on this machine. FastAPI and uvicorn are the extra `review`."""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable, Mapping
from functools import lru_cache
from types import MappingProxyType
from urllib.parse import parse_qsl

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from jinja2 import Environment, PackageLoader, StrictUndefined
from pydantic import ValidationError

from arf_programs.review import view
from arf_programs.review.acts import Act
from arf_programs.review.decisions import ASPECTS, WHOLE, Job
from arf_programs.review.guard import HEADERS, Guard, ReviewAddress
from arf_programs.review.rows import ReviewRow
from arf_programs.review.session import SCORES, Filters, ReviewSession
from arf_programs.text import clean, readable
from signatures.exceptions import DataError, QuoteError

_REFUSED, _MISSING, _CHANGED, _NOT_POSSIBLE = 403, 404, 409, 422


def run_server(
    session: ReviewSession, listening: socket.socket, first: str, when_ready: Callable[[ReviewAddress], None]
) -> None:
    """Serve the pages on a bound socket until Ctrl-C. `when_ready` gets the address when it can be opened."""
    port = int(listening.getsockname()[1])
    guard = Guard(port)
    app = build_app(session, guard, first)
    listening.listen()
    rows: dict[str, int] = {job: len(rows) for job, rows in session.rows.items()}
    when_ready(ReviewAddress(f"http://127.0.0.1:{port}/start/{guard.token}", rows))
    config = uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=2, server_header=False, lifespan="off")
    uvicorn.Server(config).run(sockets=[listening])


def build_app(session: ReviewSession, guard: Guard, first: str = "/revision") -> FastAPI:
    """Build the pages. `first` is where the browser goes after the token."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)

    @app.middleware("http")
    async def let_in(request: Request, go_on: Callable[[Request], Awaitable[Response]]) -> Response:
        refusal = guard.refusal(request.method, request.url.path, request.headers, request.cookies)
        response = await go_on(request) if refusal is None else _message(refusal, _REFUSED)
        response.headers.update(HEADERS)
        return response

    @app.exception_handler(DataError)
    async def changed(request: Request, error: Exception) -> Response:
        return _message(str(error), _CHANGED)

    @app.get("/start/{token}")
    async def start(token: str) -> Response:
        cookie = guard.exchange(token)
        if cookie is None:
            return _message("This address was used already. Start `arf review` again for a new one.", _REFUSED)
        response = RedirectResponse(first, status_code=303)
        response.set_cookie(guard.cookie_name, cookie, httponly=True, samesite="strict", path="/")
        return response

    @app.get("/")
    async def home() -> Response:
        return RedirectResponse(first, status_code=303)

    @app.get("/favicon.ico")
    async def icon() -> Response:
        return Response(status_code=204)

    @app.get("/review.js")
    async def script() -> Response:
        return Response(_template("review.js.j2"), media_type="text/javascript")

    @app.get("/review.css")
    async def style() -> Response:
        return Response(_template("review.css.j2"), media_type="text/css")

    @app.get("/figures")
    async def figures() -> Response:
        return _html("figures.html.j2", {"session": session, "figures": session.figures()})

    @app.get("/{job}")
    async def page(job: Job, request: Request, row: str = "", at: int | None = None) -> Response:
        session.refuse_changed_run()
        filters = Filters.read(request.query_params)
        found = session.find(job, row) if row else _first(session, job, filters)
        if found is None:
            return _html("nothing.html.j2", _frame(session, job, filters), _MISSING if row else 200)
        return _html("page.html.j2", {**_frame(session, job, filters), **_shown(session, found, filters, at)})

    @app.post("/act")
    async def act(request: Request) -> Response:
        session.refuse_changed_run()
        try:
            wanted = Act.model_validate_json(await request.body())
            row, at = session.do(wanted)
        except ValidationError:
            return _message("This is not something that a page of the review sends.", _NOT_POSSIBLE)
        except QuoteError as error:
            return _message(f"{str(error)[:1].upper()}{str(error)[1:]}.", _NOT_POSSIBLE)
        filters = Filters.read(dict(_pairs(wanted.query)))
        return _html("_row.html.j2", {**_frame(session, row.job, filters), **_shown(session, row, filters, at)})

    return app


def _first(session: ReviewSession, job: Job, filters: Filters) -> ReviewRow | None:
    """Return the first row without a decision among those that pass the filters, else the first of them."""
    rows, done = session.shown(job, filters), session.done(job)
    return next((row for row in rows if row.key not in done), rows[0] if rows else None)


def _shown(session: ReviewSession, row: ReviewRow, filters: Filters, at: int | None) -> dict[str, object]:
    build = view.revision_page if row.job == "revision" else view.label_page
    shown = build(session, row, filters, at)
    return {"shown": shown, "page": shown.page, "aspects": ASPECTS, "whole": WHOLE}


def _frame(session: ReviewSession, job: Job, filters: Filters) -> dict[str, object]:
    rows = session.rows[job]
    options: dict[str, list[str]] = {
        "verdict": [] if session.blind else sorted({row.verdict for row in rows} - {""}),
        "category": sorted({name for row in rows for name in row.categories}),
        "channel": sorted({row.channel for row in rows}),
        "score": list(SCORES) if any(row.score is not None for row in rows) and not session.blind else [],
        "side": sorted({row.side for row in rows}),
        "system": [] if session.blind or job == "revision" else sorted({row.system for row in rows}),
        "state": ["open", "done"],
    }
    several = {name: values for name, values in options.items() if len(values) > 1}
    if any(row.disagrees for row in rows) and not session.blind:
        several["disagreement"] = ["yes"]
    return {"session": session, "job": job, "filters": filters, "options": several}


def _pairs(query: str) -> list[tuple[str, str]]:
    return parse_qsl(query, max_num_fields=20)


def _message(text: str, status: int) -> Response:
    return Response(text + "\n", status_code=status, media_type="text/plain")


def _html(template: str, values: Mapping[str, object], status: int = 200) -> HTMLResponse:
    return HTMLResponse(_template(template, values), status_code=status)


def _template(name: str, values: Mapping[str, object] = MappingProxyType({})) -> str:
    return _environment().get_template(name).render(values)


@lru_cache(maxsize=1)
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("arf_programs.review"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=lambda value: clean(value) if type(value) is str else "" if value is None else value,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["readable"] = readable
    environment.globals.update(stop_hint=view.stop_hint)
    return environment
