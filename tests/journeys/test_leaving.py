"""`heddle serve` is told to end while others are connected."""

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from domain.db import Database
from tests.conftest import another_database


@pytest.fixture
async def own(database_url: str) -> AsyncIterator[Database]:
    db = Database(await another_database(database_url, "leaving"))
    yield db
    await db.close()


async def test_who_is_there_when_it_ends_hears_goodbye(own: Database, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        smtp = free.getsockname()[1]
    outside = {name: value for name, value in os.environ.items() if not name.startswith("HEDDLE_")}
    settings = {
        "HEDDLE_DATABASE_URL": own.url,
        "HEDDLE_SECRET_KEY": "a secret of a process that leaves",
        "HEDDLE_DATA": str(tmp_path),
        "HEDDLE_SMTP_IN_PORT": str(smtp),
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "api.cli", "serve", "--port", "0"),
        env={**outside, **settings},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(60):
            assert process.stdout
            address = (await process.stdout.readline()).decode().split()[-1]
            reader, writer = await asyncio.open_connection("127.0.0.1", smtp)
            greeting = await reader.readline()
            url = address.replace("http", "ws") + "/graphql"
            async with connect(url, subprotocols=["graphql-transport-ws"]) as stream:  # type: ignore[list-item]
                await stream.send('{"type": "ping"}')
                await stream.recv()

                process.terminate()

                goodbye = await reader.read()  # to the end of the connection
                with pytest.raises(ConnectionClosed) as closed:
                    await stream.recv()
            writer.close()
            _, complaints = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()

    assert (greeting[:3], goodbye) == (b"220", b"421 4.3.2 closing\r\n")
    assert closed.value.rcvd
    assert closed.value.rcvd.code == 1012
    assert process.returncode == 0, complaints.decode()
    assert b"Traceback" not in complaints
