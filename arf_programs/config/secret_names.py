"""What the name of a setting or of an environment variable says about its value: whether it is a secret."""

from __future__ import annotations

import re
from collections.abc import Sequence

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
