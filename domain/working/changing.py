"""One change of whatever kind, made to one ticket after another by the ticket's own verbs; and taking it back."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy.ext.asyncio import AsyncSession

from domain import access
from domain.actors import Actor
from domain.agents.staff import Agent
from domain.db import Json
from domain.desk.tickets import OVER, Ticket, TicketStatus, check
from domain.errors import InvalidInput, NotFound
from domain.languages import N_
from domain.sla import reckoning
from domain.working import edits
from domain.working.edits import FIELD, Edit, EditedTicket, Outcome


@dataclass(frozen=True)
class Change:
    """What is left out stays."""

    subject: str | None = None
    status: TicketStatus | None = None
    priority: int | None = None
    add_tags: list[str] = field(default_factory=list)
    remove_tags: list[str] = field(default_factory=list)
    fields: dict[str, str | None] = field(default_factory=dict)
    """Spelled already, by their ids."""
    assigns: bool = False
    assignee_id: uuid.UUID | None = None
    sleeps_until: datetime | None = None
    wakes: bool = False

    def check(self) -> None:
        """Refuses what no ticket can have."""
        check(self.priority, self.add_tags)
        if self.subject == "":
            raise InvalidInput(N_("This may not be empty."), field=["subject"])
        if self.sleeps_until and self.status not in (None, TicketStatus.PENDING):
            raise InvalidInput(N_("A snoozed ticket is pending: leave the status out."), field=["status"])

    def as_json(self) -> Json:
        return dict(_CHANGE.dump_python(self, mode="json"))

    @classmethod
    def from_json(cls, kept: Json) -> "Change":
        return _CHANGE.validate_python(kept)


_CHANGE = TypeAdapter(Change)


async def make(session: AsyncSession, ticket: Ticket, change: Change, *, by: Actor, at: datetime) -> None:
    """`ticket` is held by the caller."""
    change.check()
    if change.assigns:
        ticket.assign(to=await _working(session, change.assignee_id, by), by=by, at=at)
    ticket.change(
        by=by,
        at=at,
        subject=change.subject,
        status=change.status,
        priority=change.priority,
        add_tags=change.add_tags,
        remove_tags=change.remove_tags,
        fields=change.fields,
    )
    if change.wakes:
        ticket.wake(by=by, at=at)
    if change.sleeps_until:
        ticket.snooze(change.sleeps_until, by=by, at=at)
    await reckoning.reckon(session, ticket, by=by, at=at)


async def _working(session: AsyncSession, id: uuid.UUID | None, by: Actor) -> Agent | None:
    if id is None:
        return None
    agent = await access.one(session, Agent, id, to=by)
    if agent.left_at:
        raise NotFound(field=["assigneeId"])
    return agent


async def take_back(session: AsyncSession, edit: Edit, row: EditedTicket, *, by: Actor, at: datetime) -> None:
    """What it changed of one ticket, as far as nobody has changed it since; the row says how far that was."""
    try:
        ticket = await access.one(session, Ticket, row.ticket_id, to=by, lock=True)
    except NotFound:
        row.state, row.kept = Outcome.KEPT, list(row.changed)
        return
    since = {edits.EVERYTHING} if ticket.merged_into_id else await edits.changed_since(session, row, edit)
    back, kept = edits.taken_back(row.changed, since, edits.picture(ticket))
    if "status" in back and ticket.undecided and back["status"][0] in OVER:
        del back["status"]
        kept.append("status")
    if "assignee" in back:
        try:
            to = await _working(session, back["assignee"] and uuid.UUID(back["assignee"]), by)
            ticket.assign(to=to, by=by, at=at)
        except NotFound:  # they have left meanwhile
            kept.append("assignee")
    if "policy" in back:
        ticket.policy_id = back["policy"] and uuid.UUID(back["policy"])
        await reckoning.promise_anew(session, ticket, by=by, at=at)
    _put_back(ticket, back, by=by, at=at)
    await reckoning.reckon(session, ticket, by=by, at=at)
    row.state, row.kept = Outcome.KEPT if kept else Outcome.UNDONE, kept


def _put_back(ticket: Ticket, back: Mapping[str, Any], *, by: Actor, at: datetime) -> None:
    tags = back.get("tags", ticket.tags)
    ticket.change(
        by=by,
        at=at,
        subject=back.get("subject"),
        priority=back.get("priority"),
        add_tags=[tag for tag in tags if tag not in ticket.tags],
        remove_tags=[tag for tag in ticket.tags if tag not in tags],
        fields={name.removeprefix(FIELD): value for name, value in back.items() if name.startswith(FIELD)},
    )
    if "status" in back:
        status, *times = back["status"]
        solved_at, snoozed_until = (time and datetime.fromisoformat(time) for time in times)
        ticket.stand_again(
            TicketStatus(status), solved_at=solved_at, snoozed_until=snoozed_until, by=by, at=at
        )
