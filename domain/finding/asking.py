"""A query asked of the database: which tickets it holds for."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import TypeAlias

from sqlalchemy import ColumnElement, and_, or_, true

from domain.desk.tickets import Ticket
from domain.finding.conditions import Asking, speaks_of
from domain.finding.lexemes import asked_phrase, asked_words, is_small
from domain.finding.terms import FLAGS, TERMS
from domain.finding.tree import Asked, Either, Every, Not, Query, Quoted, Said, asked_in
from domain.finding.values import NOBODY

Found: TypeAlias = Callable[[str | None], ColumnElement[bool]]
"""From a tsquery to what must hold of a row."""


def holds(query: Query, asking: Asking, *, found: Found | None = None) -> ColumnElement[bool]:
    """Of a ticket; `found` says what words must be found in, if not in all that is said of it."""
    found = found or partial(speaks_of, asking=asking)
    match query:
        case Asked(key=key, values=values):
            return or_(*(_holds(key, value, asking) for value in values))
        case Said(text=text, begins=begins):
            asked = asked_words(text, begins=begins)
            return true() if asked is None else found(asked)
        case Quoted(text=text):
            phrase = asked_phrase(text)
            return true() if phrase is None else found(phrase)
        case Not(of=one):
            return true() if _says_nothing(one) else ~holds(one, asking, found=found)
        case Every(of=many):
            return and_(true(), *(holds(one, asking, found=found) for one in _telling(many)))
        case Either(of=many):
            return or_(*(holds(one, asking, found=found) for one in many))


def _holds(key: str, value: str, asking: Asking) -> ColumnElement[bool]:
    return TERMS[key].holds(TERMS[key].values.read(key, value, (0, 0)), asking)


def _says_nothing(query: Query) -> bool:
    """Punctuation."""
    match query:
        case Said(text=text):
            return asked_words(text) is None
        case Quoted(text=text):
            return asked_phrase(text) is None
    return False


def _telling(many: Iterable[Query]) -> list[Query]:
    """Without the small words, which whoever wrote may not have used; unless there are no others."""
    telling = [one for one in many if not (isinstance(one, Said) and is_small(one.text))]
    said_at_all = any(isinstance(one, Said | Quoted) for one in telling)
    return telling if said_at_all else list(many)


def shown(query: Query, asking: Asking) -> ColumnElement[bool]:
    """Tickets that a list shows: no merged ones, and spam only if it is spoken of."""
    conditions = [Ticket.merged_into_id.is_(None), holds(query, asking)]
    if not speaks_of_spam(query):
        conditions.append(Ticket.spam_at.is_(None))
    return and_(*conditions)


def speaks_of_spam(query: Query) -> bool:
    return any(one.key == "is" and "spam" in one.values for one in asked_in(query))


def looks_for_words(query: Query) -> bool:
    match query:
        case Asked(key=key):
            return TERMS[key].by_words
        case Not(of=one):
            return looks_for_words(one)
        case Every(of=many) | Either(of=many):
            return any(map(looks_for_words, many))
    return True


SETTLED = ("solved", "closed")


def is_unsettled(query: Query) -> bool:
    """Does it hold for new, open and pending tickets only? Those are few, however many there have been."""
    match query:
        case Asked(key="is", values=values):
            return all(FLAGS[value].unsettled for value in values)
        case Asked(key="status", values=values):
            return not set(values).intersection(SETTLED)
        case Asked(key="clock", values=values):
            return not {"met", NOBODY}.intersection(values)
        case Every(of=many):
            return any(map(is_unsettled, many))
        case Either(of=many):
            return all(map(is_unsettled, many))
    return False
