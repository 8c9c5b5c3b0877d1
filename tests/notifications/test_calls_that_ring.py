"""Whoever could take a call hears of it on their phone while it rings, and no longer."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import orjson
import pytest
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from api.house import House
from domain.agents import duty, presence
from domain.agents.staff import Agent, Team, TeamMember
from domain.alerting.alert_preferences import preferences_of
from domain.alerting.devices import Device
from domain.alerting.ladders import Step, Told
from domain.alerting.notices import Delivery, DeliveryStage, Notice, NoticeKind
from domain.calling.dialled_numbers import save_number
from domain.db import database_time, new_id
from domain.desk.messages import Call
from domain.desk.tickets import Ticket
from domain.ids import public_id, row_id
from domain.ways_in.channels import Channel, ChannelKind
from integrations.signatures import phone_signature
from tests.client import Client
from tests.factories import NOON, a_channel, an_agent, tickets
from tests.integrations.phone.test_generic_cti import HOOK, KEY, open_all
from tests.notifications.shop import Shop, register

OURS = "+48221112233"
PREFERENCES = (
    "mutation($input: AlertPrefsSaveInput!) { alertPrefsSave(input: $input) { ok userErrors { code } } }"
)
CHOSEN = "{ viewer { alertPrefs { calls } } }"


@dataclass
class Line:
    """Of Support, where Ben and Bo are; Eve is not."""

    shop: Shop
    house: House
    pbx: Client
    channel: Channel
    ben: Agent
    bo: Agent

    async def tells(self, event: str, *users: str, call: str = "c1", **others: Any) -> None:
        """The PBX, at its webhook."""
        said = {"event": event, "direction": "in", "from": "48600100200", "to": OURS, "call_id": call}
        body = orjson.dumps({**said, "user": list(users), **others})
        signed = {
            "x-signature": phone_signature(KEY, body, at=int(time.time())), "content-type": "application/json",
        }  # fmt: skip
        answer = await self.pbx.http.post(HOOK, content=body, headers=signed)
        assert answer.status_code == 200, answer.text
        await open_all(self.house)

    async def pushes(self) -> list[tuple[str, str]]:
        """Those that are new, once the three seconds are over."""
        before = len(self.shop.far_end.pushed)
        await self.shop.told()
        await self.shop.ring()
        return sorted((push.handle, push.data["k"]) for push in self.shop.far_end.pushed[before:])

    async def ticket(self, session: AsyncSession) -> Ticket:
        """The caller's."""
        *_, ticket = await tickets(session)
        return ticket


@pytest.fixture
async def line(shop: Shop, house: House, anybody: Client, ben: Client) -> Line:
    await shop.ladder(Step(0, 0, (Told.ADMINS,)), Step(1, 0, (Told.ADMINS,)))
    async with shop.db.transaction() as session:
        team = Team(id=new_id(), name="Support")
        session.add(team)
        await session.flush()
        first = await session.get_one(Agent, row_id("Agent", ben.agent_id))
        session.add(TeamMember(team_id=team.id, agent_id=first.id))
        bo, eve = await an_agent(session, "Bo", team=team), await an_agent(session, "Eve")
        for agent in (first, bo, eve):
            await register(session, agent, f"{agent.name.lower()}:1")
        channel = await a_channel(session, house.keys, ChannelKind.PHONE)
        channel.team_id = team.id
    line = Line(shop, house, anybody, channel, first, bo)
    await line.pushes()
    return line


BOTH = [("ben:1", "call_ringing"), ("bo:1", "call_ringing")]


async def test_those_whose_telephones_ring_are_told_once_who_calls_on_which_line(line: Line) -> None:
    async with line.shop.db.transaction() as session:
        channel = await session.get_one(Channel, line.channel.id)
        channel.name = "Infolinia"

    await line.tells("newCall", "ben@shop.example", "bo@shop.example")
    await line.tells("newCall", "ben@shop.example", "bo@shop.example")

    assert await line.pushes() == BOTH
    assert await line.pushes() == []
    async with line.shop.db.transaction() as session:
        ticket, call = await line.ticket(session), (await session.scalars(select(Call))).one()
    push = line.shop.far_end.pushed[-1]
    assert (push.data["title"], push.data["body"]) == (
        f"Ticket {ticket.number}: the customer is calling", "Infolinia",
    )  # fmt: skip
    assert (push.data["t"], push.data["call"]) == (public_id("Ticket", ticket.id), public_id("Call", call.id))
    assert f"/m/t/{push.data['t']}#" in push.data["link"]
    assert (push.android["priority"], push.android["ttl"]) == ("high", "30s")
    assert push.apns["headers"]["apns-collapse-id"] == call.id.hex


async def test_it_is_told_in_the_language_of_the_device(line: Line) -> None:
    async with line.shop.db.transaction() as session:
        await session.execute(update(Device).values(locale="pl"))

    await line.tells("newCall", "ben@shop.example")

    assert await line.pushes() == [("ben:1", "call_ringing")]
    assert line.shop.far_end.pushed[-1].data["title"].endswith(": dzwoni klient")


async def test_whoever_has_the_callers_ticket_is_told_alone_if_they_could_take_it(line: Line) -> None:
    await line.tells("newCall")
    assert await line.pushes() == BOTH
    await line.tells("hangup")
    async with line.shop.db.transaction() as session:
        ticket = await line.ticket(session)
        ticket.assign(to=await session.get_one(Agent, line.bo.id), by=line.bo.as_actor(), at=NOON)
    await line.pushes()

    await line.tells("newCall", call="c2")
    named_nobody = await line.pushes()
    await line.tells("newCall", "ben@shop.example", "bo@shop.example", call="c3")
    named_both = await line.pushes()
    await line.tells("newCall", "ben@shop.example", call="c4")
    named_the_other = await line.pushes()

    assert named_nobody == named_both == [("bo:1", "call_ringing")]
    assert named_the_other == [("ben:1", "call_ringing")]


async def test_where_the_pbx_names_nobody_the_team_of_the_number_is_told(line: Line) -> None:
    async with line.shop.db.transaction() as session:
        sales = Team(id=new_id(), name="Sales")
        session.add(sales)
        await session.flush()
        session.add(TeamMember(team_id=sales.id, agent_id=line.bo.id))
        channel = await session.get_one(Channel, line.channel.id)
        await save_number(session, channel, OURS, team_id=sales.id, at=NOON)

    await line.tells("newCall")

    assert await line.pushes() == [("bo:1", "call_ringing")]


async def test_eve_is_not_told_of_another_teams_call_though_her_telephone_rings(line: Line) -> None:
    await line.tells("newCall", "eve@shop.example", "ben@shop.example")

    assert await line.pushes() == [("ben:1", "call_ringing")]


async def _goes_off_duty(session: AsyncSession, ben: Agent) -> None:
    rota = await duty.rota_of(session, ben.id)
    rota.declare(False, until=None, by=ben.as_actor(), at=NOON)


async def _is_away(session: AsyncSession, ben: Agent) -> None:
    await presence.set_away(session, ben, True, until=None, by=ben.as_actor(), at=NOON)


async def _rests(session: AsyncSession, ben: Agent) -> None:
    preferences = await preferences_of(session, ben.id)
    preferences.keep_quiet("00:00", "23:59")
    session.add(preferences)


async def _loses_the_phone(session: AsyncSession, ben: Agent) -> None:
    """On shift all the same."""
    await session.execute(update(Device).where(Device.agent_id == ben.id).values(removed_at=NOON))
    rota = await duty.rota_of(session, ben.id)
    rota.declare(True, until=None, by=ben.as_actor(), at=NOON)


@pytest.mark.parametrize("does", [_goes_off_duty, _is_away, _rests, _loses_the_phone])
async def test_whoever_is_off_shift_away_or_at_rest_is_not_told(
    line: Line, does: Callable[[AsyncSession, Agent], Awaitable[None]]
) -> None:
    async with line.shop.db.transaction() as session:
        await does(session, await session.get_one(Agent, line.ben.id))

    await line.tells("newCall", "ben@shop.example", "bo@shop.example")

    assert await line.pushes() == [("bo:1", "call_ringing")]
    async with line.shop.db.transaction() as session:
        told = select(Notice.agent_id).where(Notice.kind == NoticeKind.CALL_RINGING)
        assert set(await session.scalars(told)) == {line.bo.id}


async def test_whoever_talks_to_another_customer_is_not_told(line: Line) -> None:
    await line.tells("newCall", "ben@shop.example", call="c1")
    await line.tells("answer", "ben@shop.example", call="c1")

    await line.tells("newCall", "ben@shop.example", "bo@shop.example", call="c2", **{"from": "48600100201"})

    assert await line.pushes() == [("bo:1", "call_ringing")]


async def test_whoever_wants_no_pushes_of_calls_gets_none_until_they_do(line: Line, ben: Client) -> None:
    assert (await ben.ask(CHOSEN))["viewer"]["alertPrefs"] == {"calls": True}
    await ben.do(PREFERENCES, calls=False)
    await ben.do(PREFERENCES, privacy="MINIMAL")
    await line.tells("newCall", "ben@shop.example")
    chosen, unwanted = (await ben.ask(CHOSEN))["viewer"]["alertPrefs"], await line.pushes()

    await ben.do(PREFERENCES, calls=True)
    await line.tells("newCall", "ben@shop.example", call="c2")

    assert (chosen, unwanted) == ({"calls": False}, [])
    assert await line.pushes() == [("ben:1", "call_ringing")]


@pytest.mark.parametrize("event", ["answer", "hangup"])
async def test_what_is_answered_or_over_within_three_seconds_is_not_told(line: Line, event: str) -> None:
    await line.tells("newCall", "ben@shop.example")
    await line.shop.told()
    async with line.shop.db.transaction() as session:
        waits = select(Delivery.due_at - Delivery.created_at).where(Delivery.stage == DeliveryStage.CREATED)
        assert await session.scalar(waits) == timedelta(seconds=3)

    await line.tells(event, "ben@shop.example")

    assert ("ben:1", "call_ringing") not in await line.pushes()
    assert await line.shop.errors(NoticeKind.CALL_RINGING) == ["OVER"]
    assert await line.shop.deliveries(NoticeKind.CLEARED) == []


async def test_another_telephone_that_rings_later_is_told_too_and_one_that_does_no_more_is_not(
    line: Line,
) -> None:
    await line.tells("newCall")
    await line.shop.told()
    await line.tells("newCall", "bo@shop.example")

    assert await line.pushes() == [("bo:1", "call_ringing")]


async def test_once_somebody_has_taken_the_call_it_is_taken_away_from_every_phone_silently_and_once(
    line: Line,
) -> None:
    await line.tells("newCall", "ben@shop.example", "bo@shop.example")
    await line.pushes()

    await line.tells("answer", "bo@shop.example")
    cleared = await line.pushes()
    await line.tells("hangup")

    assert cleared == [("ben:1", "cleared"), ("bo:1", "cleared")]
    assert await line.pushes() == []
    rang, *_, took_away = line.shop.far_end.pushed[-4:]
    assert rang.data["call"] == took_away.data["call"]
    assert took_away.data["title"].endswith(": the call has stopped ringing")
    assert took_away.apns["headers"]["apns-push-type"] == "background"


async def test_a_call_that_is_missed_is_taken_away_and_its_alert_rings_and_is_taken_away_in_its_turn(
    line: Line,
) -> None:
    await line.shop.ladder(Step(0, 0, (Told.TEAM,)), Step(1, 0, (Told.ADMINS,)))
    async with line.shop.db.transaction() as session:
        channel = await session.get_one(Channel, line.channel.id)
        channel.config = {**channel.config, "short_seconds": 0}
    await line.tells("newCall", "ben@shop.example")
    await line.pushes()

    await line.tells("hangup")
    missed = await line.pushes()
    await line.tells("newCall", "ben@shop.example", call="c2")
    await line.pushes()
    await line.tells("answer", "ben@shop.example", call="c2")

    assert missed == [("ben:1", "call_missed"), ("ben:1", "cleared"), ("bo:1", "call_missed")]
    answered = await line.pushes()
    assert answered == [("ben:1", "cleared"), ("ben:1", "cleared"), ("bo:1", "cleared")]


async def test_a_call_of_ours_and_one_that_was_put_through_ring_on_no_phone(line: Line) -> None:
    await line.tells("newCall", "ben@shop.example", direction="out", **{"from": OURS, "to": "48600100200"})
    await line.tells("newCall", "ben@shop.example", call="c2")
    await line.tells("answer", "ben@shop.example", call="c2")
    await line.tells("newCall", "bo@shop.example", call="c2")

    assert await line.pushes() == []


async def test_a_call_of_which_we_hear_only_when_nobody_can_hang_on_any_more_is_not_told(line: Line) -> None:
    async with line.shop.db.transaction() as session:
        now = await database_time(session)
    begun = (now - timedelta(minutes=4)).isoformat()

    await line.tells("newCall", "ben@shop.example", at=begun)

    assert await line.pushes() == []


async def test_at_full_privacy_a_caller_without_a_name_is_told_by_their_number(
    line: Line, ben: Client
) -> None:
    await ben.do(PREFERENCES, privacy="FULL")

    await line.tells("newCall", "ben@shop.example", "bo@shop.example")

    await line.pushes()
    told = {push.handle: push.data["body"] for push in line.shop.far_end.pushed}
    assert (told["ben:1"], told["bo:1"]) == ("+48600100200\nPhone", "Phone")
