"""Merging, moving and taking back by GraphQL; and what may belong together, for a person to say."""

import asyncio
from collections.abc import Coroutine
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, text, update
from structlog.testing import capture_logs

from api.house import House
from domain.actors import SYSTEM
from domain.agents.staff import Agent, Team, TeamMember
from domain.answering.replies import queued
from domain.answering.starting import only_ticket_of
from domain.arriving.inbound import Inbound
from domain.customers.contacts import Contact
from domain.db import database_time
from domain.desk.messages import Message
from domain.desk.survivors import locked
from domain.desk.threads import Thread
from domain.desk.tickets import Ticket, TicketStatus
from domain.events import Event, EventKind
from domain.ids import public_id, row_id
from domain.joining.merging import merge_contacts
from domain.joining.moves import Move, hold
from domain.sla import reckoning
from domain.ways_in.channels import Channel, ChannelKind
from tests.api.test_sessions import somebody_waits
from tests.client import Client
from tests.factories import NOON, a_channel, a_chat, a_mail, a_promise, receive

ERRORS = "userErrors { code field message }"
WHOSE = "id name locale city tags identities { label } openTickets { id }"
PREVIEW = """query($primary: ID!, $others: [ID!]!) { mergePreview(primaryId: $primary, otherIds: $others) {
  result { id name } conflicts { field values chosen } ticketsMoved identitiesMoved undoUntil } }"""
MERGE = f"""mutation($input: ContactMergeInput!) {{ contactMerge(input: $input) {{
  contact {{ {WHOSE} }} mergeId undoUntil {ERRORS} }} }}"""
UNMERGE = f"mutation($input: ContactUnmergeInput!) {{ contactUnmerge(input: $input) {{ contact {{ {WHOSE} }} {ERRORS} }} }}"
SAVE = f"mutation($input: ContactSaveInput!) {{ contactSave(input: $input) {{ contact {{ id }} {ERRORS} }} }}"

MATTER = """id number status tags priority contact { id } suggestions { id code text score ticket { id } }
  threads { id subject joinedBecause { eventId code matter text undoable automatic } }
  timeline(first: 50, kinds: [MESSAGE]) { edges { node { ... on Message { id text } } } }"""
TICKETS = f"{{ tickets(first: 25) {{ edges {{ node {{ {MATTER} }} }} }} }}"
TICKET = f"query($id: ID!) {{ ticket(id: $id) {{ {MATTER} }} }}"
MERGE_TICKETS = f"mutation($input: TicketMergeInput!) {{ ticketMerge(input: $input) {{ tickets {{ {MATTER} }} mergeId {ERRORS} }} }}"
MOVE = f"mutation($input: ThreadMoveInput!) {{ threadMove(input: $input) {{ tickets {{ {MATTER} }} mergeId {ERRORS} }} }}"
UNDO = f"mutation($input: JoinUndoInput!) {{ joinUndo(input: $input) {{ tickets {{ {MATTER} }} {ERRORS} }} }}"
PROMISED = "query($id: ID!) { ticket(id: $id) { status snoozedUntil clocks { metric state } } }"
NOTE = "mutation($input: NoteAddInput!) { noteAdd(input: $input) { userErrors { code } } }"
OPEN = "mutation($input: TicketCreateInput!) { ticketCreate(input: $input) { ticket { id } userErrors { code } } }"
START = "mutation($input: ConversationStartInput!) { conversationStart(input: $input) { ticket { id } userErrors { code } } }"
DISMISS = f"mutation($input: SuggestionDismissInput!) {{ suggestionDismiss(input: $input) {{ tickets {{ id }} {ERRORS} }} }}"
TWO = (
    f"mutation($input: MergeDismissInput!) {{ mergeDismiss(input: $input) {{ contact {{ id }} {ERRORS} }} }}"
)
CANDIDATES = "query($id: ID!) { contact(id: $id) { mergeCandidates { contact { id name } score reasons } } }"


async def said(house: House, *heard: Inbound, kind: ChannelKind = ChannelKind.EMAIL) -> None:
    async with house.db.transaction() as session:
        channel = await session.scalar(select(Channel).where(Channel.kind == kind))
        channel = channel or await a_channel(session, house.keys, kind)
        for inbound in heard:
            await receive(session, channel, inbound)


async def goes_to_another_team(house: House, subject: str) -> None:
    async with house.db.transaction() as session:
        team = Team(name="Returns")
        session.add(team)
        await session.flush()
        await session.execute(update(Ticket).where(Ticket.subject == subject).values(team_id=team.id))


async def inbox(client: Client) -> list[dict[str, Any]]:
    """In the order in which they were opened."""
    edges = (await client.ask(TICKETS))["tickets"]["edges"]
    return sorted((edge["node"] for edge in edges), key=lambda ticket: ticket["number"])


async def read(client: Client, id: str) -> dict[str, Any]:
    ticket: dict[str, Any] = (await client.ask(TICKET, id=id))["ticket"]
    return ticket


def texts(ticket: dict[str, Any]) -> list[str]:
    """Oldest first."""
    return [edge["node"]["text"] for edge in reversed(ticket["timeline"]["edges"])]


def labels(contact: dict[str, Any]) -> set[str]:
    return {identity["label"] for identity in contact["identities"]}


async def aged(house: House, days: int) -> None:
    async with house.db.transaction() as session:
        await session.execute(update(Move).values(at=Move.at - timedelta(days=days)))


BY_WORK = a_mail(
    "ada@work.example", "The invoice of order 200200", subject="Invoice 200200", sender_name="A. Lovelace"
)


@pytest.fixture
async def two_adas(house: House, ben: Client) -> tuple[str, str]:
    """Ada wrote from home and from work: two contacts, each with a ticket."""
    at_home = a_mail(
        "ada@example.org", "Where is order 100100?", subject="Parcel", sender_name="Ada Lovelace"
    )
    await said(house, at_home, BY_WORK)
    home, work = [ticket["contact"]["id"] for ticket in await inbox(ben)]
    return home, work


async def test_two_contacts_become_one_as_the_preview_said(ben: Client, two_adas: tuple[str, str]) -> None:
    home, work = two_adas
    await ben.do(SAVE, id=home, city="London")
    await ben.do(SAVE, id=work, city="Paris", locale="fr", tags=["vip"])
    preview = (await ben.ask(PREVIEW, primary=home, others=[work]))["mergePreview"]
    assert preview["result"] == {"id": home, "name": "Ada Lovelace"}
    assert preview["conflicts"] == [
        {"field": "name", "values": ["Ada Lovelace", "A. Lovelace"], "chosen": "Ada Lovelace"},
        {"field": "city", "values": ["London", "Paris"], "chosen": "London"},
    ]
    assert (preview["ticketsMoved"], preview["identitiesMoved"]) == (1, 1)
    assert len(await inbox(ben)) == 2

    merged = await ben.do(
        MERGE, primaryId=home, otherIds=[work], choices=[{"field": "city", "value": "Paris"}]
    )

    contact = merged["contact"]
    assert (contact["name"], contact["city"], contact["locale"]) == ("Ada Lovelace", "Paris", "fr")
    assert contact["tags"] == ["vip"]
    assert labels(contact) == {"ada@example.org", "ada@work.example"}
    assert len(contact["openTickets"]) == 2
    assert (await ben.ask("query($id: ID!) { contact(id: $id) { id } }", id=work))["contact"]["id"] == home


async def test_what_comes_later_reaches_the_survivor_and_goes_back_with_its_own(
    house: House, ben: Client, two_adas: tuple[str, str]
) -> None:
    home, work = two_adas
    merged = await ben.do(
        MERGE, primaryId=home, otherIds=[work], choices=[{"field": "name", "value": "A. Lovelace"}]
    )
    answer = a_mail(
        "ada@work.example", "And the copy?", references=(BY_WORK.external_id,), at=NOON + timedelta(hours=1)
    )
    matter = a_mail("ada@work.example", "How do I return a mug?", at=NOON + timedelta(days=40), subject="Mug")
    await said(house, answer, matter)
    assert {ticket["contact"]["id"] for ticket in await inbox(ben)} == {home}

    unmerged = await ben.do(UNMERGE, mergeId=merged["mergeId"])

    assert unmerged["userErrors"] == []
    assert (unmerged["contact"]["id"], unmerged["contact"]["name"]) == (home, "Ada Lovelace")
    parcel, invoice, mug = await inbox(ben)
    assert [ticket["contact"]["id"] for ticket in (parcel, invoice, mug)] == [home, work, work]
    assert texts(invoice) == ["The invoice of order 200200", "And the copy?"]


@pytest.mark.parametrize(
    ("choice", "code"),
    [
        ({"field": "shoe", "value": "42"}, "INVALID"),
        ({"field": "city", "value": "Atlantis"}, "INVALID"),
        ({"field": "timezone", "value": "Mars/North"}, "INVALID"),
    ],
)
async def test_one_chooses_among_what_there_is(
    ben: Client, two_adas: tuple[str, str], choice: dict[str, str], code: str
) -> None:
    home, work = two_adas

    assert await ben.refused(MERGE, primaryId=home, otherIds=[work], choices=[choice]) == [code]
    assert len({ticket["contact"]["id"] for ticket in await inbox(ben)}) == 2


async def test_the_same_merge_sent_twice_is_one(house: House, ben: Client, two_adas: tuple[str, str]) -> None:
    home, work = two_adas
    input = {"primaryId": home, "otherIds": [work], "clientMutationId": "once"}

    first, second = [await ben.do(MERGE, **input) for _ in range(2)]

    assert first["mergeId"] == second["mergeId"]
    async with house.db.transaction() as session:
        assert await session.scalar(select(func.count()).select_from(Move)) == 1


async def test_who_waits_for_another_move_holds_no_row_meanwhile(
    house: House, ben: Client, two_adas: tuple[str, str]
) -> None:
    home, work = two_adas
    parcel, invoice = [ticket["id"] for ticket in await inbox(ben)]
    waiting = (
        select(func.count())
        .select_from(text("pg_locks"))
        .where(text("locktype = 'advisory' AND NOT granted"))
    )
    async with house.db.transaction() as session:
        await hold(session)
        asked = [
            asyncio.create_task(ben.refused(MERGE, primaryId=home, otherIds=[work])),
            asyncio.create_task(ben.refused(MERGE_TICKETS, primaryId=parcel, otherIds=[invoice])),
        ]
        while await session.scalar(waiting) != 2:
            await asyncio.sleep(0.02)

        for model in (Contact, Ticket):
            await session.execute(select(model.id).with_for_update(nowait=True))

    assert await asyncio.gather(*asked) == [[], []]


@pytest.mark.parametrize("what", ["move", "split", "undo", "merge of contacts"])
async def test_who_moves_a_conversation_waits_for_who_writes_in_it(
    house: House, ben: Client, two_adas: tuple[str, str], what: str
) -> None:
    """Whoever writes holds the ticket, and adds to its conversation and its contact only then."""
    home, work = two_adas
    parcel, invoice = await inbox(ben)
    thread, item = parcel["threads"][0]["id"], parcel["timeline"]["edges"][0]["node"]["id"]
    asked: dict[str, tuple[str, dict[str, Any]]] = {
        "move": (MOVE, {"threadId": thread, "ticketId": invoice["id"]}),
        "split": (MOVE, {"fromItemId": item, "ticketId": invoice["id"]}),
        "merge of contacts": (MERGE, {"primaryId": work, "otherIds": [home]}),
    }
    if what == "undo":
        moved = await ben.do(MOVE, fromItemId=item, ticketId=invoice["id"])
        asked["undo"] = (UNDO, {"eventId": moved["mergeId"]})
    with capture_logs() as logs:
        await _written_in_while(house, ben.refused(asked[what][0], **asked[what][1]))

    assert [one["event"] for one in logs if one["event"] == "mutation_collided"] == []


async def _written_in_while(house: House, mutation: Coroutine[Any, Any, list[str]]) -> None:
    waiting = select(func.count()).select_from(text("pg_locks")).where(text("NOT granted"))
    async with house.db.transaction() as session:
        for ticket in (await session.scalars(select(Ticket))).all():
            await locked(session, ticket.id)
        task = asyncio.create_task(mutation)
        while not await session.scalar(waiting):
            await asyncio.sleep(0.02)

        for written_in in (await session.scalars(select(Thread))).all():
            written_in.read_seq += 1
            session.add(queued(written_in, text="On its way.", by=SYSTEM, at=NOON))
        await session.flush()

    assert await task == []


async def test_who_merges_contacts_waits_for_who_writes_in_a_ticket_of_the_survivors(
    house: House, ben: Client, two_adas: tuple[str, str]
) -> None:
    """Its promises are reckoned from all that was said there."""
    home, work = two_adas
    waiting = select(func.count()).select_from(text("pg_locks")).where(text("NOT granted"))
    async with house.db.transaction() as session:
        theirs = select(Ticket.id).where(Ticket.contact_id == row_id("Contact", home))
        await locked(session, (await session.scalars(theirs)).one())
        merge = asyncio.create_task(ben.refused(MERGE, primaryId=home, otherIds=[work]))
        while not merge.done() and not await session.scalar(waiting):
            await asyncio.sleep(0.02)

        assert not merge.done()

    assert await merge == []


@pytest.mark.parametrize("what", [OPEN, START])
async def test_what_an_agent_opens_while_two_contacts_become_one_is_the_survivors(
    house: House, ben: Client, two_adas: tuple[str, str], what: str
) -> None:
    home, work = two_adas
    async with house.db.transaction() as session:
        mailbox = public_id("Channel", (await session.scalars(select(Channel.id))).one())
    by_mail = {"channelId": mailbox} if what == START else {}

    async with house.db.transaction() as session:
        one, other = [await session.get_one(Contact, row_id("Contact", id)) for id in two_adas]
        await merge_contacts(session, one, [other], by=SYSTEM, at=NOON)
        asked = asyncio.create_task(
            ben.refused(what, contactId=work, subject="Mug", text="She called.", **by_mail)
        )
        while not (asked.done() or await somebody_waits(house)):
            await asyncio.sleep(0.02)

    assert await asked == []
    assert [ticket["contact"]["id"] for ticket in await inbox(ben)] == [home] * 3


async def test_whoever_was_read_before_a_merge_is_the_survivor_when_their_ticket_is_looked_for(
    house: House, two_adas: tuple[str, str]
) -> None:
    home, work = (row_id("Contact", id) for id in two_adas)
    async with house.db.transaction() as session:
        caller = await session.get_one(Contact, work)
        async with house.db.transaction() as another:
            one, other = [await another.get_one(Contact, id) for id in (home, work)]
            await merge_contacts(another, one, [other], by=SYSTEM, at=NOON)

        ticket = await only_ticket_of(session, caller, by=SYSTEM, at=NOON)

        assert ticket.contact_id == home


async def test_a_contact_does_not_become_itself(ben: Client, two_adas: tuple[str, str]) -> None:
    home, work = two_adas
    assert await ben.refused(MERGE, primaryId=home, otherIds=[home]) == ["INVALID"]
    await ben.do(MERGE, primaryId=home, otherIds=[work])

    assert await ben.refused(MERGE, primaryId=home, otherIds=[work]) == ["INVALID"]
    assert await ben.refused(MERGE, primaryId=home, otherIds=[]) == ["INVALID"]


async def test_what_is_undone_or_too_old_is_not_undone(
    house: House, ben: Client, two_adas: tuple[str, str]
) -> None:
    home, work = two_adas
    merged = await ben.do(MERGE, primaryId=home, otherIds=[work])
    await aged(house, 31)
    assert await ben.refused(UNMERGE, mergeId=merged["mergeId"]) == ["TOO_LATE"]
    await aged(house, -2)

    assert await ben.refused(UNMERGE, mergeId=merged["mergeId"]) == []
    again = await ben.do(UNMERGE, mergeId=merged["mergeId"])

    (error,) = again["userErrors"]
    assert (error["code"], error["field"]) == ("ALREADY_UNDONE", ["mergeId"])


async def test_who_does_not_see_all_of_a_contact_neither_merges_it_nor_takes_it_back(
    house: House, ben: Client, mia: Client, two_adas: tuple[str, str]
) -> None:
    home, work = two_adas
    await said(house, a_mail("ada@work.example", "How do I return a mug?", subject="Mug"))
    async with house.db.transaction() as session:
        team = Team(name="Returns")
        session.add(team)
        await session.flush()
        (mug,) = await session.scalars(select(Ticket).where(Ticket.subject == "Mug"))
        mug.team_id = team.id

    assert await ben.refused(MERGE, primaryId=home, otherIds=[work]) == ["NOT_YOURS"]
    assert await ben.refused(MERGE, primaryId=work, otherIds=[home]) == ["NOT_YOURS"]
    merged = await mia.do(MERGE, primaryId=home, otherIds=[work])
    assert merged["userErrors"] == []
    assert await ben.refused(UNMERGE, mergeId=merged["mergeId"]) == ["NOT_YOURS"]
    assert await mia.refused(UNMERGE, mergeId=merged["mergeId"]) == []


async def test_who_does_not_see_all_tickets_of_a_merge_does_not_take_it_back(
    house: House, ben: Client, mia: Client, two_adas: tuple[str, str]
) -> None:
    home, work = await inbox(mia)
    async with house.db.transaction() as session:
        team = Team(name="Returns")
        session.add(team)
        await session.flush()
        (await session.get_one(Ticket, row_id("Ticket", work["id"]))).team_id = team.id
    merged = await mia.do(MERGE_TICKETS, primaryId=home["id"], otherIds=[work["id"]])

    assert await ben.refused(UNDO, eventId=merged["mergeId"]) == ["NOT_YOURS"]
    assert len((await read(mia, home["id"]))["threads"]) == 2
    assert await mia.refused(UNDO, eventId=merged["mergeId"]) == []


async def test_a_contact_whose_tickets_are_all_of_another_team_is_not_found(
    house: House, ben: Client, two_adas: tuple[str, str]
) -> None:
    home, work = two_adas
    async with house.db.transaction() as session:
        team = Team(name="Returns")
        session.add(team)
        await session.flush()
        await session.execute(
            update(Ticket).where(Ticket.contact_id == row_id("Contact", work)).values(team_id=team.id)
        )

    assert await ben.refused(MERGE, primaryId=home, otherIds=[work]) == ["NOT_FOUND"]
    assert (await ben.ask(PREVIEW, primary=home, others=[work]))["mergePreview"] is None


@pytest.mark.parametrize("aside", [TicketStatus.SOLVED, TicketStatus.PENDING, "asleep"])
@pytest.mark.parametrize("how", ["merged", "moved"])
async def test_who_waits_in_a_ticket_waits_in_the_one_that_takes_their_words(
    house: House, ben: Client, aside: str, how: str
) -> None:
    async with house.db.transaction() as session:
        await a_promise(session)
    await said(
        house, a_mail("ada@example.org", "Where is it?", subject="Parcel", at=NOON - timedelta(hours=1))
    )
    await said(house, a_mail("zofia@example.com", "And mine?", subject="Mug", at=NOON))
    parcel, mug = await inbox(ben)
    async with house.db.transaction() as session:
        now, first = (
            await database_time(session),
            await session.get_one(Ticket, row_id("Ticket", parcel["id"])),
        )
        if aside == "asleep":
            first.snooze(now + timedelta(days=9), by=SYSTEM, at=now)
        else:
            first.change(by=SYSTEM, at=now, status=TicketStatus(aside))
        await session.flush()
        await reckoning.reckon(session, first, at=now)
    before = (await ben.ask(PROMISED, id=parcel["id"]))["ticket"]

    if how == "merged":
        done = await ben.do(MERGE_TICKETS, primaryId=parcel["id"], otherIds=[mug["id"]])
    else:
        done = await ben.do(MOVE, threadId=mug["threads"][0]["id"], ticketId=parcel["id"])

    waits = (await ben.ask(PROMISED, id=parcel["id"]))["ticket"]
    assert (waits["status"], waits["snoozedUntil"]) == ("OPEN", None)
    assert [clock["state"] for clock in waits["clocks"]] == ["BREACHED"]
    await ben.do(UNDO, eventId=done["mergeId"])
    assert (await ben.ask(PROMISED, id=parcel["id"]))["ticket"] == before


@pytest.mark.parametrize(("aside", "since"), [("solved", "pending"), ("asleep", "solved")])
async def test_a_status_that_was_set_since_stays_alone_when_a_merge_is_undone(
    house: House, mia: Client, aside: str, since: str
) -> None:
    await said(house, a_mail("ada@example.org", "Where is it?", subject="Parcel"))
    await said(house, a_mail("zofia@example.com", "And mine?", subject="Mug"))
    parcel, mug = await inbox(mia)
    id = row_id("Ticket", parcel["id"])
    async with house.db.transaction() as session:
        now, first = await database_time(session), await session.get_one(Ticket, id)
        if aside == "asleep":
            first.snooze(now + timedelta(days=9), by=SYSTEM, at=now)
        else:
            first.change(by=SYSTEM, at=now, status=TicketStatus(aside))
    merged = await mia.do(MERGE_TICKETS, primaryId=parcel["id"], otherIds=[mug["id"]])
    async with house.db.transaction() as session:
        (await session.get_one(Ticket, id)).change(by=SYSTEM, at=now, status=TicketStatus(since))

    await mia.do(UNDO, eventId=merged["mergeId"])

    async with house.db.transaction() as session:
        first = await session.get_one(Ticket, id)
        solved_at = now if since == "solved" else None
        assert (first.status, first.solved_at, first.snoozed_until) == (since, solved_at, None)


async def test_tickets_become_one_and_later_mail_reaches_it(house: House, ben: Client) -> None:
    parcel = a_mail("ada@example.org", "Where is order 100100?", subject="Parcel")
    invoice = a_mail("ada@example.org", "The invoice of 200200, please", subject="Invoice 200200")
    await said(house, parcel, invoice)
    first, second = [ticket["id"] for ticket in await inbox(ben)]

    merged = await ben.do(MERGE_TICKETS, primaryId=first, otherIds=[second])

    assert merged["userErrors"] == []
    (ticket,) = merged["tickets"]
    assert [thread["joinedBecause"]["code"] for thread in ticket["threads"]] == [
        "OPENED_TICKET",
        "MOVED_BY_AGENT",
    ]
    assert (await read(ben, second))["id"] == first
    await said(house, a_mail("ada@example.org", "Thank you", references=(invoice.external_id,)))
    (ticket,) = await inbox(ben)
    assert texts(ticket)[-1] == "Thank you"


async def test_nobody_who_waits_is_put_out_of_sight_in_a_ticket_that_is_spam(
    house: House, ben: Client
) -> None:
    mark = "mutation($input: TicketMarkSpamInput!) { ticketMarkSpam(input: $input) { userErrors { code } } }"
    for name in ("ada", "zofia", "eve"):
        await said(house, a_mail(f"{name}@example.org", f"It is {name}", subject=name))
    ada, zofia, eve = await inbox(ben)
    await ben.do(mark, ids=[zofia["id"], eve["id"]])

    merged = await ben.refused(MERGE_TICKETS, primaryId=zofia["id"], otherIds=[ada["id"]])
    moved = await ben.refused(MOVE, threadId=ada["threads"][0]["id"], ticketId=zofia["id"])

    assert (merged, moved) == (["IS_SPAM"], ["IS_SPAM"])
    assert [ticket["id"] for ticket in await inbox(ben)] == [ada["id"]]
    assert await ben.refused(MERGE_TICKETS, primaryId=zofia["id"], otherIds=[eve["id"]]) == []


async def test_a_merge_of_tickets_is_undone_by_what_each_thread_says(house: House, ben: Client) -> None:
    invoice = a_mail("ada@example.org", "The invoice of 200200, please", subject="Invoice 200200")
    await said(house, a_mail("ada@example.org", "Where is order 100100?", subject="Parcel"), invoice)
    first, second = [ticket["id"] for ticket in await inbox(ben)]
    (ticket,) = (await ben.do(MERGE_TICKETS, primaryId=first, otherIds=[second]))["tickets"]
    await said(house, a_mail("ada@example.org", "Thank you", references=(invoice.external_id,)))
    reason = ticket["threads"][1]["joinedBecause"]
    assert (reason["undoable"], reason["automatic"]) == (True, False)

    undone = await ben.do(UNDO, eventId=reason["eventId"])

    assert undone["userErrors"] == []
    assert {one["id"] for one in undone["tickets"]} == {first, second}
    assert texts(await read(ben, first)) == ["Where is order 100100?"]
    apart = await read(ben, second)
    assert texts(apart) == ["The invoice of 200200, please", "Thank you"]
    assert apart["status"] == "NEW"
    assert apart["threads"][0]["joinedBecause"]["code"] == "OPENED_TICKET"
    assert await ben.refused(UNDO, eventId=reason["eventId"]) == ["ALREADY_UNDONE"]


async def test_a_ticket_does_not_become_itself_and_what_two_numbers_lead_to_becomes_another_once(
    house: House, ben: Client
) -> None:
    for order in ("100100", "200200", "300300"):
        await said(house, a_mail("ada@example.org", f"Order {order}?", subject=f"Order {order}"))
    first, second, third = [ticket["id"] for ticket in await inbox(ben)]

    itself = [
        error
        for others in ([first], [first, second])
        for error in (await ben.do(MERGE_TICKETS, primaryId=first, otherIds=others))["userErrors"]
    ]
    await ben.do(MERGE_TICKETS, primaryId=second, otherIds=[third])
    merged = await ben.do(MERGE_TICKETS, primaryId=first, otherIds=[second, third])
    async with house.db.transaction() as session:
        events = select(Event.kind).where(Event.ticket_id == row_id("Ticket", first))
        told = [kind for kind in await session.scalars(events) if kind == EventKind.TICKET_MERGED]
    undone = await ben.do(UNDO, eventId=merged["mergeId"])

    assert [(error["field"], error["message"]) for error in itself] == [
        (["otherIds"], "A ticket cannot become part of itself.")
    ] * 2
    assert merged["userErrors"] == []
    assert len(told) == 1
    assert undone["userErrors"] == []
    assert [len(texts(await read(ben, id))) for id in (first, second)] == [1, 2]


async def test_order_numbers_that_look_as_the_shop_says_tell_matters_apart(
    house: House, ben: Client, admin: Client
) -> None:
    shop = f"mutation($input: ShopUpdateInput!) {{ shopUpdate(input: $input) {{ shop {{ orderNumbers }} {ERRORS} }} }}"
    many = ["x.example"] * 51
    refused = (await admin.do(shop, marketplaces=many))["userErrors"]
    set_to = (await admin.do(shop, orderNumbers=[" @@.#### "]))["shop"]

    for words in ("Where is KX.4471?", "And where is KX.9902?", "KX.4471 came, thank you"):
        await said(house, a_mail("ada@example.org", words, subject="Order"))

    assert [error["field"] for error in refused] == [["marketplaces"]]
    assert set_to == {"orderNumbers": ["@@.####"]}
    assert [texts(await read(ben, ticket["id"])) for ticket in await inbox(ben)] == [
        ["Where is KX.4471?", "KX.4471 came, thank you"],
        ["And where is KX.9902?"],
    ]


async def test_a_merge_of_tickets_without_a_conversation_is_undone_by_its_id(
    ben: Client, two_adas: tuple[str, str]
) -> None:
    home, _ = two_adas
    parcel = (await inbox(ben))[0]["id"]
    by_hand = (await ben.do(OPEN, contactId=home, subject="Called us", text="She wants it by Friday."))[
        "ticket"
    ]["id"]
    merged = await ben.do(MERGE_TICKETS, primaryId=parcel, otherIds=[by_hand])
    assert merged["userErrors"] == []
    assert len(await inbox(ben)) == 2

    undone = await ben.do(UNDO, eventId=merged["mergeId"])

    assert undone["userErrors"] == []
    assert {one["id"] for one in undone["tickets"]} == {parcel, by_hand}
    assert (await read(ben, by_hand))["id"] == by_hand


async def test_what_was_done_to_contacts_and_what_to_tickets_are_each_undone_by_their_own_right(
    house: House, ben: Client, two_adas: tuple[str, str]
) -> None:
    ada, other = two_adas
    of_contacts = (await ben.do(MERGE, primaryId=ada, otherIds=[other]))["mergeId"]
    first, second, *_ = await inbox(ben)
    of_tickets = (await ben.do(MERGE_TICKETS, primaryId=first["id"], otherIds=[second["id"]]))["mergeId"]

    for mutation, field, id in ((UNDO, "eventId", of_contacts), (UNMERGE, "mergeId", of_tickets)):
        refused = await ben.do(mutation, **{field: id})
        assert [(error["code"], error["field"]) for error in refused["userErrors"]] == [
            ("NOT_FOUND", [field])
        ]


async def test_a_merge_and_a_move_within_it_are_undone_in_either_order(house: House, ben: Client) -> None:
    await said(
        house,
        a_mail("ada@example.org", "Where is order 100100?", subject="Parcel"),
        a_mail("ada@example.org", "The invoice of 200200, please", subject="Invoice 200200"),
        a_mail("zofia@example.org", "How do I return a mug?", subject="Mug"),
    )
    parcel, invoice, mug = [ticket["id"] for ticket in await inbox(ben)]
    (ticket,) = (await ben.do(MERGE_TICKETS, primaryId=parcel, otherIds=[invoice]))["tickets"]
    merge, thread = ticket["threads"][1]["joinedBecause"]["eventId"], ticket["threads"][1]["id"]
    moved = (await ben.do(MOVE, threadId=thread, ticketId=mug))["tickets"][0]
    assert moved["id"] == mug

    assert await ben.refused(UNDO, eventId=merge) == []
    assert "The invoice of 200200, please" in texts(await read(ben, mug))
    (move,) = [one["joinedBecause"]["eventId"] for one in moved["threads"] if one["id"] == thread]
    assert await ben.refused(UNDO, eventId=move) == []

    assert texts(await read(ben, invoice)) == ["The invoice of 200200, please"]
    assert texts(await read(ben, mug)) == ["How do I return a mug?"]


async def test_an_undo_leaves_alone_what_somebody_merged_meanwhile(house: House, ben: Client) -> None:
    """The ticket that a move had made stays for its note; where it was merged since, it stays as well."""
    await said(house, a_mail("ada@example.org", "Where is order 100100?", subject="Order 100100"))
    chat = a_chat("s1", "Any news of 100100?", email="ada@example.org", at=NOON + timedelta(minutes=5))
    await said(house, chat, kind=ChannelKind.CHAT)
    await said(house, a_mail("zofia@example.org", "How do I return a mug?", subject="Mug"))
    order, mug = await inbox(ben)
    thread = order["threads"][1]["id"]
    moved = await ben.do(MOVE, threadId=thread)
    own = moved["tickets"][0]["id"]
    await ben.do(NOTE, ticketId=own, text="The courier called.")
    await ben.do(UNDO, eventId=moved["mergeId"])
    await ben.do(MERGE_TICKETS, primaryId=mug["id"], otherIds=[own])

    again = await ben.do(MOVE, threadId=thread)
    assert await ben.refused(UNDO, eventId=again["mergeId"]) == []

    assert (await read(ben, own))["id"] == mug["id"]


async def test_a_conversation_gets_a_ticket_of_its_own(house: House, ben: Client) -> None:
    await said(house, a_mail("ada@example.org", "Where is order 100100?", subject="Order 100100"))
    chat = a_chat("s1", "Any news of 100100?", email="ada@example.org", at=NOON + timedelta(minutes=5))
    await said(house, chat, kind=ChannelKind.CHAT)
    (ticket,) = await inbox(ben)
    joined = ticket["threads"][1]["joinedBecause"]
    assert (joined["code"], joined["matter"]) == ("SIGNED_CHAT_IDENTITY", "SAME_NUMBER")
    assert (joined["automatic"], joined["undoable"]) == (True, True)

    own, before = (await ben.do(MOVE, threadId=ticket["threads"][1]["id"]))["tickets"]

    assert (texts(own), texts(before)) == (["Any news of 100100?"], ["Where is order 100100?"])
    assert own["threads"][0]["joinedBecause"]["code"] == "MOVED_BY_AGENT"
    await said(house, a_chat("s1", "Hello?", at=NOON + timedelta(minutes=6)), kind=ChannelKind.CHAT)
    assert texts(await read(ben, own["id"])) == ["Any news of 100100?", "Hello?"]


async def test_what_a_rule_joined_is_taken_apart_by_its_reason(house: House, ben: Client) -> None:
    await said(house, a_mail("ada@example.org", "Where is order 100100?", subject="Order 100100"))
    chat = a_chat("s1", "Any news of 100100?", email="ada@example.org", at=NOON + timedelta(minutes=5))
    await said(house, chat, kind=ChannelKind.CHAT)
    (ticket,) = await inbox(ben)

    undone = await ben.do(UNDO, eventId=ticket["threads"][1]["joinedBecause"]["eventId"])

    assert [texts(one) for one in undone["tickets"]] == [["Where is order 100100?"], ["Any news of 100100?"]]


async def test_a_message_and_all_that_follows_move_to_another_ticket(house: House, ben: Client) -> None:
    parcel = a_mail("ada@example.org", "Where is order 100100?", subject="Parcel")
    aside = a_mail("ada@example.org", "And my mug broke", references=(parcel.external_id,))
    mug = a_mail("ada@example.org", "How do I return a mug?", subject="Mug")
    await said(house, parcel, aside, mug)
    first, second = await inbox(ben)
    begins = first["timeline"]["edges"][0]["node"]
    assert begins["text"] == "And my mug broke"

    moved = await ben.do(MOVE, fromItemId=begins["id"], ticketId=second["id"])

    assert moved["userErrors"] == []
    assert [one["id"] for one in moved["tickets"]] == [second["id"], first["id"]]
    await said(house, a_mail("ada@example.org", "Photo attached", references=(aside.external_id,)))
    assert texts(await read(ben, first["id"])) == ["Where is order 100100?"]
    assert set(texts(await read(ben, second["id"]))) == {
        "How do I return a mug?", "And my mug broke", "Photo attached",
    }  # fmt: skip
    part = moved["tickets"][0]["threads"][1]["joinedBecause"]
    assert part["eventId"] == moved["mergeId"]
    assert await ben.refused(UNDO, eventId=part["eventId"]) == []
    assert texts(await read(ben, first["id"])) == [
        "Where is order 100100?",
        "And my mug broke",
        "Photo attached",
    ]
    assert len((await read(ben, second["id"]))["threads"]) == 1


async def test_a_move_says_what_it_moves_and_where(house: House, ben: Client, eve: Client) -> None:
    await said(house, a_mail("ada@example.org", "Where is order 100100?", subject="Parcel"))
    (ticket,) = await inbox(ben)
    thread = ticket["threads"][0]["id"]
    async with house.db.transaction() as session:
        team = Team(name="Support")
        session.add(team)
        await session.flush()
        session.add(TeamMember(team_id=team.id, agent_id=row_id("Agent", ben.agent_id)))
        await session.execute(update(Ticket).values(team_id=team.id))

    assert await ben.refused(MOVE) == ["INVALID"]
    assert await ben.refused(MOVE, threadId=thread, ticketId=ticket["id"]) == ["INVALID"]
    assert await ben.refused(MOVE, fromItemId=thread) == ["NOT_FOUND"]
    assert await eve.refused(MOVE, threadId=thread) == ["NOT_FOUND"]
    assert await eve.refused(MERGE_TICKETS, primaryId=ticket["id"], otherIds=[ticket["id"]]) == ["NOT_FOUND"]


async def test_a_suggestion_is_told_in_the_readers_language_and_gone_when_it_is_decided(
    house: House, ben: Client
) -> None:
    await said(house, a_mail("ada@example.org", "Where is order 100100?", subject="Parcel"))
    for name in ("eve", "piotr"):
        other = a_mail(f"{name}@example.org", "About order 100100", subject=f"From {name}")
        await said(house, other)
    ada, eve, piotr = await inbox(ben)
    known = {one["ticket"]["id"]: one for one in ada["suggestions"]}
    assert set(known) == {eve["id"], piotr["id"]}
    assert {one["code"] for one in known.values()} == {"SAME_NUMBER"}
    assert known[eve["id"]]["text"] == "Both name the number 100100, from different senders."
    async with house.db.transaction() as session:
        await session.execute(update(Agent).values(locale="es"))
    (spanish, *_) = (await read(ben, ada["id"]))["suggestions"]
    assert "100100" in spanish["text"]
    assert spanish["text"] != known[eve["id"]]["text"]

    assert await ben.refused(DISMISS, id=known[eve["id"]]["id"]) == []
    assert await ben.refused(MERGE_TICKETS, primaryId=ada["id"], otherIds=[piotr["id"]]) == []

    whole = await read(ben, ada["id"])
    assert eve["id"] not in [one["ticket"]["id"] for one in whole["suggestions"]]
    assert piotr["id"] not in [one["ticket"]["id"] for one in whole["suggestions"]]


async def test_a_suggestion_of_a_ticket_that_one_does_not_see_is_not_shown(
    house: House, ben: Client, mia: Client
) -> None:
    await said(house, a_mail("ada@example.org", "Where is order 100100?", subject="Parcel"))
    await said(house, a_mail("eve@example.org", "About order 100100", subject="Mine"))
    await goes_to_another_team(house, "Mine")
    (ada, _) = await inbox(mia)
    (suggestion,) = ada["suggestions"]

    (seen,) = await inbox(ben)

    assert seen["suggestions"] == []
    assert await ben.refused(DISMISS, id=suggestion["id"]) == ["NOT_FOUND"]


async def test_a_number_in_a_ticket_that_one_does_not_see_makes_nobody_the_same_person(
    house: House, ben: Client, mia: Client
) -> None:
    await said(house, a_mail("ada@example.org", "Where is order 100100?", subject="Parcel"))
    await said(house, a_mail("zofia@example.org", "About order 100100", subject="Returned"))
    await said(house, a_mail("zofia@example.org", "Another matter", subject="Invoice"))
    await goes_to_another_team(house, "Returned")
    people = {ticket["contact"]["id"] for ticket in await inbox(mia)}

    for id in people:
        (told,) = (await mia.ask(CANDIDATES, id=id))["contact"]["mergeCandidates"]
        assert told["reasons"] == ["Both wrote about 100100."]
        assert (await ben.ask(CANDIDATES, id=id))["contact"]["mergeCandidates"] == []


async def test_who_may_be_one_person_is_told_with_reasons_and_dismissed_for_good(
    house: House, ben: Client
) -> None:
    await said(
        house, a_mail("ada@example.org", "Order 100100?", subject="Parcel", sender_name="Ada Lovelace")
    )
    forged = a_mail("ada@example.org", "Order 100100 please", sender_name="Ada Lovelace", verified=False)
    await said(house, forged)
    first, second = [ticket["contact"]["id"] for ticket in await inbox(ben)]
    (candidate,) = (await ben.ask(CANDIDATES, id=first))["contact"]["mergeCandidates"]
    assert candidate["contact"] == {"id": second, "name": "Ada Lovelace"}
    assert candidate["reasons"] == ["Both have the address ada@example.org.", "Both wrote about 100100."]
    assert candidate["score"] == 0.85

    assert await ben.refused(TWO, contactId=second, otherId=first) == []

    for id in (first, second):
        assert (await ben.ask(CANDIDATES, id=id))["contact"]["mergeCandidates"] == []
    assert await ben.refused(TWO, contactId=first, otherId=first) == ["INVALID"]


async def test_a_merge_of_contacts_ends_what_was_suggested_of_them(house: House, ben: Client) -> None:
    await said(house, a_mail("ada@example.org", "Order 100100?", subject="Parcel"))
    await said(house, a_mail("ada@example.org", "Order 100100?", verified=False))
    first, second = [ticket["contact"]["id"] for ticket in await inbox(ben)]

    await ben.do(MERGE, primaryId=first, otherIds=[second])

    assert (await ben.ask(CANDIDATES, id=first))["contact"]["mergeCandidates"] == []


async def test_every_message_stands_where_its_thread_does(house: House, ben: Client) -> None:
    await said(house, a_mail("ada@example.org", "Where is order 100100?", subject="Parcel"))
    await said(house, a_mail("zofia@example.org", "How do I return a mug?", subject="Mug"))
    first, second = [ticket["id"] for ticket in await inbox(ben)]

    await ben.do(MERGE_TICKETS, primaryId=first, otherIds=[second])

    async with house.db.transaction() as session:
        rows = await session.execute(
            select(Message.ticket_id, Message.contact_id, Thread.ticket_id, Thread.contact_id).join(
                Thread, Thread.id == Message.thread_id
            )
        )
        for ticket_id, contact_id, its_ticket, its_contact in rows:
            assert (ticket_id, contact_id) == (its_ticket, its_contact)
            assert ticket_id == row_id("Ticket", first)
