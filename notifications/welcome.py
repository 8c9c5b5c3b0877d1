"""The mail with a link that lets somebody set a password: an invitation, or a reset."""

from datetime import datetime
from typing import assert_never

from sqlalchemy.ext.asyncio import AsyncSession

from domain.agents import system_mail
from domain.agents.invitations import Purpose, new_link
from domain.agents.staff import Agent
from domain.keys import Keys
from domain.languages import N_, translate


async def send_link(
    session: AsyncSession, keys: Keys, base_url: str, agent: Agent, purpose: Purpose, *, at: datetime
) -> None:
    """The token stands behind the `#`, which browsers send to no server: no log holds it."""
    address = f"{base_url}/auth/password#{await new_link(session, agent.id, purpose, at=at)}"
    match purpose:
        case Purpose.INVITATION:
            subject = N_("Your place at the helpdesk")
            text = N_(
                "Hello {name},\n\nyou are invited to the helpdesk. Choose a password here within seven days:\n\n{link}\n"
            )
        case Purpose.RESET:
            subject = N_("A new password")
            text = N_(
                "Hello {name},\n\nsomebody asked for a new password for you. If it was you, choose one here within an "
                "hour:\n\n{link}\n\nOtherwise you need do nothing.\n"
            )
        case _:
            assert_never(purpose)
    system_mail.post(
        session,
        keys,
        to=agent.email,
        subject=translate(agent.locale, subject),
        text=translate(agent.locale, text, name=agent.name, link=address),
        at=at,
    )
