"""The subject of a mail: the words that mail programs put before it, and the ticket's number that our own mails carry."""

import re

from domain.words import words_of

MARKED = (
    r"(?:re|res|ref|aw|antw|odp|sv|vs|r|fwd?|fw|wg|pd|rv|tr|enc|reenv|vb|vl|doorst|ilt|ynt|atb|vá|回复|答复|转发)"
    r"\s?(?:\[\d{1,3}\]|\(\d{1,3}\)|\^\d{1,3})?\s?[:：]"
)
"""`Re:`, `AW:`, `Odp:`, `RV:`, `SV:`, `VS:`, `Re[2]:` and the like."""
_TAG = re.compile(r"\[#(\d{1,12})\]")
_MARKS = re.compile(rf"(?:\s*{MARKED})+", re.IGNORECASE)
MOST = 3
"""Numbers of one subject that are looked up."""


def tags_in(subject: str) -> tuple[int, ...]:
    """The numbers of tickets that it names as our mails do: `[#123]`. Anybody can write one."""
    return tuple(dict.fromkeys(map(int, _TAG.findall(subject))))[:MOST]


def untagged(text: str) -> str:
    return _TAG.sub(" ", text)


def plain(subject: str) -> str:
    """What its writer called it: `Broken mug` of `Re: [#12] AW: Broken mug`."""
    subject = " ".join(untagged(subject).split())
    before = _MARKS.match(subject)
    return subject[before.end() :].strip() if before else subject


def beginning(subject: str, number: int) -> str:
    """Of our first mail in a conversation."""
    return f"[#{number}] {plain(subject)}".strip()


def answering(subject: str, number: int) -> str:
    """Of our answer: one `Re:` and one number, however often it went to and fro."""
    return f"Re: {beginning(subject, number)}"


def is_another(subject: str, *known: str) -> bool:
    """Does it call the matter by another name than any of these? One that names nothing calls it by none."""
    words, others = words_of(plain(subject)), [words_of(plain(one)) for one in known]
    return bool(words) and any(others) and words not in others
