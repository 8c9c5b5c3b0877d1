"""What a visitor is told, as it happens: messages in their order, how far the shop has read, and that it types."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress
from time import monotonic
from typing import Any

import structlog
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.access import may_see
from domain.actors import visitor
from domain.agents.staff import Agent
from domain.answering.typing import typing_to_visitor
from domain.customers.visitors import is_here
from domain.desk.messages import Attachment, Direction, Message
from domain.desk.threads import Thread, news_of_chat
from domain.ways_in import channels
from domain.ways_in.channels import Channel
from integrations.chat.frames import Frame
from integrations.chat.links import link
from integrations.chat.rating import surveys_of
from integrations.chat.reception import TYPES_EVERY, Reception

log = structlog.get_logger()

LOOK_AGAIN = 20.0
"""Seconds after which the table is read even if nobody rang, and the far end hears that we are there."""
AT_ONCE = 200
"""Messages that are read together; a conversation may have thousands."""


class Telling:
    def __init__(self, reception: Reception, channel: Channel, key: str, shown: int) -> None:
        self._house = reception
        self._db = reception.db
        self._channel = channel
        self._key = key
        self._shown = shown
        self._read = 0
        self._more = False

    async def frames(self) -> AsyncGenerator[Frame | None, None]:
        """None now and then, when there is nothing to tell. They end when the channel is switched off, or the visitor signs out."""
        bell, typed = self._db.bell, -TYPES_EVERY
        with (
            bell.listening(news_of_chat(self._key)) as rung,
            bell.listening(typing_to_visitor(self._key)) as types,
            bell.listening(channels.TOPIC) as changed,
        ):
            while await self._is_open():
                rung.clear()  # before the table is read: what is written meanwhile rings again
                changed.clear()
                for frame in await self._news():
                    yield frame
                if self._more:
                    continue
                await _first(rung, types, changed)
                if types.is_set():
                    types.clear()
                    if monotonic() - typed >= TYPES_EVERY:
                        typed = monotonic()
                        yield {"type": "typing", "from": "agent"}
                elif not rung.is_set():
                    yield None

    async def _is_open(self) -> bool:
        with suppress(SQLAlchemyError, OSError):
            return await self._house.is_open(self._channel, self._key)
        return True

    async def _news(self) -> list[Frame]:
        while True:
            try:
                async with self._db.transaction() as session:
                    await is_here(session, self._channel.id, self._key)
                async with self._db.reading() as connection:
                    messages = await self._messages(connection)
                    return messages if self._more else messages + await self._read_mark(connection)
            except (SQLAlchemyError, OSError) as failure:
                log.warning("chat_waits_for_the_database", error=type(failure).__name__)
                await asyncio.sleep(1)

    async def _messages(self, connection: AsyncConnection) -> list[Frame]:
        theirs = visitor(self._channel.id, self._key)
        rows = (
            await connection.execute(
                select(
                    Message.seq,
                    Message.external_id,
                    Message.id,
                    Message.direction,
                    Message.text,
                    Message.at,
                    Message.particulars,
                    Agent.name,
                )
                .outerjoin(Agent, Agent.id == Message.agent_id)
                .where(may_see(Message, theirs), Message.seq > self._shown)
                .order_by(Message.seq)
                .limit(AT_ONCE)
            )
        ).all()
        self._more = len(rows) == AT_ONCE
        files: dict[Any, list[Frame]] = {}
        surveys = await surveys_of(connection, rows)
        if rows:
            kept = select(Attachment).where(
                Attachment.item_id.in_([row.id for row in rows]), Attachment.file.is_not(None)
            )
            for one in (await connection.execute(kept.order_by(Attachment.id))).all():
                files.setdefault(one.item_id, []).append(self._file(one))
            self._shown = rows[-1].seq
        return [_told(row, files.get(row.id, []), surveys.get(row.id)) for row in rows]

    def _file(self, row: Any) -> Frame:
        slug = self._channel.slug
        return {
            "id": str(row.id),
            "name": row.name,
            "mime": row.mime,
            "bytes": row.bytes,
            "url": link(self._house.base_url, self._house.keys, slug, self._key, row.id),
        }

    async def _read_mark(self, connection: AsyncConnection) -> list[Frame]:
        """What an answer behind it says already is not said."""
        theirs = visitor(self._channel.id, self._key)
        mark = select(func.max(Thread.read_seq)).where(
            Thread.channel_id == self._channel.id, Thread.key == self._key
        )
        answer = select(func.max(Message.seq)).where(
            may_see(Message, theirs), Message.direction == Direction.OUT
        )
        both = select(mark.scalar_subquery(), answer.scalar_subquery())
        read, answered = (await connection.execute(both)).one()
        before, self._read = max(self._read, answered or 0), max(self._read, read or 0)
        return [{"type": "read", "seq": self._read}] if self._read > before else []


def _told(row: Any, files: list[Frame], survey: Frame | None) -> Frame:
    mine = row.direction == Direction.IN
    return {
        "type": "message",
        "seq": row.seq,
        "id": row.external_id.partition(":")[2] if mine else str(row.id),
        "from": "visitor" if mine else "agent",
        "text": row.text,
        "at": row.at,
        **({"author": row.name} if row.name else {}),
        **({"files": files} if files else {}),
        **({"survey": survey} if survey else {}),
    }


async def _first(*rung: asyncio.Event) -> None:
    """Waits until one of them is rung, at most until it is time to look."""
    waiting = [asyncio.create_task(one.wait()) for one in rung]
    try:
        await asyncio.wait(waiting, timeout=LOOK_AGAIN, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for one in waiting:
            one.cancel()
