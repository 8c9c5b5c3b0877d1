"""The terms of a query, in one table: what each is called, what may stand after it, what of a ticket it asks, and its words in the
papers. A subject that can be asked for adds its row here, and its condition beside its table or in `domain/finding/conditions.py`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement

from domain.desk.tickets import TicketStatus
from domain.finding import conditions
from domain.finding.conditions import Asking
from domain.finding.lexemes import Mark
from domain.finding.values import ME, NOBODY, Anything, Numbers, OneOf, Times, Values
from domain.languages import LANGUAGES
from domain.ways_in.channels import ChannelKind

Condition = Callable[[Any, Asking], ColumnElement[bool]]


@dataclass(frozen=True)
class Term:
    values: Values
    holds: Condition
    """From a value, as read, to what must hold of a ticket."""
    says: str
    """For `docs/finding.md`."""
    by_words: bool = False
    """Looks into the index, which is a moment behind."""


@dataclass(frozen=True)
class Flag:
    """What a ticket is, or is not."""

    holds: Callable[[Asking], ColumnElement[bool]]
    says: str
    unsettled: bool = False
    """Only a new, open or pending ticket is."""


FLAGS = {
    "open": Flag(conditions.is_live, "not solved and not closed: new, open or pending", unsettled=True),
    "unassigned": Flag(conditions.is_nobodys, "nobody has it"),
    "unread": Flag(
        conditions.is_unread,
        "not settled, and the customer wrote something after our last answer",
        unsettled=True,
    ),
    "complaint": Flag(
        conditions.is_complaint,
        "a complaint was opened on it, a law's days run or ran for it, or it has the tag `complaint`",
    ),
    "snoozed": Flag(conditions.is_snoozed, "it sleeps until a time, or until the customer writes"),
    "vip": Flag(conditions.is_of_a_vip, "its customer is a VIP"),
    "spam": Flag(conditions.is_spam, "marked as spam; left out unless a query speaks of it"),
}
"""`is:…`"""

STATES = {
    "ok": conditions.Promises.OK,
    "risk": conditions.Promises.AT_RISK,
    "breached": conditions.Promises.BREACHED,
    "paused": conditions.Promises.PAUSED,
    "met": conditions.Promises.MET,
    NOBODY: conditions.Promises.NONE,
}
PRIORITIES = {"urgent": 1, "high": 2, "normal": 3, "low": 4}

TERMS = {
    "is": Term(OneOf(FLAGS), lambda flag, asking: flag.holds(asking), "what the ticket is"),
    "status": Term(
        OneOf({status.value: status for status in TicketStatus}), conditions.has_status, "its status"
    ),
    "clock": Term(
        OneOf(STATES),
        conditions.is_promised,
        "its promises: `breached` or at `risk` if one of them is, `ok` if all that run are, `paused`, `met` if none runs and "
        "one was kept, `none` if nothing was promised",
    ),
    "priority": Term(Numbers(PRIORITIES), conditions.has_priority, "1 is urgent, 4 is low: `<=2` is urgent or high"),
    "channel": Term(
        OneOf({kind.value: kind for kind in ChannelKind}), conditions.came_by, "one of its conversations is there"
    ),
    "assignee": Term(
        Anything((ME, NOBODY), names="agent"),
        conditions.is_assigned,
        "who has it, by name, or for who manages by address; `me`, or `none`",
    ),
    "mentions": Term(Anything((ME,), names="agent"), conditions.calls, "a note calls this agent; `me`"),
    "csat": Term(Numbers(), conditions.is_rated, "how the customer rated the help, of 5: `<3`"),
    "team": Term(Anything((NOBODY,), names="team"), conditions.is_of_team, "by the team's name; or `none`"),
    "tag": Term(Anything((NOBODY,)), conditions.has_tag, "the ticket has this tag; or `none` at all"),
    "lang": Term(
        OneOf({language: language for language in (*LANGUAGES, NOBODY)}),
        conditions.speaks,
        "the customer's language; `none` if it is not known",
    ),
    "contact": Term(
        Anything(),
        conditions.has_contact,
        "the customer: an id, an address, or words of a name, a company or a town",
        by_words=True,
    ),
    "phone": Term(
        Anything(),
        conditions.names_a(Mark.PHONE),
        "a piece of a number, three digits at least, of a call, a customer or in a text",
        by_words=True,
    ),
    "order": Term(
        Anything(),
        conditions.names_a(Mark.NUMBER),
        "a piece of the number of an order, a parcel or an invoice",
        by_words=True,
    ),
    "number": Term(Numbers(largest=2**63 - 1), conditions.has_number, "the ticket's own"),
    "age": Term(Times(days=False), conditions.opened, "since it was opened: `>2d` is more than two days"),
    "created": Term(Times(), conditions.opened, "when it was opened: `>2026-11-01` is after that day, `<3d` within three days"),
    "updated": Term(Times(), conditions.updated, "when something happened last"),
}  # fmt: skip
