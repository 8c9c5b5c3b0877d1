"""What becomes of complaints when tickets become one and part again, when a ticket is spam, and when a conversation leaves."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.actors import Actor, Role
from domain.alerting.alerts import Alert, AlertKind
from domain.complaints.complaints import Complaint, complaint_of
from domain.complaints.decision_dates import legal_date
from domain.complaints.moving import Decision
from domain.complaints.opening import open_complaint
from domain.complaints.stages import Outcome, Stage
from domain.complaints.stalling import fire_stalled
from domain.desk import spam
from domain.desk.tickets import Ticket
from domain.joining import merging, splitting, undoing
from domain.planning import applying
from domain.planning.templates import Planned
from domain.sla.clocks import RUNNING, Clock
from domain.sla.hours import ALWAYS
from domain.sla.templates import Template
from domain.ways_in.channels import Channel
from tests.complaining import POLISH_DUE, a_ticket, go, open_tasks, under_the_law
from tests.factories import NOON, a_mail, an_agent, receive, threads

A_DAY = timedelta(days=1)
PL = Template.COMPLAINT_PL
LATER_DUE = POLISH_DUE + 7 * A_DAY
"""Of a complaint of a week later."""


@pytest.fixture
async def mia(session: AsyncSession) -> Actor:
    return (await an_agent(session, "Mia", Role.MANAGER)).as_actor()


@pytest.fixture
async def pair(session: AsyncSession, mailbox: Channel) -> tuple[Ticket, Ticket]:
    await under_the_law(session, PL)
    return await a_ticket(session, mailbox), await a_ticket(session, mailbox, "zofia@example.com")


async def complaining(session: AsyncSession, ticket: Ticket, by: Actor, days: int = 0) -> Complaint:
    return await open_complaint(session, ticket, law=PL, by=by, at=NOON + days * A_DAY)


async def led(session: AsyncSession, *tickets: Ticket) -> list[int | None]:
    """The number of the complaint that leads each, and whether the ticket knows that it waits."""
    found = []
    for ticket in tickets:
        complaint = await complaint_of(session, ticket.id)
        await session.refresh(ticket)
        assert ticket.undecided == (complaint is not None and complaint.is_undecided)
        found.append(complaint.number if complaint else None)
    return found


async def test_a_complaint_follows_its_ticket_and_comes_back_with_it(
    session: AsyncSession, pair: tuple[Ticket, Ticket], mia: Actor
) -> None:
    into, ticket = pair
    await complaining(session, ticket, mia)

    move = await merging.merge_tickets(session, into, [ticket], by=mia, at=NOON + A_DAY)
    assert await led(session, into, ticket) == [ticket.number, None]
    legal = select(Clock.ticket_id).where(Clock.is_legal, RUNNING)
    assert (await session.scalars(legal)).all() == [into.id]
    await undoing.undo(session, move.id, by=mia, at=NOON + 2 * A_DAY)

    assert await led(session, into, ticket) == [None, ticket.number]
    assert (await session.scalars(legal)).all() == [ticket.id]


async def test_of_two_complaints_the_older_leads_and_the_work_of_the_other_is_not_done_twice(
    session: AsyncSession, pair: tuple[Ticket, Ticket], mia: Actor
) -> None:
    into, ticket = pair
    await complaining(session, ticket, mia)
    await complaining(session, into, mia, days=1)
    first_due = {task.id for task in await open_tasks(session, ticket)}

    move = await merging.merge_tickets(session, into, [ticket], by=mia, at=NOON + 2 * A_DAY)
    assert await led(session, into) == [ticket.number]
    assert {task.id for task in await open_tasks(session, into)} == first_due
    await undoing.undo(session, move.id, by=mia, at=NOON + 3 * A_DAY)

    assert await led(session, into, ticket) == [into.number, ticket.number]
    assert len(await open_tasks(session, into)) == len(await open_tasks(session, ticket)) == 3


async def test_an_open_complaint_leads_one_that_is_closed(
    session: AsyncSession, pair: tuple[Ticket, Ticket], mia: Actor
) -> None:
    into, ticket = pair
    closed = await complaining(session, into, mia)
    for stage, decision in ((Stage.DECIDED, Decision(Outcome.REJECTED)), (Stage.CLOSED, Decision())):
        await go(session, closed, stage, decision, by=mia, at=NOON + A_DAY)
    await complaining(session, ticket, mia, days=2)

    await merging.merge_tickets(session, into, [ticket], by=mia, at=NOON + 3 * A_DAY)

    assert await led(session, into) == [ticket.number]


async def test_merges_undone_in_the_other_order_leave_each_ticket_its_complaint(
    session: AsyncSession, pair: tuple[Ticket, Ticket], mia: Actor, mailbox: Channel
) -> None:
    into, first = pair
    second = await a_ticket(session, mailbox, "third@example.com")
    await complaining(session, first, mia)
    await complaining(session, second, mia, days=1)
    one = await merging.merge_tickets(session, into, [first], by=mia, at=NOON + 2 * A_DAY)
    other = await merging.merge_tickets(session, into, [second], by=mia, at=NOON + 3 * A_DAY)

    await undoing.undo(session, one.id, by=mia, at=NOON + 4 * A_DAY)
    assert await led(session, into, first) == [second.number, first.number]
    await undoing.undo(session, other.id, by=mia, at=NOON + 5 * A_DAY)

    assert await led(session, into, first, second) == [None, first.number, second.number]


async def test_a_conversation_that_leaves_does_not_take_the_complaint_along(
    session: AsyncSession, pair: tuple[Ticket, Ticket], mia: Actor
) -> None:
    ticket, _ = pair
    await complaining(session, ticket, mia)
    (thread,) = await threads(session, ticket)

    await splitting.move(session, thread, None, by=mia, at=NOON + A_DAY)

    assert await led(session, ticket) == [ticket.number]


async def test_spam_is_not_told_of_and_what_was_no_spam_goes_on(
    session: AsyncSession, pair: tuple[Ticket, Ticket], mia: Actor
) -> None:
    ticket, _ = pair
    await complaining(session, ticket, mia)
    running = select(Clock.id).where(Clock.ticket_id == ticket.id, Clock.is_legal, RUNNING)

    await spam.mark(session, ticket, by=mia, at=NOON + A_DAY)
    assert await session.scalar(running) is None
    await spam.unmark(session, ticket, by=mia, at=NOON + 2 * A_DAY)

    assert await session.scalar(running)
    assert await fire_stalled(session, at=NOON + 10 * A_DAY) == 1
    await spam.mark(session, ticket, by=mia, at=NOON + 11 * A_DAY)
    await spam.unmark(session, ticket, by=mia, at=NOON + 12 * A_DAY)
    assert await fire_stalled(session, at=NOON + 12 * A_DAY) == 1


async def test_what_a_complaint_has_left_to_do_goes_back_with_it_when_a_merge_is_undone(
    session: AsyncSession, pair: tuple[Ticket, Ticket], mia: Actor
) -> None:
    into, ticket = pair
    complaint = await complaining(session, ticket, mia)
    move = await merging.merge_tickets(session, into, [ticket], by=mia, at=NOON + A_DAY)
    await applying.apply(
        session, "Repairs", [Planned("Ring the maker", 1)], into, complaint,
        decision=None, hours=ALWAYS, by=mia, at=NOON + A_DAY,
    )  # fmt: skip
    to_do = {task.title for task in await open_tasks(session, into)}
    assert await fire_stalled(session, at=NOON + 20 * A_DAY) == 1

    await undoing.undo(session, move.id, by=mia, at=NOON + 20 * A_DAY)

    (alert,) = await session.scalars(select(Alert).where(Alert.kind == AlertKind.COMPLAINT_STALLED))
    assert alert.ticket_id == ticket.id
    assert "Ring the maker" in to_do
    assert {task.title for task in await open_tasks(session, ticket)} == to_do
    assert await open_tasks(session, into) == []


async def due(session: AsyncSession, ticket: Ticket) -> datetime | None:
    date = await legal_date(session, ticket.id)
    return date.due_at if date else None


async def test_a_merge_taken_back_leaves_the_other_ticket_no_word_of_the_law(
    session: AsyncSession, pair: tuple[Ticket, Ticket], mia: Actor, mailbox: Channel
) -> None:
    into, ticket = pair
    await complaining(session, ticket, mia)
    move = await merging.merge_tickets(session, into, [ticket], by=mia, at=NOON + A_DAY)
    await undoing.undo(session, move.id, by=mia, at=NOON + A_DAY)
    again = NOON + 7 * A_DAY
    await receive(session, mailbox, a_mail("ada@example.org", "Now it leaks.", at=again))

    await complaining(session, into, mia, days=7)

    assert await due(session, into) == LATER_DUE


@pytest.mark.parametrize("closed", [True, False])
@pytest.mark.parametrize("into_the_answered", [True, False])
async def test_what_was_answered_makes_no_new_complaint_late(
    session: AsyncSession, pair: tuple[Ticket, Ticket], mia: Actor, into_the_answered: bool, closed: bool
) -> None:
    answered, waits = pair
    first = await complaining(session, answered, mia)
    await go(session, first, Stage.DECIDED, Decision(Outcome.REJECTED), by=mia, at=NOON + A_DAY)
    if closed:
        await go(session, first, Stage.CLOSED, by=mia, at=NOON + A_DAY)
    waits.legal_since = NOON + 7 * A_DAY
    second = await complaining(session, waits, mia, days=7)

    into, ticket = pair if into_the_answered else (waits, answered)
    move = await merging.merge_tickets(session, into, [ticket], by=mia, at=NOON + 8 * A_DAY)
    assert await led(session, into) == [waits.number]
    assert await due(session, into) == LATER_DUE
    await go(session, second, Stage.DECIDED, Decision(Outcome.REJECTED), by=mia, at=NOON + 9 * A_DAY)
    await go(session, second, Stage.INVESTIGATING, by=mia, at=NOON + 10 * A_DAY)
    assert await due(session, into) == LATER_DUE
    await undoing.undo(session, move.id, by=mia, at=NOON + 11 * A_DAY)

    assert await led(session, waits, answered) == [waits.number, answered.number]
    assert (await due(session, waits), await due(session, answered)) == (LATER_DUE, POLISH_DUE)


async def test_who_complains_anew_after_withdrawing_has_new_days_though_tickets_were_merged(
    session: AsyncSession, pair: tuple[Ticket, Ticket], mia: Actor, mailbox: Channel
) -> None:
    into, ticket = pair
    complaint = await complaining(session, ticket, mia)
    await complaining(session, into, mia, days=1)
    await merging.merge_tickets(session, into, [ticket], by=mia, at=NOON + 2 * A_DAY)
    await go(session, complaint, Stage.CLOSED, Decision(Outcome.WITHDRAWN), by=mia, at=NOON + 3 * A_DAY)
    again = NOON + 7 * A_DAY
    await receive(session, mailbox, a_mail("ada@example.org", "It leaks.", at=again))

    await go(session, complaint, Stage.INVESTIGATING, by=mia, at=again + A_DAY)

    assert await due(session, into) == LATER_DUE
