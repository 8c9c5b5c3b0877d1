"""The numbers that messages name, kept with each: by them later ones find the ticket, and whoever wrote of the same."""

import re
import uuid
from collections.abc import Mapping, Sequence

from sqlalchemy import ForeignKey, Index
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from domain.abreast import asked
from domain.customers.contacts import Claim, IdentityKind, normalised, phone_number
from domain.db import Base, new_id
from domain.desk.messages import Message
from domain.joining.matters import Matter
from domain.joining.numbers import CaseNumber, NumberKind

MOST = 5
"""Addresses of a text that are looked at, and telephone numbers."""
REGIONS = ("PL", "ES")
"""Of numbers that are written without their country."""


class NamedNumber(Base):
    """An order, a parcel or an invoice that a message names."""

    __tablename__ = "named_number"
    __table_args__ = (
        Index("uq_named_number_item", "item_id", "kind", "value", unique=True),
        Index("ix_named_number_value", "value", "kind"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    item_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("item.id"))
    kind: Mapped[NumberKind]
    value: Mapped[str]


async def note_numbers(session: AsyncSession, message: Message, about: Matter) -> None:
    """Those of its matter, and where it says that somebody can be called."""
    phones = (claim.value for claim in written_in(message.text) if claim.kind == IdentityKind.PHONE)
    if numbers := about.numbers.union(CaseNumber(NumberKind.PHONE, phone) for phone in phones):
        await asked(session, _noted, (message.id, numbers))


Named = tuple[uuid.UUID, frozenset[CaseNumber]]


async def _noted(session: AsyncSession, many: Sequence[Named]) -> Mapping[Named, None]:
    rows = [
        {"id": new_id(), "item_id": item_id, "kind": one.kind, "value": one.value}
        for item_id, numbers in many
        for one in sorted(numbers)
    ]
    await session.execute(insert(NamedNumber).on_conflict_do_nothing(), rows)
    return dict.fromkeys(many)


_AN_ADDRESS = re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,5}")
_A_PHONE = re.compile(r"(?<![\w+-])\+?\d(?:[\s().-]?\d){8,14}(?!\w)")


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
