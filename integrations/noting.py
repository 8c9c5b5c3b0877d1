"""What became of an answer, as its row remembers it: which parts have left, and what may have got through although nobody said so."""

from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.answering import receipts
from domain.db import Json, database_time
from domain.desk.messages import OUTBOX, Message
from domain.ways_in.channels import Channel, ChannelKind
from domain.work import Lease
from integrations.outbound import Handed, Letter

MAYBE = "maybe_sent"
REPEATED = (ChannelKind.EMAIL,)
"""Where the same message sent twice is one: its id is known to the far side."""


async def note_part(
    session: AsyncSession, letter: Letter, handed: Handed, part: int, lease: Lease[Message]
) -> None:
    """Unless its echo was quicker."""
    now = await database_time(session)
    thread = await receipts.hold(session, letter.thread)
    row = await session.get_one(Message, letter.message.id, with_for_update=True, populate_existing=True)
    if row.due_at is None:
        return
    id = handed.external_id or ""
    kept = {key: value for key, value in (row.particulars or {}).items() if key != "problem"}
    written: Json = {"particulars": receipts.with_part(kept, part, id, at=now), "last_error": None}
    if row.external_id is None and not await _is_anothers(session, row, id):
        written["external_id"] = id
    if handed.more:
        await lease.hold(session, **written)
        await lease.go_on(session)
        return
    row = await lease.settle(session, **written)
    row.sent(at=now)
    receipts.as_told(thread, row, at=now)


def maybe_sent(message: Message, channel: Channel, *, at: datetime) -> datetime | None:
    """Remembered from an earlier try; or whoever tried died over it, no later than its lease ran out."""
    if said := (message.particulars or {}).get(MAYBE):
        return datetime.fromisoformat(said)
    died = message.deaths > 1 and channel.kind not in REPEATED
    return at - OUTBOX.lease if died else None


async def remember(session: AsyncSession, lease: Lease[Message], message: Message, **known: Any) -> None:
    """In the particulars as they are now, which an echo may have written to meanwhile; what is none is forgotten. Of what that
    echo told nothing is doubtful."""
    row = await lease.hold(session)
    before = row.particulars or {}
    if receipts.parts_of(before).keys() > receipts.parts_of(message.particulars).keys():
        known[MAYBE] = None
    after = {key: value for key, value in (before | known).items() if value is not None}
    if after != before:
        row.particulars = after


async def _is_anothers(session: AsyncSession, message: Message, external_id: str) -> bool:
    """An echo without our mark was taken for what somebody wrote in the provider's own inbox."""
    other = select(Message.id).where(
        Message.channel_id == message.channel_id, Message.external_id == external_id, Message.id != message.id
    )
    return await session.scalar(other) is not None
