"""Contacts that may be one person: each with what speaks for it, to be merged or said to be two for good."""

import uuid
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from math import prod
from typing import Any

from sqlalchemy import ColumnElement, ForeignKey, Index, Select, and_, exists, func, literal, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, aliased, mapped_column

from domain.access import may_see, sight
from domain.actors import Actor
from domain.chorus import Reads, side_by_side
from domain.customers.contacts import Contact, Identity, IdentityKind
from domain.db import Base, by_name, one_of_given
from domain.desk.messages import Item
from domain.joining.named_numbers import NamedNumber
from domain.joining.numbers import NumberKind
from domain.joining.reasons import DuplicateCode

MOST = 5
SCORES = {
    DuplicateCode.SAME_ADDRESS: 0.7,
    DuplicateCode.SAME_PHONE: 0.6,
    DuplicateCode.SAME_ORDER: 0.5,
    DuplicateCode.SAME_NAME_AND_CITY: 0.4,
}
MOST_WITH_ONE_VALUE = 50
"""A number that more contacts have than this is a firm's: it says nothing."""


class TwoPeople(Base):
    """Somebody said that these are two: it is not suggested again."""

    __tablename__ = "two_people"
    __table_args__ = (Index("ix_two_people_other", "other_id"),)

    one_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("contact.id"), primary_key=True)
    """The lesser id of the two."""
    other_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("contact.id"), primary_key=True)
    at: Mapped[datetime]
    by_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("agent.id"))


@dataclass(frozen=True)
class Duplicate:
    contact_id: uuid.UUID
    score: float
    """From 0 to 1: several weak reasons make a strong one."""
    reasons: tuple[tuple[DuplicateCode, str], ...]
    """With the value that both have; the strongest first."""


async def are_two(
    session: AsyncSession, contact_id: uuid.UUID, other_id: uuid.UUID, *, by: Actor, at: datetime
) -> None:
    one, other = sorted((contact_id, other_id))
    said = insert(TwoPeople).values(one_id=one, other_id=other, at=at, by_id=by.agent_id)
    await session.execute(said.on_conflict_do_nothing())


async def duplicates_of(
    connection: Reads, contact_ids: Collection[uuid.UUID], *, to: Actor
) -> dict[uuid.UUID, list[Duplicate]]:
    """By contact, the likeliest first; of contacts that still stand. What `to` may not read speaks for nothing."""
    found: dict[tuple[uuid.UUID, uuid.UUID], dict[DuplicateCode, str]] = {}
    given = {"ids": list(contact_ids)}
    asked = (connection.execute(query, given) for query in (_apart, *_likenesses(sight(to))))
    kept_apart, *told_by = await side_by_side(connection, *asked)
    apart = {frozenset(pair) for pair in kept_apart}
    for rows in told_by:
        for mine, other, code, value in rows:
            found.setdefault((mine, other), {}).setdefault(DuplicateCode(code), value)
    told: dict[uuid.UUID, list[Duplicate]] = {}
    for (mine, other), reasons in found.items():
        if frozenset((mine, other)) not in apart:
            told.setdefault(mine, []).append(_duplicate(other, reasons))
    return {
        mine: sorted(others, key=lambda one: (-one.score, one.contact_id))[:MOST]
        for mine, others in told.items()
    }


def _duplicate(other: uuid.UUID, reasons: dict[DuplicateCode, str]) -> Duplicate:
    strongest = sorted(reasons.items(), key=lambda reason: -SCORES[reason[0]])
    score = 1 - prod(1 - SCORES[code] for code, _ in strongest)
    return Duplicate(other, round(score, 2), tuple(strongest))


@lru_cache(1000)
def _likenesses(viewer: Actor) -> tuple[Select[*tuple[Any, ...]], ...]:
    return tuple(_alike(viewer))


def _alike(viewer: Actor) -> Iterator[Select[*tuple[Any, ...]]]:
    mine, other = aliased(Identity), aliased(Identity)
    standing = aliased(Contact)
    for kind, code in (
        (IdentityKind.EMAIL, DuplicateCode.SAME_ADDRESS),
        (IdentityKind.PHONE, DuplicateCode.SAME_PHONE),
    ):
        yield (
            select(mine.contact_id, other.contact_id, literal(code.value), mine.value)
            .join(other, and_(other.kind == mine.kind, other.scope == mine.scope, other.value == mine.value))
            .join(standing, standing.id == other.contact_id)
            .where(
                one_of_given(mine.contact_id),
                mine.kind == kind,
                other.contact_id != mine.contact_id,
                standing.canonical_id.is_(None),
            )
            .limit(MOST_WITH_ONE_VALUE * MOST)
        )
    my_item, their_item = aliased(Item), aliased(Item)
    my_number, their_number = aliased(NamedNumber), aliased(NamedNumber)
    yield (
        select(
            my_item.contact_id,
            their_item.contact_id,
            literal(DuplicateCode.SAME_ORDER.value),
            my_number.value,
        )
        .join(my_number, my_number.item_id == my_item.id)
        .join(their_number, and_(their_number.value == my_number.value, their_number.kind == my_number.kind))
        .join(their_item, their_item.id == their_number.item_id)
        .join(standing, standing.id == their_item.contact_id)
        .where(
            one_of_given(my_item.contact_id),
            my_number.kind.in_((NumberKind.ORDER, NumberKind.TRACKING)),
            their_item.contact_id != my_item.contact_id,
            _is_read_by(viewer, my_item),
            _is_read_by(viewer, their_item),
            standing.canonical_id.is_(None),
        )
        .distinct()
        .limit(MOST_WITH_ONE_VALUE * MOST)
    )
    me, namesake = aliased(Contact), aliased(Contact)
    yield (
        select(me.id, namesake.id, literal(DuplicateCode.SAME_NAME_AND_CITY.value), me.name)
        .join(namesake, by_name(namesake.name) == by_name(me.name))
        .where(
            one_of_given(me.id),
            me.name != "",
            me.city != "",
            func.lower(namesake.name) == func.lower(me.name),
            func.lower(namesake.city) == func.lower(me.city),
            namesake.id != me.id,
            namesake.canonical_id.is_(None),
        )
        .limit(MOST_WITH_ONE_VALUE * MOST)
    )


def _is_read_by(viewer: Actor, item: Any) -> ColumnElement[bool]:
    return exists().where(Item.id == item.id, may_see(Item, viewer))


_apart = select(TwoPeople.one_id, TwoPeople.other_id).where(
    one_of_given(TwoPeople.one_id) | one_of_given(TwoPeople.other_id)
)
