"""Tickets that may be the same matter, for a person to say: each with its reason, and accepted or dismissed for good."""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnClause,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    Text,
    and_,
    column,
    func,
    literal,
    select,
    text,
    true,
)
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from domain.abreast import asked
from domain.actors import Actor
from domain.customers.contacts import Claim, IdentityKind
from domain.customers.likeness import identities_like
from domain.db import Base, new_id
from domain.desk.messages import Item
from domain.desk.threads import Likeness, Placement
from domain.desk.tickets import Ticket
from domain.joining.cases import Asking, newest_tickets
from domain.joining.named_numbers import NamedNumber, written_in
from domain.joining.numbers import CaseNumber, NumberKind
from domain.joining.reasons import MatterCode, SuggestionCode

MOST = 5
SCORES = {
    MatterCode.SAME_NUMBER: 0.9,
    MatterCode.SAME_SUBJECT: 0.8,
    MatterCode.SAME_TOPIC: 0.7,
    MatterCode.SOON_AFTER: 0.5,
}
SCORE_OF = {
    SuggestionCode.FOLLOWS_UP: 0.95,
    SuggestionCode.ANSWERS_ITS_MAIL: 0.85,
    SuggestionCode.NAMES_ITS_NUMBER: 0.8,
    SuggestionCode.SAME_NUMBER: 0.75,
    SuggestionCode.SAME_ADDRESS: 0.6,
    SuggestionCode.SAME_PHONE: 0.5,
    SuggestionCode.SAME_CUSTOMER: 0.3,
}
NAMED_WITHIN = timedelta(days=180)


class Suggestion(Base):
    __tablename__ = "suggestion"
    __table_args__ = (
        Index("uq_suggestion_pair", "ticket_id", "other_id", unique=True),
        Index("ix_suggestion_other", "other_id"),
        Index("ix_suggestion_open", "ticket_id", postgresql_where=text("decided_at IS NULL")),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    ticket_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("ticket.id"))
    """The newer one."""
    other_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("ticket.id"))
    code: Mapped[SuggestionCode]
    value: Mapped[str] = mapped_column(default="", server_default="")
    """The address or number that both have."""
    score: Mapped[float]
    created_at: Mapped[datetime]
    decided_at: Mapped[datetime | None]
    decided_by_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("agent.id"))
    accepted: Mapped[bool | None]

    def dismiss(self, *, by: Actor, at: datetime) -> None:
        if self.decided_at is None:
            self.decided_at, self.decided_by_id, self.accepted = at, by.agent_id, False


@dataclass(frozen=True)
class Hint:
    ticket_id: uuid.UUID
    code: SuggestionCode
    score: float
    value: str = ""


async def suggest(
    session: AsyncSession,
    ticket: Ticket,
    placement: Placement,
    *,
    claims: Iterable[Claim],
    numbers: frozenset[CaseNumber],
    text: str = "",
    references: tuple[str, ...] = (),
    tags: tuple[int, ...] = (),
    follows: uuid.UUID | None = None,
    at: datetime,
) -> None:
    """For a ticket that a conversation has just opened. An address or a number in its `text` is no more than a hint.

    `tags`: numbers of tickets that its subject names. `follows`: the ticket whose mail it answers, which takes no more.
    """
    phones = frozenset(
        CaseNumber(NumberKind.PHONE, claim.value) for claim in claims if claim.kind == IdentityKind.PHONE
    )
    hints = [
        *_of_same_contact(placement),
        *([_hint(follows, SuggestionCode.FOLLOWS_UP)] if follows else []),
        *await _answered(session, references),
        *await _tagged(session, tags),
        *await _with_claims(session, ticket, (*claims, *written_in(text)), at=at),
        *await _with_numbers(session, numbers, SuggestionCode.SAME_NUMBER, at=at),
        *await _with_numbers(session, phones, SuggestionCode.SAME_PHONE, at=at),
    ]
    best: dict[uuid.UUID, Hint] = {}
    for hint in sorted(hints, key=lambda hint: -hint.score):
        if hint.ticket_id != ticket.id:
            best.setdefault(hint.ticket_id, hint)
    if best:
        await asked(session, _kept, (ticket.id, tuple(best.values())[:MOST], at))


Found = tuple[uuid.UUID, tuple[Hint, ...], datetime]
"""For a ticket."""


async def _kept(session: AsyncSession, many: Sequence[Found]) -> Mapping[Found, None]:
    rows = [
        {
            "id": new_id(), "ticket_id": ticket_id, "other_id": hint.ticket_id, "code": hint.code,
            "value": hint.value, "score": hint.score, "created_at": at,
        }
        for ticket_id, hints, at in many
        for hint in hints
    ]  # fmt: skip
    await session.execute(insert(Suggestion).on_conflict_do_nothing(), rows)
    return dict.fromkeys(many)


def _of_same_contact(placement: Placement) -> list[Hint]:
    return [
        Hint(one.case.ticket_id, SuggestionCode.SAME_CUSTOMER, SCORES[one.matter])
        if isinstance(one, Likeness)
        else Hint(one.ticket_id, SuggestionCode.SAME_CUSTOMER, SCORE_OF[SuggestionCode.SAME_CUSTOMER])
        for one in placement.may_be
    ]


async def _answered(session: AsyncSession, references: tuple[str, ...]) -> list[Hint]:
    if not references:
        return []
    found = await session.scalars(
        select(Item.ticket_id)
        .join(Ticket, Ticket.id == Item.ticket_id)
        .where(Item.external_id.in_(references), Ticket.merged_into_id.is_(None))
        .distinct()
    )
    return [_hint(ticket_id, SuggestionCode.ANSWERS_ITS_MAIL) for ticket_id in found]


async def _tagged(session: AsyncSession, tags: tuple[int, ...]) -> list[Hint]:
    if not tags:
        return []
    found = await session.execute(
        select(func.coalesce(Ticket.merged_into_id, Ticket.id), Ticket.number).where(Ticket.number.in_(tags))
    )
    return [_hint(ticket_id, SuggestionCode.NAMES_ITS_NUMBER, f"#{number}") for ticket_id, number in found]


def _hint(ticket_id: uuid.UUID, code: SuggestionCode, value: str = "") -> Hint:
    return Hint(ticket_id, code, SCORE_OF[code], value)


async def _with_claims(
    session: AsyncSession, ticket: Ticket, claims: Iterable[Claim], *, at: datetime
) -> list[Hint]:
    """Tickets of others who have an address or a number that is claimed here."""
    hints = []
    for claim in claims:
        if claim.kind not in (IdentityKind.EMAIL, IdentityKind.PHONE):
            continue
        is_address = claim.kind == IdentityKind.EMAIL
        code = SuggestionCode.SAME_ADDRESS if is_address else SuggestionCode.SAME_PHONE
        others = {owner.id: owner for _, owner in await identities_like(session, claim)}
        for owner in list(others.values())[:MOST]:
            if owner.id == ticket.contact_id:
                continue
            theirs = await asked(session, _newest, (owner.id, at))
            hints += [Hint(id, code, SCORE_OF[code], claim.label or claim.value) for id in theirs]
    return hints


async def _newest(session: AsyncSession, many: Sequence[Asking]) -> Mapping[Asking, list[uuid.UUID]]:
    asking, ticket = newest_tickets(many, 2)
    rows = await session.execute(
        select(asking.c.contact_id, asking.c.at, ticket.id)
        .join_from(asking, ticket, true())
        .order_by(ticket.updated_at.desc())
    )
    found: dict[Asking, list[uuid.UUID]] = {one: [] for one in many}
    for contact_id, at, id in rows:
        found[contact_id, at].append(id)
    return found


async def _with_numbers(
    session: AsyncSession, numbers: frozenset[CaseNumber], code: SuggestionCode, *, at: datetime
) -> list[Hint]:
    named = frozenset(number for number in numbers if number.kind != NumberKind.INVOICE)
    if not named:
        return []
    found = await asked(session, _naming, (named, at))
    return [Hint(ticket_id, code, SCORE_OF[code], value) for ticket_id, value in found]


Numbers = tuple[frozenset[CaseNumber], datetime]
"""And when they were named."""


async def _naming(
    session: AsyncSession, many: Sequence[Numbers]
) -> Mapping[Numbers, list[tuple[uuid.UUID, str]]]:
    """Tickets that name one of them, whichever of their kinds it is there."""
    asking = [
        (place, value, kind, at - NAMED_WITHIN)
        for place, (numbers, at) in enumerate(many)
        for value in sorted({number.value for number in numbers})
        for kind in sorted({number.kind for number in numbers})
    ]
    columns: Sequence[ColumnClause[Any]] = (
        column("place", Integer), column("value", Text), column("kind", NamedNumber.kind.type),
        column("since", DateTime(timezone=True)),
    )  # fmt: skip
    arrays = (
        literal(list(values), ARRAY(one.type))
        for one, values in zip(columns, zip(*asking, strict=True), strict=True)
    )
    wanted = func.unnest(*arrays).table_valued(*columns).render_derived()
    newest = func.row_number().over(partition_by=wanted.c.place, order_by=Item.at.desc())
    ranked = (
        select(wanted.c.place, Item.ticket_id, NamedNumber.value, newest.label("rank"))
        .join_from(
            wanted, NamedNumber, and_(NamedNumber.value == wanted.c.value, NamedNumber.kind == wanted.c.kind)
        )
        .join(Item, and_(Item.id == NamedNumber.item_id, Item.at > wanted.c.since))
        .join(Ticket, and_(Ticket.id == Item.ticket_id, Ticket.merged_into_id.is_(None)))
        .subquery()
    )
    rows = await session.execute(
        select(ranked.c.place, ranked.c.ticket_id, ranked.c.value)
        .where(ranked.c.rank <= MOST * 4)
        .order_by(ranked.c.place, ranked.c.rank)
    )
    found: dict[Numbers, list[tuple[uuid.UUID, str]]] = {one: [] for one in many}
    for place, ticket_id, value in rows:
        found[many[place]].append((ticket_id, value))
    return found
