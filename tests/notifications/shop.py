"""A shop whose phones ring: Mia has a phone and a tablet, the admin has a phone. Everything is real but Google."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest
from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from demo.farends import FcmStandIn
from domain.actors import Role
from domain.agents.staff import Agent
from domain.alerting.alerts import Alert
from domain.alerting.devices import Device, Transport, register_device
from domain.alerting.ladders import Ladder, Step
from domain.alerting.notices import Delivery, Notice, NoticeKind, NoticeState
from domain.db import Database
from domain.events import any_pending
from domain.following import begin, read_on
from domain.keys import Keys
from domain.sla.deadlines import fire_due
from domain.sla.policies import Policy
from domain.ways_in.channels import Channel, ChannelKind
from notifications import dispatch, fcm
from notifications.deliver import Pusher
from notifications.pursuit import pursue
from notifications.settings import NotificationSettings
from tests.factories import NOON, a_channel, a_mail, a_promise, an_agent, receive

A_MINUTE = timedelta(seconds=60)


@dataclass
class Shop:
    """With Ada's mail, which was not answered in time."""

    db: Database
    far_end: FcmStandIn
    pusher: Pusher
    mia: Agent
    admin: Agent

    async def told(self) -> None:
        """Everybody is told of everything; an older transaction, even another test's, may hold the feed back."""
        pending = True
        while pending:
            async with self.db.transaction() as session:
                pending = await any_pending(session)
                await read_on(session, dispatch.NAME, dispatch.dispatch)

    async def ring(self) -> None:
        """Until each delivery that was waiting has been tried once; what waits for its ten seconds, without them."""
        async with self.db.transaction() as session:
            early = update(Delivery).where(Delivery.attempts == 0, Delivery.due_at > func.now())
            await session.execute(early.values(due_at=func.now()))
        pushing = asyncio.create_task(self.pusher.run())
        untried = (Delivery.attempts == 0) | ((Delivery.due_at > func.now()) & (Delivery.deaths > 0))
        async with asyncio.timeout(20):
            while await self._any(untried):
                await asyncio.sleep(0.01)
        pushing.cancel()
        await asyncio.gather(pushing, return_exceptions=True)

    async def _any(self, which: ColumnElement[bool]) -> bool:
        async with self.db.reading() as connection:
            return await connection.scalar(select(Delivery.id).where(which).limit(1)) is not None

    async def pursued(self, at: datetime) -> None:
        async with self.db.transaction() as session:
            await pursue(session, at=at)

    async def another_breach(self, times: int = 1) -> None:
        async with self.db.transaction() as session:
            channel = (await session.scalars(select(Channel))).one()
            for _ in range(times):
                number = await session.scalar(select(func.count()).select_from(Alert)) or 0
                await receive(session, channel, a_mail(f"customer{number}@example.org"))
                assert await fire_due(session) == 1

    async def ladder(self, *steps: Step) -> None:
        """From now on."""
        async with self.db.transaction() as session:
            policy = (await session.scalars(select(Policy))).one()
            policy.ladder = Ladder(steps).to_json()

    async def deliveries(self, *kinds: NoticeKind) -> list[tuple[str, str]]:
        """Whom each was for, and on what; in the order in which they were made."""
        made = (
            select(Agent.name, func.coalesce(Device.handle, "mail"))
            .select_from(Delivery)
            .join(Notice, Notice.id == Delivery.notice_id)
            .join(Agent, Agent.id == Notice.agent_id)
            .outerjoin(Device, Device.id == Delivery.device_id)
            .where(Notice.kind.in_(kinds or NoticeKind))
            .order_by(Delivery.id)
        )
        async with self.db.reading() as connection:
            return [(name, device) for name, device in await connection.execute(made)]

    async def delivery(self) -> Delivery:
        """The first."""
        async with self.db.transaction() as session:
            return (await session.scalars(select(Delivery).order_by(Delivery.id).limit(1))).one()

    async def errors(self, *kinds: NoticeKind) -> list[str | None]:
        """Of each delivery; in the order in which they were made."""
        async with self.db.transaction() as session:
            found = await session.scalars(
                select(Delivery.error)
                .join(Notice, Notice.id == Delivery.notice_id)
                .where(Notice.kind.in_(kinds or NoticeKind))
                .order_by(Delivery.id)
            )
            return list(found)

    async def notices(self) -> list[tuple[str, NoticeState, str | None]]:
        told = select(Agent.name, Notice.state, Notice.because).join(Agent, Agent.id == Notice.agent_id)
        async with self.db.reading() as connection:
            rows = await connection.execute(told.where(Notice.kind == NoticeKind.ALERT).order_by(Notice.id))
            return [(name, state, because) for name, state, because in rows]


@pytest.fixture
async def shop(clean: Database, keys: Keys) -> AsyncIterator[Shop]:
    async with clean.transaction() as session:
        await begin(session, dispatch.NAME)
    async with clean.transaction() as session:
        mia = await an_agent(session, "Mia", Role.MANAGER)
        admin = await an_agent(session, "Admin", Role.ADMIN)
        await register(session, mia, "phone:1", at=NOON + A_MINUTE)
        await register(session, mia, "tablet:1", at=NOON)
        await register(session, admin, "admin:1", at=NOON)
        await a_promise(session, 60)
        await receive(session, await a_channel(session, keys, ChannelKind.EMAIL), a_mail("ada@example.org"))
        assert await fire_due(session) == 1
    async with FcmStandIn() as far_end:
        settings = NotificationSettings(fcm_url=far_end.url, fcm_credentials=json.dumps(far_end.credentials))
        google = fcm.Fcm(settings)
        yield Shop(
            clean, far_end, Pusher(clean, keys, "http://heddle.test", {Transport.FCM: google}), mia, admin
        )
        await google.close()


async def register(
    session: AsyncSession,
    owner: Agent,
    handle: str,
    *,
    at: datetime = NOON,
    session_id: uuid.UUID | None = None,
) -> uuid.UUID:
    return await register_device(
        session, owner=owner.as_actor(), transport=Transport.FCM, handle=handle, label=handle, locale="en",
        at=at, session_id=session_id,
    )  # fmt: skip
