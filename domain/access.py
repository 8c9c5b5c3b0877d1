"""The door: what a person may see is asked here and nowhere else.

Managers and admins see everything; agents see their teams' tickets, those of no team, and what is assigned to them,
and of contacts those whose tickets they see or who have none.
"""

import uuid
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Select, and_, exists, false, func, or_, select, true
from sqlalchemy.ext.asyncio import AsyncSession

from domain.actors import Actor, ActorKind
from domain.alerts import Alert
from domain.channels import Channel
from domain.contacts import Contact
from domain.db import Base
from domain.errors import NotFound
from domain.messages import Attachment, Item
from domain.notices import Delivery, Device, Notice
from domain.staff import Agent, Team
from domain.tasks import Task
from domain.threads import Thread
from domain.tickets import Ticket

Row = TypeVar("Row", bound=Base)


def may_see(model: type[Base], actor: Actor) -> ColumnElement[bool]:
    """The condition under which `actor` sees a row of `model`."""
    if actor.kind == ActorKind.SYSTEM:
        return true()
    if actor.kind != ActorKind.AGENT:
        return false()
    if model is Device:
        return Device.agent_id == actor.id
    if model in (Agent, Team, Channel):
        return true()
    if model in (Delivery, Notice):
        return _deliveries(model, actor)
    if actor.manages:
        return true()
    tickets = _tickets(actor)
    if model is Ticket:
        return tickets
    if model is Contact:
        theirs = Ticket.contact_id == Contact.id
        return or_(exists().where(theirs, tickets), ~exists().where(theirs))
    if model is Attachment:
        return exists().where(Item.id == Attachment.item_id, Ticket.id == Item.ticket_id, tickets)
    if model in (Thread, Item, Alert):
        return exists().where(Ticket.id == model.ticket_id, tickets)
    if model is Task:
        return or_(
            Task.assignee_id == actor.id,
            Task.created_by_id == actor.id,
            and_(Task.assignee_id.is_(None), Task.ticket_id.is_(None)),
            exists().where(Ticket.id == Task.ticket_id, tickets),
        )
    raise LookupError(f"the door does not know {model.__name__}")


def _tickets(actor: Actor) -> ColumnElement[bool]:
    return or_(Ticket.team_id.is_(None), Ticket.team_id.in_(actor.teams), Ticket.assignee_id == actor.id)


def _deliveries(model: type[Base], actor: Actor) -> ColumnElement[bool]:
    """One's own; managers see what became of everybody's alerts."""
    if model is Notice:
        return true() if actor.manages else Notice.agent_id == actor.id
    if actor.manages:
        return true()
    return exists().where(Notice.id == Delivery.notice_id, Notice.agent_id == actor.id)


def visible(model: type[Row], *, to: Actor) -> Select[Any]:
    return select(model).where(may_see(model, to))


async def one(
    session: AsyncSession, model: type[Row], id: uuid.UUID | None, *, to: Actor, lock: bool = False
) -> Row:
    """The row, if this person may see it; "not allowed" and "does not exist" are the same answer."""
    query = visible(model, to=to).where(model.id == id)  # type: ignore[attr-defined]
    if lock:
        query = query.with_for_update(of=model, key_share=True).execution_options(populate_existing=True)
    row = await session.scalar(query)
    if row is None:
        raise NotFound
    return row  # type: ignore[no-any-return]


async def contact(session: AsyncSession, id: uuid.UUID, *, to: Actor, lock: bool = False) -> Contact:
    """The contact that this one has become, or still is."""
    survivor = await session.scalar(
        select(func.coalesce(Contact.canonical_id, Contact.id)).where(Contact.id == id)
    )
    return await one(session, Contact, survivor, to=to, lock=lock)
