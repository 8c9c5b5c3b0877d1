"""Views: queries with a name, one's own or the shop's."""

import uuid
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKey, Index, Integer, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from domain.abreast import one_at_a_time
from domain.actors import Actor
from domain.db import Base, new_id
from domain.errors import InvalidInput, NotAllowed
from domain.finding.mistakes import WrongQuery
from domain.finding.names import check
from domain.finding.query import parse
from domain.languages import N_, translate

MOST = 50
"""Of the shop, and of each person."""
LONGEST_NAME, LONGEST_SHORTCUT = 80, 20
LAST_POSITION = 2**31 - 1


class TicketOrder(StrEnum):
    DUE = "due"
    UPDATED = "updated"
    CREATED = "created"


class StandardView(StrEnum):
    """What every shop begins with; its name is in the reader's language, until somebody gives it another."""

    MINE = "mine"
    UNASSIGNED = "unassigned"
    AT_RISK = "at_risk"
    UNREAD = "unread"
    WAITING = "waiting"
    COMPLAINTS = "complaints"
    OPEN = "open"
    SPAM = "spam"


STANDARD = {
    StandardView.MINE: (N_("Mine"), "is:open assignee:me", TicketOrder.DUE),
    StandardView.UNASSIGNED: (N_("Unassigned"), "is:open is:unassigned", TicketOrder.DUE),
    StandardView.AT_RISK: (N_("At risk"), "clock:risk,breached", TicketOrder.DUE),
    StandardView.UNREAD: (N_("Unanswered"), "is:unread", TicketOrder.DUE),
    StandardView.WAITING: (N_("Waiting for the customer"), "status:pending", TicketOrder.UPDATED),
    StandardView.COMPLAINTS: (N_("Complaints"), "is:open is:complaint", TicketOrder.DUE),
    StandardView.OPEN: (N_("All open"), "is:open", TicketOrder.UPDATED),
    StandardView.SPAM: (N_("Spam"), "is:spam", TicketOrder.UPDATED),
}


class View(Base):
    __tablename__ = "ticket_view"
    __table_args__ = (Index("ix_ticket_view_owner", "owner_id", "position"),)

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    owner_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("agent.id"))
    """Whose it is; none: the shop's."""
    standard: Mapped[StandardView | None]
    name: Mapped[str]
    """Empty of a standard one that nobody has named otherwise."""
    query: Mapped[str]
    order_by: Mapped[TicketOrder]
    shortcut: Mapped[str | None]
    position: Mapped[int] = mapped_column(Integer)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]

    def may_be_changed(self, *, by: Actor) -> None:
        """One's own by oneself, the shop's by who manages."""
        if self.owner_id is None and not by.manages:
            raise NotAllowed


def name_of(view: Any, locale: str) -> str:
    return view.name or translate(locale, STANDARD[view.standard][0])


async def save_view(
    session: AsyncSession, view: View | None, *, by: Actor, at: datetime, shared: bool | None, **said: Any
) -> View:
    """`said`: `name`, `query`, `order_by`, `shortcut`, `position`; none stays. Without `view` a new one."""
    asked = {name: value for name, value in said.items() if value is not None}
    if view is None:
        view = await _new(session, by=by, at=at, shared=bool(shared))
        asked = {"name": "", "query": ""} | asked
    elif shared is not None:
        view.may_be_changed(by=by)
        view.owner_id = None if shared else by.agent_id
    view.may_be_changed(by=by)
    if "name" in asked:
        asked["name"] = _short(asked["name"].strip(), LONGEST_NAME, field="name")
        if not asked["name"]:
            raise InvalidInput(N_("This may not be empty."), field=["name"])
    if "shortcut" in asked:
        asked["shortcut"] = _short(asked["shortcut"].strip(), LONGEST_SHORTCUT, field="shortcut") or None
    if "query" in asked:
        try:
            await check(session, parse(asked["query"]), by=by)
        except WrongQuery as refusal:
            refusal.field = ["query"]
            raise
    for name, value in asked.items():
        setattr(view, name, value)
    view.updated_at = at
    session.add(view)
    return view


async def _new(session: AsyncSession, *, by: Actor, at: datetime, shared: bool) -> View:
    owner = None if shared else by.agent_id
    await one_at_a_time(session, f"views\n{owner}")
    count, last = (
        await session.execute(
            select(func.count(), func.max(View.position)).where(View.owner_id.is_not_distinct_from(owner))
        )
    ).one()
    if count >= MOST:
        raise InvalidInput(N_("There are {most} of these already."), field=["name"], most=MOST)
    position = 0 if last is None else min(last + 1, LAST_POSITION)
    return View(
        id=new_id(), owner_id=owner, position=position, order_by=TicketOrder.UPDATED, created_at=at, updated_at=at
    )  # fmt: skip


def _short(text: str, most: int, *, field: str) -> str:
    if len(text) > most:
        raise InvalidInput(N_("At most {most} characters."), field=[field], most=most)
    return text
