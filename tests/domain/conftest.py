"""The shop's four ways in, for tests that roll back."""

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from domain.keys import Keys
from domain.ways_in.channels import Channel, ChannelKind
from tests.factories import a_channel


@pytest.fixture
async def mailbox(session: AsyncSession, keys: Keys) -> Channel:
    return await a_channel(session, keys, ChannelKind.EMAIL)


@pytest.fixture
async def chat(session: AsyncSession, keys: Keys) -> Channel:
    return await a_channel(session, keys, ChannelKind.CHAT)


@pytest.fixture
async def page(session: AsyncSession, keys: Keys) -> Channel:
    return await a_channel(session, keys, ChannelKind.MESSENGER)


@pytest.fixture
async def line(session: AsyncSession, keys: Keys) -> Channel:
    return await a_channel(session, keys, ChannelKind.PHONE)
