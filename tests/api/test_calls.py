"""Calls as whoever answers sees them: whose they may be, what rings, what came of them."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from api.house import House
from domain.actors import SYSTEM
from domain.agents import duty
from domain.agents.staff import Agent, Team, TeamMember
from domain.arriving.inbound import CallStep, InboundCall
from domain.customers.contacts import Identity, IdentityKind
from domain.db import database_time, new_id
from domain.desk.messages import Call
from domain.desk.tickets import Ticket
from domain.ids import public_id, row_id
from domain.ways_in.channels import Channel, ChannelKind
from tests.client import Client, Stream
from tests.factories import NOON, a_call_step, a_channel, a_mail, receive, tickets

CALLER, OURS = "+48600100200", "+48221112233"

RINGING = """subscription Ringing { callRinging { calls {
  number dialled campaign language state contact { id } candidates { id } openTickets { id } } } }"""
LINK = """mutation($input: CallLinkInput!) { callLink(input: $input) {
  call { ticketId contact { id } } userErrors { code } } }"""
CALL = """query Call($id: ID!) { node(id: $id) { ... on Call {
  state number threadId campaign source language voicemail notes outcome agents { name }
  contact { id } candidates { id } openTickets { id number } } } }"""
UPDATE = """mutation Update($input: CallUpdateInput!) { callUpdate(input: $input) {
  call { id notes outcome } userErrors { code field } } }"""
MOVE = """mutation Move($input: ThreadMoveInput!) { threadMove(input: $input) {
  tickets { id threads { joinedBecause { code matter automatic } } } mergeId userErrors { code } } }"""
UNDO = "mutation Undo($input: JoinUndoInput!) { joinUndo(input: $input) { userErrors { code } } }"
ALERTS = "query Alerts { alerts { kind ticket { id } } }"
SAVE = """mutation Save($input: DialledNumberSaveInput!) { dialledNumberSave(input: $input) {
  dialledNumber { id number campaign source language dial team { name } channel { slug } } userErrors { code field } } }"""
DELETE = "mutation Delete($input: DialledNumberDeleteInput!) { dialledNumberDelete(input: $input) { ok userErrors { code } } }"
LINE = "mutation Line($input: AgentUpdateInput!) { agentUpdate(input: $input) { agent { name line } userErrors { code field } } }"
TASKS = "query Tasks { tasks(filter: {done: false}) { title missedCalls lastCallId ticket { id } } }"


@pytest.fixture
async def line(house: House) -> Channel:
    async with house.db.transaction() as session:
        return await a_channel(session, house.keys, ChannelKind.PHONE)


async def hear(house: House, line: Channel, *steps: InboundCall) -> str:
    """The call's public id."""
    async with house.db.transaction() as session:
        for step in steps:
            await receive(session, line, step)
        call = (await session.scalars(select(Call).where(Call.external_id == steps[0].call_id))).one()
        return public_id("Call", call.id)


async def of_two_contacts(house: House) -> list[str]:
    """Who both gave the caller's number: the public ids of their tickets."""
    async with house.db.transaction() as session:
        mailbox = await a_channel(session, house.keys, ChannelKind.EMAIL)
        for name in ("ada", "zofia"):
            await receive(session, mailbox, a_mail(f"{name}@example.org"))
        found = await tickets(session)
        for ticket in found:
            session.add(
                Identity(
                    id=new_id(), contact_id=ticket.contact_id, kind=IdentityKind.PHONE, value=CALLER, label=CALLER,
                    created_at=NOON,
                )
            )  # fmt: skip
        return [public_id("Ticket", ticket.id) for ticket in found]


async def test_several_who_have_the_number_are_candidates_with_their_open_tickets(
    house: House, ben: Client, line: Channel
) -> None:
    theirs = await of_two_contacts(house)

    id = await hear(house, line, a_call_step("c1", CallStep.RINGING))
    call = (await ben.ask(CALL, id=id))["node"]

    assert len(call["candidates"]) == 2
    assert call["contact"]["id"] not in [one["id"] for one in call["candidates"]]
    assert {one["id"] for one in call["openTickets"]} > set(theirs)


async def test_who_may_not_see_a_candidates_ticket_does_not_see_the_candidate(
    house: House, ben: Client, line: Channel
) -> None:
    theirs = await of_two_contacts(house)
    async with house.db.transaction() as session:
        team = Team(id=new_id(), name="Returns")
        session.add(team)
        await session.flush()
        hidden = await session.get_one(Ticket, row_id("Ticket", theirs[0]))
        hidden.team_id = team.id

    id = await hear(house, line, a_call_step("c1", CallStep.RINGING))
    call = (await ben.ask(CALL, id=id))["node"]

    assert len(call["candidates"]) == 1
    assert theirs[0] not in [one["id"] for one in call["openTickets"]]


async def a_mail_of_who_has_that_number(session: AsyncSession, house: House) -> Ticket:
    """Nobody has proven it."""
    mailbox = await a_channel(session, house.keys, ChannelKind.EMAIL)
    await receive(session, mailbox, a_mail("ada@example.org"))
    (ticket,) = await tickets(session)
    session.add(
        Identity(
            id=new_id(), contact_id=ticket.contact_id, kind=IdentityKind.PHONE, value=CALLER, label=CALLER,
            created_at=NOON,
        )
    )  # fmt: skip
    return ticket


async def test_a_call_that_lies_wrongly_moves_with_one_tap(house: House, ben: Client, line: Channel) -> None:
    async with house.db.transaction() as session:
        ticket = await a_mail_of_who_has_that_number(session, house)
    id = await hear(house, line, a_call_step("c1", CallStep.RINGING))
    call = (await ben.ask(CALL, id=id))["node"]

    moved = await ben.do(MOVE, threadId=call["threadId"])

    assert moved["userErrors"] == []
    codes = [[thread["joinedBecause"]["code"] for thread in one["threads"]] for one in moved["tickets"]]
    assert len(codes) == 2
    async with house.db.transaction() as session:
        kept = (await session.scalars(select(Call))).one()
        assert kept.ticket_id != ticket.id


async def test_a_call_is_linked_to_whose_it_was_by_an_agents_word(
    house: House, ben: Client, line: Channel
) -> None:
    theirs = await of_two_contacts(house)
    id = await hear(house, line, a_call_step("c1", CallStep.RINGING))
    call = (await ben.ask(CALL, id=id))["node"]
    meant = call["candidates"][0]["id"]

    linked = await ben.do(LINK, callId=id, contactId=meant)
    again = await ben.do(LINK, callId=id, contactId=meant)

    assert linked["call"]["contact"]["id"] == again["call"]["contact"]["id"] == meant
    assert linked["call"]["ticketId"] == again["call"]["ticketId"]
    assert linked["call"]["ticketId"] in theirs
    other = next(ticket for ticket in theirs if ticket != linked["call"]["ticketId"])
    assert (await ben.do(LINK, callId=id, ticketId=other))["call"]["ticketId"] == other
    assert await ben.refused(LINK, callId=id) == ["INVALID"]


async def _line(house: House, client: Client, line: str) -> None:
    async with house.db.transaction() as session:
        (await session.get_one(Agent, row_id("Agent", client.agent_id))).line = line


@pytest.fixture
async def ringing(house: House, ben: Client, eve: Client) -> AsyncIterator[tuple[Stream, Stream]]:
    """What Ben hears, and what Eve does."""
    async with ben.listening(RINGING) as bens, eve.listening(RINGING) as eves:
        assert [await _calls(one) for one in (bens, eves)] == [[], []]
        yield bens, eves


async def _calls(stream: Stream) -> list[dict[str, Any]]:
    async with asyncio.timeout(20):
        frame = await stream.hear()
    assert frame["type"] == "next", frame
    return list(frame["payload"]["data"]["callRinging"]["calls"])


async def test_it_rings_on_the_screen_of_whom_it_rings_for_until_somebody_takes_it(
    house: House, ben: Client, line: Channel, ringing: tuple[Stream, Stream]
) -> None:
    bens, eves = ringing
    await _line(house, ben, "7")

    await hear(house, line, a_call_step("c1", CallStep.RINGING, ringing=("7",), dialled=OURS))
    (call,) = await _calls(bens)
    assert (call["number"], call["dialled"], call["state"]) == (CALLER, OURS, "RINGING")
    await hear(house, line, a_call_step("c1", CallStep.ANSWERED, agent="somebody elsewhere"))

    assert await _calls(bens) == []
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await eves.hear()


async def test_eve_hears_nothing_of_another_teams_call_though_her_telephone_rings(
    house: House, ben: Client, eve: Client, line: Channel, ringing: tuple[Stream, Stream]
) -> None:
    _, eves = ringing
    async with house.db.transaction() as session:
        team = Team(id=new_id(), name="Support")
        session.add(team)
        await session.flush()
        session.add(TeamMember(team_id=team.id, agent_id=row_id("Agent", ben.agent_id)))
        (await session.get_one(Channel, line.id)).team_id = team.id
    line.team_id = team.id

    both = ("ben@shop.example", "eve@shop.example")
    id = await hear(house, line, a_call_step("c1", CallStep.RINGING, ringing=both))

    async with ben.listening(RINGING) as anew:  # who belongs to a team only now
        assert len(await _calls(anew)) == 1
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await eves.hear()
    assert (await eve.ask(CALL, id=id))["node"] is None
    assert await eve.refused(UPDATE, id=id, notes="Mine.") == ["NOT_FOUND"]


async def test_a_note_is_no_call(house: House, ben: Client, line: Channel) -> None:
    await hear(house, line, a_call_step("c1", CallStep.RINGING))
    async with house.db.transaction() as session:
        (ticket,) = await tickets(session)
        note = ticket.note("She called.", by=SYSTEM, at=NOON)
        await session.flush()
        named = {"Call": public_id("Call", note.id), "Ticket": public_id("Ticket", ticket.id)}

    assert await ben.refused(UPDATE, id=named["Call"], notes="Mine.") == ["NOT_FOUND"]
    assert await ben.refused(LINK, callId=named["Call"], ticketId=named["Ticket"]) == ["NOT_FOUND"]


@pytest.mark.parametrize("on_shift", [True, False])
async def test_where_the_pbx_names_nobody_it_rings_for_the_team_on_shift(
    house: House, ben: Client, line: Channel, on_shift: bool
) -> None:
    async with house.db.transaction() as session:
        rota = await duty.rota_of(session, row_id("Agent", ben.agent_id))
        rota.declare(on_shift, until=None, by=SYSTEM, at=await database_time(session))

    await hear(house, line, a_call_step("c1", CallStep.RINGING))

    async with ben.listening(RINGING) as stream:
        assert len(await _calls(stream)) == on_shift


async def test_notes_and_outcome_stand_on_the_call_and_settle_what_was_to_do(
    house: House, ben: Client, line: Channel
) -> None:
    async with house.db.transaction() as session:
        line.config = {**line.config, "short_seconds": 0}
        session.add(await session.merge(line))
    id = await hear(
        house, line, a_call_step("c1", CallStep.RINGING), a_call_step("c1", CallStep.ENDED, number="")
    )
    (task,) = (await ben.ask(TASKS))["tasks"]
    assert (task["title"], task["missedCalls"], task["lastCallId"]) == (f"Call back {CALLER}", 1, id)

    noted = await ben.do(UPDATE, id=id, notes="Her parcel is late.", outcome="CALL_BACK_LATER")
    assert noted["call"] == {"id": id, "notes": "Her parcel is late.", "outcome": "CALL_BACK_LATER"}
    assert len((await ben.ask(TASKS))["tasks"]) == 1
    reached = await ben.do(UPDATE, id=id, outcome="REACHED")

    assert (reached["call"]["notes"], reached["call"]["outcome"]) == ("Her parcel is late.", "REACHED")
    assert (await ben.ask(TASKS))["tasks"] == []
    assert (await ben.do(UPDATE, id=id, outcome=None))["call"]["outcome"] is None


async def test_managers_say_where_a_number_stands(house: House, mia: Client, line: Channel) -> None:
    channel = public_id("Channel", line.id)

    saved = await mia.do(SAVE, channelId=channel, number="22 111 22 33", campaign="Spring", language="pl")
    again = await mia.do(SAVE, channelId=channel, number=OURS, source="The flyer", dial="50")

    assert saved["dialledNumber"]["number"] == OURS
    number = again["dialledNumber"]
    assert (number["id"], number["campaign"]) == (saved["dialledNumber"]["id"], "Spring")
    assert (number["source"], number["dial"], number["channel"]["slug"]) == ("The flyer", "50", "phone")
    assert await mia.refused(SAVE, channelId=channel, number="12") == ["INVALID"]
    assert await mia.refused(SAVE, channelId=channel, number=OURS, language="xx") == ["INVALID"]

    assert (await mia.do(DELETE, id=number["id"]))["ok"]
    assert (await mia.ask("query Numbers { dialledNumbers { id } }"))["dialledNumbers"] == []


async def test_a_telephone_is_one_persons(admin: Client, ben: Client, eve: Client) -> None:
    done = await admin.do(LINE, id=ben.agent_id, line="SIP:Ben@pbx")
    assert done["agent"] == {"name": "Ben", "line": "ben@pbx"}

    assert await admin.refused(LINE, id=eve.agent_id, line="ben@PBX") == ["INVALID"]
    assert (await admin.do(LINE, id=ben.agent_id, line=""))["agent"]["line"] is None


async def test_what_a_missed_call_has_left_to_do_goes_back_with_it_when_a_move_is_undone(
    house: House, ben: Client, line: Channel
) -> None:
    async with house.db.transaction() as session:
        line.config = {**line.config, "short_seconds": 0}
        session.add(await session.merge(line))
        ticket = await a_mail_of_who_has_that_number(session, house)
    first = await hear(house, line, a_call_step("c1", CallStep.RINGING))
    moved = await ben.do(MOVE, threadId=(await ben.ask(CALL, id=first))["node"]["threadId"])
    last = await hear(
        house, line, a_call_step("c2", CallStep.RINGING), a_call_step("c2", CallStep.ENDED, number="")
    )

    assert await ben.refused(UNDO, eventId=moved["mergeId"]) == []

    (task,) = (await ben.ask(TASKS))["tasks"]
    home = public_id("Ticket", ticket.id)
    assert (task["lastCallId"], task["ticket"]["id"]) == (last, home)
    answered = a_call_step("c3", CallStep.ANSWERED, outgoing=True, at=NOON + timedelta(minutes=9))
    await hear(house, line, replace(answered, step=CallStep.RINGING), answered)
    assert (await ben.ask(TASKS))["tasks"] == []
    assert (await ben.ask(ALERTS))["alerts"] == []
