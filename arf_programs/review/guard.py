"""Who may see the review: only the browser that was started with the token, and only pages of the review itself."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
MOST_BYTES: Final = 100_000


@dataclass(frozen=True)
class ReviewAddress:
    """Where a review can be opened, once: the token in the address is used up by the first visit."""

    url: str
    rows: dict[str, int]


class Guard:
    """The secrets of one server, and whether a request is let in.

    The token in the first address is good for one visit. It is exchanged for a cookie that scripts cannot read and that
    no other site's request carries. `Host` is checked against DNS rebinding, and `Origin` against forged requests.
    """

    def __init__(self, port: int) -> None:
        self.token = secrets.token_urlsafe(24)
        self.cookie_name = f"arf_review_{port}"  # cookies do not see ports, and two reviews may be open
        self._token_left = True
        self._cookie = secrets.token_urlsafe(32)
        self._hosts = {f"127.0.0.1:{port}", f"localhost:{port}"}

    def exchange(self, token: str) -> str | None:
        """Return the cookie for the token. Return None for a wrong token, or one that was used."""
        if not (self._token_left and hmac.compare_digest(token.encode(), self.token.encode())):
            return None
        self._token_left = False
        return self._cookie

    def refusal(self, method: str, path: str, headers: Mapping[str, str], cookies: Mapping[str, str]) -> str | None:
        """Say why a request is refused; None lets it in."""
        host = headers.get("host", "")
        if host not in self._hosts:
            return "This review is only served on this machine."
        if method not in ("GET", "POST"):
            return "This review knows no such request."
        if path.startswith("/start/") and method == "GET":
            return None
        if not hmac.compare_digest(cookies.get(self.cookie_name, "").encode(), self._cookie.encode()):
            return (
                "Open the address that `arf review` printed. Each address opens one browser: start the command again."
            )
        if method == "POST" and headers.get("origin") != f"http://{host}":
            return "The request comes from another page."
        if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            return "The request comes from another site."
        if method == "POST" and not (headers.get("content-length") or "x").isdigit():
            return "The request does not say how long it is."
        if method == "POST" and int(headers["content-length"]) > MOST_BYTES:
            return "The request is too long."
        return None
