"""Stored bytes (attachments), outside the database: a folder, under names of our own."""

import secrets
from pathlib import Path

import obstore
from obstore.store import LocalStore


class Files:
    def __init__(self, folder: Path) -> None:
        self._store = LocalStore(folder, mkdir=True)

    async def put(self, content: bytes) -> str:
        """The key under which `get` finds it."""
        name = secrets.token_hex(20)
        key = f"{name[:2]}/{name}"
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
