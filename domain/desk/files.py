"""Stored bytes (attachments), outside the database, under names of our own: in a folder, or in a bucket (`domain/desk/buckets.py`)."""

import os
import secrets
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, ObjectStore

PART = 1 << 20
AWAITED = "uploads/"
"""Where bytes lie that a link has let in and that nobody has looked at yet."""


class StoreDown(OSError):
    """It does not answer, or lets us in no more."""


@contextmanager
def reached() -> Iterator[None]:
    try:
        yield
    except BaseError as failure:
        said = str(failure).partition("\n")[0]
        raise StoreDown(f"stored files cannot be reached: {said}"[:500]) from failure


def new_key(under: str = "") -> str:
    name = secrets.token_hex(20)
    return f"{under}{name[:2]}/{name}"


def preview_of(key: str) -> str:
    """Under which a small picture of it is kept; it goes with it."""
    return f"{key}.preview"


@dataclass(frozen=True)
class UploadLink:
    """By which somebody lays bytes there without us: by PUT, with just these headers."""

    url: str
    headers: dict[str, str]


class Files(ABC):
    def __init__(self, store: ObjectStore, *, scanned: bool = False) -> None:
        self._store = store
        self.scanned = scanned
        """Does somebody look through what comes, before it is let out? (`domain/desk/scans.py`)"""

    async def put(self, content: bytes) -> str:
        """The key under which `get` finds it."""
        key = new_key()
        await self.keep(key, content)
        return key

    async def keep(self, key: str, content: bytes) -> None:
        with reached():
            await obstore.put_async(self._store, key, content)

    @abstractmethod
    def writing(self, key: str) -> AbstractAsyncContextManager[BinaryIO]:
        """For what is too large to be held at once: all that is written is kept; nothing, where it ends with an error."""

    async def settled(self, awaited: str) -> str:
        """The key of a copy, which whoever holds a link to the first can change no more."""
        key = new_key()
        with reached():
            await obstore.copy_async(self._store, awaited, key)
        return key

    async def size(self, key: str) -> int | None:
        """None: there is no such thing."""
        try:
            with reached():
                return (await obstore.head_async(self._store, key))["size"]
        except FileNotFoundError:
            return None

    async def has(self, key: str) -> bool:
        return await self.size(key) is not None

    async def get(self, key: str) -> bytes:
        with reached():
            found = await obstore.get_async(self._store, key)
            return bytes(await found.bytes_async())

    async def begins(self, key: str, length: int) -> bytes:
        with reached():
            return bytes(await obstore.get_range_async(self._store, key, start=0, length=length))

    async def parts(self, key: str) -> AsyncIterator[bytes]:
        """Its content, a piece at a time."""
        with reached():
            found = await obstore.get_async(self._store, key)
            async for part in found.stream(min_chunk_size=PART):
                yield bytes(part)

    async def delete(self, key: str) -> None:
        for one in (preview_of(key), key):
            with suppress(FileNotFoundError), reached():
                await obstore.delete_async(self._store, one)

    def download(self, key: str, *, type: str, disposition: str, at: datetime) -> str | None:
        """A link by which somebody fetches it elsewhere; none: it is for us to serve."""
        return None

    def upload(self, key: str, *, bytes: int, mime: str, at: datetime) -> UploadLink | None:
        """A link by which somebody lays so many bytes there; none: they come by our own door."""
        return None


class Folder(Files):
    def __init__(self, folder: Path, *, scanned: bool = False) -> None:
        super().__init__(LocalStore(folder, mkdir=True), scanned=scanned)
        self.folder = folder

    @asynccontextmanager
    async def writing(self, key: str) -> AsyncIterator[BinaryIO]:
        path = self.folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with path.open("w+b") as out:
                yield out
                out.flush()
                os.fsync(out.fileno())
        except BaseException:
            path.unlink(missing_ok=True)
            raise
