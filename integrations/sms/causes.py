"""Providers' codes in words: `causes.toml`."""

import tomllib
from functools import cache
from importlib.resources import files


@cache
def _causes() -> dict[str, dict[str, str]]:
    return tomllib.loads(files("integrations.sms").joinpath("causes.toml").read_text(encoding="utf-8"))


def cause(provider: str, code: str, otherwise: str = "") -> str:
    """`30003: the telephone cannot be reached`; a code that we do not know with the provider's own words."""
    known = _causes()[provider].get(code) or otherwise
    return ": ".join(part for part in (code, known) if part)[:300] or "the provider does not say why"
