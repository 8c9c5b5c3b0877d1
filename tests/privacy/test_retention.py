"""What is older than a channel keeps it goes, by whatever way it came to be there."""

from datetime import timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from api.commands.import_commands import _local
from api.house import House
from domain.db import database_time
from domain.desk.messages import Item
from domain.desk.tickets import Ticket, TicketStatus
from domain.ids import public_id
from domain.privacy import retention
from domain.ways_in.channels import Channel, ChannelKind
from integrations.mail.archived import Archivist
from tests.client import Client
from tests.factories import NOON, a_channel, a_mail, receive, tickets
from tests.integrations.mailing import ADA, written

SAVE = "mutation($input: RetentionSaveInput!) { retentionSave(input: $input) { userErrors { code } } }"
PLAN = """query($id: ID!, $originals: Int, $texts: Int) {
  retentionPlan(channelId: $id, originalsDays: $originals, textsDays: $texts) { originals texts } }"""
MERGE = "mutation($input: TicketMergeInput!) { ticketMerge(input: $input) { mergeId userErrors { code } } }"
UPDATE = "mutation($input: TicketUpdateInput!) { ticketUpdate(input: $input) { userErrors { code } } }"
UNDO = "mutation($input: JoinUndoInput!) { joinUndo(input: $input) { userErrors { code } } }"

AGES = timedelta(days=900)


@pytest.fixture
async def mailbox(house: House) -> Channel:
    async with house.db.transaction() as session:
        return await a_channel(session, house.keys, ChannelKind.EMAIL)


async def keeps_a_year(house: House, admin: Client, mailbox: Channel) -> None:
    """And has seen to what there was."""
    await admin.do(SAVE, channelId=public_id("Channel", mailbox.id), textsDays=365)
    await retention.apply(house.db, house.files)


async def texts(house: House) -> list[str]:
    async with house.db.transaction() as session:
        return list(await session.scalars(select(Item.text).order_by(Item.at, Item.id)))


async def settled_ages_ago(house: House, ticket: Ticket, status: TicketStatus = TicketStatus.CLOSED) -> None:
    async with house.db.transaction() as session:
        then = (await database_time(session)) - AGES
        settled = update(Ticket).where(Ticket.id == ticket.id)
        await session.execute(settled.values(status=status, solved_at=then))


async def two_matters(house: House, mailbox: Channel) -> list[Ticket]:
    async with house.db.transaction() as session:
        for number, place in (("100100", "first"), ("200200", "second")):
            said = a_mail("ada@example.org", f"The {place}, {number}", subject=f"Order {number}", at=NOON)
            await receive(session, mailbox, said)
        return await tickets(session)


async def test_old_mails_that_are_brought_along_later_go_too(
    house: House, admin: Client, mailbox: Channel, tmp_path: Path
) -> None:
    await keeps_a_year(house, admin, mailbox)
    (tmp_path / "1.eml").write_bytes(
        written(ADA, "Of long ago", id="old", verified=False, Date=format_datetime(NOON - AGES))
    )
    archivist = Archivist(house.db, house.files, mailbox)
    assert [await archivist.bring(one) async for one in _local(tmp_path)] == [None]

    taken = await retention.apply(house.db, house.files)

    assert taken[mailbox.id].texts == 1
    assert await texts(house) == [""]


async def test_what_was_solved_long_ago_is_kept_no_longer_because_somebody_closes_it(
    house: House, ben: Client, admin: Client, mailbox: Channel
) -> None:
    solved, _ = await two_matters(house, mailbox)
    await settled_ages_ago(house, solved, TicketStatus.SOLVED)

    await ben.do(UPDATE, ids=[public_id("Ticket", solved.id)], status="CLOSED")
    await keeps_a_year(house, admin, mailbox)

    assert sorted(await texts(house)) == ["", "The second, 200200"]


async def test_what_is_merged_into_a_ticket_settled_long_ago_goes_too(
    house: House, ben: Client, admin: Client, mailbox: Channel
) -> None:
    first, second = await two_matters(house, mailbox)
    await settled_ages_ago(house, first)
    await keeps_a_year(house, admin, mailbox)
    assert sorted(await texts(house)) == ["", "The second, 200200"]
    async with house.db.transaction() as session:
        await session.execute(update(Ticket).where(Ticket.id == second.id).values(status=TicketStatus.CLOSED))
    await ben.do(MERGE, primaryId=public_id("Ticket", first.id), otherIds=[public_id("Ticket", second.id)])

    await retention.apply(house.db, house.files)

    assert await texts(house) == ["", ""]


async def test_what_an_undoing_gives_back_to_a_ticket_settled_long_ago_goes_too(
    house: House, ben: Client, admin: Client, mailbox: Channel
) -> None:
    first, second = await two_matters(house, mailbox)
    await settled_ages_ago(house, first)
    merged = await ben.do(
        MERGE, primaryId=public_id("Ticket", second.id), otherIds=[public_id("Ticket", first.id)]
    )
    await keeps_a_year(house, admin, mailbox)
    assert sorted(await texts(house)) == ["The first, 100100", "The second, 200200"]
    await ben.do(UNDO, eventId=merged["mergeId"])

    await retention.apply(house.db, house.files)

    assert sorted(await texts(house)) == ["", "The second, 200200"]


async def test_to_merge_what_was_settled_lately_makes_nobody_look_at_all_closed_tickets(
    house: House, ben: Client, admin: Client, mailbox: Channel
) -> None:
    first, second = await two_matters(house, mailbox)
    await keeps_a_year(house, admin, mailbox)

    await ben.do(MERGE, primaryId=public_id("Ticket", second.id), otherIds=[public_id("Ticket", first.id)])

    async with house.db.transaction() as session:
        assert await session.scalar(select(retention.Retention.texts_until))


@pytest.mark.parametrize(
    "days", [{"originals": 800_000}, {"originals": 2**31 - 1}, {"texts": -1}, {"texts": 0}]
)
async def test_a_plan_takes_the_days_that_may_be_saved(
    admin: Client, mailbox: Channel, days: dict[str, Any]
) -> None:
    (error,) = await admin.errors(PLAN, id=public_id("Channel", mailbox.id), **days)

    assert error["extensions"]["code"] == "INVALID"
