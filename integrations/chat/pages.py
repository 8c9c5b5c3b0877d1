"""Which page of the shop a visitor was on: as the page says, so cut short and without what may be a secret."""

import re
import tomllib
from functools import cache
from importlib.resources import files
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from domain.db import Json
from integrations.chat.frames import one_line

LONGEST_ADDRESS, LONGEST_TITLE = 1000, 200


def page_of(said: Any) -> Json | None:
    """`url`, and `title` and `referrer` as far as there are any; none for what is no page."""
    if not isinstance(said, dict) or not (url := plain_address(said.get("url"))):
        return None
    page = {
        "url": url,
        "title": one_line(said.get("title"), LONGEST_TITLE),
        "referrer": plain_address(said.get("referrer")),
    }
    return {name: value for name, value in page.items() if value}


def plain_address(said: Any) -> str:
    """Only of the web; without names, passwords, fragments, and values of parameters that look like secrets."""
    try:
        parts = urlsplit(one_line(said, 4 * LONGEST_ADDRESS))
        host, port = parts.hostname, parts.port
    except ValueError:
        return ""
    if parts.scheme not in ("http", "https") or not host:
        return ""
    netloc = f"[{host}]" if ":" in host else host
    asked = parse_qsl(parts.query, keep_blank_values=True)
    query = urlencode([(name, "" if _is_secret(name) else value) for name, value in asked])
    address = urlunsplit((parts.scheme, f"{netloc}:{port}" if port else netloc, parts.path, query, ""))
    return address[:LONGEST_ADDRESS]


def _is_secret(name: str) -> bool:
    words, name = _words(), name.lower()
    whole = set(re.split(r"[^a-z0-9]+", name)) & set(words["whole"])
    return bool(whole) or any(word in name for word in words["within"])


@cache
def _words() -> dict[str, list[str]]:
    text = files("integrations.chat").joinpath("secret_parameters.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)
