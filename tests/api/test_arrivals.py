"""What could not be read is not out of sight."""

import pytest
from sqlalchemy import select

from api.house import House
from domain.arriving.inbound import ARRIVALS, keep
from domain.ways_in.channels import Channel, ChannelKind
from integrations.mailroom import Mailroom
from tests.client import Client
from tests.factories import a_channel

ARRIVALS_QUERY = (
    "query($states: [ArrivalState!]) { arrivals(states: $states) { id channel state reason bytes raw } }"
)
PAGE = "query($before: ID) { arrivals(first: 2, before: $before) { id } }"
RETRY = "mutation($input: ArrivalRetryInput!) { arrivalRetry(input: $input) { ok userErrors { code } } }"


async def read(house: House) -> None:
    async with house.db.transaction() as session:
        claimed = await ARRIVALS.claim(session, 10)
    for arrival, lease in claimed:
        await Mailroom(house.db, house.keys, house.files).open(arrival, lease)


@pytest.fixture
async def unreadable(house: House) -> None:
    async with house.db.transaction() as session:
        mailbox = await a_channel(session, house.keys, ChannelKind.EMAIL)
        await keep(session, mailbox, external_id="1", raw=b"Subject: from nobody\r\n\r\n\x00\xff")
    await read(house)


@pytest.mark.usefixtures("unreadable")
async def test_a_manager_sees_what_failed_and_has_it_read_again(mia: Client, house: House) -> None:
    (failed,) = (await mia.ask(ARRIVALS_QUERY))["arrivals"]
    assert (failed["channel"], failed["state"], failed["bytes"]) == ("EMAIL", "FAILED", 26)
    assert failed["raw"].startswith("Subject: from nobody")
    assert failed["reason"]

    assert (await mia.do(RETRY, id=failed["id"]))["ok"] is True
    assert (await mia.ask(ARRIVALS_QUERY))["arrivals"] == []
    await read(house)

    assert len((await mia.ask(ARRIVALS_QUERY))["arrivals"]) == 1


@pytest.mark.usefixtures("unreadable")
async def test_what_failed_before_a_hundred_others_is_reached_page_by_page(mia: Client, house: House) -> None:
    (first,) = (await mia.ask(ARRIVALS_QUERY))["arrivals"]
    async with house.db.transaction() as session:
        mailbox = (await session.scalars(select(Channel))).one()
        for number in range(2):
            await keep(session, mailbox, external_id=f"later {number}", raw=b"\r\n\x00\xff")
    await read(house)

    newest = (await mia.ask(PAGE))["arrivals"]
    older = (await mia.ask(PAGE, before=newest[-1]["id"]))["arrivals"]

    assert len(newest) == 2
    assert older == [{"id": first["id"]}]
    (error,) = await mia.errors(PAGE, before="the last one")
    assert error["extensions"]["code"] == "NOT_FOUND"


@pytest.mark.usefixtures("unreadable")
async def test_originals_are_for_managers(mia: Client, ben: Client) -> None:
    (failed,) = (await mia.ask(ARRIVALS_QUERY))["arrivals"]

    (error,) = await ben.errors(ARRIVALS_QUERY)

    assert error["extensions"]["code"] == "NOT_ALLOWED"
    assert await ben.refused(RETRY, id=failed["id"]) == ["NOT_ALLOWED"]
