"""Tickets that sleep, against a real database."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from domain.actors import SYSTEM
from domain.arriving.opening import open_ticket
from domain.customers.contacts import add_contact
from domain.db import Database
from domain.desk.tickets import Ticket, TicketStatus
from domain.events import Event, EventKind
from domain.joining import merging, undoing
from domain.keys import Keys
from domain.sla import reckoning
from domain.sla.clocks import Clock
from domain.ways_in.channels import Channel, ChannelKind
from domain.working import snoozing
from tests.factories import NOON, a_channel, a_mail, a_promise, receive, tickets

TWO = NOON + timedelta(hours=2)


async def test_of_many_workers_each_ticket_is_woken_by_one(clean: Database) -> None:
    async with clean.transaction() as session:
        ada = add_contact(session, name="Ada", locale=None, by=SYSTEM, at=NOON)
        await session.flush()
        for _ in range(120):
            ticket = open_ticket(session, ada, subject="Mug", by=SYSTEM, at=NOON)
            ticket.snooze(TWO, by=SYSTEM, at=NOON)

    async def wake_all() -> int:
        woken = 0
        while True:
            async with clean.transaction() as session:
                some = await snoozing.wake_due(session)
            woken += some
            if not some:
                return woken

    woken = await asyncio.gather(*(wake_all() for _ in range(4)))

    async with clean.transaction() as session:
        events = select(func.count()).where(Event.kind == EventKind.TICKET_WOKE)
        assert sum(woken) == 120 == await session.scalar(events)
        assert set(await session.scalars(select(Ticket.status))) == {TicketStatus.OPEN}


async def test_an_earlier_time_wakes_the_wheel(clean: Database, keys: Keys) -> None:
    async with clean.transaction() as session:
        await receive(session, await a_channel(session, keys, ChannelKind.EMAIL), a_mail("ada@example.org"))
    turning = asyncio.create_task(snoozing.WHEEL.turn(clean))
    await asyncio.sleep(0.2)

    async with clean.transaction() as session:
        (ticket,) = await tickets(session)
        now = datetime.now(UTC)
        ticket.snooze(now + timedelta(seconds=0.3), by=SYSTEM, at=now)

    async with asyncio.timeout(30):
        while await _status(clean) != TicketStatus.OPEN:
            await asyncio.sleep(0.02)
    turning.cancel()
    await asyncio.gather(turning, return_exceptions=True)


async def _status(db: Database) -> TicketStatus | None:
    async with db.transaction() as session:
        return await session.scalar(select(Ticket.status))


async def test_the_customers_answer_wakes_it_and_nothing_does_so_again(
    session: AsyncSession, mailbox: Channel
) -> None:
    await receive(session, mailbox, a_mail("ada@example.org"))
    (ticket,) = await tickets(session)
    ticket.snooze(TWO, by=SYSTEM, at=NOON)

    ticket.customer_wrote(by=SYSTEM, at=NOON + timedelta(hours=1))
    await session.flush()

    assert (ticket.status, ticket.snoozed_until) == (TicketStatus.OPEN, None)
    assert await snoozing.wake_due(session, at=TWO) == 0


async def test_who_settles_a_ticket_or_merges_it_ends_its_sleep(
    session: AsyncSession, mailbox: Channel
) -> None:
    for name in ("ada", "zofia", "bo"):
        await receive(session, mailbox, a_mail(f"{name}@example.org"))
    solved, merged, other = await tickets(session)
    for ticket in (solved, merged):
        ticket.snooze(TWO, by=SYSTEM, at=NOON)

    solved.change(by=SYSTEM, at=NOON, status=TicketStatus.SOLVED)
    await merging.merge_tickets(session, other, [merged], by=SYSTEM, at=NOON)
    await session.execute(update(Ticket).where(Ticket.id == merged.id).values(snoozed_until=NOON))
    await session.flush()

    assert solved.snoozed_until is None
    assert await snoozing.wake_due(session, at=TWO) == 1, "one that was forgotten is forgotten once"
    assert await snoozing.wake_due(session, at=TWO) == 0
    assert (solved.status, other.status) == (TicketStatus.SOLVED, TicketStatus.NEW)


@pytest.mark.parametrize("survivor_sleeps", [False, True])
async def test_of_two_that_wait_the_one_that_is_left_wakes_when_the_first_would_have(
    session: AsyncSession, mailbox: Channel, survivor_sleeps: bool
) -> None:
    for name in ("ada", "zofia"):
        await receive(session, mailbox, a_mail(f"{name}@example.org"))
    survivor, merged = await tickets(session)
    survivor.change(by=SYSTEM, at=NOON, status=TicketStatus.PENDING)
    if survivor_sleeps:
        survivor.snooze(TWO + timedelta(days=1), by=SYSTEM, at=NOON)
    before = survivor.snoozed_until
    merged.snooze(TWO, by=SYSTEM, at=NOON)

    move = await merging.merge_tickets(session, survivor, [merged], by=SYSTEM, at=NOON)

    assert (survivor.status, survivor.snoozed_until) == (TicketStatus.PENDING, TWO)
    await undoing.undo(session, move.id, by=SYSTEM, at=NOON)
    assert (survivor.snoozed_until, merged.snoozed_until) == (before, TWO)


@pytest.mark.parametrize("until", [None, TWO])
async def test_one_that_waits_for_the_customer_waits_on_as_part_of_one_that_was_solved(
    session: AsyncSession, mailbox: Channel, until: datetime | None
) -> None:
    for name in ("ada", "zofia"):
        await receive(session, mailbox, a_mail(f"{name}@example.org"))
    survivor, merged = await tickets(session)
    survivor.change(by=SYSTEM, at=NOON, status=TicketStatus.SOLVED)
    merged.change(by=SYSTEM, at=NOON, status=TicketStatus.PENDING)
    if until:
        merged.snooze(until, by=SYSTEM, at=NOON)

    move = await merging.merge_tickets(session, survivor, [merged], by=SYSTEM, at=NOON)

    pending = (TicketStatus.PENDING, None, until)
    assert (survivor.status, survivor.solved_at, survivor.snoozed_until) == pending
    await undoing.undo(session, move.id, by=SYSTEM, at=NOON)
    assert (survivor.status, survivor.solved_at, survivor.snoozed_until) == (TicketStatus.SOLVED, NOON, None)
    assert (merged.status, merged.solved_at, merged.snoozed_until) == pending


async def test_a_promise_waits_while_its_ticket_sleeps(session: AsyncSession, mailbox: Channel) -> None:
    await a_promise(session, 3600)
    await receive(session, mailbox, a_mail("ada@example.org", at=NOON))
    (ticket,) = await tickets(session)
    (due,) = await session.scalars(select(Clock.due_at))

    ticket.snooze(TWO, by=SYSTEM, at=NOON + timedelta(minutes=10))
    await reckoning.reckon(session, ticket, at=NOON + timedelta(minutes=10))
    paused = (await session.scalars(select(Clock.paused_since))).one()
    await snoozing.wake_due(session, at=TWO)

    assert paused == NOON + timedelta(minutes=10)
    assert (await session.scalars(select(Clock.due_at))).one() == due + timedelta(hours=1, minutes=50)
