"""Calls as the database keeps them: placed, told too early, swept, missed and called back."""

import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.actors import SYSTEM
from domain.agents.staff import Team
from domain.alerting.alerts import Alert
from domain.arriving.inbound import CallStep, InboundAttachment, InboundCall
from domain.calling import early_calls
from domain.calling.calls import sweep
from domain.calling.dialled_numbers import save_number
from domain.calling.early_calls import EarlyCall
from domain.customers.contacts import Contact, Identity, IdentityKind
from domain.db import Database, database_time, new_id
from domain.desk.messages import Attachment, Call, CallOutcome, CallState
from domain.desk.tasks import Task
from domain.desk.threads import Thread
from domain.desk.tickets import Ticket
from domain.events import Event, EventKind
from domain.joining.reasons import JoinCode
from domain.joining.suggestions import Suggestion
from domain.keys import Keys
from domain.sla.calendars import Calendar
from domain.sla.hours import Hours
from domain.ways_in import blocking
from domain.ways_in.blocking import BlockedSender
from domain.ways_in.channels import Channel, ChannelKind
from tests.factories import NOON, a_call_step, a_channel, a_mail, an_agent, contacts, receive, tickets
from tests.fetching import running, until

ADA = "+48600100200"
OURS = "+48221112233"


def step(kind: CallStep, second: float = 0, call_id: str = "c1", **others: Any) -> InboundCall:
    return a_call_step(call_id, kind, at=NOON + timedelta(seconds=second), **others)


async def hear(session: AsyncSession, line: Channel, *steps: InboundCall) -> None:
    for one in steps:
        await receive(session, line, one)


async def the_call(session: AsyncSession) -> Call:
    return (await session.scalars(select(Call).execution_options(populate_existing=True))).one()


async def tasks(session: AsyncSession) -> list[Task]:
    return list(await session.scalars(select(Task).order_by(Task.created_at)))


def missed(call_id: str = "c1", since: float = 0, number: str = ADA) -> Sequence[InboundCall]:
    rings = step(CallStep.RINGING, since, call_id, number=number)
    return rings, step(CallStep.ENDED, since + 20, call_id, number=number)


async def test_what_is_told_before_who_calls_is_remembered_and_counts(
    session: AsyncSession, line: Channel
) -> None:
    early = {"number": "", "agent": "ben@shop.example"}
    ben = await an_agent(session, "Ben")
    await hear(session, line, step(CallStep.ENDED, 65, **early), step(CallStep.ANSWERED, 5, **early))
    assert await session.scalar(select(func.count()).select_from(Call)) == 0

    await hear(session, line, step(CallStep.RINGING))

    call = await the_call(session)
    assert (call.call_state, call.agent_id, call.at) == (CallState.ENDED, ben.id, NOON)
    assert await session.scalar(select(func.count()).select_from(EarlyCall)) == 0
    assert await tasks(session) == []


async def test_what_nobody_ever_said_whose_it_was_is_forgotten_after_a_day(
    session: AsyncSession, line: Channel
) -> None:
    await hear(session, line, step(CallStep.ENDED, number=""))

    await early_calls.forget(session, at=NOON + timedelta(hours=23))
    assert await session.scalar(select(func.count()).select_from(EarlyCall)) == 1
    await early_calls.forget(session, at=NOON + timedelta(hours=25))

    assert await session.scalar(select(func.count()).select_from(EarlyCall)) == 0


async def test_the_last_who_had_it_has_it_and_the_others_are_remembered(
    session: AsyncSession, line: Channel
) -> None:
    ben, bo = await an_agent(session, "Ben"), await an_agent(session, "Bo")
    ben.line = "7"

    await hear(
        session,
        line,
        step(CallStep.TRANSFERRED, 30, agent="BO@shop.example"),
        step(CallStep.ANSWERED, 5, agent="SIP:7"),
        step(CallStep.TRANSFERRED, 60, agent="somebody elsewhere"),
    )

    call = await the_call(session)
    assert (call.agent_id, call.handled_by) == (bo.id, [str(ben.id), str(bo.id)])


async def test_a_machines_call_stays_missed_with_its_recording(session: AsyncSession, line: Channel) -> None:
    recording = InboundAttachment("RE1.mp3", "audio/mpeg", url="https://recordings.example/RE1.mp3")
    recorded = step(CallStep.RECORDED, 40, recording=recording, consent="pressed 1")

    await hear(session, line, step(CallStep.RINGING), step(CallStep.VOICEMAIL, 20), recorded, recorded)
    await hear(session, line, step(CallStep.ENDED, 41), recorded)

    call = await the_call(session)
    assert (call.call_state, call.ended_at) == (CallState.MISSED, NOON + timedelta(seconds=41))
    (attached,) = await session.scalars(select(Attachment).where(Attachment.item_id == call.id))
    assert (attached.name, attached.due_at is not None) == ("RE1.mp3", True)
    assert len(await tasks(session)) == 1


async def test_several_missed_calls_are_one_ticket_and_one_task(session: AsyncSession, line: Channel) -> None:
    ben = await an_agent(session, "Ben")
    await hear(session, line, *missed("c1"))
    (ticket,) = await tickets(session)
    ticket.assign(to=ben, by=SYSTEM, at=NOON)

    await hear(session, line, *missed("c2", since=100), *missed("c3", since=200))

    (task,) = await tasks(session)
    last = await session.scalar(select(Call.id).where(Call.external_id == "c3"))
    assert (task.title, task.ticket_id, task.missed_calls) == (f"Call back {ADA}", ticket.id, 3)
    assert (task.due_at, task.last_call_id) == (NOON + timedelta(seconds=20, minutes=60), last)
    assert await session.scalar(select(func.count()).select_from(Alert)) == 3


@pytest.mark.parametrize("outgoing", [True, False])
async def test_the_task_is_done_once_the_caller_is_answered(
    session: AsyncSession, line: Channel, outgoing: bool
) -> None:
    await hear(session, line, *missed())

    await hear(session, line, step(CallStep.RINGING, 600, "c2", outgoing=outgoing))
    (task,) = await tasks(session)
    assert task.done_at is None
    await hear(session, line, step(CallStep.ANSWERED, 610, "c2", outgoing=outgoing))

    assert task.done_at is not None
    await hear(session, line, *missed("c3", since=2000))
    assert [one.done_at is None for one in await tasks(session)] == [False, True]


async def test_an_answer_told_after_the_end_takes_the_task_back(session: AsyncSession, line: Channel) -> None:
    await hear(session, line, *missed(), step(CallStep.ANSWERED, 5))

    (task,) = await tasks(session)
    assert task.done_at is not None
    assert (await the_call(session)).call_state == CallState.ENDED


@pytest.mark.parametrize(
    ("steps", "settings"),
    [
        ([step(CallStep.RINGING), step(CallStep.ENDED, 4)], {}),
        ([step(CallStep.RINGING), step(CallStep.ENDED, 20)], {"short_seconds": 30}),
        ([step(CallStep.RINGING, number="", withheld=True), step(CallStep.ENDED, 20, number="")], {}),
        ([step(CallStep.RINGING, outgoing=True), step(CallStep.ENDED, 20, outgoing=True)], {}),
    ],
)
async def test_nobody_is_asked_to_call_back(
    session: AsyncSession, line: Channel, steps: list[InboundCall], settings: dict[str, Any]
) -> None:
    line.config = line.config | settings

    await hear(session, line, *steps)

    assert (await the_call(session)).call_state == CallState.MISSED
    assert await tasks(session) == []


async def test_the_time_to_call_back_runs_in_office_hours_and_the_title_is_in_the_lines_language(
    session: AsyncSession, line: Channel
) -> None:
    hours = {"zone": "UTC", "weekly": {"mon": [["09:00", "12:10"]], "tue": [["09:00", "17:00"]]}}
    calendar = Calendar(id=new_id(), name="Office", hours=Hours.from_json(hours).to_json())
    session.add(calendar)
    await session.flush()
    line.calendar_id = calendar.id
    line.config = line.config | {"language": "pl", "callback_minutes": 30}

    await hear(session, line, *missed())  # a Monday's noon

    (task,) = await tasks(session)
    assert task.due_at == datetime(2026, 3, 3, 9, 20, 20, tzinfo=NOON.tzinfo)
    assert task.title == f"Oddzwoń: {ADA}"


async def test_what_came_of_a_call_is_written_down_and_settles_the_task(
    session: AsyncSession, line: Channel
) -> None:
    await hear(session, line, *missed())
    call = await the_call(session)

    call.note("She wants her money back. ", CallOutcome.REACHED, by=SYSTEM, at=NOON)
    call.note(None, CallOutcome.REACHED, by=SYSTEM, at=NOON)
    await session.flush()

    assert (call.text, call.outcome) == ("She wants her money back.", CallOutcome.REACHED)
    told = await session.scalars(
        select(Event.data).where(Event.kind == EventKind.CALL_CHANGED, Event.data.has_key("outcome"))
    )
    assert told.all() == [{"outcome": "reached", "noted": True}]


async def test_a_caller_id_unlocks_nothing(session: AsyncSession, line: Channel, mailbox: Channel) -> None:
    """The number that Ada once gave is shown by whoever calls: the call lies with her ticket, and nothing of hers changes."""
    await receive(session, mailbox, a_mail("ada@example.org"))
    (ticket,) = await tickets(session)
    ada = await session.get_one(Contact, ticket.contact_id)
    ada.name = "Ada"
    session.add(
        Identity(
            id=new_id(), contact_id=ada.id, kind=IdentityKind.PHONE, value=ADA, label=ADA, created_at=NOON
        )
    )
    await session.flush()

    await hear(session, line, *missed())

    call = await the_call(session)
    thread = await session.get_one(Thread, call.thread_id)
    assert (call.ticket_id, thread.joined_code) == (ticket.id, JoinCode.CALLER_NUMBER)
    assert (thread.joined_proof, call.text) == (None, "")
    (number,) = await session.scalars(select(Identity).where(Identity.kind == IdentityKind.PHONE))
    assert (number.verified_at, number.verified_by, number.contact_id) == (None, None, ada.id)
    assert (ada.name, len(await contacts(session))) == ("Ada", 1)


async def test_a_number_of_several_contacts_is_a_suggestion(
    session: AsyncSession, line: Channel, mailbox: Channel
) -> None:
    for name in ("ada", "zofia"):
        await receive(session, mailbox, a_mail(f"{name}@example.org"))
    for ticket in await tickets(session):
        session.add(
            Identity(
                id=new_id(), contact_id=ticket.contact_id, kind=IdentityKind.PHONE, value=ADA, label=ADA,
                created_at=NOON,
            )
        )  # fmt: skip
    await session.flush()

    await hear(session, line, step(CallStep.RINGING))

    call = await the_call(session)
    others = set(
        await session.scalars(select(Suggestion.other_id).where(Suggestion.ticket_id == call.ticket_id))
    )
    assert others == {ticket.id for ticket in await tickets(session)} - {call.ticket_id}


async def test_a_blocked_caller_opens_nothing_whatever_is_told(session: AsyncSession, line: Channel) -> None:
    session.add(BlockedSender(id=new_id(), kind=IdentityKind.PHONE, sender=ADA, created_at=NOON))
    await session.flush()

    await hear(session, line, *missed(), step(CallStep.ENDED, 30, number=""))

    assert await tickets(session) == []
    assert await blocking.blocked_as(session, step(CallStep.RINGING).claim) == ADA  # type: ignore[arg-type]


async def test_the_number_that_was_dialled_says_campaign_language_and_team(
    session: AsyncSession, line: Channel
) -> None:
    team = Team(id=new_id(), name="Catalan")
    session.add(team)
    await session.flush()
    number = await save_number(
        session, line, OURS, campaign="Spring", source="Flyer", language="ca", team_id=team.id, at=NOON
    )

    await hear(session, line, step(CallStep.RINGING, dialled=OURS))
    number.campaign = "Summer"
    await hear(session, line, step(CallStep.ENDED, 20))

    call = await the_call(session)
    assert (call.dialled, call.campaign, call.source) == (OURS, "Spring", "Flyer")
    assert (await session.get_one(Contact, call.contact_id)).locale == "ca"
    assert (await session.get_one(Ticket, call.ticket_id)).team_id == team.id


async def test_those_ring_whom_the_pbx_names(session: AsyncSession, line: Channel) -> None:
    ben, bo = await an_agent(session, "Ben"), await an_agent(session, "Bo")
    bo.line = "8"
    await session.flush()

    await hear(session, line, step(CallStep.RINGING, ringing=("ben@shop.example", "8", "99")))
    call = await the_call(session)
    assert call.ringing == sorted([str(ben.id), str(bo.id)])
    await hear(session, line, step(CallStep.ANSWERED, 5, agent="8"))

    assert (await the_call(session)).ringing is None


@pytest.fixture
async def own_line(clean: Database, keys: Keys) -> Channel:
    async with clean.transaction() as session:
        return await a_channel(session, keys, ChannelKind.PHONE)


async def _let_time_pass(db: Database) -> None:
    async with db.transaction() as session:
        for call in await session.scalars(select(Call).where(Call.due_at.is_not(None))):
            call.due_at = await database_time(session)


async def test_a_call_whose_end_is_never_told_is_closed_once_by_any_number_of_workers(
    clean: Database, own_line: Channel
) -> None:
    async with clean.transaction() as session:
        for number in range(6):
            rings = step(CallStep.RINGING, 0, f"c{number}", number=f"+4860010020{number}")
            await hear(session, own_line, rings)
        await hear(session, own_line, step(CallStep.ANSWERED, 5, "c5", number=""))
        waits = {call.external_id: call.due_at - await database_time(session) for call in await session.scalars(select(Call))}  # type: ignore[operator]  # fmt: skip
    assert (waits["c0"], waits["c5"]) == (timedelta(minutes=3), timedelta(hours=4))
    await _let_time_pass(clean)

    async with running(sweep(clean)), running(sweep(clean)), running(sweep(clean)):
        await until(lambda: _none_waits(clean))

    async with clean.transaction() as session:
        calls = list(await session.scalars(select(Call).order_by(Call.external_id)))
        told = select(Event.item_id).where(
            Event.kind == EventKind.CALL_CHANGED, Event.actor_kind == SYSTEM.kind
        )
        swept = (await session.scalars(told)).all()
        assert [call.call_state for call in calls] == [CallState.MISSED] * 5 + [CallState.ENDED]
        assert {call.cause for call in calls} == {"no_end"}
        assert sorted(swept, key=str) == sorted((call.id for call in calls), key=str)

        await hear(session, own_line, step(CallStep.ENDED, 300, "c5", number="", cause="normal"))
        late = await session.get_one(Call, calls[5].id, populate_existing=True)
        assert (late.ended_at, late.cause) == (NOON + timedelta(seconds=300), "normal")


async def _none_waits(db: Database) -> bool:
    async with db.transaction() as session:
        return await session.scalar(select(Call.id).where(Call.due_at.is_not(None))) is None


async def test_a_sweep_that_is_overtaken_by_an_answer_closes_nothing(
    clean: Database, own_line: Channel
) -> None:
    async with clean.transaction() as session:
        await hear(session, own_line, step(CallStep.RINGING))
    await _let_time_pass(clean)
    async with clean.transaction() as session:
        await hear(session, own_line, step(CallStep.ANSWERED, 100, number=""))

    async with running(sweep(clean)), clean.transaction() as session:
        await hear(session, own_line, *missed("c2", number="+48600100299"))
    async with clean.transaction() as session:
        first = await session.scalar(select(Call).where(Call.external_id == "c1"))
        assert first
        assert first.call_state == CallState.ANSWERED


def _schedule(dice: random.Random) -> list[InboundCall]:
    steps = [
        step(CallStep.RINGING, 0, ringing=("7",), dialled=OURS),
        step(CallStep.ANSWERED, 5, number="", agent="ben@shop.example"),
        step(CallStep.TRANSFERRED, 30, number="", agent="7"),
        step(CallStep.ENDED, 65, number="", cause="normal"),
    ]
    shuffled = [*steps, *dice.choices(steps, k=dice.randrange(4))]
    dice.shuffle(shuffled)
    return shuffled


async def test_shuffled_and_repeated_steps_leave_the_same_row(session: AsyncSession, line: Channel) -> None:
    bo = await an_agent(session, "Bo")
    await an_agent(session, "Ben")
    bo.line = "7"
    await session.flush()
    dice = random.Random(7)
    columns = ("call_state", "at", "answered_at", "ended_at", "cause", "agent_id", "handled_by", "ringing", "dialled", "steps", "number", "due_at")  # fmt: skip

    rows = []
    for number in range(12):
        for one in _schedule(dice):
            caller = f"+486001003{number:02}" if one.claim else ""
            await hear(session, line, _of_call(one, f"c{number}", caller))
        call = await session.scalar(select(Call).where(Call.external_id == f"c{number}"))
        rows.append([getattr(call, name) for name in columns if name != "number"])

    assert all(row == rows[0] for row in rows), rows
    assert rows[0][0] == CallState.ENDED


def _of_call(one: InboundCall, call_id: str, number: str) -> InboundCall:
    return a_call_step(
        call_id, one.step, number, at=one.at, ringing=one.ringing, dialled=one.dialled, agent=one.agent, cause=one.cause
    )  # fmt: skip
