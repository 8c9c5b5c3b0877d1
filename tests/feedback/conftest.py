"""A shop that asks, with a mailbox, and what Ada wrote there."""

import pytest

from api.house import House
from domain.desk.tickets import Ticket
from domain.ways_in.channels import Channel, ChannelKind
from tests.factories import a_channel, a_mail, receive
from tests.feedback.afterwards import Afterwards


@pytest.fixture
async def after(house: House) -> Afterwards:
    return await Afterwards.at(house)


@pytest.fixture
async def mailbox(house: House) -> Channel:
    async with house.db.transaction() as session:
        return await a_channel(session, house.keys, ChannelKind.EMAIL)


@pytest.fixture
async def ticket(house: House, after: Afterwards, mailbox: Channel) -> Ticket:
    async with house.db.transaction() as session:
        await receive(session, mailbox, a_mail("ada@example.org", locale="pl", sender_name="Ada"))
    (ticket,) = await after.tickets()
    return ticket
