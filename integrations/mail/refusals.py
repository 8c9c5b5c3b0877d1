"""What a server says when it does not let us in, without what we told it: some quote what they were sent."""

import re

from integrations.mail.reading.words import one_line

LONGEST = 300

# A token, or a password in base64: longer than any word.
_LONG = re.compile(r"[A-Za-z0-9+/=_-]{40,}")


def without_secrets(said: str, *secrets: str | None) -> str:
    """On one line, to be shown and kept."""
    told = one_line(said)
    for secret in filter(None, secrets):
        told = told.replace(secret, "…")
    return _LONG.sub("…", told)[:LONGEST]
