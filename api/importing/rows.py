"""What is done for each row of a spreadsheet."""

from collections.abc import Mapping
from datetime import datetime
from functools import partial

from sqlalchemy.ext.asyncio import AsyncSession

from api.house import House
from domain.agents.invitations import Purpose
from domain.agents.staff import Agent
from domain.importing import agents, contacts
from domain.importing.imports import Take
from domain.importing.sheets import ImportKind
from notifications.welcome import send_link


def takes(house: House, *, inviting: bool = True) -> Mapping[ImportKind, Take]:
    async def welcome(session: AsyncSession, agent: Agent, at: datetime) -> None:
        await send_link(session, house.keys, house.base_url, agent, Purpose.INVITATION, at=at)

    return {
        ImportKind.CONTACTS: contacts.take,
        ImportKind.AGENTS: partial(agents.take, welcome=welcome if inviting else None),
    }
