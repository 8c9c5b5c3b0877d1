"""Mail as it comes: written as bytes, handed over by SMTP to a shop with two mailboxes, opened by a worker."""

import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from email.message import EmailMessage
from typing import Any

import aiosmtplib
import pytest
from sqlalchemy import select

from api.house import House
from domain.actors import SYSTEM
from domain.agents.staff import Agent
from domain.answering.replies import send
from domain.arriving.inbound import Arrival
from domain.customers.contacts import Identity
from domain.db import database_time
from domain.desk.messages import Direction, Message
from domain.desk.survivors import locked
from domain.desk.threads import Thread
from domain.desk.tickets import Ticket, TicketStatus
from domain.ways_in.channels import ChannelKind
from integrations.mail.addresses import reply_address
from integrations.mail.receiving.smtp_in import listen
from integrations.mail.sending.compose import POLICY
from tests.factories import SETTINGS, a_channel, an_agent, messages, tickets
from tests.integrations.opening import open_all

HELP, SALES = SETTINGS[ChannelKind.EMAIL]["address"], "sales@shop.example"
ADA, ZOFIA, EVE = "Ada <ada@example.org>", "Zofia <zofia@example.com>", "Eve <eve@example.net>"


def written(
    sender: str, text: str, *, subject: str = "Broken mug", verified: bool = True, **headers: str
) -> bytes:
    """`verified`: our own relay says that DMARC passed."""
    mail = EmailMessage()
    if verified:
        domain = sender.rpartition("@")[2].rstrip(">")
        mail["Authentication-Results"] = f"mx.shop.example; dmarc=pass header.from={domain}"
    mail["From"], mail["Subject"] = sender, subject
    mail["To"] = headers.pop("To", HELP)
    mail["Message-ID"] = f"<{headers.pop('id', '') or uuid.uuid4()}@mail.example>"
    for name, value in headers.items():
        mail[name.replace("_", "-")] = value
    mail.set_content(text)
    return mail.as_bytes(policy=POLICY)


@dataclass
class Mailing:
    house: House
    smtp: dict[str, Any]
    agents: dict[str, Agent] = field(default_factory=dict)

    async def comes(
        self, sender: str, text: str, *recipients: str, envelope: str | None = None, **others: Any
    ) -> None:
        """To our mailbox, or to these; opened at once."""
        await self.brought(written(sender, text, **others), *recipients, envelope=envelope)

    async def brought(self, raw: bytes, *recipients: str, envelope: str | None = None) -> None:
        sender = "someone@example.org" if envelope is None else envelope
        async with aiosmtplib.SMTP(**self.smtp) as client:  # `send` takes an empty sender for none
            await client.sendmail(sender, list(recipients) or [HELP], raw)
        await self.opened()

    async def opened(self) -> list[Arrival]:
        await open_all(self.house)
        async with self.house.db.transaction() as session:
            return list(await session.scalars(select(Arrival).order_by(Arrival.id)))

    async def agent(self, name: str) -> Agent:
        if name not in self.agents:
            async with self.house.db.transaction() as session:
                self.agents[name] = await an_agent(session, name)
        return self.agents[name]

    async def answered(self, ticket: Ticket, text: str = "We look into it.", *, by: str = "Ben") -> Message:
        """The agent's answer to the ticket's first conversation, as it waits to be sent."""
        ben = await self.agent(by)
        async with self.house.db.transaction() as session:
            held = await locked(session, ticket.id)
            thread = (await session.scalars(select(Thread).where(Thread.ticket_id == held.id).limit(1))).one()
            identity = await session.get_one(Identity, thread.identity_id)
            return await send(
                session, self.house.keys, held, to=identity, text=text, by=ben.as_actor(),
                at=await database_time(session), last_seen_seq=10**15,
            )  # fmt: skip

    async def solved(self, ticket: Ticket, *, ago: timedelta) -> None:
        async with self.house.db.transaction() as session:
            held = await locked(session, ticket.id)
            held.change(by=SYSTEM, at=await database_time(session) - ago, status=TicketStatus.SOLVED)

    async def tickets(self) -> list[Ticket]:
        async with self.house.db.transaction() as session:
            return await tickets(session)

    async def said(self, ticket: Ticket) -> list[tuple[str, str]]:
        """Who wrote what into it."""
        return [(one.author, one.text.strip()) for one in await self.received(ticket)]

    async def received(self, ticket: Ticket) -> list[Message]:
        async with self.house.db.transaction() as session:
            return [one for one in await messages(session, ticket) if one.direction == Direction.IN]

    async def thread(self, ticket: Ticket) -> Thread:
        async with self.house.db.transaction() as session:
            return (await session.scalars(select(Thread).where(Thread.ticket_id == ticket.id))).one()

    async def signed(self, ticket: Ticket) -> str:
        """The address to which answers of the ticket's conversation are to go."""
        return reply_address(self.house.keys, HELP, (await self.thread(ticket)).number)


@pytest.fixture
async def mailing(house: House) -> AsyncIterator[Mailing]:
    async with house.db.transaction() as session:
        await a_channel(session, house.keys, ChannelKind.EMAIL)
        await a_channel(session, house.keys, ChannelKind.EMAIL, slug="sales", address=SALES)
    server = await listen(house.db, house.keys, host="127.0.0.1", port=0, hostname="heddle.test")
    async with server:
        host, port = server.sockets[0].getsockname()
        yield Mailing(house, {"hostname": host, "port": port, "start_tls": False})
