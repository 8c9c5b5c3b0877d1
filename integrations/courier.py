"""Takes queued answers to their providers, and writes down what became of each."""

from collections.abc import Awaitable, Callable

import structlog
from sqlalchemy import select

from domain import channels
from domain.channels import Channel, ChannelKind
from domain.contacts import Identity
from domain.db import Database, database_time
from domain.keys import Keys
from domain.messages import OUTBOX, Message
from domain.staff import Agent
from domain.threads import Thread
from domain.work import Lease, work
from integrations.mail import smtp
from integrations.messenger import client as messenger
from integrations.outbound import Letter, RecipientBusy, SendFailed, SendRefused
from integrations.settings import IntegrationSettings

log = structlog.get_logger()

Sender = Callable[[Letter, Keys, IntegrationSettings], Awaitable[str | None]]

# A chat's answer is in the open socket as soon as it is written: nothing is sent.
SENDERS: dict[ChannelKind, Sender] = {ChannelKind.EMAIL: smtp.send, ChannelKind.MESSENGER: messenger.send}

HANDS = 4


class Courier:
    def __init__(self, db: Database, keys: Keys, settings: IntegrationSettings) -> None:
        self._db = db
        self._keys = keys
        self._settings = settings

    async def run(self) -> None:
        await work(self._db, OUTBOX, self.carry, hands=HANDS)

    async def carry(self, message: Message, lease: Lease[Message]) -> None:
        letter = await self._letter(message)
        try:
            external_id = await SENDERS[letter.channel.kind](letter, self._keys, self._settings)
        except SendRefused as refusal:
            log.warning("message_refused", id=str(message.id), error=str(refusal))
            async with self._db.transaction() as session:
                await lease.give_up(session, error=str(refusal))
            return
        except SendFailed as failure:
            tell = channels.sends if isinstance(failure, RecipientBusy) else channels.fails_to_send
            async with self._db.transaction() as session:
                await tell(session, letter.channel.id)
            raise
        async with self._db.transaction() as session:
            await channels.sends(session, letter.channel.id)
            sent = await lease.settle(session, last_error=None)
            sent.external_id = external_id or sent.external_id
            sent.sent(at=await database_time(session))

    async def _letter(self, message: Message) -> Letter:
        async with self._db.transaction() as session:
            found = await session.execute(
                select(Thread, Channel, Identity, Agent)
                .join(Channel, Channel.id == Thread.channel_id)
                .join(Identity, Identity.id == Thread.identity_id)
                .outerjoin(Agent, Agent.id == message.agent_id)
                .where(Thread.id == message.thread_id)
            )
            thread, channel, identity, agent = found.one()
        return Letter(message, thread, channel, identity, agent)
