"""How long a channel's originals and words are kept: days, or for ever. Applied now and then, in short transactions.

Originals: the bytes as they came, of what was read or understood; what could not be read stays until somebody has seen to
it. Texts: what was said in the channel, and its files, of tickets that take no more (closed, or solved so long ago that
the customer's next word opens a new one), counted from when they were settled; not of those whose complaint may still be argued about,
as long as the shop keeps what was erased sealed. Rows, times and states stay.
"""

import uuid
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

import structlog
from sqlalchemy import (
    ColumnElement,
    ForeignKey,
    Integer,
    Select,
    and_,
    exists,
    func,
    null,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from domain import audit, shop
from domain.actors import SYSTEM
from domain.arriving.inbound import Arrival, ArrivalState
from domain.audit import AuditKind
from domain.chorus import Reads
from domain.complaints.complaints import Complaint
from domain.db import Base, Database, Json, database_time, one_of
from domain.desk import scans
from domain.desk.files import Files
from domain.desk.messages import Attachment, Item
from domain.desk.threads import Thread
from domain.desk.tickets import REOPENS_WITHIN, Ticket, TicketStatus
from domain.errors import InvalidInput
from domain.feedback.requests import SurveyRequest
from domain.finding import entries
from domain.languages import N_
from domain.shop import MOST_DAYS

log = structlog.get_logger()

ROWS = 200


class Retention(Base):
    """Of one channel; without a row, everything is kept."""

    __tablename__ = "retention"

    channel_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("channel.id"), primary_key=True)
    originals_days: Mapped[int | None] = mapped_column(Integer)
    texts_days: Mapped[int | None] = mapped_column(Integer)
    texts_until: Mapped[datetime | None]
    """Tickets that were settled before then have been seen to."""


@dataclass(frozen=True)
class Due:
    """How many rows are older than they may be."""

    originals: int
    texts: int


async def save(
    session: AsyncSession, channel_id: uuid.UUID, *, originals_days: int | None, texts_days: int | None
) -> None:
    _may_be(originals_days, texts_days)
    chosen = {"originals_days": originals_days, "texts_days": texts_days, "texts_until": None}
    row = insert(Retention).values(channel_id=channel_id, **chosen)
    await session.execute(row.on_conflict_do_update(index_elements=["channel_id"], set_=chosen))


def _may_be(originals_days: int | None, texts_days: int | None) -> None:
    for days, name in ((originals_days, "originalsDays"), (texts_days, "textsDays")):
        if days is not None and not 1 <= days <= MOST_DAYS:
            raise InvalidInput(N_("Days are 1 to {most}, or nothing."), field=[name], most=MOST_DAYS)


def _old_originals(channel_id: uuid.UUID, before: datetime) -> Select[uuid.UUID]:
    return select(Arrival.id).where(
        Arrival.channel_id == channel_id,
        Arrival.emptied_at.is_(None),
        Arrival.received_at < before,
        Arrival.state.in_((ArrivalState.PLACED, ArrivalState.IGNORED)),
        Arrival.due_at.is_(None),
    )


_item = Item.__table__.c
_HAS_FILES = exists().where(Attachment.item_id == _item.id, Attachment.file.is_not(None))
"""A call says nothing but by its recording."""
_SAYS_SOMETHING = or_(
    _item.text != "",
    _item.html.is_not(None),
    _item.mail.is_not(None),
    _item.particulars.is_not(None),
    _HAS_FILES,
)


def _takes_no_more(before: datetime, now: datetime) -> ColumnElement[bool]:
    closed = and_(Ticket.status == TicketStatus.CLOSED, Ticket.solved_at < before)
    long_solved = min(before, now - REOPENS_WITHIN)
    return or_(closed, and_(Ticket.status == TicketStatus.SOLVED, Ticket.solved_at < long_solved))


def _is_evidence(days: int, now: datetime) -> ColumnElement[bool]:
    """A complaint of it is open, or was closed less than so many days ago."""
    argued_about = or_(Complaint.closed_at.is_(None), Complaint.closed_at > now - timedelta(days=days))
    return exists().where(Complaint.ticket_id == Ticket.id, argued_about)


def _old_texts(
    channel_id: uuid.UUID, before: datetime, now: datetime, since: datetime | None, evidence_days: int
) -> Select[uuid.UUID]:
    found = (
        select(_item.id)
        .join(Ticket, Ticket.id == _item.ticket_id)
        .where(
            _item.channel_id == channel_id,
            _SAYS_SOMETHING,
            _takes_no_more(before, now),
            ~_is_evidence(evidence_days, now),
        )
    )
    if since is None:
        return found
    was_complaint = exists().where(Complaint.ticket_id == Ticket.id)
    return found.where(or_(Ticket.solved_at >= since - REOPENS_WITHIN, was_complaint))


def _old_feedback(channel_id: uuid.UUID, before: datetime, now: datetime) -> Select[uuid.UUID]:
    """What customers wrote about the help, in surveys of tickets in which they had spoken there last."""
    return (
        select(SurveyRequest.id)
        .join(Ticket, Ticket.id == SurveyRequest.ticket_id)
        .where(SurveyRequest.channel_id == channel_id, SurveyRequest.words != "", _takes_no_more(before, now))
    )


async def due(
    connection: Reads,
    channel_id: uuid.UUID,
    *,
    originals_days: int | None,
    texts_days: int | None,
    at: datetime,
) -> Due:
    """What such a setting would take now."""

    async def count(ids: Select[uuid.UUID]) -> int:
        return int(await connection.scalar(select(func.count()).select_from(ids.subquery())) or 0)

    _may_be(originals_days, texts_days)
    originals = texts = 0
    if originals_days is not None:
        originals = await count(_old_originals(channel_id, at - timedelta(days=originals_days)))
    if texts_days is not None:
        before = at - timedelta(days=texts_days)
        evidence_days, _ = await shop.erasing(connection)
        texts = await count(_old_texts(channel_id, before, at, None, evidence_days))
        texts += await count(_old_feedback(channel_id, before, at))
    return Due(originals, texts)


async def look_again(session: AsyncSession, ticket_ids: Collection[uuid.UUID]) -> None:
    """After words came to tickets otherwise than by being said: those that were settled long ago have been seen to already.

    Whoever empties the channel meanwhile is waited for, or waits.
    """
    settled = (
        select(Thread.channel_id, func.min(Ticket.solved_at).label("at"))
        .join(Ticket, Ticket.id == Thread.ticket_id)
        .where(one_of(Ticket.id, ticket_ids), Ticket.solved_at.is_not(None))
        .group_by(Thread.channel_id)
        .subquery()
    )
    concerned = await session.execute(
        select(Retention, settled.c.at)
        .join(settled, settled.c.channel_id == Retention.channel_id)
        .order_by(Retention.channel_id)
        .with_for_update(of=Retention)
        .execution_options(populate_existing=True)
    )
    for kept, first in concerned:
        if kept.texts_until and first < kept.texts_until - REOPENS_WITHIN:
            kept.texts_until = first + REOPENS_WITHIN


async def apply(db: Database, files: Files) -> dict[uuid.UUID, Due]:
    """By channel, what was taken."""
    async with db.transaction() as session:
        ids = (await session.scalars(select(Retention.channel_id).order_by(Retention.channel_id))).all()
    taken = {}
    for channel_id in ids:
        originals = await _all(db, channel_id, _empty_originals)
        texts = await _all(db, channel_id, _empty_feedback)
        texts += await _all(db, channel_id, partial(_empty_texts, files))
        taken[channel_id] = Due(originals, texts)
        if originals or texts:
            async with db.transaction() as session:
                told = {"channel": str(channel_id), "originals": originals, "texts": texts}
                audit.note(
                    session,
                    AuditKind.RETENTION_APPLIED,
                    by=SYSTEM,
                    at=await database_time(session),
                    data=told,
                )
            log.info("retention_applied", **told)
    return taken


Step = Callable[[AsyncSession, Retention, datetime], Awaitable[int]]
"""How many rows it has emptied; none: it is done."""


async def _all(db: Database, channel_id: uuid.UUID, step: Step) -> int:
    taken = 0
    while True:
        async with db.transaction() as session:
            kept = await session.get(Retention, channel_id, with_for_update=True)
            some = await step(session, kept, await database_time(session)) if kept else 0
        if not some:
            return taken
        taken += some


async def _empty_originals(session: AsyncSession, kept: Retention, now: datetime) -> int:
    if kept.originals_days is None:
        return 0
    old = _old_originals(kept.channel_id, now - timedelta(days=kept.originals_days)).limit(ROWS)
    ids = (await session.scalars(old)).all()
    emptied: Json = {"raw": b"", "envelope": {}, "last_error": None, "emptied_at": now}
    await session.execute(update(Arrival).where(one_of(Arrival.id, ids)).values(emptied))
    return len(ids)


async def _empty_feedback(session: AsyncSession, kept: Retention, now: datetime) -> int:
    if kept.texts_days is None:
        return 0
    old = _old_feedback(kept.channel_id, now - timedelta(days=kept.texts_days), now).limit(ROWS)
    ids = (await session.scalars(old)).all()
    await session.execute(update(SurveyRequest).where(one_of(SurveyRequest.id, ids)).values(words=""))
    return len(ids)


async def _empty_texts(files: Files, session: AsyncSession, kept: Retention, now: datetime) -> int:
    if kept.texts_days is None:
        return 0
    before = now - timedelta(days=kept.texts_days)
    evidence_days, _ = await shop.erasing(session)
    old = _old_texts(kept.channel_id, before, now, kept.texts_until, evidence_days)
    ids = (await session.scalars(old.limit(ROWS))).all()
    if not ids:
        kept.texts_until = before
        return 0
    await _empty_attachments(session, files, ids)
    emptied = {
        "text": "",
        "folded": null(),
        "html": null(),
        "mail": null(),
        "particulars": null(),
        "last_error": null(),
        "digest": null(),
    }
    await session.execute(update(Item.__table__).where(one_of(_item.id, ids)).values(emptied))  # type: ignore[arg-type]
    await entries.forget(session, ids)
    return len(ids)


async def _empty_attachments(session: AsyncSession, files: Files, item_ids: Sequence[uuid.UUID]) -> None:
    """The bytes first: should this transaction fail, the row still says that something is to be done."""
    theirs = one_of(Attachment.item_id, item_ids)
    # Held, so that nobody who is drawing a preview lays it there afterwards.
    stored = select(Attachment.file).where(theirs, Attachment.file.is_not(None)).with_for_update()
    gone_with = [str(file) for file in await session.scalars(stored)]
    for file in gone_with:
        await files.delete(file)
    await scans.forget(session, gone_with)
    gone = {"name": "", "file": None, "source_url": None, "content_id": None, "due_at": None}
    await session.execute(update(Attachment).where(theirs).values(gone))
