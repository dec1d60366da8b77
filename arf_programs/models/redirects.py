"""Keep conversations at the host that was chosen: a server that redirects a request does not get it sent elsewhere."""

from __future__ import annotations

from typing import Any

import httpx


def refuse_redirects(transport: type[httpx.AsyncBaseTransport]) -> None:
    """Let a transport of httpx refuse to redirect a request with a body to another host. A second call does nothing.

    The caller gets status 400 with a message that names the other host. LiteLLM's clients follow redirects otherwise.
    A redirect within a host is followed.
    """
    send: Any = transport.handle_async_request
    if getattr(send, "refuses_redirects", False):
        return

    async def guarded(self: Any, request: httpx.Request) -> httpx.Response:
        response: httpx.Response = await send(self, request)
        if request.method not in ("POST", "PUT", "PATCH") or not response.has_redirect_location:
            return response
        there = _target(request, response)
        if there is not None and _is_same_host(request.url, there):
            return response
        await response.aclose()
        host = "another address" if there is None else f"{there.host}{f':{there.port}' if there.port else ''}"
        message = (
            f"{request.url.host} redirects requests to {host}. Nothing was sent there: set api_base to the address "
            "that you want to ask."
        )
        return httpx.Response(400, json={"error": {"message": message, "type": "redirected"}}, request=request)

    guarded.refuses_redirects = True  # type: ignore[attr-defined]
    transport.handle_async_request = guarded  # type: ignore[method-assign]


def _target(request: httpx.Request, response: httpx.Response) -> httpx.URL | None:
    try:
        return request.url.join(response.headers["location"])
    except (httpx.InvalidURL, ValueError):
        return None


def _is_same_host(here: httpx.URL, there: httpx.URL) -> bool:
    """Whether two addresses have one host and one port. The change from http to https, at their own ports, is none."""
    upgraded = (here.scheme, there.scheme) == ("http", "https") and here.port is None and there.port is None
    return here.host == there.host and here.port == there.port and (here.scheme == there.scheme or upgraded)
