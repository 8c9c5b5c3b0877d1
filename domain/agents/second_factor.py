"""The second factor: a six-digit code of an authenticator (TOTP, RFC 6238), or one of ten recovery codes.

The secret is encrypted at rest. A code is good once: its step is kept.
"""

import secrets
import uuid
from datetime import datetime

import pyotp
from sqlalchemy import ForeignKey
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from domain.db import Base
from domain.errors import CodeNeeded, InvalidInput, WrongCode
from domain.keys import Keys, token_hash
from domain.languages import N_

STEP = 30
"""Seconds."""
RECOVERY_CODES = 10


class SecondFactor(Base):
    """One agent's. Until `confirmed_at` it is asked of nobody."""

    __tablename__ = "second_factor"

    agent_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("agent.id"), primary_key=True)
    sealed_secret: Mapped[bytes]
    confirmed_at: Mapped[datetime | None]
    last_step: Mapped[int] = mapped_column(default=0, server_default="0")
    recovery_hashes: Mapped[list[str]]

    def matches(self, keys: Keys, code: str, *, at: datetime) -> bool:
        """Is it right, and new? One step early or late is taken."""
        code = code.replace(" ", "")
        totp = pyotp.TOTP(keys.decrypt(self.sealed_secret)["secret"], interval=STEP)
        now = int(at.timestamp()) // STEP
        for step in (now - 1, now, now + 1):
            if step > self.last_step and pyotp.utils.strings_equal(totp.at(step * STEP), code):
                self.last_step = step
                return True
        hashed = token_hash(code.lower()).hex()
        if hashed in self.recovery_hashes:
            self.recovery_hashes = [kept for kept in self.recovery_hashes if kept != hashed]
            return True
        return False


async def begin(session: AsyncSession, keys: Keys, agent_id: uuid.UUID) -> str:
    """A new secret (base32) to be confirmed by a first code; one that is confirmed stays until then."""
    secret = pyotp.random_base32()
    factor = await session.get(SecondFactor, agent_id, with_for_update=True)
    if factor is not None and factor.confirmed_at:
        raise InvalidInput(N_("A second factor is asked for already: remove it first."))
    await session.merge(
        SecondFactor(agent_id=agent_id, sealed_secret=keys.encrypt({"secret": secret}), recovery_hashes=[])
    )
    return secret


async def confirm(
    session: AsyncSession, keys: Keys, agent_id: uuid.UUID, code: str, *, at: datetime
) -> list[str]:
    """From now on it is asked for. The recovery codes, shown this once."""
    factor = await session.get(SecondFactor, agent_id, with_for_update=True)
    if factor is None or factor.confirmed_at or not factor.matches(keys, code, at=at):
        raise WrongCode(field=["code"])
    codes = [f"{secrets.token_hex(3)}-{secrets.token_hex(3)}" for _ in range(RECOVERY_CODES)]
    factor.confirmed_at = at
    factor.recovery_hashes = [token_hash(code).hex() for code in codes]
    return codes


async def prove(
    session: AsyncSession, keys: Keys, agent_id: uuid.UUID, code: str | None, *, at: datetime
) -> None:
    """Passes whoever has none, or brings the right code."""
    factor = await session.get(SecondFactor, agent_id, with_for_update=True)
    if factor is None or factor.confirmed_at is None:
        return
    if not code:
        raise CodeNeeded(field=["totp"])
    if not factor.matches(keys, code, at=at):
        raise WrongCode(field=["totp"])


async def remove(session: AsyncSession, keys: Keys, agent_id: uuid.UUID, code: str, *, at: datetime) -> None:
    await prove(session, keys, agent_id, code, at=at)
    await take_off(session, agent_id)


async def take_off(session: AsyncSession, agent_id: uuid.UUID) -> bool:
    """Without a code: by somebody else's word. Was there one?"""
    factor = await session.get(SecondFactor, agent_id, with_for_update=True)
    if factor:
        await session.delete(factor)
    return factor is not None
