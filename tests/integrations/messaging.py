"""A shop with a Messenger page: what Meta posts is opened by a worker, and answers go to a stand-in for Graph."""

import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select, update

from api.house import House
from demo.farends import GraphStandIn
from demo.farends.messenger_events import Event
from domain.agents.staff import Agent
from domain.answering.replies import Extras, send
from domain.answering.uploads import Upload
from domain.arriving.inbound import keep
from domain.customers.contacts import Identity, IdentityKind
from domain.db import database_time, new_id
from domain.desk.messages import OUTBOX, Attachment, Direction, Message
from domain.desk.survivors import locked
from domain.desk.threads import Thread
from domain.desk.tickets import Ticket
from domain.ways_in.channels import Channel, ChannelKind
from domain.work import TryLater
from integrations.courier import Courier
from integrations.settings import IntegrationSettings
from tests.factories import SETTINGS, a_channel, an_agent, tickets
from tests.integrations.opening import open_all

PAGE = SETTINGS[ChannelKind.MESSENGER]
PAGE_ID: str = PAGE["page_id"]
ADA = "7770001"


def lately(**ago: float) -> datetime:
    return datetime.now(UTC) - timedelta(**ago)


@dataclass
class Messaging:
    house: House
    graph: GraphStandIn
    settings: IntegrationSettings
    courier: Courier
    bo: Agent

    async def comes(self, *events: Event, slug: str = "messenger") -> None:
        """In one batch, opened at once."""
        await self.is_posted(self.graph.webhook(list(events), PAGE_ID)[0], slug=slug)

    async def is_posted(self, body: bytes, *, slug: str = "messenger") -> None:
        async with self.house.db.transaction() as session:
            channel = (await session.scalars(select(Channel).where(Channel.slug == slug))).one()
            await keep(session, channel, external_id=str(uuid.uuid4()), raw=body)
        await self.opens_all()

    async def opens_all(self) -> None:
        await open_all(self.house)

    async def answers(
        self,
        text: str = "On its way.",
        *,
        human_agent: bool = False,
        files: Sequence[tuple[str, str, bytes]] = (),
        at: datetime | None = None,
        to: str = ADA,
    ) -> Message:
        """Bo. `files`: name, type and bytes of each."""
        stored = [(name, mime, content, await self.house.files.put(content)) for name, mime, content in files]
        async with self.house.db.transaction() as session:
            now = at or await database_time(session)
            uploads = [
                Upload(
                    id=new_id(),
                    agent_id=self.bo.id,
                    name=name,
                    mime=mime,
                    bytes=len(content),
                    file=file,
                    created_at=now,
                    finished_at=now,
                )
                for name, mime, content, file in stored
            ]
            session.add_all(uploads)
            await session.flush()
            asked = select(Identity).where(Identity.kind == IdentityKind.MESSENGER, Identity.value == to)
            person = (await session.scalars(asked)).one()
            talks = select(Thread.ticket_id).where(Thread.identity_id == person.id)
            ticket = await locked(session, (await session.scalars(talks)).one())
            return await send(
                session,
                self.house.keys,
                ticket,
                to=person,
                text=text,
                by=self.bo.as_actor(),
                at=now,
                last_seen_seq=10**15,
                extras=Extras(files=[one.id for one in uploads], human_agent=human_agent),
            )

    async def carried(self) -> Message:
        """One try, as a worker makes it; what failed is due again."""
        async with self.house.db.transaction() as session:
            ((message, lease),) = await OUTBOX.claim(session, 1)
        try:
            await self.courier.carry(message, lease)
        except TryLater as failure:
            async with self.house.db.transaction() as session:
                await lease.retry(session, after=failure.after or 0, error=str(failure))
        return await self.message(message.id)

    async def time_passes(self, message: Message, **by: float) -> None:
        """Since what was tried last; and the message is due."""
        async with self.house.db.transaction() as session:
            row = await session.get_one(Message, message.id)
            kept = row.particulars or {}
            if said := kept.get("maybe_sent"):
                earlier = datetime.fromisoformat(said) - timedelta(**by)
                row.particulars = kept | {"maybe_sent": earlier.isoformat()}
            row.due_at = await database_time(session)

    async def message(self, id: uuid.UUID) -> Message:
        async with self.house.db.transaction() as session:
            return await session.get_one(Message, id)

    async def messages(self) -> list[Message]:
        async with self.house.db.transaction() as session:
            return list(await session.scalars(select(Message).order_by(Message.at, Message.seq)))

    async def attachments(self) -> list[Attachment]:
        async with self.house.db.transaction() as session:
            return list(await session.scalars(select(Attachment).order_by(Attachment.id)))

    async def ticket(self) -> Ticket:
        async with self.house.db.transaction() as session:
            (ticket,) = await tickets(session)
            return ticket

    async def channel(self, slug: str = "messenger") -> Channel:
        async with self.house.db.transaction() as session:
            return (await session.scalars(select(Channel).where(Channel.slug == slug))).one()

    async def set(self, model: Any, **values: Any) -> None:
        """Of messages, those that we sent."""
        rows = [Message.direction == Direction.OUT] if model is Message else []
        async with self.house.db.transaction() as session:
            await session.execute(update(model).where(*rows).values(values))


@asynccontextmanager
async def at_work(house: House) -> AsyncIterator[Messaging]:
    async with GraphStandIn(page_token=PAGE["page_token"], app_secret=PAGE["app_secret"]) as graph:
        settings = IntegrationSettings(graph_url=graph.url, media_hosts="127.0.0.1")
        house.integrations.graph_url = graph.url
        async with house.db.transaction() as session:
            await a_channel(session, house.keys, ChannelKind.MESSENGER)
            bo = await an_agent(session, "Bo")
        courier = Courier(house.db, house.keys, house.files, settings)
        yield Messaging(house, graph, settings, courier, bo)
