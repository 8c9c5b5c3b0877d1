"""Passwords, hashed by argon2id: 64 MiB and tens of milliseconds each."""

import asyncio
from functools import lru_cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError

from domain.errors import InvalidInput, WrongCredentials
from domain.languages import N_

SHORTEST = 10
LONGEST = 1000

_hasher = PasswordHasher()
_HASHING = asyncio.Semaphore(2)
"""No flood of sign-ins may take the machine."""


@lru_cache
def _nobodys() -> str:
    return _hasher.hash("nobody has this password")


async def hash_password(password: str) -> str:
    if not SHORTEST <= len(password) <= LONGEST:
        raise InvalidInput(
            N_("A password needs at least {count} characters."), field=["password"], count=SHORTEST
        )
    async with _HASHING:
        return await asyncio.to_thread(_hasher.hash, password)


async def check(password: str, hashed: str | None) -> None:
    """Waits its turn, with no transaction open. An unknown address takes as long as a wrong password."""

    def right() -> bool:
        try:
            return _hasher.verify(hashed or _nobodys(), password) and hashed is not None
        except (VerifyMismatchError, InvalidHashError):
            return False

    async with _HASHING:
        if not await asyncio.to_thread(right):
            raise WrongCredentials
