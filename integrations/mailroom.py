"""Opens what arrived: each original is read by its channel's adapter and handed to intake."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import groupby

import structlog
from sqlalchemy import exists, select

from domain.arriving import intake
from domain.arriving.afterwards import InboundEcho, InboundUnsent, Revision
from domain.arriving.inbound import (
    ARRIVALS,
    Arrival,
    ArrivalState,
    Inbound,
    InboundMessage,
    Unread,
    Unreadable,
    Waits,
)
from domain.db import Database, database_time, one_of
from domain.desk import revisions, scans
from domain.desk.files import Files
from domain.desk.messages import Attachment, Item
from domain.hands import Claimed, work
from domain.keys import Keys
from domain.ways_in import flood
from domain.ways_in.channels import Channel, ChannelKind
from domain.work import Lease
from integrations.chat import payloads as chat
from integrations.mail import payloads as mail
from integrations.messenger import payloads as messenger
from integrations.opened import Opened, opened_together, outcome
from integrations.phone import telling as phone
from integrations.sms import payloads as sms

log = structlog.get_logger()

Reader = Callable[[Channel, Keys, Arrival], Iterable[Inbound | Unread]]

READERS: dict[ChannelKind, Reader] = {
    ChannelKind.EMAIL: mail.read,
    ChannelKind.MESSENGER: messenger.read,
    ChannelKind.CHAT: chat.read,
    ChannelKind.PHONE: phone.read,
    ChannelKind.SMS: sms.read,
}

_IS_MAIL = exists(
    select(Channel.id).where(Channel.id == Arrival.channel_id, Channel.kind == ChannelKind.EMAIL)
)


BATCH = 16
"""Arrivals that are opened together."""
Alone = Callable[[Arrival, Lease[Arrival]], Awaitable[None]]


class Mailroom:
    def __init__(self, db: Database, keys: Keys, files: Files) -> None:
        self._db = db
        self._keys = keys
        self._files = files

    async def run(self) -> None:
        """Mails by a hand of their own: some take ten seconds to read, and whoever chats does not wait for them."""
        async with asyncio.TaskGroup() as group:
            for ready in (_IS_MAIL, ~_IS_MAIL):
                mine = replace(ARRIVALS, ready=ready)
                group.create_task(work(self._db, mine, self.open, batch=BATCH, together=self.open_all))

    async def open_all(self, claimed: Claimed[Arrival], alone: Alone) -> None:
        """In their order: what is plain, in one transaction for those that come one after another. If that fails, because of
        whichever of them, each is opened alone."""
        opened = await self._all_read(await self._in_turn(claimed))
        for is_plain, some in groupby(opened, key=lambda one: one.is_plain):
            run: Sequence[Opened] = list(some)
            if is_plain and len(run) > 1:
                run = await opened_together(self._db, self._keys, run)
            for one in run:
                await alone(one.arrival, one.lease)

    async def _in_turn(self, claimed: Claimed[Arrival]) -> list[tuple[Arrival, Lease[Arrival], Channel]]:
        """Those that need not wait, as their channels' rates allow."""
        async with self._db.transaction() as session:
            ids = {arrival.channel_id for arrival, _ in claimed}
            in_order = select(Channel).where(one_of(Channel.id, ids)).order_by(Channel.id)
            channels = {one.id: one for one in await session.scalars(in_order)}
            limited = [one for one in channels.values() if flood.rate_of(one)]
            now = await database_time(session)
            waiting: dict[uuid.UUID, datetime] = {}
            for channel in limited:
                theirs = [
                    one
                    for one, _ in claimed
                    if one.channel_id == channel.id and not self._says_stop(channel, one)
                ]
                waiting |= await flood.turns_of(session, channel, theirs, at=now)
                for one in theirs:  # as their rows have it: whoever opens one alone asks for no other turn
                    one.opened_at = None if one.id in waiting else now
            for arrival, lease in claimed:
                if turn := waiting.get(arrival.id):
                    await lease.wait(session, until=turn)
        return [
            (arrival, lease, channels[arrival.channel_id])
            for arrival, lease in claimed
            if arrival.id not in waiting
        ]

    async def _all_read(self, some: Sequence[tuple[Arrival, Lease[Arrival], Channel]]) -> list[Opened]:
        read = await asyncio.gather(
            *(self._read(channel, arrival) for arrival, _, channel in some), return_exceptions=True
        )
        return [
            Opened(*one, None if isinstance(parts, BaseException) else parts)
            for one, parts in zip(some, read, strict=True)
        ]

    async def open(self, arrival: Arrival, lease: Lease[Arrival]) -> None:
        async with self._db.transaction() as session:
            channel = await session.get_one(Channel, arrival.channel_id)
            now = await database_time(session)
            if not self._says_stop(channel, arrival) and (
                turn := await flood.turn_of(session, channel, arrival, at=now)
            ):
                await lease.wait(session, until=turn)
                return
        parts = await self._read(channel, arrival)
        acted = [part for part in parts if not isinstance(part, Unread)]
        failure: Exception | None = None
        idle: list[str] = []
        """Why nothing came of a part."""
        again: list[Waits] = []
        # One that fails holds up none of the others; tried again, the others are known already.
        for part in acted:
            try:
                match await self._take(channel, arrival, part):
                    case Waits() as waits:
                        again.append(waits)
                    case str() as why:
                        idle.append(why)
            except Exception as problem:
                failure = failure or problem
        if failure:
            raise failure
        state, reasons = outcome(parts, idle)
        async with self._db.transaction() as session:
            if state == ArrivalState.FAILED:
                log.warning("arrival_failed", id=str(arrival.id))
                await lease.give_up(session, error=reasons)
            elif again:
                await lease.wait(session, until=min(waits.until for waits in again))
            else:
                await lease.settle(session, state=state, last_error=reasons)

    def _says_stop(self, channel: Channel, arrival: Arrival) -> bool:
        """Who wants no more is heard at once, however many wait."""
        return channel.kind == ChannelKind.SMS and sms.says_stop(channel, self._keys, arrival)

    async def _read(self, channel: Channel, arrival: Arrival) -> list[Inbound | Unread]:
        try:
            return await asyncio.to_thread(lambda: list(READERS[channel.kind](channel, self._keys, arrival)))
        except Unreadable as reason:
            return [Unread(str(reason), failed=True)]

    async def _take(self, channel: Channel, arrival: Arrival, part: Inbound) -> str | Waits | None:
        if isinstance(part, InboundUnsent):
            await self._let_go_of(channel, part)
        why = await self._placed(channel, arrival, part)
        if isinstance(part, InboundMessage | InboundEcho) and channel.kind in revisions.CHANGEABLE:
            await self._catch_up(channel, part.external_id)
        return why

    async def _catch_up(self, channel: Channel, external_id: str) -> None:
        """What came before its message is read again, now that the message is here."""
        async with self._db.transaction() as session:
            earlier = await revisions.awaiting(session, channel, external_id)
        for arrival in earlier:
            for part in await self._read(channel, arrival):
                if isinstance(part, Revision) and part.external_id == external_id:
                    await self._take(channel, arrival, part)
        if earlier:
            async with self._db.transaction() as session:
                await revisions.caught_up(session, channel, external_id)

    async def _let_go_of(self, channel: Channel, unsent: InboundUnsent) -> None:
        """The bytes first: whoever took it back does so for good, and the rows say what is still to be done."""
        async with self._db.transaction() as session:
            message = await revisions.message_of(session, channel, unsent.thread_key, unsent.external_id)
            if message is None or not revisions.is_by_author(unsent, message):
                return
            theirs = await session.scalars(select(Attachment.file).where(Attachment.item_id == message.id))
            files = [file for file in theirs if file]
            await scans.forget(session, files)
        for file in files:
            await self._files.delete(file)

    async def _placed(self, channel: Channel, arrival: Arrival, part: Inbound) -> str | Waits | None:
        if not isinstance(part, InboundMessage) or not part.attachments:
            async with self._db.transaction() as session:
                return await intake.receive(session, channel, arrival, part, keys=self._keys)
        part = await self._stored(part)
        try:
            async with self._db.transaction() as session:
                stored = [attached.file for attached in part.attachments if attached.file]
                await scans.ask(session, self._files, stored)
                return await intake.receive(session, channel, arrival, part, keys=self._keys)
        finally:
            await self._let_go(arrival, part)

    async def _let_go(self, arrival: Arrival, message: InboundMessage) -> None:
        """Bytes that no row names (the message was here already, or could not be placed) would be nobody's to erase."""
        theirs = (
            select(Attachment.file)
            .join(Item, Item.id == Attachment.item_id)
            .where(Item.arrival_id == arrival.id)
        )
        async with self._db.transaction() as session:
            kept = set(await session.scalars(theirs))
        left = {attached.file for attached in message.attachments if attached.file} - kept
        for file in left:
            await self._files.delete(file)
        if left:
            async with self._db.transaction() as session:
                await scans.forget(session, left)

    async def _stored(self, message: InboundMessage) -> InboundMessage:
        attachments = [
            replace(attached, file=await self._files.put(attached.content))
            if attached.content is not None
            else attached
            for attached in message.attachments
        ]
        return replace(message, attachments=tuple(attachments))
