"""A Heddle that answers on a real socket, without anybody working behind the doors, and who asks it."""

import asyncio
import socket
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from api.app import application
from api.house import House
from api.server import Patience
from api.server import server as serving_at
from api.settings import ApiSettings
from domain.actors import Role
from domain.db import Database
from domain.desk.buckets import Bucket
from domain.desk.files import Folder
from domain.keys import Keys
from domain.settings import DomainSettings
from notifications.settings import NotificationSettings
from tests.client import Client


@pytest.fixture
async def house(clean: Database, keys: Keys) -> AsyncIterator[House]:
    with tempfile.TemporaryDirectory() as folder:
        pushing = NotificationSettings.model_construct(fcm_credentials="{}")
        at_once = ApiSettings.model_construct(undo_seconds=0)
        files = Folder(Path(folder))
        yield House(clean, keys, files, "http://heddle.test", pushing=pushing, settings=at_once)


class Porch:
    """Where the doors of one worker's tests stand, one after the other: a server takes 0.15 s to close."""

    def __init__(self) -> None:
        self.app: ASGIApp | None = None
        self._server = serving_at(self, Patience(), port=0)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert self.app, "nobody lives here yet"
        await self.app(scope, receive, send)

    @asynccontextmanager
    async def built(self) -> AsyncIterator["Porch"]:
        async with running(self._server) as self._address:
            yield self

    @asynccontextmanager
    async def of(self, house: House) -> AsyncIterator[str]:
        self.app = application(house)
        yield self._address
        if begun := self._server.server_state.tasks:
            _, late = await asyncio.wait(begun, timeout=1)
            for one in late:
                one.cancel()
            await asyncio.gather(*late, return_exceptions=True)


@pytest.fixture(scope="session")
async def porch() -> AsyncIterator[Porch]:
    async with Porch().built() as porch:
        yield porch


@pytest.fixture
async def door(house: House, porch: Porch) -> AsyncIterator[str]:
    async with porch.of(house) as address:
        yield address


def stored_in(house: House) -> Path:
    """The folder of its files."""
    assert isinstance(house.files, Folder)
    return house.files.folder


def store_that_is_away() -> Bucket:
    """Nobody listens there."""
    return Bucket(
        DomainSettings.model_construct(
            files_url="s3://shop/heddle",
            files_endpoint="http://127.0.0.1:1",
            files_key_id="id",
            files_secret="secret",
            files_public_endpoint=None,
        )
    )


@asynccontextmanager
async def answering(
    house: House, patience: Patience | None = None, send_buffer: int | None = None
) -> AsyncIterator[str]:
    """The address of the running application."""
    server = serving_at(application(house), patience or Patience(), port=0, timeout_graceful_shutdown=1)
    async with running(server) as address:
        if send_buffer:
            server.servers[0].sockets[0].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer)
        yield address


@asynccontextmanager
async def running(server: uvicorn.Server) -> AsyncIterator[str]:
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.005)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    with suppress(asyncio.CancelledError):
        await serving


@pytest.fixture
async def anybody(door: str) -> AsyncIterator[Client]:
    async with Client(door) as client:
        yield client


@pytest.fixture
async def mia(house: House, door: str) -> AsyncIterator[Client]:
    async with _agent(house, door, "Mia", Role.MANAGER) as client:
        yield client


@pytest.fixture
async def ben(house: House, door: str) -> AsyncIterator[Client]:
    async with _agent(house, door, "Ben", Role.AGENT) as client:
        yield client


@pytest.fixture
async def eve(house: House, door: str) -> AsyncIterator[Client]:
    async with _agent(house, door, "Eve", Role.AGENT) as client:
        yield client


@pytest.fixture
async def admin(house: House, door: str) -> AsyncIterator[Client]:
    async with _agent(house, door, "Admin", Role.ADMIN) as client:
        yield client


def _agent(house: House, door: str, name: str, role: Role) -> Client:
    return Client(door, house.db, name, role)
