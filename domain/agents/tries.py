"""Tries to sign in, counted in the database: guessing is slowed for an account and for an address.

A try counts before it is checked, so that a thousand at once are a thousand. Success takes back the account's,
and of the address's as many: it gives back no guess at another account.
"""

import math
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from domain.addresses import counted_as
from domain.db import Base
from domain.errors import TooManyTries
from domain.keys import Keys

FORGOTTEN = timedelta(hours=1)
LONGEST_WAIT = timedelta(minutes=15)


class Guessed(StrEnum):
    ACCOUNT = "account"
    RESET = "reset"
    """No guess, but a mail to the account."""
    CODE = "code"
    """Of the second factor, by somebody who is signed in already."""
    ADDRESS = "address"
    """Of the network, which many people may share."""


FREE = {Guessed.ACCOUNT: 10, Guessed.RESET: 10, Guessed.CODE: 10, Guessed.ADDRESS: 50}
"""Tries in a row without a wait; from then on 1, 2, 4 … seconds."""


class Try(Base):
    __tablename__ = "sign_in_try"

    key: Mapped[bytes] = mapped_column(primary_key=True)
    """Keyed hash of account or address: who reads the table learns neither."""
    count: Mapped[int]
    last_at: Mapped[datetime] = mapped_column(index=True)
    not_before: Mapped[datetime | None]
    """Until then every further try is refused."""


async def count(
    session: AsyncSession,
    keys: Keys,
    *,
    account: str,
    address: str | None,
    at: datetime,
    guessing: Guessed = Guessed.ACCOUNT,
) -> None:
    """One more try. Refused while a wait lasts, and then not counted."""
    guesses = {guessing: account, Guessed.ADDRESS: address}
    for guessed, name in guesses.items():
        if name is None:
            continue
        tried = await _held(session, _key(keys, guessed, name), at)
        if tried.not_before and tried.not_before > at:
            raise TooManyTries(seconds=math.ceil((tried.not_before - at).total_seconds()))
        tried.count = 1 if tried.last_at < at - FORGOTTEN else tried.count + 1
        over = tried.count - FREE[guessed]
        tried.last_at, tried.not_before = at, at + _wait(over) if over >= 0 else None


async def succeeded(session: AsyncSession, keys: Keys, *, account: str, address: str | None = None) -> None:
    """`address`: where these tries were counted too."""
    mine = delete(Try).where(Try.key == _key(keys, Guessed.ACCOUNT, account)).returning(Try.count)
    needed = await session.scalar(mine)
    if not needed or address is None:
        return
    tried = await session.get(Try, _key(keys, Guessed.ADDRESS, address), with_for_update=True)
    if tried:
        tried.count = max(0, tried.count - needed)
        if tried.count < FREE[Guessed.ADDRESS]:
            tried.not_before = None


async def _held(session: AsyncSession, key: bytes, at: datetime) -> Try:
    await session.execute(insert(Try).values(key=key, count=0, last_at=at).on_conflict_do_nothing())
    held = await session.scalars(select(Try).where(Try.key == key).with_for_update())
    return held.one()


def _key(keys: Keys, guessed: Guessed, name: str) -> bytes:
    if guessed == Guessed.ADDRESS:
        name = counted_as(name)
    return keys.sign("sign-in-try", guessed, name.strip().lower()).encode()


def _wait(over: int) -> timedelta:
    return min(timedelta(seconds=2 ** min(over, 20)), LONGEST_WAIT)
