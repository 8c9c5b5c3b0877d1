"""What counts for which figure, told by small stories; days as long as they are; sheets that run no formulas."""

import csv
import io
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from api.reporting.sheets import NAMES, lines
from domain.actors import SYSTEM
from domain.agents.staff import Agent
from domain.answering import replies
from domain.customers.contacts import Identity
from domain.desk import spam
from domain.desk.threads import Thread
from domain.desk.tickets import Ticket, TicketStatus
from domain.errors import InvalidInput
from domain.joining import merging, splitting, undoing
from domain.keys import Keys
from domain.reporting import keeping
from domain.reporting.asking import Asked, Grouping
from domain.reporting.counting import Line, Values, report
from domain.reporting.periods import Period
from domain.sla import policies, reckoning
from domain.sla.hours import ALWAYS
from domain.sla.targets import Metric, Target
from domain.ways_in.channels import Channel
from tests.factories import NOON, a_chat, a_mail, an_agent, receive, threads, tickets

MADRID = ZoneInfo("Europe/Madrid")
HOUR = timedelta(hours=1)
DAY = Period(NOON - 12 * HOUR, NOON + 12 * HOUR, ZoneInfo("UTC"))


async def answer(
    session: AsyncSession,
    keys: Keys,
    ticket: Ticket,
    by: Agent,
    at: datetime,
    after: TicketStatus | None = None,
) -> None:
    to = (
        await session.scalars(
            select(Identity)
            .join(Thread, Thread.identity_id == Identity.id)
            .where(Thread.ticket_id == ticket.id)
        )
    ).first()
    assert to
    await replies.send(
        session,
        keys,
        ticket,
        to=to,
        text="Soon.",
        by=by.as_actor(),
        at=at,
        last_seen_seq=0,
        force=True,
        after=after,
    )


async def counted(
    session: AsyncSession, *names: str, by: Grouping = Grouping.AGENT, period: Period = DAY
) -> tuple[Values, dict[str | None, Values]]:
    """In total, and by the names of the rows, once all is measured."""
    await session.flush()
    await keeping.measure(session, list(await session.scalars(select(Ticket.id))))
    asked = Asked(SYSTEM, period, by, period.end)
    found = await report(await session.connection(), asked, names)
    return found.total, {line.name: line.values for line in found.rows}


async def test_a_reply_is_the_figure_of_who_wrote_it_whoever_has_the_ticket(
    session: AsyncSession, keys: Keys, mailbox: Channel
) -> None:
    ben, bo = await an_agent(session, "Ben"), await an_agent(session, "Bo")
    await receive(session, mailbox, a_mail("ada@example.org"))
    (ticket,) = await tickets(session)
    ticket.assign(to=ben, by=SYSTEM, at=NOON)
    await answer(session, keys, ticket, bo, NOON + HOUR)

    _, rows = await counted(session, "handled", "first_reply_p50", "backlog")

    assert rows == {
        "Ben": {"handled": 0, "first_reply_p50": None, "backlog": 1},
        "Bo": {"handled": 1, "first_reply_p50": 3600, "backlog": 0},
    }


async def test_a_report_has_a_row_for_everybody_however_many_they_are(
    session: AsyncSession, keys: Keys, mailbox: Channel
) -> None:
    await receive(session, mailbox, a_mail("ada@example.org"))
    (ticket,) = await tickets(session)
    names = [f"Ben {number}" for number in range(101)]
    for name in names:
        await answer(session, keys, ticket, await an_agent(session, name), NOON + HOUR)

    total, rows = await counted(session, "messages_out")

    assert set(rows) == set(names)
    assert sum(row["messages_out"] for row in rows.values()) == total["messages_out"] == 101


async def test_a_kept_promise_to_solve_is_the_figure_of_who_solved_it_whoever_has_the_ticket(
    session: AsyncSession, mailbox: Channel
) -> None:
    ben, bo = await an_agent(session, "Ben"), await an_agent(session, "Bo")
    promise = [Target(Metric.RESOLUTION, 7200)]
    await policies.set_default_policy(session, name="Default", hours=ALWAYS, targets=promise)
    await receive(session, mailbox, a_mail("ada@example.org"))
    (ticket,) = await tickets(session)
    ticket.assign(to=ben, by=SYSTEM, at=NOON)
    ticket.change(by=bo.as_actor(), at=NOON + HOUR, status=TicketStatus.SOLVED)
    await reckoning.reckon(session, ticket, by=bo.as_actor(), at=NOON + HOUR)

    _, rows = await counted(session, "sla_percent")

    assert rows["Bo"] == {"sla_percent": 100.0}
    assert rows.get("Ben", {"sla_percent": None}) == {"sla_percent": None}


async def test_a_ticket_that_comes_back_was_solved_on_its_day_and_is_solved_again(
    session: AsyncSession, keys: Keys, chat: Channel
) -> None:
    ben, later = await an_agent(session, "Ben"), NOON + timedelta(days=3)
    await receive(session, chat, a_chat("Ada"))
    (ticket,) = await tickets(session)
    await answer(session, keys, ticket, ben, NOON + HOUR, TicketStatus.SOLVED)
    first_day, _ = await counted(session, "solved", "one_touch", "reopened")
    await receive(session, chat, a_chat("Ada", at=later))
    await answer(session, keys, ticket, ben, later + HOUR, TicketStatus.SOLVED)

    names = ("solved", "one_touch", "reopened", "resolution_p50")
    days = Period(DAY.begin, DAY.begin + timedelta(days=4), DAY.zone)
    total, rows = await counted(session, *names, by=Grouping.AGENT, period=days)

    assert (await counted(session, "solved", "one_touch", "reopened"))[0] == first_day
    assert first_day == {"solved": 1, "one_touch": 1, "reopened": 0}
    both = (3600 + 3 * 86_400 + 3600) // 2
    assert total == rows["Ben"] == {"solved": 1, "one_touch": 1, "reopened": 1, "resolution_p50": both}


async def test_what_the_shop_takes_up_again_within_a_minute_was_not_solved(
    session: AsyncSession, mailbox: Channel
) -> None:
    ben = (await an_agent(session, "Ben")).as_actor()
    for address, seconds in (("ada@example.org", 60), ("zofia@example.com", 61)):
        await receive(session, mailbox, a_mail(address))
        ticket = (await tickets(session))[-1]
        ticket.change(by=ben, at=NOON + HOUR, status=TicketStatus.SOLVED)
        ticket.change(by=ben, at=NOON + HOUR + timedelta(seconds=seconds), status=TicketStatus.OPEN)

    total, _ = await counted(session, "solved", "reopened", "backlog")

    assert total == {"solved": 1, "reopened": 1, "backlog": 2}


async def test_a_ticket_that_sleeps_is_in_nobodys_hand_and_a_solved_one_that_is_put_to_sleep_comes_back(
    session: AsyncSession, mailbox: Channel
) -> None:
    ben = await an_agent(session, "Ben")
    by = ben.as_actor()
    await receive(session, mailbox, a_mail("ada@example.org"))
    (ticket,) = await tickets(session)
    ticket.assign(to=ben, by=by, at=NOON)
    ticket.snooze(NOON + 4 * HOUR, by=by, at=NOON + HOUR)
    ticket.wake(by=SYSTEM, at=NOON + 4 * HOUR)
    ticket.change(by=by, at=NOON + 5 * HOUR, status=TicketStatus.SOLVED)
    ticket.snooze(NOON + 9 * HOUR, by=by, at=NOON + 7 * HOUR)
    ticket.wake(by=SYSTEM, at=NOON + 9 * HOUR)

    solved = Period(DAY.begin, NOON + 6 * HOUR, DAY.zone)
    until_then, _ = await counted(session, "backlog", "reopened", period=solved)
    total, _ = await counted(session, "solved", "handle_p50", "reopened", "backlog")

    assert until_then == {"backlog": 0, "reopened": 0}
    assert total == {"solved": 1, "handle_p50": 2 * 3600, "reopened": 1, "backlog": 1}


async def test_tickets_that_became_one_count_once_from_when_the_first_was_opened_until_that_is_undone(
    session: AsyncSession, mailbox: Channel
) -> None:
    mia = (await an_agent(session, "Mia")).as_actor()
    await receive(session, mailbox, a_mail("ada@example.org", at=NOON - timedelta(days=2)))
    await receive(session, mailbox, a_mail("zofia@example.com"))
    earlier, later = await tickets(session)
    before, _ = await counted(session, "opened", "messages_in", "backlog")
    move = await merging.merge_tickets(session, later, [earlier], by=mia, at=NOON + HOUR)
    merged, _ = await counted(session, "opened", "messages_in", "backlog")
    await undoing.undo(session, move.id, by=mia, at=NOON + 2 * HOUR)

    after, _ = await counted(session, "opened", "messages_in", "backlog")

    assert before == after == {"opened": 1, "messages_in": 1, "backlog": 2}
    assert merged == {"opened": 0, "messages_in": 1, "backlog": 1}


async def test_what_a_move_that_is_taken_back_had_opened_did_not_come_back(
    session: AsyncSession, mailbox: Channel
) -> None:
    mia = (await an_agent(session, "Mia")).as_actor()
    for address in ("ada@example.org", "zofia@example.com"):
        await receive(session, mailbox, a_mail(address))
    adas, zofias = await tickets(session)
    zofias.change(by=mia, at=NOON + HOUR, status=TicketStatus.SOLVED)
    (thread,) = await threads(session, adas)
    move = await splitting.move(session, thread, zofias, by=mia, at=NOON + 2 * HOUR)
    moved, _ = await counted(session, "solved", "reopened")

    await undoing.undo(session, move.id, by=mia, at=NOON + 3 * HOUR)

    assert moved == {"solved": 1, "reopened": 1}
    assert (await counted(session, "solved", "reopened"))[0] == {"solved": 1, "reopened": 0}


async def test_who_waits_in_a_ticket_that_a_merge_opens_is_answered_late(
    session: AsyncSession, keys: Keys, mailbox: Channel
) -> None:
    mia = await an_agent(session, "Mia")
    for address in ("ada@example.org", "zofia@example.com"):
        await receive(session, mailbox, a_mail(address))
    adas, zofias = await tickets(session)
    zofias.change(by=mia.as_actor(), at=NOON + HOUR, status=TicketStatus.SOLVED)
    await merging.merge_tickets(session, zofias, [adas], by=mia.as_actor(), at=NOON + 2 * HOUR)
    await answer(session, keys, zofias, mia, NOON + 3 * HOUR)

    total, _ = await counted(session, "first_reply_p50")

    assert total == {"first_reply_p50": 3 * 3600}


async def test_spam_and_machines_count_for_nothing(session: AsyncSession, mailbox: Channel) -> None:
    mia = (await an_agent(session, "Mia")).as_actor()
    await receive(session, mailbox, a_mail("ada@example.org"))
    await receive(session, mailbox, a_mail("robot@example.org", automatic=True))
    ticket, _ = await tickets(session)
    before, _ = await counted(session, "opened", "messages_in", "backlog")
    await spam.mark(session, ticket, by=mia, at=NOON + HOUR)

    after, _ = await counted(session, "opened", "messages_in", "backlog")

    assert before == {"opened": 1, "messages_in": 1, "backlog": 1}
    assert after == {"opened": 0, "messages_in": 0, "backlog": 0}


async def test_handling_stops_while_the_customer_is_waited_for(
    session: AsyncSession, keys: Keys, mailbox: Channel
) -> None:
    ben = await an_agent(session, "Ben")
    await receive(session, mailbox, a_mail("ada@example.org"))
    (ticket,) = await tickets(session)
    ticket.assign(to=ben, by=SYSTEM, at=NOON + HOUR)
    await answer(session, keys, ticket, ben, NOON + 2 * HOUR, TicketStatus.PENDING)
    await receive(session, mailbox, a_mail("ada@example.org", at=NOON + 6 * HOUR))
    await answer(session, keys, ticket, ben, NOON + 7 * HOUR, TicketStatus.SOLVED)

    total, _ = await counted(session, "handle_p50", "resolution_p50", "next_reply_p50")

    assert total == {"handle_p50": 2 * 3600, "resolution_p50": 7 * 3600, "next_reply_p50": 3600}


@pytest.mark.parametrize("hours", [-1, 0, 1])
def test_whatever_period_may_be_asked_for_so_may_the_one_before_it(hours: int) -> None:
    """Also where a clock changes in one of the two only."""
    for day in range(2 * 366):
        begin = datetime(2024, 1, 1, tzinfo=MADRID) + timedelta(days=day)
        try:
            asked = Period(
                begin.astimezone(UTC), begin.astimezone(UTC) + timedelta(days=366, hours=hours), MADRID
            )
        except InvalidInput:
            continue

        assert Period(asked.before(), asked.begin, MADRID).end == asked.begin


@pytest.mark.parametrize(
    ("day", "hours"), [(date(2026, 3, 29), 23), (date(2026, 10, 25), 25), (date(2026, 7, 1), 24)]
)
def test_a_day_is_as_long_as_it_is_in_its_zone(day: date, hours: int) -> None:
    begin = datetime(day.year, day.month, day.day, tzinfo=MADRID)
    period = Period(begin.astimezone(UTC), (begin + timedelta(days=1)).astimezone(UTC), MADRID)

    ((found, end),) = period.days()

    assert (found, end - period.begin) == (day, hours * HOUR)
    before = period.before().astimezone(MADRID)
    assert (before.date(), before.hour) == (day - timedelta(days=1), 0)


async def test_a_message_in_the_repeated_hour_is_of_the_long_day(
    session: AsyncSession, mailbox: Channel
) -> None:
    last_minutes = datetime(2026, 10, 25, 22, 59, tzinfo=UTC)
    for at in (last_minutes - 25 * HOUR, last_minutes - 24 * HOUR, last_minutes, last_minutes + HOUR):
        await receive(session, mailbox, a_mail("ada@example.org", at=at))
    week = Period(datetime(2026, 10, 24, tzinfo=MADRID), datetime(2026, 10, 27, tzinfo=MADRID), MADRID)

    await counted(session)
    asked = Asked(SYSTEM, week, Grouping.DAY, week.end)
    found = await report(await session.connection(), asked, ["messages_in"])

    assert [line.values["messages_in"] for line in found.rows] == [1, 2, 1]


def test_a_period_ends_after_it_begins_and_is_a_year_at_most() -> None:
    for end in (NOON, NOON - HOUR, NOON + timedelta(days=368)):
        with pytest.raises(InvalidInput):
            Period(NOON, end, MADRID)


def opened(rows: Sequence[Line], **how: object) -> list[list[str]]:
    """As a spreadsheet reads the file."""
    labelled = [(line.name or "", line.values) for line in rows]
    text = "".join(lines(labelled, locale="pl", separator=";", comma=True))
    assert text.startswith("\ufeff")
    return list(csv.reader(io.StringIO(text.removeprefix("\ufeff")), delimiter=";"))


def test_a_name_is_never_a_formula_and_a_number_stays_one() -> None:
    names = ["=1+1", "+48600", "-2", "@SUM(A1)", "\t=1", "\r=1", 'Bo; "the best"', "Zażółć"]
    rows = [Line(None, name, {"opened": -3, "sla_percent": 98.5, "first_reply_p50": None}) for name in names]

    _, *found = opened(rows)

    assert [row[0] for row in found[:6]] == [f"'{name}" for name in names[:6]]
    assert [row[0] for row in found[6:]] == names[6:]
    at = {name: place for place, name in enumerate(NAMES, start=1)}
    assert {(row[at["opened"]], row[at["sla_percent"]], row[at["first_reply_p50"]]) for row in found} == {
        ("-3", "98,5", "")
    }
