"""Takes queued answers to their providers, and writes down what became of each."""

import uuid
from collections.abc import Awaitable, Callable
from functools import partial

import structlog
from sqlalchemy import func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from domain import channels
from domain.addressing import after, has_failed, is_out
from domain.channels import Channel, ChannelKind
from domain.contacts import Contact, Identity
from domain.db import Database, Json, database_time
from domain.files import Files
from domain.keys import Keys
from domain.messages import OUTBOX, Attachment, Message
from domain.staff import Agent
from domain.threads import Thread
from domain.work import Lease, TryLater, work
from integrations.mail.sending import smtp
from integrations.mail.sending.connections import Relays
from integrations.messenger import client as messenger
from integrations.outbound import Handed, Letter, Means, RecipientBusy, SendFailed, SendRefused
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
        await work(self._db, OUTBOX, self.carry, hands=HANDS)

    async def carry(self, message: Message, lease: Lease[Message]) -> None:
        letter = await self._letter(message)
        try:
            handed = await self._senders[letter.channel.kind](letter, self._means)
        except SendRefused as refusal:
            log.warning("message_refused", id=str(message.id))
            async with self._db.transaction() as session:
                await lease.give_up(session, error=str(refusal))
            return
        except SendFailed as failure:
            async with self._db.transaction() as session:
                if isinstance(failure, RecipientBusy):
                    await channels.sends(session, letter.channel.id)
                else:
                    await channels.fails_to_send(session, letter.channel.id, error=str(failure))
            raise
        await self._note(letter, handed, lease)

    async def _note(self, letter: Letter, handed: Handed, lease: Lease[Message]) -> None:
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
            return Letter(
                message,
                thread,
                channel,
                identity,
                agent,
                language="" if thread.side else locale or "",
                attachments=theirs,
                below=below,
            )


async def _below(session: AsyncSession, mail: Json) -> Message | None:
    id = mail.get("forwards") or mail.get("quotes")
    return await session.get(Message, uuid.UUID(id)) if id else None
