"""The words by which machines are known: `automatic.toml`."""

import re
import tomllib
from functools import cache
from importlib.resources import files
from typing import Any

from integrations.mail.reading.headers import Headers


def is_daemon(headers: Headers) -> bool:
    """By the address of its sender; a name is only half a sign, for a band may have it."""
    addresses = headers.addresses("from")
    local = addresses[0].address.rpartition("@")[0] + "@" if addresses else headers.line("from")[:1_000]
    return says("senders", "daemons", plain(local))


def says(kind: str, name: str, text: str) -> bool:
    """Is one of these phrases in the text? The text is `plain`."""
    return any(phrase in text for phrase in phrases(kind, name))


def begins(kind: str, name: str, text: str) -> bool:
    return text.startswith(phrases(kind, name))


@cache
def phrases(kind: str, name: str) -> tuple[str, ...]:
    return _listed(_words()[kind][name])


@cache
def statuses() -> tuple[tuple[str, tuple[str, ...]], ...]:
    """A status of RFC 3463, its class left open (`x.2.2`) where the reply code decides; and what is said of it."""
    return tuple((status, _listed(said)) for status, said in _words()["status"].items())


def plain(text: str) -> str:
    """In small letters, on one line, with straight apostrophes: as the phrases are written."""
    return " ".join(re.sub("[\u2018\u2019`´]", "'", text).casefold().split())


def _listed(lines: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(plain(line) for line in lines.splitlines() if line.strip()))


@cache
def _words() -> dict[str, dict[str, Any]]:
    return tomllib.loads(
        files("integrations.mail.machines").joinpath("automatic.toml").read_text(encoding="utf-8")
    )
