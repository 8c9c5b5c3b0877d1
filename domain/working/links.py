"""Tickets that have to do with each other and stay two: related, one waits for the other, one is part of the other.

A link stays at the ticket at which it was made. After a merge it is read with the survivor's, and undoing the merge undoes
nothing here: so a ticket may come to two parents, of which one is to be unlinked.
"""

import uuid
from collections.abc import Collection
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKey, Index, Select, Uuid, delete, func, literal, select, union_all
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, aliased, mapped_column

from domain.abreast import one_at_a_time
from domain.actors import Actor
from domain.db import Base, new_id, one_of
from domain.desk.tickets import Ticket
from domain.errors import InvalidInput
from domain.events import EventKind, record
from domain.languages import N_

MOST = 50
"""Of one ticket."""


class LinkKind(StrEnum):
    """As it is kept: from the one to the other."""

    RELATED = "related"
    BLOCKS = "blocks"
    PARENT_OF = "parent_of"


class LinkRole(StrEnum):
    """What the other ticket is, seen from one of the two."""

    RELATED = "related"
    BLOCKS = "blocks"
    """It waits for this one."""
    BLOCKED_BY = "blocked_by"
    """This one waits for it."""
    PARENT = "parent"
    CHILD = "child"


KEPT = {
    LinkRole.RELATED: (LinkKind.RELATED, False),
    LinkRole.BLOCKS: (LinkKind.BLOCKS, False),
    LinkRole.BLOCKED_BY: (LinkKind.BLOCKS, True),
    LinkRole.CHILD: (LinkKind.PARENT_OF, False),
    LinkRole.PARENT: (LinkKind.PARENT_OF, True),
}
"""How each is kept, and whether it goes from the other to this one."""


def role(kind: LinkKind, *, towards: bool) -> LinkRole:
    """`towards`: the link leads to the one who looks."""
    if kind == LinkKind.RELATED:
        return LinkRole.RELATED
    return next(role for role, kept in KEPT.items() if kept == (kind, towards))


class TicketLink(Base):
    __tablename__ = "ticket_link"
    __table_args__ = (
        Index("uq_ticket_link", "from_id", "to_id", "kind", unique=True),
        Index("ix_ticket_link_to", "to_id"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    kind: Mapped[LinkKind]
    from_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("ticket.id"))
    to_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("ticket.id"))
    at: Mapped[datetime]
    by_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("agent.id"))


async def link(
    session: AsyncSession, ticket: Ticket, other: Ticket, as_: LinkRole, *, by: Actor, at: datetime
) -> None:
    """`as_`: what `other` is to `ticket`. One that is there already stays as it is."""
    await one_at_a_time(session, "links")  # a circle, and a second parent, is made by two links
    if ticket.id == other.id:
        raise InvalidInput(N_("A ticket cannot be linked to itself."), field=["otherId"])
    shown = (await session.execute(links_of([ticket.id]))).all()
    if any(row.other_id == other.id and role(row.kind, towards=row.towards) == as_ for row in shown):
        return
    if len(shown) >= MOST:
        raise InvalidInput(N_("At most {most} at once."), field=["ticketId"], most=MOST)
    if len((await session.execute(links_of([other.id]))).all()) >= MOST:
        raise InvalidInput(N_("At most {most} at once."), field=["otherId"], most=MOST)
    kind, turned = KEPT[as_]
    source, target = (other, ticket) if turned else (ticket, other)
    if kind == LinkKind.RELATED and source.id > target.id:
        source, target = target, source
    if kind == LinkKind.PARENT_OF and await _has_parent(session, target):
        raise InvalidInput(N_("A ticket has one parent: unlink that one first."), field=["kind"])
    if kind != LinkKind.RELATED and await _leads(session, kind, target.id, to=source.id):
        raise InvalidInput(N_("That would be a circle."), field=["kind"])
    session.add(
        TicketLink(id=new_id(), kind=kind, from_id=source.id, to_id=target.id, at=at, by_id=by.agent_id)
    )
    _tell(session, ticket, other, by=by, at=at, link=as_)


async def unlink(
    session: AsyncSession, link: TicketLink, ticket: Ticket, other: Ticket, *, by: Actor, at: datetime
) -> None:
    """`link` leads from what is `ticket` now to what is `other`; the same that a merge has brought goes with it."""
    shown = (await session.execute(links_of([ticket.id]))).all()
    mine = role(link.kind, towards=False)
    same = [
        one.id for one in shown if one.other_id == other.id and role(one.kind, towards=one.towards) == mine
    ]
    await session.execute(delete(TicketLink).where(one_of(TicketLink.id, [link.id, *same])))
    _tell(session, ticket, other, by=by, at=at, link=None)


def _tell(
    session: AsyncSession, ticket: Ticket, other: Ticket, *, by: Actor, at: datetime, link: LinkRole | None
) -> None:
    for one in (ticket, other):
        one.updated_at = at
        record(
            session,
            EventKind.TICKET_LINKED,
            by=by,
            at=at,
            ticket_id=one.id,
            contact_id=one.contact_id,
            data={"link": link, "ends": [str(ticket.id), str(other.id)]},
        )


def links_of(ticket_ids: Collection[uuid.UUID]) -> Select[Any]:
    """Of these tickets and of all that became part of them, seen from each: `mine` is the ticket, `other_id` the one at the
    other end, as it is now; `towards` says that the link leads here."""
    source, target = aliased(Ticket), aliased(Ticket)
    whole = [func.coalesce(one.merged_into_id, one.id, type_=Uuid()) for one in (source, target)]

    def seen_from(end: int) -> Any:
        mine = (source, target)[end]
        return (
            select(
                TicketLink.id,
                TicketLink.kind,
                TicketLink.at,
                TicketLink.by_id,
                whole[end].label("mine"),
                whole[1 - end].label("other_id"),
                literal(bool(end)).label("towards"),
            )
            .join(source, source.id == TicketLink.from_id)
            .join(target, target.id == TicketLink.to_id)
            .where(
                one_of(mine.id, ticket_ids) | one_of(mine.merged_into_id, ticket_ids), whole[0] != whole[1]
            )
        )

    both = union_all(seen_from(0), seen_from(1)).subquery()
    return select(both).order_by(both.c.at, both.c.id)


async def _has_parent(session: AsyncSession, ticket: Ticket) -> bool:
    rows = await session.execute(links_of([ticket.id]))
    return any(role(row.kind, towards=row.towards) == LinkRole.PARENT for row in rows)


async def _leads(session: AsyncSession, kind: LinkKind, start: uuid.UUID, *, to: uuid.UUID) -> bool:
    """Does one come to that ticket by links of this kind?"""
    passed, ahead = set[uuid.UUID](), {start}
    while ahead and to not in ahead:
        passed |= ahead
        rows = await session.execute(links_of(ahead))
        ahead = {row.other_id for row in rows if row.kind == kind and not row.towards} - passed
    return to in ahead
