"""Opens what arrived: each original is read by its channel's adapter and handed to intake."""

import asyncio
import uuid
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby

import structlog
from sqlalchemy import exists, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.arriving import intake
from domain.arriving.afterwards import InboundEcho, InboundReceipt, InboundUnsent, Revision
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
from domain.keys import Keys
from domain.ways_in import flood
from domain.ways_in.channels import Channel, ChannelKind
from domain.work import Claimed, Lease, settle_all, work
from integrations.chat import payloads as chat
from integrations.mail import payloads as mail
from integrations.messenger import payloads as messenger
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


BATCH = 32
"""Arrivals that are opened together."""
NOT_LONG = 15.0
"""Seconds for a batch: then there is time in its leases to open each alone."""

Alone = Callable[[Arrival, Lease[Arrival]], Awaitable[None]]


@dataclass(frozen=True, eq=False)
class Opened:
    arrival: Arrival
    lease: Lease[Arrival]
    channel: Channel
    parts: Sequence[Inbound | Unread] | None
    """None where reading failed."""

    @property
    def is_plain(self) -> bool:
        """Are there only words and receipts in it, which need nothing but the database?"""
        return self.parts is not None and all(map(_is_plain, self.parts))


def _is_plain(part: Inbound | Unread) -> bool:
    match part:
        case InboundMessage():
            return not part.attachments
        case Unread():
            return not part.failed
        case _:
            return isinstance(part, InboundReceipt)


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
                run = await self._together(run)
            for one in run:
                await alone(one.arrival, one.lease)

    async def _in_turn(self, claimed: Claimed[Arrival]) -> list[tuple[Arrival, Lease[Arrival], Channel]]:
        """Those that need not wait, as their channels' rates allow."""
        async with self._db.transaction() as session:
            ids = {arrival.channel_id for arrival, _ in claimed}
            channels = {
                one.id: one for one in await session.scalars(select(Channel).where(one_of(Channel.id, ids)))
            }
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

    async def _together(self, run: Sequence[Opened]) -> Sequence[Opened]:
        """Those that are still to be opened alone."""
        parts = [(one, part) for one in run for part in one.parts or () if not isinstance(part, Unread)]
        idle: dict[Opened, list[str]] = defaultdict(list)
        try:
            async with asyncio.timeout(NOT_LONG), self._db.shared() as session:
                # Each part is a writer, so that none holds one person while it waits for another.
                answers = await session.side_by_side(
                    [
                        intake.receive(session, one.channel, one.arrival, part, keys=self._keys)
                        for one, part in parts
                    ]
                )
                for (one, _), why in zip(parts, answers, strict=True):
                    idle[one] += [why] if isinstance(why, str) else []
                left = await self._with_news(session, run)
                done = defaultdict(list)
                for one in run:
                    if one not in left:
                        done[_outcome(one.parts or (), idle[one])].append(one.lease)
                for (state, reasons), leases in done.items():
                    await settle_all(session, leases, state=state, last_error=reasons)
        except Exception as failure:
            log.info("arrivals_opened_alone", many=len(run), because=repr(failure)[:500])
            return run
        return left

    async def _with_news(self, session: AsyncSession, run: Sequence[Opened]) -> list[Opened]:
        """Those with a message of which something was told before it was here."""
        left: list[Opened] = []
        for channel in {one.channel for one in run if one.channel.kind in revisions.CHANGEABLE}:
            said = {
                part.external_id: one
                for one in run
                for part in one.parts or ()
                if one.channel is channel and isinstance(part, InboundMessage)
            }
            left += [said[id] for id in await revisions.awaited_among(session, channel, said)]
        return [one for one in run if one in left]

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
        state, reasons = _outcome(parts, idle)
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
        theirs = (
            select(Attachment.file)
            .join(Item, Item.id == Attachment.item_id)
            .where(Item.channel_id == channel.id, Item.external_id == unsent.external_id)
        )
        async with self._db.transaction() as session:
            files = [file for file in await session.scalars(theirs) if file]
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


def _outcome(parts: Sequence[Inbound | Unread], idle: Sequence[str]) -> tuple[ArrivalState, str | None]:
    """What the arrival is now, and why nothing came of some of its parts."""
    unread = [part for part in parts if isinstance(part, Unread)]
    reasons = "; ".join([*(part.reason for part in unread), *idle])[:500] or None
    if any(part.failed for part in unread):
        return ArrivalState.FAILED, reasons
    return ArrivalState.PLACED if len(parts) > len(unread) + len(idle) else ArrivalState.IGNORED, reasons
