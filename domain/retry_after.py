"""How long a far end asks us to wait: `Retry-After`, as RFC 9110 (section 10.2.3) has it."""

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


def seconds_of(said: str | None) -> float | None:
    """As a number or as a date; none of what is neither."""
    if re.fullmatch("[0-9]+", said or ""):
        return float((said or "")[:9])
    try:
        return max(0.0, (parsedate_to_datetime(said or "") - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError, OverflowError):
        return None
