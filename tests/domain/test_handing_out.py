"""A team's queue is drained by the rules of its policy, and what nobody is there for goes back into it."""

import asyncio
import uuid
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.actors import SYSTEM, Role
from domain.agents import duty, presence, sign_in
from domain.agents.presence import Attendance, Presence
from domain.agents.sign_in import Ended, SessionKind, SignIn
from domain.agents.staff import Agent, Team, TeamMember
from domain.assigning import handing_back, handing_out, listening, policies
from domain.assigning.candidates import suggested
from domain.assigning.choosing import AssignmentMode
from domain.assigning.policies import AssignmentPolicy, SkillRule, Terms
from domain.customers.contacts import Contact
from domain.customers.visitors import held_visitor
from domain.db import Database, new_id
from domain.desk.messages import Call, CallState, DeliveryState, Direction, Message
from domain.desk.tickets import Ticket, TicketStatus
from domain.events import Event, EventKind
from domain.keys import Keys
from domain.ways_in.channels import Channel, ChannelKind
from domain.working import snoozing
from tests.factories import NOON, a_channel, a_chat, a_mail, a_promise, an_agent, receive, tickets

IN_TURN = Terms(mode=AssignmentMode.ROUND_ROBIN)


@pytest.fixture
async def team(session: AsyncSession) -> Team:
    team = Team(id=new_id(), name="Support")
    session.add(team)
    await session.flush()
    return team


async def on_shift(session: AsyncSession, name: str, team: Team, **others: object) -> Agent:
    agent = await an_agent(session, name, team=team)
    for attribute, value in others.items():
        setattr(agent, attribute, value)
    rota = await duty.rota_of(session, agent.id)
    rota.declare(True, until=None, by=SYSTEM, at=NOON)
    await session.flush()
    return agent


async def opens_screen(session: AsyncSession, agent: Agent, at: datetime = NOON) -> SignIn:
    row, _ = sign_in.begin(session, agent.id, SessionKind.WEB, device_label=None, address=None, at=at)
    await session.flush()
    return row


async def look(session: AsyncSession, at: datetime = NOON) -> None:
    """As if something had happened to the queue."""
    await session.flush()
    await presence.call_the_roll(session, at=at)
    for policy in await session.scalars(select(AssignmentPolicy)):
        policy.due_at = at
    await session.flush()
    while await handing_out.look(session, at=at):
        again = await session.scalar(select(AssignmentPolicy.due_at).where(AssignmentPolicy.due_at <= at))
        if again is None:
            break
    await session.flush()


async def mails(session: AsyncSession, mailbox: Channel, *people: str, at: datetime = NOON) -> list[Ticket]:
    for person in people:
        await receive(session, mailbox, a_mail(f"{person}@example.org", f"It is {person}", at=at))
    return (await tickets(session))[-len(people) :]


def holders(found: list[Ticket]) -> list[uuid.UUID | None]:
    return [ticket.assignee_id for ticket in found]


async def test_what_waits_is_given_in_turn_and_says_why(
    session: AsyncSession, mailbox: Channel, team: Team
) -> None:
    mailbox.team_id = team.id
    ben, bo = await on_shift(session, "Ben", team), await on_shift(session, "Bo", team)
    await policies.save(session, team, IN_TURN)
    found = await mails(session, mailbox, "ada", "zofia", "piotr", "ewa")

    await look(session)

    assert sorted(map(str, holders(found))) == sorted([str(ben.id), str(bo.id)] * 2)
    assert found[0].status == TicketStatus.OPEN
    event = await session.scalar(select(Event).where(Event.kind == EventKind.TICKET_ASSIGNED).limit(1))
    assert event
    assert (event.actor_kind, event.data["because"]) == ("system", ["round_robin"])


async def test_who_falls_due_first_is_given_first_and_nobody_gets_more_than_they_can_carry(
    session: AsyncSession, mailbox: Channel, team: Team
) -> None:
    mailbox.team_id = team.id
    await a_promise(session, 3600)
    ben = await on_shift(session, "Ben", team, capacity=1)
    await policies.save(session, team, IN_TURN)
    (later,) = await mails(session, mailbox, "ada", at=NOON + timedelta(minutes=5))
    (sooner,) = await mails(session, mailbox, "zofia", at=NOON)

    await look(session, NOON + timedelta(minutes=6))

    assert holders([sooner, later]) == [ben.id, None]
    sooner.change(by=ben.as_actor(), at=NOON, status=TicketStatus.SOLVED)
    await look(session, NOON + timedelta(minutes=7))
    assert later.assignee_id == ben.id


async def test_a_chat_is_only_for_who_sits_before_a_screen(
    session: AsyncSession, chat: Channel, mailbox: Channel, team: Team
) -> None:
    chat.team_id = mailbox.team_id = team.id
    ben = await on_shift(session, "Ben", team)
    await policies.save(session, team, IN_TURN)
    await receive(session, chat, a_chat("s1"))
    (mail,) = await mails(session, mailbox, "zofia")
    conversation = (await tickets(session))[0]

    await look(session)

    assert holders([conversation, mail]) == [None, ben.id]
    await opens_screen(session, ben)
    await look(session)
    assert conversation.assignee_id == ben.id


async def test_a_chat_takes_more_room_than_a_mail_while_its_visitor_is_there(
    session: AsyncSession, chat: Channel, mailbox: Channel, team: Team
) -> None:
    chat.team_id = mailbox.team_id = team.id
    ben = await on_shift(session, "Ben", team, capacity=4)
    await opens_screen(session, ben)
    await policies.save(session, team, IN_TURN)
    await receive(session, chat, a_chat("s1"))
    (mail,) = await mails(session, mailbox, "zofia")

    await look(session)

    assert mail.assignee_id is None
    visitor = await held_visitor(session, chat.id, "s1")
    visitor.here_until = NOON
    await look(session, NOON + timedelta(minutes=6))
    assert mail.assignee_id == ben.id


async def test_tickets_find_who_speaks_the_language_and_has_the_skill(
    session: AsyncSession, mailbox: Channel, team: Team
) -> None:
    mailbox.team_id = team.id
    ben = await on_shift(session, "Ben", team, languages=["ca"])
    bo = await on_shift(session, "Bo", team, skills=["returns"])
    terms = Terms(
        mode=AssignmentMode.BY_LOAD, by_language=True, skills=(SkillRule("Returns ", tags=("Return",)),)
    )
    await policies.save(session, team, terms)
    catalan, back = await mails(session, mailbox, "montse", "ada")
    (await session.get_one(Contact, catalan.contact_id)).locale = "ca-ES"
    back.change(by=SYSTEM, at=NOON, add_tags=["return"])

    await look(session)

    assert holders([catalan, back]) == [ben.id, bo.id]
    told = await session.scalars(
        select(Event).where(Event.kind == EventKind.TICKET_ASSIGNED).order_by(Event.seq)
    )
    assert [(event.data["because"], event.data.get("language")) for event in told] == [
        (["least_loaded", "speaks"], "ca"),
        (["least_loaded", "skilled"], None),
    ]


async def test_a_ticket_that_sleeps_is_nobodys_work_until_it_wakes(
    session: AsyncSession, mailbox: Channel, team: Team
) -> None:
    mailbox.team_id = team.id
    ben = await on_shift(session, "Ben", team)
    await policies.save(session, team, IN_TURN)
    sleeping, waiting = await mails(session, mailbox, "ada", "zofia")
    sleeping.snooze(NOON + timedelta(hours=1), by=SYSTEM, at=NOON)

    await look(session)
    asleep = holders([sleeping, waiting])
    await snoozing.wake_due(session, at=NOON + timedelta(hours=1))
    await look(session, NOON + timedelta(hours=1))

    assert asleep == [None, ben.id]
    assert holders([sleeping, waiting]) == [ben.id, ben.id]


async def test_who_is_away_is_given_nothing_until_they_are_back(
    session: AsyncSession, mailbox: Channel, team: Team
) -> None:
    mailbox.team_id = team.id
    ben = await on_shift(session, "Ben", team)
    await policies.save(session, team, IN_TURN)
    (mail,) = await mails(session, mailbox, "ada")
    until = NOON + timedelta(minutes=30)
    await presence.set_away(session, ben, True, until=until, by=ben.as_actor(), at=NOON)

    await look(session)

    assert mail.assignee_id is None
    await look(session, until)
    assert mail.assignee_id == ben.id


async def test_by_hand_nothing_is_given(session: AsyncSession, mailbox: Channel, team: Team) -> None:
    mailbox.team_id = team.id
    await on_shift(session, "Ben", team)
    await policies.save(session, team, Terms())
    (mail,) = await mails(session, mailbox, "ada")

    await look(session)

    assert mail.assignee_id is None


async def test_what_somebody_gives_back_goes_to_somebody_else(
    session: AsyncSession, mailbox: Channel, team: Team
) -> None:
    mailbox.team_id = team.id
    ben = await on_shift(session, "Ben", team)
    await policies.save(session, team, IN_TURN)
    (mail,) = await mails(session, mailbox, "ada")
    await look(session)

    mail.assign(to=None, by=ben.as_actor(), at=NOON)
    await look(session)

    assert mail.assignee_id is None
    bo = await on_shift(session, "Bo", team)
    await look(session)
    assert mail.assignee_id == bo.id


async def test_a_ticket_that_comes_back_from_another_team_may_go_to_who_had_handed_it_over(
    session: AsyncSession, mailbox: Channel, team: Team
) -> None:
    mailbox.team_id = team.id
    ben, returns = await on_shift(session, "Ben", team), Team(id=new_id(), name="Returns")
    session.add(returns)
    await policies.save(session, team, IN_TURN)
    (mail,) = await mails(session, mailbox, "ada")
    await look(session)

    mail.hand_to(returns, set(), by=ben.as_actor(), at=NOON)
    mail.hand_to(team, {ben.id}, by=SYSTEM, at=NOON)
    await look(session)

    assert mail.assignee_id == ben.id


async def test_work_of_who_left_the_shop_goes_back_whatever_the_team_decided(
    session: AsyncSession, mailbox: Channel, team: Team
) -> None:
    ben, mia = await on_shift(session, "Ben", team), await an_agent(session, "Mia", Role.ADMIN)
    (mail,) = await mails(session, mailbox, "ada")
    mail.assign(to=ben, by=mia.as_actor(), at=NOON)
    ben.change(by=mia.as_actor(), at=NOON, left=True)
    await session.flush()

    await handing_back.from_who_left(session, at=NOON)

    assert mail.assignee_id is None
    event = await session.scalar(select(Event).order_by(Event.seq.desc()).limit(1))
    assert event
    assert event.data["because"] == ["left_shop"]


async def test_a_waiting_customer_of_who_is_off_shift_is_given_to_who_is_there(
    session: AsyncSession, mailbox: Channel, team: Team
) -> None:
    mailbox.team_id = team.id
    ben = await on_shift(session, "Ben", team)
    hours = timedelta(hours=12)
    await policies.save(session, team, Terms(mode=AssignmentMode.ROUND_ROBIN, off_shift_after=hours))
    (mail,) = await mails(session, mailbox, "ada")
    await look(session)
    bo = await on_shift(session, "Bo", team)
    (await duty.rota_of(session, ben.id)).declare(False, until=None, by=SYSTEM, at=NOON)

    await look(session)

    assert mail.assignee_id == ben.id
    await look(session, NOON + hours)
    assert mail.assignee_id == bo.id


async def test_what_is_taken_from_who_cannot_be_reached_waits_for_who_can(
    session: AsyncSession, mailbox: Channel, team: Team
) -> None:
    mailbox.team_id = team.id
    ben = await on_shift(session, "Ben", team)
    quarter = timedelta(minutes=15)
    await policies.save(session, team, Terms(mode=AssignmentMode.ROUND_ROBIN, unreachable_after=quarter))
    (mail,) = await mails(session, mailbox, "ada")
    await look(session)
    assert mail.assignee_id == ben.id

    await look(session, NOON + quarter)

    assert mail.assignee_id is None
    assert await suggested(await session.connection(), mail.id, at=NOON + quarter, most=5) == []
    policy = await session.get_one(AssignmentPolicy, team.id, populate_existing=True)
    assert policy.due_at == NOON + quarter + handing_out.LOOK_AGAIN
    await opens_screen(session, ben, NOON + 2 * quarter)
    await look(session, NOON + 2 * quarter)
    assert mail.assignee_id == ben.id


async def test_what_is_taken_from_who_cannot_be_reached_goes_to_a_colleague_who_can(
    session: AsyncSession, mailbox: Channel, team: Team
) -> None:
    mailbox.team_id = team.id
    ben = await on_shift(session, "Ben", team)
    quarter = timedelta(minutes=15)
    await policies.save(session, team, Terms(mode=AssignmentMode.BY_LOAD, unreachable_after=quarter))
    (mail,) = await mails(session, mailbox, "ada")
    await look(session)
    assert mail.assignee_id == ben.id
    bo = await on_shift(session, "Bo", team, capacity=1)
    await opens_screen(session, bo, NOON + quarter)

    await look(session, NOON + quarter)

    assert mail.assignee_id == bo.id


@pytest.mark.parametrize("settled", ["by an answer", "as solved, by mistake"])
async def test_a_ticket_on_which_the_customer_does_not_wait_stays_with_whoever_has_it(
    session: AsyncSession, mailbox: Channel, team: Team, settled: str
) -> None:
    mailbox.team_id = team.id
    ben = await on_shift(session, "Ben", team)
    now = Terms(mode=AssignmentMode.ROUND_ROBIN, off_shift_after=timedelta(0))
    await policies.save(session, team, now)
    (mail,) = await mails(session, mailbox, "ada")
    await look(session)
    if settled == "by an answer":
        said = Message(
            id=new_id(), ticket_id=mail.id, contact_id=mail.contact_id, channel_id=mailbox.id, direction=Direction.OUT,
            agent_id=ben.id, at=NOON, text="Tomorrow.", delivery=DeliveryState.SENT,
        )  # fmt: skip
        session.add(said)
    else:
        for minute, status in ((1, TicketStatus.SOLVED), (2, TicketStatus.OPEN)):
            mail.change(by=ben.as_actor(), at=NOON + timedelta(minutes=minute), status=status)
    (await duty.rota_of(session, ben.id)).declare(False, until=None, by=SYSTEM, at=NOON)
    await on_shift(session, "Bo", team)

    await look(session, NOON + timedelta(days=3))

    assert mail.assignee_id == ben.id


@pytest.mark.parametrize("answer", ["taken back", "rang in vain"])
async def test_what_did_not_reach_the_customer_keeps_no_ticket_with_who_is_off_shift(
    session: AsyncSession, mailbox: Channel, team: Team, answer: str
) -> None:
    mailbox.team_id = team.id
    ben = await on_shift(session, "Ben", team)
    now = Terms(mode=AssignmentMode.ROUND_ROBIN, off_shift_after=timedelta(0))
    await policies.save(session, team, now)
    (mail,) = await mails(session, mailbox, "ada")
    await look(session)
    whose = {
        "id": new_id(), "ticket_id": mail.id, "contact_id": mail.contact_id, "direction": Direction.OUT,
        "agent_id": ben.id, "at": NOON,
    }  # fmt: skip
    session.add(
        Message(**whose, text="Tomorrow.", delivery=DeliveryState.UNDONE)
        if answer == "taken back"
        else Call(**whose, number="+48600100200", call_state=CallState.ENDED, ended_at=NOON)
    )
    (await duty.rota_of(session, ben.id)).declare(False, until=None, by=SYSTEM, at=NOON)
    bo = await on_shift(session, "Bo", team)

    await look(session, NOON + timedelta(hours=1))

    assert mail.assignee_id == bo.id


async def test_a_live_chat_of_who_closed_the_screen_is_given_to_another_at_once(
    session: AsyncSession, chat: Channel, team: Team
) -> None:
    chat.team_id = team.id
    ben = await on_shift(session, "Ben", team)
    screen = await opens_screen(session, ben)
    terms = Terms(mode=AssignmentMode.ROUND_ROBIN, unreachable_after=timedelta(minutes=10))
    await policies.save(session, team, terms)
    await receive(session, chat, a_chat("s1"))
    (conversation,) = await tickets(session)
    await look(session)
    assert conversation.assignee_id == ben.id
    bo = await on_shift(session, "Bo", team)
    await opens_screen(session, bo)

    screen.end(Ended.SIGNED_OUT, at=NOON)
    await look(session)

    assert conversation.assignee_id == bo.id


async def test_the_roll_tells_each_change_once(session: AsyncSession, team: Team) -> None:
    ben = await on_shift(session, "Ben", team)
    await opens_screen(session, ben)

    told = [
        await presence.call_the_roll(session, at=NOON + timedelta(seconds=after))
        for after in (0, 5, 600, 605)
    ]

    assert told == [1, 0, 1, 0]
    row = await session.get_one(Attendance, ben.id, populate_existing=True)
    assert (row.presence, row.on_shift, row.gone_since) == (
        Presence.OFFLINE,
        True,
        NOON + timedelta(seconds=600),
    )


async def test_a_queue_is_looked_at_when_somebody_comes_or_something_is_freed(
    session: AsyncSession, mailbox: Channel, team: Team
) -> None:
    mailbox.team_id = team.id
    ben = await on_shift(session, "Ben", team)
    await policies.save(session, team, IN_TURN)
    (mail,) = await mails(session, mailbox, "ada")
    mail.assign(to=ben, by=SYSTEM, at=NOON)
    mail.snooze(NOON + timedelta(hours=1), by=SYSTEM, at=NOON)
    await snoozing.wake_due(session, at=NOON + timedelta(hours=1))
    await session.flush()
    seen = {}
    for event in (await session.scalars(select(Event).order_by(Event.seq))).all():
        policy = await session.get_one(AssignmentPolicy, team.id, populate_existing=True)
        policy.due_at = None
        await session.flush()
        await listening.listen(session, event)
        policy = await session.get_one(AssignmentPolicy, team.id, populate_existing=True)
        seen[event.kind] = policy.due_at is not None

    assert seen[EventKind.TICKET_OPENED]
    assert seen[EventKind.AGENT_CHANGED]
    assert seen[EventKind.MESSAGE_RECEIVED]
    assert seen[EventKind.TICKET_SNOOZED]
    assert seen[EventKind.TICKET_WOKE]
    assert not seen[EventKind.CONTACT_OPENED]


async def test_two_teams_that_share_somebody_do_not_give_them_more_than_they_can_carry(
    clean: Database, keys: Keys
) -> None:
    async with clean.transaction() as session:
        teams = [Team(id=new_id(), name=name) for name in ("Support", "Returns")]
        session.add_all(teams)
        await session.flush()
        ben = await on_shift(session, "Ben", teams[0], capacity=3)
        session.add(TeamMember(team_id=teams[1].id, agent_id=ben.id))
        mailbox = await a_channel(session, keys, ChannelKind.EMAIL)
        for team in teams:
            mailbox.team_id = team.id
            await mails(session, mailbox, *(f"{team.name}-{number}" for number in range(4)))
            await policies.save(session, team, IN_TURN)

    async def worker() -> None:
        for _ in range(3):
            async with clean.transaction() as session:
                await handing_out.look(session)

    await asyncio.gather(*(worker() for _ in range(4)))

    async with clean.transaction() as session:
        given = [ticket for ticket in await tickets(session) if ticket.assignee_id == ben.id]
        assert len(given) == 3
