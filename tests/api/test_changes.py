"""The change feed, asked and streamed."""

import asyncio
from datetime import timedelta
from typing import Any

from sqlalchemy import update

from api.house import House
from domain.actors import SYSTEM
from domain.agents.staff import Team
from domain.arriving.opening import open_ticket
from domain.events import Event, EventKind, record
from domain.ids import public_id
from domain.ways_in.channels import ChannelKind
from tests.client import Client
from tests.factories import NOON, a_channel, a_mail, an_agent, contacts, receive, tickets
from tests.feed import cursor_of

BATCH = """cursor hasMore resetRequired changes { __typename
  ... on TicketChanged { ticket { number status contact { name } } }
  ... on TimelineAppended { item { ... on Message { text attachments { name } } ... on SystemEvent { text } ... on Note { text } } }
  ... on ContactChanged { contact { name } }
  ... on TaskChanged { task { title } } }"""
CHANGES = f"query($since: Cursor!, $first: Int) {{ changes(since: $since, first: $first) {{ {BATCH} }} }}"
LIVE = f"subscription($since: Cursor!) {{ changes(since: $since) {{ {BATCH} }} }}"
NOTE = "mutation($input: NoteAddInput!) { noteAdd(input: $input) { userErrors { code } } }"
SIGN_OUT = "mutation($input: SignOutInput!) { signOut(input: $input) { ok } }"


async def caught_up(client: Client, since: str, **arguments: Any) -> dict[str, Any]:
    """The next batch that says something: an older transaction, even another test's, may hold the feed back."""
    async with asyncio.timeout(30):
        while True:
            batch: dict[str, Any] = (await client.ask(CHANGES, since=since, **arguments))["changes"]
            if batch["changes"] or batch["resetRequired"]:
                return batch
            await asyncio.sleep(0.02)


async def a_mail_arrives(house: House, text: str = "Hello") -> None:
    async with house.db.transaction() as session:
        mailbox = await a_channel(session, house.keys, ChannelKind.EMAIL)
        await receive(session, mailbox, a_mail("ada@example.org", text, sender_name="Ada"))


async def test_who_catches_up_sees_each_changed_object_as_it_is_now(house: House, ben: Client) -> None:
    since = await cursor_of(house, ben)
    await a_mail_arrives(house)

    batch = await caught_up(ben, since)

    kinds = [change["__typename"] for change in batch["changes"]]
    assert kinds.count("TicketChanged") == kinds.count("ContactChanged") == 1
    texts = [change["item"].get("text") for change in batch["changes"] if "item" in change]
    assert "Hello" in texts
    assert (await ben.ask(CHANGES, since=batch["cursor"]))["changes"]["changes"] == []


async def test_small_batches_tell_the_same_as_a_large_one(house: House, ben: Client) -> None:
    since = await cursor_of(house, ben)
    await a_mail_arrives(house)
    whole = (await caught_up(ben, since))["changes"]

    pieces = []
    for _ in range(50):
        batch = (await ben.ask(CHANGES, since=since, first=1))["changes"]
        pieces += [change for change in batch["changes"] if change not in pieces]
        since = batch["cursor"]
        if not batch["hasMore"]:
            break

    assert sorted(map(str, pieces)) == sorted(map(str, whole))


async def test_a_stream_tells_what_happens_to_who_may_see_it(house: House, ben: Client, mia: Client) -> None:
    since = await cursor_of(house, ben)
    async with (
        asyncio.timeout(30),
        ben.listening(LIVE, since=since) as bens,
        mia.listening(LIVE, since=since) as mias,
    ):
        await a_mail_arrives(house, "For everybody")
        assert "For everybody" in str(await bens.next())
        assert "For everybody" in str(await mias.next())
        async with house.db.transaction() as session:
            team = Team(name="Returns")
            session.add(team)
            await session.flush()
            (ticket,) = await tickets(session)
            ticket.team_id = team.id
            await an_agent(session, "Bo", team=team)
        (edge,) = (await mia.ask("{ tickets { edges { node { id } } } }"))["tickets"]["edges"]

        await mia.do(NOTE, ticketId=edge["node"]["id"], text="Not for Ben")

        assert "Not for Ben" in str(await mias.next())
        task = asyncio.create_task(bens.next())
        await asyncio.sleep(0.5)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert task.cancelled()


async def test_a_stream_ends_with_its_session(house: House, ben: Client) -> None:
    since = await cursor_of(house, ben)
    async with asyncio.timeout(30), ben.listening(LIVE, since=since) as stream:
        await ben.do(SIGN_OUT)

        said = await stream.hear()

        assert said["payload"]["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"


async def test_a_cursor_older_than_the_feed_asks_for_a_reset(house: House, ben: Client) -> None:
    since = await cursor_of(house, ben)
    await a_mail_arrives(house)
    async with house.db.transaction() as session:
        await session.execute(update(Event).values(recorded_at=Event.recorded_at - timedelta(days=8)))

    batch = await caught_up(ben, since)

    assert batch["resetRequired"] is True
    assert batch["changes"] == []


async def test_a_cursor_that_is_not_ours_is_refused(ben: Client) -> None:
    for cursor in ("", "nonsense", "MS54LjI", "🙂"):
        (error, *_) = await ben.errors(CHANGES, since=cursor)
        assert error["extensions"]["code"] == "INVALID"


async def test_a_batch_tells_of_everything_that_changed_in_it(house: House, ben: Client) -> None:
    before = await cursor_of(house, ben)
    await a_mail_arrives(house)
    since = (await caught_up(ben, before))["cursor"]
    async with house.db.transaction() as session:
        (ada,) = await contacts(session)
        for number in range(120):
            open_ticket(session, ada, subject=f"Matter {number}", by=SYSTEM, at=NOON)

    batch = await caught_up(ben, since)

    told = [change for change in batch["changes"] if change["__typename"] == "TicketChanged"]
    assert len(told) == 120
    assert batch["hasMore"] is False


async def test_a_merged_ticket_leaves_the_lists_of_who_saw_it_and_names_its_survivor_only_to_who_sees_that(
    house: House, ben: Client, mia: Client
) -> None:
    removed = """query($since: Cursor!) { changes(since: $since, topics: [TICKETS]) { resetRequired changes {
      ... on Removed { id replacedBy } } } }"""
    await a_mail_arrives(house)
    since = await cursor_of(house, ben)
    async with house.db.transaction() as session:
        team = Team(name="Vip")
        session.add(team)
        await session.flush()
        (merged,) = await tickets(session)
        (ada,) = await contacts(session)
        both = [open_ticket(session, ada, subject="Vip", by=SYSTEM, at=NOON, team_id=team.id) for _ in "ab"]
        await session.flush()
        for ticket in (merged, both[0]):
            data = {"merged": str(ticket.id)}
            record(session, EventKind.TICKET_MERGED, by=SYSTEM, at=NOON, ticket_id=both[1].id, data=data)
    await caught_up(mia, since)

    async def told(client: Client) -> list[dict[str, str | None]]:
        changes = (await client.ask(removed, since=since))["changes"]["changes"]
        return [change for change in changes if change]

    survivor = public_id("Ticket", both[1].id)
    seen, unseen = public_id("Ticket", merged.id), public_id("Ticket", both[0].id)
    assert await told(mia) == [{"id": id, "replacedBy": survivor} for id in (seen, unseen)]
    assert await told(ben) == [{"id": seen, "replacedBy": None}]
