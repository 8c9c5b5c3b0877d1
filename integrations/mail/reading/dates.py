"""When a mail says it was written: as RFC 5322 has it, as ISO 8601, or with months in some language."""

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

# As programs write them that ask the machine for its language (es, ca, pl, de, fr, it).
_MONTHS = {
    "Jan": ("ene", "gen", "sty", "jän"),
    "Feb": ("fév", "fev", "lut"),
    "Mar": ("mär",),
    "Apr": ("abr", "avr", "kwi"),
    "May": ("mai", "maj", "mag"),
    "Jun": ("cze", "giu"),
    "Jul": ("lip", "lug"),
    "Aug": ("ago", "sie", "aoû", "aou"),
    "Sep": ("set", "wrz"),
    "Oct": ("okt", "ott", "paź", "paz"),
    "Nov": ("lis",),
    "Dec": ("dic", "des", "gru", "dez", "déc"),
}


def read(said: str) -> datetime | None:
    for written in (said, re.sub(r"[^\W\d]{3,}", _in_english, said)):
        try:
            is_iso = re.match(r"\d{4}-\d\d-\d\d", written)
            moment = datetime.fromisoformat(written) if is_iso else parsedate_to_datetime(written)
            return moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)
        except (ValueError, TypeError, IndexError, OverflowError):
            continue
    return None


def _in_english(word: re.Match[str]) -> str:
    return next((month for month, names in _MONTHS.items() if word[0][:3].lower() in names), word[0])
