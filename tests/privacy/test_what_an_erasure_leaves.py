"""Nothing of who was erased stays behind, and nothing comes to it afterwards."""

import pytest
from sqlalchemy import select

from api.house import House
from domain.customers.contacts import Contact
from domain.desk.threads import Thread
from domain.ids import public_id
from domain.ways_in.channels import ChannelKind
from tests.client import Client
from tests.factories import NOON, a_channel, a_mail, receive
from tests.privacy.erasing import erased, tables_that_say

MOVE = "mutation($input: ThreadMoveInput!) { threadMove(input: $input) { userErrors { code } } }"


@pytest.fixture
async def ada(house: House) -> Contact:
    """She has written twice of one order: a rule has joined what she said."""
    async with house.db.transaction() as session:
        mailbox = await a_channel(session, house.keys, ChannelKind.EMAIL)
        for subject in ("Parcel", "Still no parcel"):
            said = a_mail("ada@example.org", "Where is order 7788991?", subject=subject, at=NOON)
            await receive(session, mailbox, said)
        return (await session.scalars(select(Contact))).one()


async def test_why_a_conversation_was_joined_goes_even_where_it_was_moved_since(
    house: House, ben: Client, admin: Client, ada: Contact
) -> None:
    async with house.db.transaction() as session:
        joined = (await session.scalars(select(Thread).order_by(Thread.number.desc()))).first()
    assert joined
    assert "7788991" in str(joined.joined_evidence)
    moved = await ben.do(MOVE, threadId=public_id("Thread", joined.id))
    assert moved["userErrors"] == []
    assert "move_step" in await tables_that_say(house, "7788991")

    await erased(house, admin, ada.id)

    assert await tables_that_say(house, "7788991") == set()
