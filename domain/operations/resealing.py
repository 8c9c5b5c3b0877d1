"""Everything that is kept sealed, sealed anew with the first key of HEDDLE_SECRET_KEY: then the old key can be dropped."""

from typing import Any

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from domain.agents.second_factor import SecondFactor
from domain.agents.system_mail import SystemMail
from domain.keys import Keys
from domain.operations.installation import Installation
from domain.privacy.erasure import Erasure
from domain.ways_in.channels import Channel
from domain.webhooks import Webhook

SEALED: tuple[Any, ...] = (
    Channel.secrets,
    Channel.retired,
    Webhook.sealed,
    SecondFactor.sealed_secret,
    Erasure.wrapped_key,
    Erasure.looked_for,
    Installation.vapid,
    SystemMail.sealed,
)
"""Columns. The results of mutations are left out: they are forgotten after a day."""


async def reseal(session: AsyncSession, keys: Keys) -> int:
    """How many values there were. Raises InvalidToken for one that no key opens; nothing is changed then."""
    count = 0
    for column in SEALED:
        (key,) = column.class_.__table__.primary_key
        rows = await session.execute(select(key, column).where(column.is_not(None)).with_for_update())
        for id, sealed in rows.all():
            await session.execute(
                update(column.class_).where(key == id).values({column.key: keys.renewed(sealed)}),
                execution_options={"synchronize_session": False},
            )
            count += 1
    return count
