"""The subject of a mail: the words that mail programs put before it, and the ticket's number that our own mails carry."""

import re

_ANSWERS = "re|res|ref|aw|antw|odp|sv|vs|r|ynt|atb|vá|回复|答复"
_PASSES_ON = "fwd?|wg|pd|rv|tr|enc|reenv|vb|vl|vs|i|doorst|ilt|iletilen|rif|továbbítás|προώθ|转发|轉寄"
"""`VS:` is an answer in Finnish, and passes on in Norwegian."""
_COUNT = r"\s?(?:\[\d{1,3}\]|\(\d{1,3}\)|\^\d{1,3})?\s?[:：]"
MARKED = rf"(?:{_ANSWERS}|{_PASSES_ON}){_COUNT}"
"""`Re:`, `AW:`, `Odp:`, `RV:`, `SV:`, `VS:`, `Re[2]:` and the like."""
_TAG = re.compile(r"\[#(\d{1,12})\]")
_MARKS = re.compile(rf"(?:\s*{MARKED})+", re.IGNORECASE)
_MARK_OF_FORWARD = re.compile(rf"\s*(?:{_PASSES_ON}){_COUNT}", re.IGNORECASE)
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


def passing_on(subject: str) -> str:
    """Of our mail that passes another on."""
    return subject if passes_on(subject) else f"Fwd: {subject}"


def passes_on(subject: str) -> bool:
    """Does a mail of this subject pass another one on, which then is what it is about?"""
    return _MARK_OF_FORWARD.match(subject) is not None


def is_marked(subject: str) -> bool:
    """Does it answer or pass on?"""
    return _MARKS.match(subject) is not None
