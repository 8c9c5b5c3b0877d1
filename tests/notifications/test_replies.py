"""Whoever has a ticket hears that its customer has written, unless they have seen it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

import pytest
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from domain.agents import duty, sign_in
from domain.agents.sign_in import SessionKind
from domain.agents.staff import Agent
from domain.alerting.alert_preferences import preferences_of
from domain.alerting.devices import Device
from domain.alerting.ladders import Step, Told
from domain.alerting.notices import Delivery, DeliveryStage, Notice, NoticeKind
from domain.answering.replies import send
from domain.customers.contacts import Identity
from domain.db import database_time
from domain.desk.tickets import Ticket
from domain.ids import public_id
from domain.keys import Keys
from domain.ways_in.channels import Channel, ChannelKind
from domain.working import viewing
from domain.working.viewing import Intent
from tests.factories import NOON, a_mail, an_agent, receive, tickets
from tests.notifications.shop import Shop, register


@dataclass
class Desk:
    """Ben has Zofia's ticket, and has answered; it is hers to write now."""

    shop: Shop
    keys: Keys
    mailbox: Channel
    ben: Agent
    ticket: Ticket

    async def writes(
        self, text: str = "And when?", *, address: str = "zofia@example.org", automatic: bool = False
    ) -> None:
        async with self.shop.db.transaction() as session:
            mail = a_mail(address, text, at=await database_time(session), automatic=automatic)
            await receive(session, self.mailbox, mail)

    async def answers(self, by: Agent) -> None:
        async with self.shop.db.transaction() as session:
            ticket = await session.get_one(Ticket, self.ticket.id, with_for_update=True)
            to = await session.scalars(select(Identity).where(Identity.contact_id == ticket.contact_id))
            await send(
                session, self.keys, ticket, to=to.one(), text="Tomorrow.", by=by.as_actor(),
                at=await database_time(session), last_seen_seq=10**15,
            )  # fmt: skip

    async def pushes(self) -> list[tuple[str, str]]:
        """Once the ten seconds are over."""
        await self.shop.told()
        await self.shop.ring()
        return [(push.handle, push.data["k"]) for push in self.shop.far_end.pushed]


@pytest.fixture
async def desk(shop: Shop, keys: Keys) -> Desk:
    await shop.ladder(Step(1, 0, (Told.ADMINS,)))
    async with shop.db.transaction() as session:
        ben = await an_agent(session, "Ben")
        await register(session, ben, "ben:1")
        mailbox = (await session.scalars(select(Channel).where(Channel.kind == ChannelKind.EMAIL))).one()
        await receive(session, mailbox, a_mail("zofia@example.org"))
        *_, ticket = await tickets(session)
        ticket.assign(to=ben, by=ben.as_actor(), at=NOON)
    desk = Desk(shop, keys, mailbox, ben, ticket)
    await desk.answers(ben)
    await desk.pushes()
    shop.far_end.pushed.clear()
    return desk


async def test_whoever_has_a_ticket_is_told_once_of_what_its_customer_writes_within_ten_seconds(
    desk: Desk,
) -> None:
    await desk.writes()
    await desk.writes("Please!")
    await desk.shop.told()
    async with desk.shop.db.transaction() as session:
        (delivery,) = await session.scalars(select(Delivery).where(Delivery.stage == DeliveryStage.CREATED))
        assert delivery.due_at
        assert delivery.due_at - delivery.created_at == timedelta(seconds=10)

    assert await desk.pushes() == [("ben:1", "reply")]
    (push,) = desk.shop.far_end.pushed
    assert (push.data["t"], push.data["title"]) == (
        public_id("Ticket", desk.ticket.id),
        f"Ticket {desk.ticket.number}: the customer has written",
    )

    await desk.writes("Hello?")
    assert await desk.pushes() == [("ben:1", "reply")] * 2


async def _opens_it(desk: Desk, session: AsyncSession) -> None:
    row, _ = sign_in.begin(
        session,
        desk.ben.id,
        SessionKind.WEB,
        device_label=None,
        address=None,
        at=await database_time(session),
    )
    await session.flush()
    at = await database_time(session)
    await viewing.says(session, desk.ticket.id, row.id, Intent.VIEWING, by=desk.ben.as_actor(), at=at)


async def _gives_it_away(desk: Desk, session: AsyncSession) -> None:
    ticket = await session.get_one(Ticket, desk.ticket.id)
    ticket.assign(to=await session.get_one(Agent, desk.shop.mia.id), by=desk.ben.as_actor(), at=NOON)


async def _is_spam(desk: Desk, session: AsyncSession) -> None:
    ticket = await session.get_one(Ticket, desk.ticket.id)
    ticket.spam_at = NOON


async def _rests(desk: Desk, session: AsyncSession) -> None:
    preferences = await preferences_of(session, desk.ben.id)
    preferences.keep_quiet("00:00", "23:59")
    session.add(preferences)


async def _wants_none(desk: Desk, session: AsyncSession) -> None:
    preferences = await preferences_of(session, desk.ben.id)
    preferences.replies = False
    session.add(preferences)


async def _goes_off_duty(desk: Desk, session: AsyncSession) -> None:
    rota = await duty.rota_of(session, desk.ben.id)
    rota.declare(False, until=None, by=desk.ben.as_actor(), at=NOON)


async def _loses_the_phone(desk: Desk, session: AsyncSession) -> None:
    """On shift all the same."""
    await session.execute(update(Device).where(Device.agent_id == desk.ben.id).values(removed_at=NOON))
    rota = await duty.rota_of(session, desk.ben.id)
    rota.declare(True, until=None, by=desk.ben.as_actor(), at=NOON)


@pytest.mark.parametrize(
    "does", [_opens_it, _gives_it_away, _is_spam, _rests, _wants_none, _goes_off_duty, _loses_the_phone]
)
async def test_they_are_not_told_who_have_it_open_or_no_more_who_rest_or_want_none(
    desk: Desk, does: Callable[[Desk, AsyncSession], Awaitable[None]]
) -> None:
    async with desk.shop.db.transaction() as session:
        await does(desk, session)

    await desk.writes()

    assert ("ben:1", "reply") not in await desk.pushes()
    async with desk.shop.db.transaction() as session:
        told = await session.scalars(select(Notice.agent_id).where(Notice.kind == NoticeKind.REPLY))
        assert desk.ben.id not in set(told)


@pytest.mark.parametrize("does", [_opens_it, _gives_it_away, _is_spam])
async def test_what_they_see_within_the_ten_seconds_is_not_told(
    desk: Desk, does: Callable[[Desk, AsyncSession], Awaitable[None]]
) -> None:
    await desk.writes()
    await desk.shop.told()
    assert await desk.shop.deliveries(NoticeKind.REPLY) == [("Ben", "ben:1")]

    async with desk.shop.db.transaction() as session:
        await does(desk, session)

    assert ("ben:1", "reply") not in await desk.pushes()
    assert await desk.shop.errors(NoticeKind.REPLY) == ["OVER"]


async def test_what_a_colleague_has_answered_by_then_is_not_told(desk: Desk) -> None:
    await desk.writes()
    await desk.shop.told()

    await desk.answers(desk.shop.mia)

    assert await desk.pushes() == []


async def test_what_was_written_by_a_machine_is_not_told_as_the_customers_word(desk: Desk) -> None:
    await desk.writes("I am out of the office.", automatic=True)

    assert await desk.pushes() == []


async def test_whoever_is_given_the_ticket_because_of_it_is_told_that_alone(desk: Desk) -> None:
    async with desk.shop.db.transaction() as session:
        ticket = await session.get_one(Ticket, desk.ticket.id)
        ticket.assign(to=None, by=desk.ben.as_actor(), at=NOON)
    await desk.writes()
    async with desk.shop.db.transaction() as session:
        ticket = await session.get_one(Ticket, desk.ticket.id)
        ben = await session.get_one(Agent, desk.ben.id)
        ticket.assign(to=ben, by=desk.shop.admin.as_actor(), at=NOON)

    assert await desk.pushes() == [("ben:1", "assigned")]


async def test_a_ringing_alert_keeps_its_place_on_the_screen(desk: Desk) -> None:
    await desk.shop.ladder(Step(1, 0, (Told.ASSIGNEE,)))
    await desk.shop.another_breach()
    async with desk.shop.db.transaction() as session:
        *_, late = await tickets(session)
        ben = await session.get_one(Agent, desk.ben.id)
        late.assign(to=ben, by=ben.as_actor(), at=NOON)
        address = await session.scalar(select(Identity.value).where(Identity.contact_id == late.contact_id))
    assert await desk.pushes() == [("ben:1", "sla_breached")]

    await desk.writes(address=str(address))

    assert await desk.pushes() == [("ben:1", "sla_breached")]
