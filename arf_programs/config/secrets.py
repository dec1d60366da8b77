"""What is a secret: names that hold one, texts that look like one, and addresses with a user and a password.

A configuration holds no secret. It names the environment variable that does: `api_key_env: NAME`, or in `parameters`
`os.environ/NAME`, as LiteLLM writes it.
"""

from __future__ import annotations

import os
import re
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any
from unicodedata import normalize
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit, urlunsplit

from signatures.exceptions import ConfigError
from signatures.showing import write_in_latin

_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_SECRET = frozenset(
    (
        "secret",
        "secrets",
        "credential",
        "credentials",
        "authorization",
        "cookie",
        "cookies",
        "bearer",
        "jwt",
        "dsn",
        "webhook",
    )
)
# Words that are often written together with the word before them: `authtoken`, `PGPASSWORD`.
_SECRET_ENDS = (
    "token",
    "secret",
    "password",
    "passwd",
    "passphrase",
    "apikey",
    "apikeys",
    "accesskey",
    "secretkey",
    "privatekey",
)
_SECRET_AT_END = frozenset(("auth", "key", "keys", "pass", "pat", "pgpass", "dbpass", "pw", "pwd", "creds", "sas"))
_SECRET_PAIRS = frozenset(
    (
        *(
            (word, key)
            for word in ("api", "access", "secret", "private", "subscription", "auth")
            for key in ("key", "keys")
        ),
        *((word, "key") for word in ("account", "master", "signing", "client", "admin", "license", "session")),
        *((word, "tokens") for word in ("api", "auth", "access", "bearer", "refresh", "session")),
        ("connection", "string"),
    )
)
# A key or a token of these kinds is no secret: `prompt_cache_key`, `eos_token`.
_OPEN_KEYS = frozenset(
    ("cache", "foreign", "group", "idempotency", "partition", "primary", "public", "routing", "sort")
)
_OPEN_TOKENS = frozenset(
    ("bos", "cls", "end", "eos", "mask", "max", "min", "pad", "per", "sep", "special", "start", "stop", "unk")
)
# What such a word at the end holds is about a secret: `TOKEN_URL`, `stop_token_ids`, `PASSWORD_FILE`.
_ABOUT = re.compile(
    "count|dir|enabled|endpoint|expiry|file|header|host|id|ids|kind|length|limit|method|mode|name|parallelism|path|policy|"
    "port|prefix|provider|region|scope|size|sock|total|ttl|type|uri|url|usage"
)


def is_secret_name(name: str) -> bool:
    """Say whether a setting or an environment variable of that name holds a secret.

    The words of the name decide, however they are joined: `OPENAI_API_KEY_TEAM_A`, `clientSecret`, `x-api-key`.
    """
    words = [word.lower() for word in _WORD.findall(name)]
    if words[-2:] in (["key", "id"], ["webhook", "url"]):  # AWS_ACCESS_KEY_ID goes with a secret
        words.pop()
    if not words or _ABOUT.fullmatch(words[-1]):
        return False
    return any(_is_secret_at(words, place) for place in range(len(words)))


def _is_secret_at(words: Sequence[str], place: int) -> bool:
    word, before = words[place], words[place - 1] if place else ""
    if word == "token" and before in _OPEN_TOKENS:
        return False
    if word in _SECRET or word.endswith(_SECRET_ENDS) or (before, word) in _SECRET_PAIRS:
        return True
    if place < len(words) - 1 or word not in _SECRET_AT_END:
        return False
    return bool(before) and before not in _OPEN_KEYS if word in ("key", "keys") else True


_HEADER = re.compile(r"key|token|secret|auth|cookie|passw|pwd|credential|signature|session")
_HEADERS = re.compile(r"(^|_)headers?$")
_QUERY = re.compile(r"key|token|secret|passw|pwd|^sig$|signature|credential|^auth|^code$|^pass$")
_QUERIES = re.compile(r"(^|_)(query|params)$")
_BEHIND = re.compile(
    r"[;#][\w-]*(?:key|token|secret|passw|pwd|sig|signature|credential|auth)[\w-]*=[^;&#?\s]*", re.IGNORECASE
)
_REFERENCE = re.compile(r"os\.environ/([A-Za-z_][A-Za-z0-9_]*)")
LOOKS_SECRET = re.compile(
    r"(?<![\w-])(?:(?:sk|pk|rk|xai|pplx|nvapi|csk|xapp|pypi)-[\w-]{16,}|gsk_\w{16,}|A[KS]IA[0-9A-Z]{12,}|ABSK[\w+/]{20,}"
    r"|AIza[\w-]{20,}|ya29\.[\w-]{20,}|gh[pousr]_\w{16,}|github_pat_\w{16,}|(?:hf|r8|fw|npm|glsa|tgp_v1|[spr]k_live)_\w{16,}"
    r"|hvs\.[\w-]{20,}|dapi[0-9a-f]{32}|SG\.[\w-]{16,}\.[\w-]{16,}|xox[abpr]-[\w-]{10,}|glpat-[\w-]{16,}"
    r"|eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]+)"
    r"|(?<![\w-])(?i:bearer|basic)\s+(?!\*)[\w.~+/=-]{12,}|-----BEGIN [A-Z ]*PRIVATE KEY-----"
)
# A text in `parameters` that has a name before its secret (JSON, `Authorization: x`), or says what it is (`Token x`).
_NAMED = re.compile(
    r"([\w-]{2,60})['\"]?\s*[:=]\s*['\"]?(?:(?:bearer|basic|token)\s+)?(?=[^\s'\",;}&]*\d)[^\s'\",;}&]{6,}",
    re.IGNORECASE,
)
_SCHEME = re.compile(r"(?:token|bearer|basic|api-?key)\s+\S{6,}", re.IGNORECASE)
# A value of a header that no person thinks of. Identities are as random, and no secret.
_RANDOM = re.compile(r"(?=\S*[a-z])(?=\S*[A-Z])(?=\S*\d)[\w+/=]{16,}|[0-9a-f]{32,}")
_IDENTITY = re.compile(r"(id|organi[sz]ation|project|version|trace|traceparent|request|tenant)$", re.IGNORECASE)
_LEAST = 6  # characters of a secret in a path
_LOGIN = re.compile(r"(?<=://)[^/?#\s'\"<>]*@")
_PATH = re.compile(r"[./~].*|.*\.json")


def refuse_secrets(parameters: Mapping[str, Any]) -> None:
    """Raise ValueError for a secret in `parameters`. The message says where it is and how to mend it."""
    for name, value in parameters.items():
        if _HEADERS.search(name.lower()) and not isinstance(value, Mapping):
            raise ValueError(f"{name} has to give each header its value: `{name}: {{X-Team: ours}}`")
    for place, value in _texts(parameters):
        if any(write_in_latin(name) != name for name in place):
            raise ValueError(f"{'.'.join(place)} has a letter that only looks Latin: write the name anew")
        if _REFERENCE.search(value) or not value.strip():
            continue
        if _is_named_secret(place, value) or _shows_secret(value) or _is_random_header(place, value):
            variable = re.sub(r"\W+", "_", place[-1]).strip("_").upper() or "SECRET"
            raise ValueError(
                f"{'.'.join(place)} holds a secret, and this file is copied into the run: write "
                f"`os.environ/{variable}` in its place, and set that environment variable (for a key alone, use "
                "api_key_env)"
            )


def _is_named_secret(place: Sequence[str], value: str) -> bool:
    last, within = place[-1].lower(), [part.lower() for part in place[:-1]]
    named = any(is_secret_name(part) for part in place)
    named = named or (_is_within_headers(place) and _HEADER.search(last) is not None)
    named = named or (any(map(_QUERIES.search, within)) and _QUERY.search(last) is not None)
    return named and not _PATH.fullmatch(value)


def _shows_secret(text: str) -> bool:
    if looks_secret(text) or _SCHEME.fullmatch(text.strip()):
        return True
    return any(is_secret_name(found[1]) for found in _NAMED.finditer(text))


def _is_random_header(place: Sequence[str], value: str) -> bool:
    is_of_header = _is_within_headers(place) or any(_QUERIES.search(part.lower()) for part in place[:-1])
    return is_of_header and not _IDENTITY.search(place[-1]) and _RANDOM.fullmatch(value) is not None


def _is_within_headers(place: Sequence[str]) -> bool:
    return any(_HEADERS.search(part.lower()) for part in place[:-1])


def looks_secret(text: str) -> bool:
    """Say whether a text holds what looks like a key. User, password and tokens of an address do not count."""
    return LOOKS_SECRET.search(without_login(text)) is not None


def resolve_references(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return `parameters` with the value of the environment variable for each `os.environ/NAME`.

    Raises ConfigError for a variable that is not set.
    """
    resolved = _resolve(dict(parameters))
    return resolved if isinstance(resolved, dict) else {}


def referenced_variables(parameters: Mapping[str, Any]) -> set[str]:
    """Return the names of the environment variables to which `parameters` refer."""
    return {name for _, value in _texts(parameters) for name in _REFERENCE.findall(value)}


def without_login(text: str) -> str:
    """Remove user, password and tokens, in the path or the query, from an address.

    Another text is returned unchanged.
    """
    if "://" not in text:
        return text
    text = _BEHIND.sub("", without_user(text))
    for token in _tokens_in_path(text):
        text = re.sub(rf"(?<=[/;]){re.escape(token)}", "***", text)
    try:
        parts = urlsplit(text)
        pairs = parse_qsl(parts.query, keep_blank_values=True)
    except ValueError:
        return text
    kept = [(name, value) for name, value in pairs if not _is_secret_pair(name, value)]
    return text if len(kept) == len(pairs) else urlunsplit(parts._replace(query=urlencode(kept)))


def without_user(address: str) -> str:
    """Remove user and password from an address."""
    return _LOGIN.sub("", address, count=1)


def login_header(address: str) -> str | None:
    """Return the header `Authorization` for the user and password of an address (RFC 7617); None if it has none."""
    try:
        parts = urlsplit(address)
        if "://" not in address or parts.username is None:
            return None
    except ValueError:
        return None
    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return f"Basic {b64encode(pair.encode()).decode()}"


def secrets_in_address(text: str) -> list[str]:
    """Return the user, the password and the query tokens of an address."""
    if "://" not in text:
        return []
    try:
        parts = urlsplit(text)
        pairs = parse_qsl(parts.query)
    except ValueError:
        return []
    login = [name for name in (parts.username, parts.password) if name]
    return login + [value for name, value in pairs if _is_secret_pair(name, value)] + _tokens_in_path(text)


def _is_secret_pair(name: str, value: str) -> bool:
    """Say whether a part of a query is a secret: by its name, or since its value is random."""
    return _QUERY.search(name.lower()) is not None or _is_token(value)


def _tokens_in_path(text: str) -> list[str]:
    """Return the parts of the path of an address that are random, or have digits and follow a word for a secret.

    What looks like a key is left out: it is refused. Identities of accounts are as random, and are found too.
    """
    if not re.fullmatch(r"https?://\S+", text, re.IGNORECASE) or LOOKS_SECRET.search(text):
        return []
    parts = re.split("[/;]", re.split(r"[?#]", text)[0])[3:]
    return [part for before, part in pairwise(["", *parts]) if _is_token(part) or _follows_name(before, part)]


def _is_token(part: str) -> bool:
    return any(_RANDOM.fullmatch(piece) for piece in re.split(r"[-._~%]", part))


def _follows_name(before: str, part: str) -> bool:
    return is_secret_name(before) and len(part) >= _LEAST and any(character.isdigit() for character in part)


def without_logins(value: Any) -> Any:
    """Remove user, password and tokens from every address in a document."""
    if isinstance(value, dict):
        return {key: without_logins(item) for key, item in value.items()}
    if isinstance(value, list):
        return [without_logins(item) for item in value]
    return without_login(value) if isinstance(value, str) else value


def _texts(value: Any, place: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    if isinstance(value, Mapping):
        named = value.get("name") or value.get("key")  # {name: api_key, value: ...}
        for key, item in value.items():
            yield from _texts(item, (*place, normalize("NFKC", str(named if named and key == "value" else key))))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item, place)
    elif isinstance(value, str) or (type(value) in (int, float) and place and is_secret_name(place[-1])):
        yield place, str(value)


def _resolve(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _resolve(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_resolve(item) for item in value]
    return _REFERENCE.sub(_value_of, value) if isinstance(value, str) else value


def _value_of(reference: re.Match[str]) -> str:
    name = reference.group(1)
    value = os.environ.get(name, "").strip()
    if not value:
        raise ConfigError(f"os.environ/{name}: this environment variable is not set: `export {name}=...`")
    return value
