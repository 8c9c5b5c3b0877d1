"""Stored bytes (attachments), outside the database: a folder, under names of our own."""

import secrets
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import obstore
from obstore.store import LocalStore

PART = 1 << 20


def new_key() -> str:
    name = secrets.token_hex(20)
    return f"{name[:2]}/{name}"


class Files:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._store = LocalStore(folder, mkdir=True)

    async def put(self, content: bytes) -> str:
        """The key under which `get` finds it."""
        key = new_key()
        await self.keep(key, content)
        return key

    async def keep(self, key: str, content: bytes) -> None:
        await obstore.put_async(self._store, key, content)

    async def has(self, key: str) -> bool:
        try:
            await obstore.head_async(self._store, key)
        except FileNotFoundError:
            return False
        return True

    async def get(self, key: str) -> bytes:
        found = await obstore.get_async(self._store, key)
        return bytes(await found.bytes_async())

    async def parts(self, key: str) -> AsyncIterator[bytes]:
        """Its content, a piece at a time."""
        found = await obstore.get_async(self._store, key)
        async for part in found.stream(min_chunk_size=PART):
            yield bytes(part)

    async def delete(self, key: str) -> None:
        with suppress(FileNotFoundError):
            await obstore.delete_async(self._store, key)

    def path(self, key: str) -> Path:
        """Where to write what is too large to be held at once."""
        path = self._folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        return path
