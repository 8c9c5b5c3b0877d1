"""Originals that became no message of a person's and name them all the same: a receipt, the end of a call, what could not be read.

No column says whose they are. They are looked through for the person's addresses, numbers and calls.
"""

import uuid
from collections.abc import Sequence

import phonenumbers
from sqlalchemy import CTE, ColumnElement, Text, and_, cast, exists, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.arriving.inbound import Arrival
from domain.customers.contacts import IdentityKind
from domain.customers.mailboxes import in_letters
from domain.customers.survivors import same_person
from domain.desk.messages import Call, Item
from domain.ways_in.channels import Channel, ChannelKind

Named = tuple[str, str]
"""An identity's kind, or CALL, and what is looked for."""

CALL = "call"
"""Its own id: the steps that end a call need not say whose it was."""

CHANNELS_OF: dict[str, tuple[ChannelKind, ...]] = {
    IdentityKind.EMAIL: (ChannelKind.EMAIL, ChannelKind.CHAT),
    IdentityKind.PHONE: (ChannelKind.PHONE, ChannelKind.SMS),
    IdentityKind.MESSENGER: (ChannelKind.MESSENGER,),
    IdentityKind.CHAT: (ChannelKind.CHAT,),
    IdentityKind.CUSTOMER: (ChannelKind.CHAT,),
    CALL: (ChannelKind.PHONE,),
}


async def calls_of(session: AsyncSession, contact_id: uuid.UUID) -> list[Named]:
    ids = await session.scalars(select(Call.external_id).where(same_person(Call.contact_id, contact_id)))
    return [(CALL, id) for id in ids if id]


async def among(
    session: AsyncSession, first: uuid.UUID, last: uuid.UUID, named: Sequence[Named]
) -> Sequence[uuid.UUID]:
    """Of the originals from the first to the last that name the person, those that nobody's message came of, and Meta's, where
    it may be another's. What still waits to be read becomes somebody's message first."""
    words = func.concat(
        Arrival.external_id, " ", func.encode(Arrival.raw, "escape"), cast(Arrival.envelope, Text)
    )
    loose = (
        select(Arrival.id, Channel.kind, func.lower(words).label("said"))
        .join(Channel, Channel.id == Arrival.channel_id)
        .where(
            Arrival.id.between(first, last),
            Arrival.due_at.is_(None),
            Channel.kind.in_({channel for kind, _ in named for channel in CHANNELS_OF[kind]}),
            or_(
                Channel.kind == ChannelKind.MESSENGER,
                ~exists(select(Item.id).where(Item.arrival_id == Arrival.id)),
            ),
        )
        .cte("loose")
        .prefix_with("MATERIALIZED")  # read once, not once for each of what is looked for
    )
    names = or_(*(_names(loose, kind, value) for kind, value in named))
    return (await session.scalars(select(loose.c.id).where(names))).all()


def _names(loose: CTE, kind: str, value: str) -> ColumnElement[bool]:
    """Byte by byte: an original may be in any encoding, or in none."""
    if kind == IdentityKind.PHONE:  # a PBX may leave out the plus, or the country
        value = _without_country(value)
    elif kind in (IdentityKind.CUSTOMER, CALL):  # "42" is in many things
        value = f'"{value}"'
    written = {value, in_letters(value)} if kind == IdentityKind.EMAIL else {value}
    looked_for = {one.lower() for one in written} | {_escaped(one).lower() for one in written}
    said = or_(*(func.strpos(loose.c.said, one) > 0 for one in sorted(looked_for)))
    return and_(loose.c.kind.in_(CHANNELS_OF[kind]), said)


def _escaped(value: str) -> str:
    """UTF-8, as `encode` writes bytes that are not ASCII."""
    return "".join(chr(byte) if byte < 128 else f"\\{byte:03o}" for byte in value.encode())


def _without_country(number: str) -> str:
    try:
        return str(phonenumbers.parse(number).national_number)
    except phonenumbers.NumberParseException:
        return number
