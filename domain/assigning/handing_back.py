"""Work goes back into the queue: of who left the shop always, of who is off shift or cannot be reached as their team has decided."""

import uuid
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncSession

from domain.actors import SYSTEM
from domain.agents.presence import Presence, Standing, standings
from domain.agents.staff import Agent
from domain.assigning.policies import Terms
from domain.assigning.reasons import Because
from domain.assigning.workload import COUNTS, weighed
from domain.db import database_time, one_of
from domain.desk.messages import DeliveryState, Direction, Item, ItemKind
from domain.desk.threads import Thread
from domain.desk.tickets import LIVE, OURS, Ticket
from domain.sla import reckoning
from domain.sla.facts import facts_of
from domain.sla.promises import is_waited_for

BATCH = 25


async def from_who_left(session: AsyncSession, *, at: datetime | None = None) -> int:
    """Whatever they still have, in any team and in none; 1 if there may be more."""
    now = at or await database_time(session)
    left = select(Agent.id).where(Agent.left_at.is_not(None))
    theirs = (Ticket.assignee_id.in_(left), Ticket.status.in_(LIVE), Ticket.merged_into_id.is_(None))
    tickets = await _held(session, *theirs)
    for ticket in tickets:
        await _free(session, ticket, Because.LEFT_SHOP, at=now)
    return int(len(tickets) == BATCH)


async def take_back(
    session: AsyncSession, team_id: uuid.UUID, terms: Terms, *, at: datetime
) -> tuple[bool, bool]:
    """Whether there may be more to take now, and whether there may be later: somebody who has work is not there."""
    if terms.off_shift_after is None and terms.unreachable_after is None:
        return False, False
    ours = and_(Ticket.team_id == team_id, Ticket.status.in_(OURS), COUNTS)
    whose = await session.scalars(
        select(Ticket.assignee_id).where(ours, Ticket.assignee_id.is_not(None)).distinct()
    )
    people = await standings(session, [id for id in whose if id], at=at)
    absent = {id: one for id, one in people.items() if not (one.on_shift and one.on_screen)}
    if not absent:
        return False, False
    rows = await session.execute(
        weighed(ours, one_of(Ticket.assignee_id, absent), at=at).add_columns(Ticket.assignee_id)
    )
    held = {row.id: (absent[row.assignee_id], row.is_live) for row in rows}
    waited_for = await _spoke_last(session, held)
    taken = 0
    for id, (one, is_live) in held.items():
        why = why_taken(one, terms, is_live=is_live, is_waited_for=id in waited_for, at=at)
        if why and await _take(session, id, one.agent_id, why, is_live=is_live, at=at):
            taken += 1
            if taken == BATCH:
                return True, True
    return False, True


def why_taken(
    holder: Standing, terms: Terms, *, is_live: bool, is_waited_for: bool, at: datetime
) -> Because | None:
    """Why a ticket does not stay with whoever has it; None: it does."""
    if is_live and terms.unreachable_after is not None and not holder.on_screen:
        return Because.UNREACHABLE
    if not is_waited_for:
        return None
    if is_out_of_reach(holder, terms, at=at):
        return Because.UNREACHABLE
    if not holder.on_shift and _since(holder.off_shift_since, terms.off_shift_after, at):
        return Because.OFF_SHIFT
    return None


def is_out_of_reach(one: Standing, terms: Terms, *, at: datetime) -> bool:
    """For so long that a mail does not stay with them; nor is it given to them."""
    return one.presence == Presence.OFFLINE and _since(one.gone_since, terms.unreachable_after, at)


def _since(moment: datetime | None, wait: timedelta | None, at: datetime) -> bool:
    return moment is not None and wait is not None and at - moment >= wait


async def _spoke_last(session: AsyncSession, ticket_ids: Collection[uuid.UUID]) -> set[uuid.UUID]:
    """Those where the newest word is the customer's: few enough to be read with all that was said."""
    item = Item.__table__.c
    newest = (
        select(item.ticket_id, item.direction)
        .select_from(Item.__table__.outerjoin(Thread, Thread.id == item.thread_id))
        .where(
            one_of(item.ticket_id, ticket_ids),
            item.kind != ItemKind.NOTE,
            item.automatic.is_not(True),
            item.answered_at.is_(None),
            or_(item.kind == ItemKind.MESSAGE, item.direction == Direction.IN),
            item.delivery.is_distinct_from(DeliveryState.FAILED),
            item.delivery.is_distinct_from(DeliveryState.UNDONE),
            Thread.side.is_not(True),
        )
        .order_by(item.ticket_id, item.seq.desc())
        .ext(distinct_on(item.ticket_id))
    )
    return {row.ticket_id for row in await session.execute(newest) if row.direction == Direction.IN}


async def _take(
    session: AsyncSession, id: uuid.UUID, holder_id: uuid.UUID, why: Because, *, is_live: bool, at: datetime
) -> bool:
    """Unless somebody changed it meanwhile, or is about to; or somebody has answered, after all."""
    tickets = await _held(session, Ticket.id == id, Ticket.assignee_id == holder_id, Ticket.status.in_(OURS))
    for ticket in tickets:
        if is_live or is_waited_for(await facts_of(session, ticket)):
            await _free(session, ticket, why, at=at)
            return True
    return False


async def _held(session: AsyncSession, *which: ColumnElement[bool]) -> Sequence[Ticket]:
    found = await session.scalars(
        select(Ticket)
        .where(*which)
        .limit(BATCH)
        .with_for_update(skip_locked=True, key_share=True)
        .execution_options(populate_existing=True)
    )
    return found.all()


async def _free(session: AsyncSession, ticket: Ticket, why: Because, *, at: datetime) -> None:
    ticket.assign(to=None, by=SYSTEM, at=at, because=[why])
    await reckoning.reckon(session, ticket, at=at)
