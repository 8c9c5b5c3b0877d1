"""Who is slow, silent or too large is not waited for."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import update
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from api import graphql_http, server
from api.commands.answering import bound
from api.house import House
from api.server import Patience
from domain.agents.system_mail import SystemMail, post
from domain.db import Database, database_time
from tests.client import Client
from tests.doors import answering

GET = b"GET /healthz HTTP/1.1\r\nHost: x\r\n"
POST = b"POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n"


@pytest.fixture
async def impatient(house: House) -> AsyncIterator[str]:
    async with answering(house, Patience(head=0.3, body=0.3, read=0.5), send_buffer=8192) as address:
        yield address


@contextmanager
def a_peer(receive_buffer: int) -> Iterator[socket.socket]:
    """Not connected yet; takes so much before it is asked to."""
    with socket.socket() as peer:
        peer.setblocking(False)
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        yield peer


async def said_to(address: str, *chunks: bytes, every: float = 0.0) -> bytes:
    """All that comes until the connection is closed."""
    url = httpx.URL(address)
    async with asyncio.timeout(30):
        reader, writer = await asyncio.open_connection(url.host, url.port)

        async def speak() -> None:
            with suppress(ConnectionError):
                for chunk in chunks:
                    writer.write(chunk)
                    await writer.drain()
                    await asyncio.sleep(every)

        speaking = asyncio.create_task(speak())
        said = b""
        with suppress(ConnectionError):
            while chunk := await reader.read(65536):
                said += chunk
        speaking.cancel()
        writer.close()
        return said


@pytest.mark.parametrize(
    ("chunks", "every"),
    [
        ([], 0),
        ([b"GET /health"], 0),
        ([GET], 0),
        ([bytes([byte]) for byte in GET * 10], 0.05),
        ([b"\r\n"] * 100, 0.05),
        ([POST], 0),
        ([POST, *[b" "] * 99], 0.05),
        ([GET + b"\r\n", b"\r\n", *[b"\r\n"] * 100], 0.05),
    ],
    ids=[
        "silent",
        "cut",
        "half a head",
        "a byte at a time",
        "empty lines",
        "no body",
        "a slow body",
        "after one",
    ],
)
async def test_the_half_open_are_closed(impatient: str, chunks: list[bytes], every: float) -> None:
    said = await said_to(impatient, *chunks, every=every)

    assert b"HTTP/1.1 408" in said


def test_each_connection_is_told_to_wait_for_nobodys_word_before_it_sends() -> None:
    with bound("127.0.0.1", 0) as door, socket.create_connection(door.getsockname()):
        connection, _ = door.accept()
        with connection:
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


async def test_who_keeps_a_connection_without_asking_is_let_go_in_silence(impatient: str) -> None:
    said = await said_to(impatient, GET + b"\r\n")

    assert said.count(b"HTTP/1.1") == 1
    assert said.startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    "head",
    [GET + b"X-Large: " + b"x" * 100_000, GET + b"X: y\r\n" * 9_000 + b"\r\n", b"GET /" + b"x" * 40_000 + b" HTTP/1.1\r\n\r\n"],
    ids=["one header", "many headers", "an address"],
)  # fmt: skip
async def test_a_head_may_be_so_large(door: str, head: bytes) -> None:
    chunks = [head[at : at + 8192] for at in range(0, len(head), 8192)]

    assert b"HTTP/1.1 431" in await said_to(door, *chunks, *[b"x" * 8192] * 8192)


async def test_a_large_body_behind_a_small_head_is_not_a_large_head(door: str) -> None:
    body = b'{"query":"{ serverTime }","variables":{"a":"' + b"x" * 60_000 + b'"}}'
    head = (
        b"POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n"
        % len(body)
    )

    said = await said_to(door, head + b"\r\n" + body + GET + b"Connection: close\r\n\r\n")

    assert said.count(b"HTTP/1.1 200") == 2


async def test_headers_behind_a_body_are_headers_too(door: str) -> None:
    head = GET.replace(b"GET /healthz", b"POST /graphql") + b"Content-Type: application/json\r\n"
    chunked = head + b"Transfer-Encoding: chunked\r\n\r\n"
    body = b'{"query":"{ serverTime }"}'
    whole = b"".join(b"1\r\n%c\r\n" % byte for byte in body) + b"0\r\nX-Trailing: yes\r\n\r\n"

    assert b" 200 OK" in await said_to(door, chunked + whole + GET + b"Connection: close\r\n\r\n")
    flood = [b"0\r\nX: ", *[b"a" * 65536] * 200]
    url = httpx.URL(door)
    async with asyncio.timeout(30):
        _, writer = await asyncio.open_connection(url.host, url.port)
        with pytest.raises(ConnectionError):  # noqa: PT012
            for part in [chunked, *flood]:
                writer.write(part)
                await writer.drain()
                await asyncio.sleep(0.001)
        writer.close()


async def test_who_reads_slowly_gets_all_of_it(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "READ", 1024)
    async with answering(house, Patience(read=0.5), send_buffer=8192) as door:
        url = httpx.URL(door)
        loop = asyncio.get_running_loop()
        with a_peer(65536) as slow:
            await loop.sock_connect(slow, (url.host, url.port))
            asked = b"GET /explorer/graphiql.min.js HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
            await loop.sock_sendall(slow, asked)
            said = 0
            async with asyncio.timeout(30):
                while part := await loop.sock_recv(slow, 16384):
                    said += len(part)
                    await asyncio.sleep(0.03)

    file = Path(__file__).parents[2] / "api/explorer/graphiql.min.js"
    assert said > file.stat().st_size


async def test_who_does_not_let_a_connection_be_closed_is_not_waited_for(house: House) -> None:
    async with answering(house, Patience(read=0.3), send_buffer=4096) as door:
        url = httpx.URL(door)
        loop = asyncio.get_running_loop()
        with a_peer(2048) as deaf:
            await loop.sock_connect(deaf, (url.host, url.port))
            # Less than a transport holds back before it says that nobody reads.
            await loop.sock_sendall(
                deaf, b"GET /schema.graphql HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
            )
            async with asyncio.timeout(30):
                while not server_has_closed(deaf):
                    await asyncio.sleep(0.05)


def server_has_closed(peer: socket.socket) -> bool:
    """Does the kernel know of no process at the other end? Both ends are on this machine."""
    host, port = peer.getsockname()
    other = f"{socket.inet_aton(host)[::-1].hex().upper()}:{port:04X}"
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[2] == other:
            return fields[9] == "0"  # no inode: no process holds it
    return True


async def until_under_way(address: str, requests: int) -> None:
    async with httpx.AsyncClient() as http:
        while (
            f'heddle_under_way{{type="http"}} {requests}.0' not in (await http.get(f"{address}/metrics")).text
        ):
            await asyncio.sleep(0.02)


async def test_who_does_not_read_is_not_waited_for(impatient: str, ben: Client) -> None:
    url = httpx.URL(impatient)
    introspection = (
        "{ __schema { types { name description fields { name description args { name description } } } } }"
    )
    body = httpx.Request("POST", impatient, json={"query": introspection}).content
    asked = (
        b"POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        + f"Authorization: Bearer {ben.token}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        + body
    )

    loop = asyncio.get_running_loop()
    with a_peer(4096) as deaf:
        async with asyncio.timeout(20):
            await loop.sock_connect(deaf, (url.host, url.port))
            await loop.sock_sendall(deaf, asked * 5)
            while server_has_closed(deaf):  # it has not taken the connection yet
                await asyncio.sleep(0.01)
            while not server_has_closed(deaf):
                await asyncio.sleep(0.05)
            await until_under_way(impatient, 1)


async def test_who_asks_much_before_it_is_answered_is_cut_off(door: str) -> None:
    asked = GET + b"\r\n"

    assert (await said_to(door, asked * 10 + GET + b"Connection: close\r\n\r\n")).count(b" 200 OK") == 11
    assert (await said_to(door, asked * 10_000)).count(b" 200 OK") < 100


async def test_a_request_has_an_id_that_is_its_callers_or_ours(anybody: Client) -> None:
    async def id_of(**headers: str) -> str:
        return (await anybody.http.get("/healthz", headers=headers)).headers["x-request-id"]

    assert await id_of(**{"x-request-id": "a-request-of-mine.7"}) == "a-request-of-mine.7"
    assert (
        len(
            {
                await id_of(),
                await id_of(**{"x-request-id": "x y"}),
                await id_of(**{"x-request-id": "x" * 101}),
            }
        )
        == 3
    )


async def test_the_log_has_a_line_for_each_request_and_nothing_of_a_person(
    ben: Client, capfd: pytest.CaptureFixture[str]
) -> None:
    await ben.post("query Ada($ids: [ID!]!) { nodes(ids: $ids) { id } }", {"ids": ["ada@example.org"]})
    await ben.http.get("/nowhere/ada@example.org?token=secret")

    lines = [line for line in capfd.readouterr().err.splitlines() if '"event": "request"' in line]
    assert len(lines) == 2
    assert '"fields": ["nodes"]' in lines[0]
    assert '"who": "agent ' in lines[0]
    assert '"route": "/graphql"' in lines[0]
    assert '"route": "unknown"' in lines[1]
    for personal in ("ada@", "Ada", "secret", "127.0.0.1", ben.token):
        assert not any(personal in line for line in lines)


async def test_metrics_are_for_this_machine_or_for_who_has_the_token(house: House, ben: Client) -> None:
    await ben.ask("{ viewer { role } }")

    said = (await ben.http.get("/metrics")).text
    assert 'heddle_request_seconds_count{method="POST",route="/graphql",status="200"}' in said
    assert 'heddle_operations_total{field="viewer",refused="no"}' in said
    assert 'heddle_queue_waiting{queue="outbox"} 0.0' in said
    assert (await ben.http.get("/metrics", headers={"x-forwarded-for": "192.0.2.1"})).status_code == 404

    house.settings.metrics_token = "a token for metrics"
    assert (await ben.http.get("/metrics")).status_code == 404
    allowed = {"authorization": "Bearer a token for metrics"}
    assert (await ben.http.get("/metrics", headers=allowed)).status_code == 200


async def test_what_waits_is_measured(house: House, anybody: Client) -> None:
    async with house.db.transaction() as session:
        now = await database_time(session)
        post(session, house.keys, to="mia@shop.example", subject="Hello", text="Hello", at=now)
        await session.flush()
        await session.execute(update(SystemMail).values(due_at=now - timedelta(minutes=5)))

    said = (await anybody.http.get("/metrics")).text

    assert 'heddle_queue_waiting{queue="system_mail"} 1.0' in said
    (oldest,) = [
        line
        for line in said.splitlines()
        if line.startswith('heddle_queue_oldest_seconds{queue="system_mail"}')
    ]
    assert 300 <= float(oldest.split()[-1]) < 600


async def test_without_its_database_it_is_alive_and_not_ready(house: House, door: str) -> None:
    nobody = replace(house, db=Database("postgresql+asyncpg://nobody@127.0.0.1:1/nowhere"))

    async with httpx.AsyncClient() as http, answering(nobody) as lost:
        assert (await http.get(f"{door}/readyz")).status_code == 200
        assert (await http.get(f"{lost}/readyz")).status_code == 503
        assert (await http.get(f"{lost}/healthz")).status_code == 200


def _graphql(door: str) -> str:
    return door.replace("http", "ws") + "/graphql"


SOCKET: Any = {"subprotocols": ["graphql-transport-ws"]}


async def test_a_socket_that_never_says_who_it_is_is_closed(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(graphql_http, "INIT_WAIT", timedelta(seconds=0.2))
    async with asyncio.timeout(30), answering(house) as door, connect(_graphql(door), **SOCKET) as socket:
        with pytest.raises(ConnectionClosed) as closed:
            await socket.recv()

    assert closed.value.rcvd
    assert closed.value.rcvd.code == 4408


@pytest.mark.parametrize(
    "frame", ["x", "null", "[]", "[" * 3000, '{"type": 5}', '{"type": "subscribe"}', b"bytes"]
)
async def test_a_frame_that_says_nothing_ends_the_socket(ben: Client, frame: str | bytes) -> None:
    async with asyncio.timeout(30), ben.connected() as stream:
        await stream._socket.send(frame)
        with pytest.raises(ConnectionClosed) as closed:
            await stream.hear()

    assert closed.value.rcvd
    assert closed.value.rcvd.code == 4400


async def test_a_frame_is_of_64_kib_at_most(ben: Client) -> None:
    async with asyncio.timeout(30), ben.connected() as stream:
        await stream.ask("1", "{ serverTime }" + " " * 70_000)
        with pytest.raises(ConnectionClosed) as closed:
            await stream.hear()

    assert closed.value.rcvd
    assert closed.value.rcvd.code == 1009


async def test_a_socket_does_so_much_at_the_same_time(ben: Client) -> None:
    since = (await ben.ask("{ changeCursor }"))["changeCursor"]
    live = "subscription($since: Cursor!) { changes(since: $since) { cursor } }"

    async with asyncio.timeout(20), ben.connected() as stream:
        for number in range(graphql_http.OPERATIONS + 1):
            await stream.ask(str(number), live, since=since)
        said = await stream.hear()

    assert said["type"] == "error"
    assert said["id"] == str(graphql_http.OPERATIONS)


@pytest.mark.parametrize("origin", ["https://elsewhere.example", "null"])
async def test_a_page_elsewhere_opens_no_socket(door: str, origin: Any) -> None:
    with pytest.raises(InvalidStatus):
        async with connect(_graphql(door), origin=origin, **SOCKET):
            pass
