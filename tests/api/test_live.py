"""Streams: over sockets and as server-sent events, shared, cut off, revoked, unread."""

import asyncio
import random
import socket
from contextlib import AsyncExitStack, suppress
from typing import Any

import httpx
import orjson
import pytest
from sqlalchemy import select, text, update
from sqlalchemy.ext.asyncio import AsyncSession
from websockets.asyncio.client import connect

from api import audiences
from api.cursors import cursor
from api.house import House
from api.server import Patience
from domain.actors import SYSTEM
from domain.agents.staff import Agent
from domain.db import send_rings
from domain.desk.tickets import Ticket
from domain.events import EventKind, record
from domain.ids import row_id
from domain.ways_in.channels import Channel, ChannelKind
from domain.working.noting import add_note as ticket_note
from domain.writing import Writing
from tests.client import Client
from tests.doors import answering
from tests.factories import NOON, a_channel, a_mail, receive
from tests.feed import cursor_of
from tests.statements import statements
from tests.two_teams import TwoTeams

BATCH = """cursor hasMore resetRequired changes { __typename
  ... on TicketChanged { ticket { id number status seq subject } }
  ... on TimelineAppended { item { __typename ... on Message { id text } ... on SystemEvent { id text } ... on Note { id text } } }
  ... on ContactChanged { contact { id name } }
  ... on TaskChanged { task { id title } }
  ... on Removed { typename id } }"""
CHANGES = f"query($since: Cursor!, $first: Int) {{ changes(since: $since, first: $first) {{ {BATCH} }} }}"
LIVE = f"subscription($since: Cursor!) {{ changes(since: $since) {{ {BATCH} }} }}"
TICKETS = "{ tickets(first: 100) { edges { node { id number status seq subject } } } }"
NOTE = "mutation($input: NoteAddInput!) { noteAdd(input: $input) { userErrors { code } } }"
ASSIGN = "mutation($input: TicketAssignInput!) { ticketAssign(input: $input) { userErrors { code } } }"
UPDATE = "mutation($input: TicketUpdateInput!) { ticketUpdate(input: $input) { userErrors { code } } }"
TASK = "mutation($input: TaskSaveInput!) { taskSave(input: $input) { userErrors { code } } }"
AGENT = "mutation($input: AgentUpdateInput!) { agentUpdate(input: $input) { userErrors { code } } }"
SIGN_OUT = "mutation($input: SignOutInput!) { signOut(input: $input) { userErrors { code } } }"


async def a_mail_arrives(house: House, who: str = "ada", text: str = "Hello") -> None:
    async with house.db.transaction() as session:
        mailbox = await session.scalar(select(Channel))
        mailbox = mailbox or await a_channel(session, house.keys, ChannelKind.EMAIL)
        await receive(session, mailbox, a_mail(f"{who}@example.org", text, sender_name=who.title()))


async def test_server_sent_events_tell_the_same_as_a_socket_and_go_on_where_they_were_cut(
    house: House, ben: Client
) -> None:
    since = await cursor_of(house, ben)
    async with asyncio.timeout(30), ben.listening(LIVE, since=since) as stream:
        async with ben.events(LIVE, since=since) as told:
            await a_mail_arrives(house)
            first = (await anext(told))["changes"]
            assert first == (await stream.next())["changes"]

        (change,) = [one for one in first["changes"] if one["__typename"] == "TicketChanged"]
        await ben.do(NOTE, ticketId=change["ticket"]["id"], text="While nobody listened")
        async with ben.events(LIVE, since=first["cursor"]) as told:
            assert "While nobody listened" in str(await anext(told))


@pytest.mark.parametrize("path", ["/graphql", "/graphql/stream"])
async def test_a_subscription_asked_for_as_a_query_is_told_where_to_ask(
    house: House, ben: Client, path: str
) -> None:
    asked = {"query": LIVE, "variables": {"since": await cursor_of(house, ben)}}

    answer = await ben.http.post(path, json=asked, headers={"authorization": f"Bearer {ben.token}"})

    (error,) = answer.json()["errors"]
    assert error["extensions"]["code"] == "INVALID"
    assert "/graphql/stream" in error["message"]
    assert "text/event-stream" in error["message"]


async def test_a_frame_is_text_as_browsers_expect(ben: Client) -> None:
    async with asyncio.timeout(30), ben.connected() as stream:
        await stream.ask("1", "{ serverTime }")

        assert isinstance(await stream._socket.recv(), str)


async def test_a_change_is_read_once_for_all_who_see_the_same(
    house: House, mia: Client, admin: Client, ben: Client
) -> None:
    async def told(client: Client, since: str, ready: asyncio.Semaphore) -> bytes:
        async with client.listening(LIVE, since=since) as stream:
            ready.release()
            return orjson.dumps(await stream.next())

    await a_mail_arrives(house)
    async with asyncio.timeout(30):
        since, ready = await cursor_of(house, mia), asyncio.Semaphore(0)
        listening = [asyncio.create_task(told(one, since, ready)) for one in [mia, admin, ben] * 20]
        for _ in listening:
            await ready.acquire()
        while sum(len(audience.listeners) for audience in house.audiences.values()) < len(listening):
            await asyncio.sleep(0.01)
        while min(audience.place for audience in house.audiences.values()) < (0, 0):
            await asyncio.sleep(0.01)  # nobody reads yet
        with statements(house.db) as sent:
            await a_mail_arrives(house, who="zofia")
            said = set(await asyncio.gather(*listening))

    assert len(house.audiences) <= 2
    assert len(said) == 1
    reading = [one for one in sent if "FROM ticket" in one and "ORDER BY ticket.updated_at DESC" in one]
    assert len(reading) == 2, "one for each of the two who see different things"


TOLD = f"""($since: Cursor!, $counted: Boolean!) {{ changes(since: $since) {{ {BATCH} changes {{
  ... on TicketChanged {{ ticket {{ assignee {{ name }} contact {{ name openTickets {{ number }} }} }} }}
  ... on CountersChanged @include(if: $counted) {{ counters {{ open unassigned tasksDueToday }} }} }} }} }}"""


async def test_what_a_stream_tells_is_byte_for_byte_what_each_would_have_read_alone(
    house: House, two_teams: TwoTeams
) -> None:
    """Whatever their role, team, language and variables, and whoever listens with them."""
    async with house.db.transaction() as session:
        for client, locale in ((two_teams.admin, "pl"), (two_teams.eve, "ca")):
            agent = await session.get_one(Agent, row_id("Agent", client.agent_id))
            agent.locale = locale
    since = await cursor_of(house, two_teams.mia)
    people = (two_teams.mia, two_teams.admin, two_teams.ben, two_teams.eve)
    listening = [
        (one, {"since": since, "counted": counted}) for one in people for counted in (True, False)
    ] * 3

    async with asyncio.timeout(60), AsyncExitStack() as stack:
        streams = [
            await stack.enter_async_context(one.listening(f"subscription{TOLD}", **variables))
            for one, variables in listening
        ]
        while sum(len(audience.listeners) for audience in house.audiences.values()) < len(streams):
            await asyncio.sleep(0.01)
        while min(audience.place for audience in house.audiences.values()) < (0, 0):
            await asyncio.sleep(0.01)  # nobody reads yet
        async with house.db.transaction() as session:
            mailbox = await session.scalar(select(Channel).where(Channel.kind == ChannelKind.EMAIL))
            assert mailbox
            await receive(session, mailbox, a_mail("zofia@example.org", "Anybody may see this"))
            ticket = await session.get_one(Ticket, row_id("Ticket", two_teams.ids["Ticket"]))
            await ticket_note(session, ticket, "For Support alone", by=SYSTEM, at=NOON)
            record(session, EventKind.TICKET_REOPENED, by=SYSTEM, at=NOON, ticket_id=ticket.id)
        told = [str(await stream._socket.recv()) for stream in streams]
        groups = len(house.audiences)

    for (one, variables), frame in zip(listening, told, strict=True):
        alone = (await one.post(f"query{TOLD}", variables)).text
        assert frame == f'{{"id":"1","type":"next","payload":{alone}}}'
    assert [("For Support alone" in frame) for frame in told] == [
        one is not two_teams.eve for one, _ in listening
    ]
    assert groups == 8
    assert len(set(told)) == 6, "Ben sees as much of it as Mia"


async def test_a_stream_with_nothing_to_tell_says_where_it_is(
    house: House, ben: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audiences, "QUIET", 0.1)
    since = await cursor_of(house, ben)

    async with asyncio.timeout(30), ben.listening(LIVE, since=since) as stream:
        batch = (await stream.next())["changes"]
        assert batch["changes"] == []
        await a_mail_arrives(house)
        while not batch["changes"]:
            batch = (await stream.next())["changes"]

    assert "Hello" in str(batch)


async def test_events_end_with_their_session(house: House, ben: Client) -> None:
    since = await cursor_of(house, ben)
    asked = {"query": LIVE, "variables": {"since": since}}
    headers = {"authorization": f"Bearer {ben.token}", "accept": "text/event-stream"}

    async with (
        asyncio.timeout(30),
        ben.http.stream("POST", "/graphql/stream", json=asked, headers=headers) as answer,
    ):
        await ben.do(SIGN_OUT)
        said = (await answer.aread()).decode()

    assert "UNAUTHENTICATED" in said
    assert said.rstrip().endswith("event: complete\r\ndata:")


async def test_who_loses_a_team_is_told_to_ask_anew_and_hears_no_more_of_it(
    house: House, two_teams: TwoTeams
) -> None:
    since = await cursor_of(house, two_teams.ben)
    async with asyncio.timeout(30), two_teams.ben.listening(LIVE, since=since) as stream:
        await two_teams.admin.do(AGENT, id=two_teams.ben.agent_id, teamIds=[])
        while not (batch := (await stream.next())["changes"])["resetRequired"]:
            pass
        assert batch["changes"] == []

        await two_teams.mia.do(NOTE, ticketId=two_teams.ids["Ticket"], text="Not for Ben")
        with suppress(TimeoutError):
            async with asyncio.timeout(1):
                while True:
                    assert "Not for Ben" not in str(await stream.next())


FOR_MANAGERS = "alert { channel { address } }"


@pytest.mark.parametrize(
    "subscription",
    [
        f"subscription($since: Cursor!) {{ changes(since: $since) {{ cursor changes {{ ... on TicketChanged {{ ticket {{ {FOR_MANAGERS} }} }} }} }} }}",
        f"subscription {{ callRinging {{ calls {{ openTickets {{ {FOR_MANAGERS} }} }} }} }}",
    ],
)
async def test_a_stream_ends_for_who_may_ask_for_its_fields_no_more(
    house: House, admin: Client, mia: Client, subscription: str
) -> None:
    given = {"since": await cursor_of(house, mia)} if "$since" in subscription else {}
    async with asyncio.timeout(30), mia.listening(subscription, **given) as stream:
        if not given:
            assert await stream.next() == {"callRinging": {"calls": []}}

        await admin.do(AGENT, id=mia.agent_id, role="AGENT")
        while "errors" not in (said := await stream.hear())["payload"]:
            pass

        assert [error["extensions"]["code"] for error in said["payload"]["errors"]] == ["NOT_ALLOWED"]
        assert (await stream.hear())["type"] == "complete"


async def test_a_ticket_given_to_somebody_else_leaves_the_lists_of_who_may_not_see_it_then(
    house: House, two_teams: TwoTeams
) -> None:
    async with house.db.transaction() as session:
        await session.execute(update(Ticket).values(assignee_id=row_id("Agent", two_teams.eve.agent_id)))
    since = await cursor_of(house, two_teams.eve)

    async with asyncio.timeout(30), two_teams.eve.listening(LIVE, since=since) as stream:
        await two_teams.mia.do(ASSIGN, ticketIds=[two_teams.ids["Ticket"]], agentId=two_teams.ben.agent_id)
        changes = (await stream.next())["changes"]["changes"]

    assert [change for change in changes if change["__typename"] == "Removed"] == [
        {"__typename": "Removed", "typename": "Ticket", "id": two_teams.ids["Ticket"]}
    ]
    assert not [change for change in changes if change["__typename"] == "TicketChanged"]


async def test_a_task_given_to_somebody_else_leaves_the_lists_too(
    house: House, ben: Client, mia: Client
) -> None:
    made = await mia.do(
        TASK.replace("userErrors", "task { id } userErrors"), title="Call", assigneeId=ben.agent_id
    )
    since = await cursor_of(house, ben)

    async with asyncio.timeout(30), ben.listening(LIVE, since=since) as stream:
        await mia.do(TASK, id=made["task"]["id"], assigneeId=mia.agent_id)
        changes = (await stream.next())["changes"]["changes"]

    assert changes == [{"__typename": "Removed", "typename": "Task", "id": made["task"]["id"]}]


async def test_a_cursor_from_the_future_is_told_to_reset(house: House, ben: Client) -> None:
    """As after a database was brought back by a copy of its disk."""
    future = cursor(house, (2**40, 1))

    async with asyncio.timeout(30), ben.listening(LIVE, since=future) as stream:
        assert (await stream.next())["changes"]["resetRequired"]
    assert (await ben.ask(CHANGES, since=future))["changes"]["resetRequired"]


async def test_of_two_interleaved_transactions_a_stream_tells_both(house: House, mia: Client) -> None:
    await a_mail_arrives(house)
    (edge,) = (await mia.ask(TICKETS))["tickets"]["edges"]
    ticket_id = row_id("Ticket", edge["node"]["id"])

    async def reopened(session: AsyncSession) -> None:
        record(session, EventKind.TICKET_REOPENED, by=SYSTEM, at=NOON, ticket_id=ticket_id)
        await session.flush()

    async with asyncio.timeout(20), mia.listening(LIVE, since=await cursor_of(house, mia)) as stream:
        async with Writing(house.db.engine) as slow:
            await slow.begin()
            await reopened(slow)
            async with house.db.transaction() as quick:
                await reopened(quick)
            await asyncio.sleep(0.2)
            await send_rings(slow)
            await slow.commit()
        told: list[str] = []
        while len(told) < 2:
            changes = (await stream.next())["changes"]["changes"]
            told += [one["item"]["id"] for one in changes if "item" in one]

    assert len(set(told)) == 2


async def test_who_does_not_read_is_dropped_and_holds_nobody_up(house: House, ben: Client) -> None:
    mailbox_since = await cursor_of(house, ben)
    async with asyncio.timeout(60), answering(house, Patience(read=0.5), send_buffer=8192) as door:
        url = httpx.URL(door)
        deaf = socket.socket()
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.connect((url.host, url.port))
        asked = {"authorization": f"Bearer {ben.token}"}
        async with (
            connect(
                f"ws://{url.host}:{url.port}/graphql",
                sock=deaf,
                subprotocols=["graphql-transport-ws"],  # type: ignore[list-item]
                max_queue=1,
                ping_interval=None,
                compression=None,
            ) as socket_,
            ben.listening(LIVE, since=mailbox_since) as attentive,
        ):
            await socket_.send(orjson.dumps({"type": "connection_init", "payload": asked}).decode())
            await socket_.recv()
            payload = {"query": LIVE, "variables": {"since": mailbox_since}}
            await socket_.send(orjson.dumps({"type": "subscribe", "id": "1", "payload": payload}).decode())
            while sum(len(audience.listeners) for audience in house.audiences.values()) < 2:
                await asyncio.sleep(0.01)
            socket_.transport.pause_reading()

            heard = ""
            for number in range(20):
                await a_mail_arrives(house, f"ada{number}", f"{number} " + "x" * 30_000)
                while f'"{number} x' not in heard:
                    heard = orjson.dumps(await attentive.next()).decode()
                    kept = [len(audience._kept) for audience in house.audiences.values()]
                    assert max(kept) <= audiences.KEPT
            while sum(len(audience.listeners) for audience in house.audiences.values()) > 1:
                await asyncio.sleep(0.05)
            socket_.transport.abort()


class Phone:
    """Keeps what it is told, by id, and where it is."""

    def __init__(self, client: Client, cursor: str) -> None:
        self.client, self.cursor = client, cursor
        self.kept: dict[str, dict[str, Any]] = {}

    def take(self, batch: dict[str, Any]) -> None:
        assert not batch["resetRequired"]
        for change in batch["changes"]:
            if change["__typename"] == "Removed":
                self.kept.pop(change["id"], None)
            else:
                (object,) = [value for name, value in change.items() if name != "__typename"]
                self.kept[object["id"]] = object
        self.cursor = batch["cursor"]

    async def ask(self) -> None:
        more = True
        while more:
            batch = (await self.client.ask(CHANGES, since=self.cursor, first=5))["changes"]
            self.take(batch)
            more = batch["hasMore"]

    async def listen(self, to: str = LIVE) -> None:
        async with self.client.listening(to, since=self.cursor) as stream:
            while True:
                self.take((await stream.next())["changes"])

    async def hear(self) -> None:
        async with self.client.events(LIVE, since=self.cursor) as told:
            async for data in told:
                self.take(data["changes"])


async def tickets_of(client: Client) -> dict[str, dict[str, Any]]:
    return {edge["node"]["id"]: edge["node"] for edge in (await client.ask(TICKETS))["tickets"]["edges"]}


async def the_shop_works(house: House, mia: Client, chance: random.Random) -> None:
    opened: list[str] = []
    number = 0
    while True:
        number += 1
        if len(opened) < 60 and chance.random() < 0.2:
            await a_mail_arrives(house, f"writer{number}")
            opened = list(await tickets_of(mia))
        elif opened:
            id = chance.choice(opened)
            match chance.randrange(3):
                case 0:
                    await mia.do(NOTE, ticketId=id, text=f"Note {number}")
                case 1:
                    status = chance.choice(["OPEN", "PENDING", "SOLVED"])
                    await mia.do(UPDATE, ids=[id], status=status)
                case 2:
                    await mia.do(TASK, ticketId=id, title=f"Task {number}")
        await asyncio.sleep(chance.uniform(0, 0.01))


@pytest.mark.parametrize("cuts", [60, pytest.param(1000, marks=pytest.mark.slow)])
async def test_who_was_cut_off_again_and_again_ends_with_what_everybody_else_has(
    house: House, mia: Client, admin: Client, cuts: int
) -> None:
    chance = random.Random(cuts)
    since = await cursor_of(house, mia)
    steady, cut = Phone(mia, since), Phone(admin, since)
    working = asyncio.create_task(the_shop_works(house, mia, chance))
    listening = asyncio.create_task(steady.listen())

    for number in range(cuts):
        way = (cut.ask, cut.listen, cut.hear)[number % 3]
        with suppress(TimeoutError):
            async with asyncio.timeout(chance.uniform(0, 0.08)):
                await way()
    async with asyncio.timeout(60):  # on a slow machine it has not done much by then
        while len(await tickets_of(mia)) <= 2 or len(steady.kept) < 12:
            await asyncio.sleep(0.1)
    working.cancel()
    with suppress(asyncio.CancelledError):
        await working
    fresh = await tickets_of(mia)
    async with asyncio.timeout(20):
        while steady.kept != cut.kept or not fresh.items() <= steady.kept.items():
            await asyncio.sleep(0.1)
            await cut.ask()
            fresh = await tickets_of(mia)  # what was on its way may be done after the work was stopped
    listening.cancel()

    assert len(fresh) > 2
    assert len(cut.kept) > len(fresh) * 2


async def test_a_seq_may_outgrow_32_bits(house: House, mia: Client) -> None:
    send = "mutation($input: MessageSendInput!) { messageSend(input: $input) { userErrors { code } } }"
    await a_mail_arrives(house)
    async with house.db.transaction() as session:
        await session.execute(text("SELECT setval('history_seq', nextval('history_seq') + 8589934592)"))
    (edge,) = (await mia.ask(TICKETS))["tickets"]["edges"]
    await mia.do(NOTE, ticketId=edge["node"]["id"], text="A note")

    (edge,) = (await mia.ask(TICKETS))["tickets"]["edges"]

    assert edge["node"]["seq"] > 2**33
    ticket = {"ticketId": edge["node"]["id"], "identityId": "x", "text": "Hello"}
    assert await mia.refused(send, **ticket, lastSeenSeq=edge["node"]["seq"]) == ["NOT_FOUND"]
    (error,) = await mia.errors(send, input={**ticket, "lastSeenSeq": 2**53, "clientMutationId": "1"})
    assert "whole number" in error["message"]
