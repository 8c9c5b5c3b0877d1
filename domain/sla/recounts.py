"""After a policy or a calendar changed, every open ticket's clocks are reckoned anew, in the background and in short steps."""

import uuid
from datetime import datetime

import structlog
from sqlalchemy import Index, Integer, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from domain.db import Base, Database, database_time, new_id, ring
from domain.desk.survivors import locked
from domain.desk.tickets import LIVE, Ticket
from domain.hands import work
from domain.sla import reckoning
from domain.work import Lease, Queue, Work, passes

log = structlog.get_logger()

STEP = 50
"""Tickets in one transaction: the feed shows nothing that comes after while one is open."""


class Recount(Work, Base):
    __tablename__ = "recount"
    __table_args__ = (Index("ix_recount_due", "due_at", postgresql_where=text("due_at IS NOT NULL")),)

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    created_at: Mapped[datetime]
    reached_id: Mapped[uuid.UUID | None]
    """The last ticket that was reckoned."""
    tickets: Mapped[int] = mapped_column(Integer, default=0, server_default="0")
    moved: Mapped[int] = mapped_column(Integer, default=0, server_default="0")
    """Of these, how many have other clocks now."""
    finished_at: Mapped[datetime | None]


RECOUNTS = Queue(Recount, topic="recounts")


async def recount(session: AsyncSession, *, at: datetime) -> Recount:
    """Asks for one; it begins when this transaction has committed, and takes the place of those that still run."""
    for former in await session.scalars(
        select(Recount).where(Recount.finished_at.is_(None)).with_for_update()
    ):
        former.finished_at, former.due_at = at, None
    asked = Recount(id=new_id(), created_at=at, due_at=func.now())
    session.add(asked)
    ring(session, RECOUNTS.topic)
    await session.flush()
    return asked


async def run(db: Database) -> None:
    async def do(asked: Recount, lease: Lease[Recount]) -> None:
        async with db.transaction() as session:
            if await _step(session, asked.id):
                await lease.go_on(session)
                return
            done = await lease.settle(session, finished_at=await database_time(session))
        log.info("recounted", tickets=done.tickets, moved=done.moved)

    await work(db, RECOUNTS, do)


async def _step(session: AsyncSession, recount_id: uuid.UUID) -> bool:
    asked = await session.get_one(Recount, recount_id, with_for_update=True)
    if asked.finished_at:
        return False
    following = select(Ticket.id).where(Ticket.status.in_(LIVE), Ticket.merged_into_id.is_(None))
    if asked.reached_id:
        following = following.where(Ticket.id > asked.reached_id)
    ids = (await session.scalars(following.order_by(Ticket.id).limit(STEP))).all()
    now = await database_time(session)
    for id in ids:
        asked.tickets += 1
        asked.reached_id = id
        try:
            async with session.begin_nested():
                moved = await reckoning.promise_anew(session, await locked(session, id), at=now)
            asked.moved += moved
        except Exception as failure:
            if isinstance(failure, OSError) or passes(failure):
                raise
            log.error("ticket_not_recounted", ticket=str(id), exc_info=failure)
            asked.last_error = f"ticket {id}: {type(failure).__name__}: {failure}"[:500]
    await session.flush()
    return len(ids) == STEP
