"""`heddle serve --processes 2`: two processes answer at one address."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import httpx
import pytest

from domain.db import Database
from tests.conftest import another_database
from tests.fetching import until

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@pytest.fixture
async def own(database_url: str) -> AsyncIterator[Database]:
    db = Database(await another_database(database_url, "together"))
    yield db
    await db.close()


@pytest.fixture
async def served(own: Database, tmp_path: Path) -> AsyncIterator[Process]:
    outside = {name: value for name, value in os.environ.items() if not name.startswith("HEDDLE_")}
    settings = {
        "HEDDLE_DATABASE_URL": own.url,
        "HEDDLE_SECRET_KEY": "a secret that both processes share",
        "HEDDLE_DATA": str(tmp_path),
        "TMPDIR": str(tmp_path),
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "api.cli", "serve", "--port", "0", "--processes", "2"),
        env=outside | settings,
        stdout=PIPE,
        stderr=PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def address_of(served: Process) -> str:
    assert served.stdout
    async with asyncio.timeout(60):
        return (await served.stdout.readline()).decode().split()[-1]


async def child_of(served: Process) -> int:
    async def found() -> int | None:
        listed = subprocess.run(
            ["ps", "-o", "pid=,args=", "--ppid", str(served.pid)], capture_output=True, text=True, check=False
        ).stdout
        pids = [line.split()[0] for line in listed.splitlines() if "api.commands.together" in line]
        return int(pids[0]) if pids else None

    return int(await until(found))


@asynccontextmanager
async def connected(address: str) -> AsyncIterator[Connection]:
    """To a process that has answered there."""
    host, _, port = address.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        assert await is_answered((reader, writer), 20)
        yield reader, writer
    finally:
        writer.close()


async def is_answered(connection: Connection, seconds: float) -> bool:
    reader, writer = connection
    writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
    try:
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), seconds)
        await reader.readexactly(len(b'{"ok":true}'))
    except TimeoutError:
        return False
    return head.startswith(b"HTTP/1.1 200 ")


async def answered_without(process: int, address: str, many: int) -> int:
    """How many of so many connections, opened one after the other."""
    async with AsyncExitStack() as stack:
        connections = [await stack.enter_async_context(connected(address)) for _ in range(many)]
        os.kill(process, signal.SIGSTOP)
        try:
            return sum(await asyncio.gather(*(is_answered(one, 3) for one in connections)))
        finally:
            os.kill(process, signal.SIGCONT)


async def both_answer(served: Process, address: str) -> int:
    """Waits until they do; the child."""
    child = await child_of(served)

    async def takes() -> bool:
        return await answered_without(served.pid, address, 2) == 1

    await until(takes)
    return child


async def test_who_comes_is_dealt_to_two_processes_and_one_that_dies_is_replaced(served: Process) -> None:
    address = await address_of(served)

    child = await both_answer(served, address)
    without_child = await answered_without(child, address, 8)
    async with httpx.AsyncClient() as http:
        before, after = [
            (await http.get(f"{address}/metrics", headers={"connection": "close"})).text for _ in range(2)
        ]
    os.kill(child, signal.SIGKILL)
    await until(lambda: has_ended(child))
    for _ in range(4):
        async with connected(address):
            pass
    another = await both_answer(served, address)
    served.terminate()
    _, said = await served.communicate()

    assert without_child == 4
    count = 'heddle_request_seconds_count{method="GET",route="/metrics",status="200"}'
    assert (count in before, f"{count} 1.0" in after) == (False, True)
    assert 'route="/healthz"' in before
    assert 'heddle_under_way{type="http"} 1.0' in after
    assert "heddle_held 0.0" in after
    assert another != child
    assert await has_ended(another)
    assert served.returncode == 0
    errors = [line for line in map(json.loads, said.splitlines()) if line["level"] == "error"]
    assert [(one["event"], one["status"]) for one in errors] == [("answering_process_ended", -signal.SIGKILL)]


async def test_when_the_first_is_killed_the_other_leaves(served: Process) -> None:
    address = await address_of(served)
    child = await both_answer(served, address)

    served.kill()
    await served.wait()

    await until(lambda: has_ended(child))
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(*address.removeprefix("http://").split(":"))


async def has_ended(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] == "Z"
