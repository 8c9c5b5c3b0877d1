"""Tickets that may be the same matter, for a person to say: each with its reason, and accepted or dismissed for good."""

import re
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ForeignKey, Index, func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from domain.actors import Actor
from domain.customers.contacts import (
    Claim,
    IdentityKind,
    identities_like,
    normalised,
    phone_number,
    same_person,
)
from domain.db import Base, new_id
from domain.desk.messages import Item
from domain.desk.threads import Likeness, Placement
from domain.desk.tickets import Ticket
from domain.joining.cases import NamedNumber, may_go_on
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
        *await _with_numbers(session, ticket, numbers, SuggestionCode.SAME_NUMBER, at=at),
        *await _with_numbers(session, ticket, phones, SuggestionCode.SAME_PHONE, at=at),
    ]
    best: dict[uuid.UUID, Hint] = {}
    for hint in sorted(hints, key=lambda hint: -hint.score):
        if hint.ticket_id != ticket.id:
            best.setdefault(hint.ticket_id, hint)
    rows = [
        {
            "id": new_id(), "ticket_id": ticket.id, "other_id": hint.ticket_id, "code": hint.code,
            "value": hint.value, "score": hint.score, "created_at": at,
        }
        for hint in list(best.values())[:MOST]
    ]  # fmt: skip
    if rows:
        await session.execute(insert(Suggestion).values(rows).on_conflict_do_nothing())


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
            theirs = await session.scalars(
                select(Ticket.id)
                .where(same_person(Ticket.contact_id, owner.id), may_go_on(at))
                .order_by(Ticket.updated_at.desc())
                .limit(2)
            )
            hints += [Hint(id, code, SCORE_OF[code], claim.label or claim.value) for id in theirs]
    return hints


async def _with_numbers(
    session: AsyncSession,
    ticket: Ticket,
    numbers: frozenset[CaseNumber],
    code: SuggestionCode,
    *,
    at: datetime,
) -> list[Hint]:
    named = [number for number in numbers if number.kind != NumberKind.INVOICE]
    if not named:
        return []
    rows = await session.execute(
        select(Item.ticket_id, NamedNumber.value)
        .join(Item, Item.id == NamedNumber.item_id)
        .join(Ticket, Ticket.id == Item.ticket_id)
        .where(
            NamedNumber.value.in_([number.value for number in named]),
            NamedNumber.kind.in_({number.kind for number in named}),
            Item.at > at - NAMED_WITHIN,
            Ticket.merged_into_id.is_(None),
        )
        .order_by(Item.at.desc())
        .limit(MOST * 4)
    )
    return [Hint(ticket_id, code, SCORE_OF[code], value) for ticket_id, value in rows]


_AN_ADDRESS = re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,5}")
_A_PHONE = re.compile(r"(?<![\w+-])\+?\d(?:[\s().-]?\d){8,14}(?!\w)")
REGIONS = ("PL", "ES")
"""Of numbers that are written without their country."""


def phones_in(text: str) -> frozenset[CaseNumber]:
    return frozenset(
        CaseNumber(NumberKind.PHONE, claim.value)
        for claim in written_in(text)
        if claim.kind == IdentityKind.PHONE
    )


def written_in(text: str) -> list[Claim]:
    """The first few addresses and telephone numbers."""
    text = text[:5_000]
    claims = [
        Claim(IdentityKind.EMAIL, normalised(IdentityKind.EMAIL, address), None, label=address)
        for address in _AN_ADDRESS.findall(text)[:MOST]
    ]
    for written in _A_PHONE.findall(text)[:MOST]:
        numbers = {phone_number(written, region=region) for region in REGIONS}
        claims += [
            Claim(IdentityKind.PHONE, one, None, label=written) for one in sorted(filter(None, numbers))
        ]
    return list(dict.fromkeys(claims))
