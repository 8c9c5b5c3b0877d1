"""What somebody is called, asked of the provider once, in the background: nothing waits for it, and nothing depends on it."""

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import ForeignKey, Index, Uuid, bindparam, column, func, select, text
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from domain.abreast import asked
from domain.actors import SYSTEM
from domain.customers.contacts import Identity
from domain.customers.people import Person
from domain.customers.survivors import held_contact
from domain.db import Base, new_id, ring
from domain.telling import tell
from domain.ways_in.channels import Channel, ChannelKind
from domain.work import Queue, Work

LOOKED_UP = (ChannelKind.MESSENGER,)
"""Where a message does not say who wrote it, and the provider may."""

LONGEST_NAME = 200


class NameLookup(Work, Base):
    """Once for each identity, whatever came of it: `last_error` says why there is no name."""

    __tablename__ = "name_lookup"
    __table_args__ = (Index("ix_name_lookup_due", "due_at", postgresql_where=text("due_at IS NOT NULL")),)

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    identity_id: Mapped[uuid.UUID] = mapped_column(unique=True)
    """No foreign key: the identity may go, with the person."""
    channel_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("channel.id"))


NAME_LOOKUPS = Queue(NameLookup, topic="name_lookups", patience=timedelta(hours=6))


async def ask(session: AsyncSession, channel: Channel, person: Person) -> None:
    """Unless the contact has a name, or this was asked before."""
    if person.contact.name or person.identity is None:
        return
    if await asked(session, _wanted, (person.identity.id, channel.id)):
        ring(session, NAME_LOOKUPS.topic)


Wanted = tuple[uuid.UUID, uuid.UUID]
"""An identity, and the channel whose provider may know its name."""


async def _wanted(session: AsyncSession, many: Sequence[Wanted]) -> Mapping[Wanted, bool]:
    """Those for which nobody had asked before."""
    identities, channels = zip(*many, strict=True)
    asked_for = {"ids": [new_id() for _ in many], "identities": identities, "channels": channels}
    new = set((await tell(session, _ask_for, asked_for)).scalars())
    return {(identity_id, channel_id): identity_id in new for identity_id, channel_id in many}


_rows = (
    func.unnest(*(bindparam(name, type_=ARRAY(Uuid)) for name in ("ids", "identities", "channels")))
    .table_valued(*(column(name, Uuid) for name in ("id", "identity_id", "channel_id")))
    .render_derived()
)
_ask_for = (
    insert(NameLookup)
    .from_select(
        ["id", "identity_id", "channel_id", "due_at"],
        select(_rows.c.id, _rows.c.identity_id, _rows.c.channel_id, func.now()),
        include_defaults=False,
    )
    .on_conflict_do_nothing()
    .returning(NameLookup.identity_id)
)


async def found(session: AsyncSession, identity_id: uuid.UUID, name: str, *, at: datetime) -> None:
    """Fills in a name where there is none: what a person of the shop wrote is better."""
    identity = await session.scalar(select(Identity).where(Identity.id == identity_id).with_for_update())
    if identity is None:
        return
    name = " ".join(name.split())[:LONGEST_NAME]
    identity.name = identity.name or name
    contact = await held_contact(session, identity.contact_id)
    if not contact.name and not contact.erased_at:
        contact.change(by=SYSTEM, at=at, name=name)
