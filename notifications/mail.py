"""A notice by mail: the fallback when no device rings."""

from sqlalchemy.ext.asyncio import AsyncSession

from domain.agents import system_mail
from domain.keys import Keys
from notifications.composing import Told, link


def send_by_mail(session: AsyncSession, keys: Keys, base_url: str, told: Told) -> None:
    text = "\n\n".join(part for part in (told.words.body, link(told, keys, base_url)) if part)
    system_mail.post(
        session,
        keys,
        to=told.agent.email,
        subject=told.words.title,
        text=f"{text}\n",
        at=told.now,
        delivery_id=told.delivery_id,
    )
