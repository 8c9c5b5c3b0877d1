"""Takes queued answers to their providers, and writes down what became of each.

What may have got through although nobody said so (no answer in time, a worker that died over it) is remembered until it is
known: `Message.particulars` has `maybe_sent`, and the next letter says so to its sender.
"""

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from functools import partial

import structlog
from sqlalchemy import func, or_, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from domain.agents.staff import Agent
from domain.answering import reply_windows
from domain.answering.addressing import after, has_failed, is_out
from domain.answering.delivery_problems import Problem
from domain.customers.contacts import Contact, Identity
from domain.db import Database, Json, database_time, ring
from domain.desk.files import Files
from domain.desk.messages import OUTBOX, Attachment, DeliveryState, Message
from domain.desk.threads import Thread
from domain.feedback import asking
from domain.hands import work
from domain.keys import Keys
from domain.ways_in import channels
from domain.ways_in.channels import Channel, ChannelKind
from domain.work import Lease, LeaseLost, TryLater
from integrations.mail.sending import smtp
from integrations.mail.sending.connections import Relays
from integrations.messenger import client as messenger
from integrations.noting import MAYBE, REPEATED, maybe_sent, note_part, remember
from integrations.outbound import (
    AwaitsWord,
    ChannelRefused,
    Handed,
    Letter,
    MaybeSent,
    Means,
    RecipientBusy,
    SendFailed,
    SendRefused,
)
from integrations.scanning.leaving import check_files
from integrations.settings import IntegrationSettings
from integrations.sms import client as sms

log = structlog.get_logger()

Sender = Callable[[Letter, Means], Awaitable[Handed]]


def senders(relays: Relays) -> dict[ChannelKind, Sender]:
    """A chat's answer is in the open socket as soon as it is written: nothing is sent."""
    return {
        ChannelKind.EMAIL: partial(smtp.send, relays=relays),
        ChannelKind.MESSENGER: messenger.send,
        ChannelKind.SMS: sms.send,
    }


LONGEST = OUTBOX.longest - 5
"""Seconds of one try, so that what became of it can still be written down."""

FETCHING = 5.0
HANDS = 8
"""More than one server has connections: who hangs does not hold up the others' mail."""


class Courier:
    def __init__(
        self,
        db: Database,
        keys: Keys,
        files: Files,
        settings: IntegrationSettings,
        relays: Relays | None = None,
        base_url: str = "",
    ) -> None:
        self._db = db
        self._means = Means(db, keys, files, settings, base_url)
        self._senders = senders(relays or Relays())

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(work(self._db, OUTBOX, self.carry, hands=HANDS))
            group.create_task(self._hear_of_channels())

    async def _hear_of_channels(self) -> None:
        """A channel that is set up otherwise may carry again: what failed there does not wait out its time."""
        with self._db.bell.listening(channels.TOPIC) as rung:
            while True:
                await rung.wait()
                rung.clear()
                try:
                    async with self._db.transaction() as session:
                        await try_anew(session)
                except (SQLAlchemyError, OSError) as failure:
                    log.warning("outbox_waits_for_database", error=type(failure).__name__)

    async def carry(self, message: Message, lease: Lease[Message]) -> None:
        try:
            letter = await self._letter(message)
        except SendRefused as refusal:
            await _give_up(self._db, lease, message, refusal)
            return
        if letter.maybe_sent and MAYBE not in (message.particulars or {}):  # a worker died over it
            async with self._db.transaction() as session:
                await remember(session, lease, message, **{MAYBE: letter.maybe_sent.isoformat()})
        try:
            handed = await self._handed(letter)
        except SendRefused as refusal:
            await _give_up(self._db, lease, message, refusal)
            return
        except SendFailed as failure:
            await self._note_failure(letter, failure, lease)
            raise
        except Exception as bug:
            await self._note_failure(letter, MaybeSent(type(bug).__name__), lease)
            raise
        try:
            await self._note(letter, handed, lease)
        except (LeaseLost, RecipientBusy):
            raise
        except BaseException:  # cancelled too: its time was up while it waited for a lock
            await self._doubt(letter, lease)
            raise

    async def _handed(self, letter: Letter) -> Handed:
        try:
            async with asyncio.timeout(LONGEST):
                return await self._senders[letter.channel.kind](letter, self._means)
        except TimeoutError as failure:
            raise MaybeSent("it took too long", problem=Problem.DOWN) from failure

    async def _doubt(self, letter: Letter, lease: Lease[Message]) -> None:
        """The provider has it, and no row says so: whoever tries again asks first."""
        if letter.channel.kind in REPEATED:
            return
        async with self._db.transaction() as session:
            since = await database_time(session)
            await remember(session, lease, letter.message, **{MAYBE: since.isoformat()})

    async def _note_failure(self, letter: Letter, failure: SendFailed, lease: Lease[Message]) -> None:
        message = letter.message
        async with self._db.transaction() as session:
            known: Json = {"problem": failure.problem}
            if isinstance(failure, MaybeSent) and letter.channel.kind not in REPEATED:
                known[MAYBE] = (await database_time(session)).isoformat()
            await remember(session, lease, message, **known)
            match failure:
                case RecipientBusy():
                    await channels.sends(session, letter.channel.id)
                case AwaitsWord():
                    pass
                case _:
                    refused = isinstance(failure, ChannelRefused)
                    await channels.fails_to_send(
                        session, letter.channel.id, error=str(failure), refused=refused
                    )

    async def _note(self, letter: Letter, handed: Handed, lease: Lease[Message]) -> None:
        if handed.part is None:
            await self._note_recipients(letter, handed, lease)
            return
        async with self._db.transaction() as session:
            await note_part(session, letter, handed, handed.part, lease)
            await channels.sends(session, letter.channel.id)  # last, as where its echo is read

    async def _note_recipients(self, letter: Letter, handed: Handed, lease: Lease[Message]) -> None:
        """What became of it, recipient by recipient: who has it is not sent it again."""
        before = letter.message.mail
        mail = after(before, taken=handed.taken, refused=handed.refused) if before else None
        by_name = mail is not None and bool(mail.get("to"))
        failed = by_name and has_failed(mail)
        written: Json = {"mail": mail} if mail else {}
        async with self._db.transaction() as session:
            await channels.sends(session, letter.channel.id)
            now = await database_time(session)
            if failed:
                said = next(iter(handed.refused.values()), None)
                await (await lease.settle(session, last_error=said, **written)).give_up(session, at=now)
                return
            if handed.later:
                row = await lease.hold(session, **written)
            else:
                row = await lease.settle(session, last_error=None, **written)
            row.external_id = handed.external_id or row.external_id
            if not by_name or (is_out(mail) and not is_out(before)):
                row.sent(at=now)
            if handed.refused:
                row.partly_refused(at=now)
        if handed.later:
            raise RecipientBusy(next(iter(handed.later.values())))

    async def _letter(self, message: Message) -> Letter:
        mail = message.mail or {}
        owner, survivor = aliased(Contact), aliased(Contact)
        async with self._db.transaction() as session:
            found = await session.execute(
                select(Thread, Channel, Identity, Agent, survivor.locale)
                .join(Channel, Channel.id == Thread.channel_id)
                .join(owner, owner.id == Thread.contact_id)
                .join(survivor, survivor.id == func.coalesce(owner.canonical_id, owner.id))
                .outerjoin(Identity, Identity.id == Thread.identity_id)
                .outerjoin(Agent, Agent.id == message.agent_id)
                .where(Thread.id == message.thread_id)
            )
            thread, channel, identity, agent, locale = found.one()
            below = await _below(session, mail)
            passed_on = below.id if below and mail.get("with_files") else None
            attachments = await session.scalars(
                select(Attachment)
                .where(or_(Attachment.item_id == message.id, Attachment.item_id == passed_on))
                .order_by(Attachment.id)
            )
            theirs = tuple(attachments)
            if any(one.file is None and one.due_at for one in theirs):
                raise TryLater("its files are still being fetched", after=FETCHING)
            await check_files(session, theirs)
            at = await database_time(session)
            links = await asking.links_below(
                session, message, channel.kind, self._means.base_url, self._means.keys
            )
            return Letter(
                message,
                thread,
                channel,
                identity,
                agent,
                at=at,
                last_inbound_at=await reply_windows.last_word_at(session, thread),
                maybe_sent=maybe_sent(message, channel, at=at),
                language="" if thread.side else locale or "",
                attachments=theirs,
                below=below,
                links=links,
            )


async def _give_up(db: Database, lease: Lease[Message], message: Message, refusal: SendRefused) -> None:
    log.warning("message_refused", id=str(message.id))
    async with db.transaction() as session:
        await remember(session, lease, message, problem=refusal.problem)
        await lease.give_up(session, error=str(refusal))


async def try_anew(session: AsyncSession) -> None:
    """What failed and waits for its time is due now; not what somebody is carrying."""
    waiting = (Message.due_at > func.now(), Message.failures > 0, Message.deaths == 0)
    await session.execute(
        update(Message)
        .where(*waiting, Message.delivery == DeliveryState.QUEUED)
        .values(due_at=func.now(), failures=0, failing_since=None)
        .execution_options(synchronize_session=False)
    )
    ring(session, OUTBOX.topic)


async def _below(session: AsyncSession, mail: Json) -> Message | None:
    id = mail.get("forwards") or mail.get("quotes")
    return await session.get(Message, uuid.UUID(id)) if id else None
