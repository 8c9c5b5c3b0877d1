"""What terms ask of a ticket."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from operator import eq, ge, gt, le, lt
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import (
    Boolean,
    ColumnElement,
    Select,
    and_,
    any_,
    exists,
    false,
    func,
    literal,
    literal_column,
    or_,
    select,
    union_all,
)
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.sql.elements import SQLCoreOperations

from domain.agents.staff import Agent, Team
from domain.complaints.complaints import LEADS, Complaint
from domain.customers.contacts import Contact, Identity, IdentityKind
from domain.customers.mailboxes import mail_address
from domain.customers.survivors import same_person
from domain.desk import tags
from domain.desk.messages import DeliveryState, Direction, Item, ItemKind
from domain.desk.threads import Thread
from domain.desk.tickets import IS_LIVE, NEVER, Ticket, TicketStatus
from domain.errors import Refused
from domain.feedback.conditions import rated
from domain.feedback.scales import SurveyKind
from domain.finding.entries import EntryKind, SearchEntry, is_of, matches
from domain.finding.lexemes import Mark, asked_piece, asked_words
from domain.finding.values import ME, NOBODY, Compared
from domain.ids import row_id
from domain.sla.clocks import RUNNING, Clock
from domain.ways_in.channels import Channel, ChannelKind
from domain.working.mentions import mentions

COMPLAINT = "complaint"

_item = Item.__table__.c


@dataclass(frozen=True)
class Asking:
    """Who asks, and when: what `me`, `today` and `2d` mean."""

    at: datetime
    agent_id: uuid.UUID | None = None
    zone: str = "UTC"
    knows_contacts: bool = True
    """Otherwise a ticket is not found by what is known of its customer: a token that may not read it shall not guess it."""

    def of_contacts(self, condition: ColumnElement[bool]) -> ColumnElement[bool]:
        return condition if self.knows_contacts else false()


class Promises(StrEnum):
    """Of a ticket, all together."""

    OK = "ok"
    AT_RISK = "at_risk"
    BREACHED = "breached"
    PAUSED = "paused"
    MET = "met"
    NONE = "none"


LIVE: ColumnElement[bool] = literal_column(f"(ticket.{IS_LIVE})", Boolean)


def is_live(_: Asking) -> ColumnElement[bool]:
    return LIVE


def is_nobodys(_: Asking) -> ColumnElement[bool]:
    return Ticket.assignee_id.is_(None)


def is_spam(_: Asking) -> ColumnElement[bool]:
    return Ticket.spam_at.is_not(None)


def is_complaint(_: Asking) -> ColumnElement[bool]:
    complained = exists().where(Complaint.ticket_id == Ticket.id, LEADS)
    return or_(Ticket.legal_since.is_not(None), Ticket.tags.has_key(COMPLAINT), complained)


def is_snoozed(_: Asking) -> ColumnElement[bool]:
    return Ticket.snoozed_until.is_not(None)


def is_of_a_vip(asking: Asking) -> ColumnElement[bool]:
    return asking.of_contacts(exists().where(Contact.id == Ticket.contact_id, Contact.is_vip))


def is_unread(_: Asking) -> ColumnElement[bool]:
    return LIVE & HAS_UNANSWERED


def _answered_until() -> ColumnElement[int]:
    """The newest item of the same ticket that answers: a person's word to the customer, not lost or taken back."""
    answer = Item.__table__.alias("answer")
    return func.coalesce(
        select(func.max(answer.c.seq))
        .where(
            answer.c.ticket_id == _item.ticket_id,
            answer.c.kind == ItemKind.MESSAGE,
            answer.c.direction == Direction.OUT,
            answer.c.automatic.is_not(True),
            answer.c.delivery.is_distinct_from(DeliveryState.FAILED),
            answer.c.delivery.is_distinct_from(DeliveryState.UNDONE),
            # Not as EXISTS: by an anti-join the newest is found among all of them only.
            select(Thread.side).where(Thread.id == answer.c.thread_id).scalar_subquery().is_not(True),
        )
        .correlate(Item.__table__)
        .scalar_subquery(),
        0,
    )


UNANSWERED = (
    _item.kind == ItemKind.MESSAGE,
    _item.direction == Direction.IN,
    _item.automatic.is_not(True),
    _item.seq > _answered_until(),
    ~exists().where(Thread.id == _item.thread_id, Thread.side).correlate(Item.__table__),
)
"""Of an item: a customer's message that came after our last answer. What is said on the side is nobody's question."""
HAS_UNANSWERED = exists(select(_item.id).where(_item.ticket_id == Ticket.id, *UNANSWERED))
"""Of a ticket."""


def has_status(status: TicketStatus, _: Asking) -> ColumnElement[bool]:
    return Ticket.status == status


def is_promised(promises: Promises, asking: Asking) -> ColumnElement[bool]:
    runs = (Clock.ticket_id == Ticket.id, RUNNING)
    ticks = (*runs, Clock.paused_since.is_(None))
    warned = literal(asking.at) >= any_(Clock.warn_at)
    match promises:  # nothing runs on a settled ticket: to say so keeps the many out of sight
        case Promises.BREACHED:
            return LIVE & (Ticket.due_at <= asking.at)
        case Promises.AT_RISK:
            return LIVE & exists().where(*ticks, Clock.due_at > asking.at, warned)
        case Promises.OK:
            return (
                LIVE & (Ticket.due_at > asking.at) & (Ticket.due_at < NEVER) & ~exists().where(*ticks, warned)
            )
        case Promises.PAUSED:
            return LIVE & exists().where(*runs, Clock.paused_since.is_not(None))
        case Promises.MET:
            met = exists().where(Clock.ticket_id == Ticket.id, Clock.met_at.is_not(None))
            return and_(met, ~exists().where(*runs))
        case Promises.NONE:
            return ~exists().where(Clock.ticket_id == Ticket.id, Clock.ended_at.is_(None))


def has_priority(asked: Compared, _: Asking) -> ColumnElement[bool]:
    return _compared(Ticket.priority, asked)


def has_number(asked: Compared, _: Asking) -> ColumnElement[bool]:
    return _compared(Ticket.number, asked)


def came_by(kind: ChannelKind, _: Asking) -> ColumnElement[bool]:
    return exists().where(
        Thread.ticket_id == Ticket.id,
        Thread.side.is_(False),
        Channel.id == Thread.channel_id,
        Channel.kind == kind,
    )


def is_assigned(who: str, asking: Asking) -> ColumnElement[bool]:
    if who == ME:
        return Ticket.assignee_id == asking.agent_id if asking.agent_id else false()
    if who == NOBODY:
        return Ticket.assignee_id.is_(None)
    return Ticket.assignee_id.in_(_called(who))


def _called(who: str) -> Select[uuid.UUID]:
    named = or_(func.lower(Agent.email) == who.lower(), func.lower(Agent.name) == who.lower())
    return select(Agent.id).where(named)


def calls(who: str, asking: Asking) -> ColumnElement[bool]:
    """A note in it calls somebody."""
    if who == ME:
        return mentions([asking.agent_id]) if asking.agent_id else false()
    return mentions(_called(who))


def is_rated(asked: Compared, _: Asking) -> ColumnElement[bool]:
    return rated(SurveyKind.CSAT, lambda score: _compared(score, asked))


def is_of_team(name: str, _: Asking) -> ColumnElement[bool]:
    if name == NOBODY:
        return Ticket.team_id.is_(None)
    return Ticket.team_id.in_(select(Team.id).where(func.lower(Team.name) == name.lower()))


def has_tag(tag: str, _: Asking) -> ColumnElement[bool]:
    if tag == NOBODY:
        return func.jsonb_array_length(Ticket.tags) == 0
    (kept,) = tags.kept([tag])
    return Ticket.tags.has_key(kept)  # type: ignore[no-any-return]


def speaks(language: str, asking: Asking) -> ColumnElement[bool]:
    spoken = func.lower(func.left(Contact.locale, 2)) == language
    known = Contact.locale.is_(None) if language == NOBODY else spoken
    return asking.of_contacts(exists().where(Contact.id == Ticket.contact_id, known))


def has_contact(who: str, asking: Asking) -> ColumnElement[bool]:
    return asking.of_contacts(_has_contact(who))


def _has_contact(who: str) -> ColumnElement[bool]:
    try:
        return same_person(Ticket.contact_id, row_id("Contact", who))
    except Refused:
        pass
    if "@" in who:
        address = (Identity.kind == IdentityKind.EMAIL, Identity.value == mail_address(who))
        return Ticket.contact_id.in_(select(Identity.contact_id).where(*address))
    asked = asked_words(who)
    return Ticket.contact_id.in_(_people_found(asked)) if asked else false()


def names_a(mark: Mark) -> Callable[[str, Asking], ColumnElement[bool]]:
    def holds(piece: str, asking: Asking) -> ColumnElement[bool]:
        return speaks_of(asked_piece(mark, piece), asking)

    return holds


_theirs = Ticket.__table__.alias("theirs")


def speaks_of(asked: str | None, asking: Asking) -> ColumnElement[bool]:
    """The ticket, something said in it, or its customer is found by that tsquery."""
    if asked is None:
        return false()
    itself = select(SearchEntry.id).where(is_of(EntryKind.TICKET), matches(asked))
    said = select(_item.ticket_id).join_from(Item.__table__, SearchEntry, SearchEntry.id == _item.id)
    said = said.where(is_of(EntryKind.ITEM), matches(asked))
    if not asking.knows_contacts:
        return Ticket.id.in_(union_all(itself, said))
    of_people = select(_theirs.c.id).where(_theirs.c.contact_id.in_(_people_found(asked)))
    return Ticket.id.in_(union_all(itself, said, of_people))


def _people_found(asked: str) -> Select[Any]:
    return (
        select(func.coalesce(Contact.canonical_id, Contact.id))
        .join_from(Contact, SearchEntry, SearchEntry.id == Contact.id)
        .where(is_of(EntryKind.CONTACT), matches(asked))
    )


def opened(asked: Compared, asking: Asking) -> ColumnElement[bool]:
    return _in_time(Ticket.created_at, asked, asking)


def updated(asked: Compared, asking: Asking) -> ColumnElement[bool]:
    return _in_time(Ticket.updated_at, asked, asking)


_SIGNS: dict[str, Callable[[Any, Any], Any]] = {"=": eq, ">": gt, ">=": ge, "<": lt, "<=": le}


def _compared(column: SQLCoreOperations[Any], asked: Compared) -> ColumnElement[bool]:
    return _SIGNS[asked.sign](column, asked.than)  # type: ignore[no-any-return]


def _in_time(column: InstrumentedAttribute[datetime], asked: Compared, asking: Asking) -> ColumnElement[bool]:
    """Longer ago is less; and what is after a day is after its end."""
    if isinstance(asked.than, timedelta):
        since = asking.at - asked.than
        return column < since if asked.sign in (">", ">=") else column > since
    begin, end = _day(asked.than, asking)
    match asked.sign:
        case ">":
            return column >= end
        case ">=":
            return column >= begin
        case "<":
            return column < begin
        case "<=":
            return column < end
        case _:
            return and_(column >= begin, column < end)


def _day(named: date | str, asking: Asking) -> tuple[datetime, datetime]:
    zone = ZoneInfo(asking.zone)
    if isinstance(named, date):
        day = named
    else:
        day = asking.at.astimezone(zone).date() - timedelta(days=named == "yesterday")
    begin, end = (datetime.combine(one, time(), zone) for one in (day, day + timedelta(days=1)))
    return begin, end
