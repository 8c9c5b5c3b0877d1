"""Mails by each way in, to committed messages on tickets: by SMTP, by LMTP, and fetched from a Dovecot by IMAP.

One `heddle serve`, which does everything else too. The floor are the same mails that lie there as arrivals already.
"""

import asyncio
import os
import secrets
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from hashlib import sha256
from pathlib import Path
from statistics import median
from time import perf_counter

import aiosmtplib
from sqlalchemy import func, insert, select, update

from benchmarks import report
from benchmarks.bench import Table, number
from benchmarks.data.customers import MAILBOX
from benchmarks.data.letters import mails
from benchmarks.data.loading import load
from benchmarks.processes import Meter, Processor, postgres_in
from benchmarks.rounds import middle
from benchmarks.sizes import Sizes
from domain.arriving.inbound import ARRIVALS, Arrival, ArrivalState
from domain.db import Database, database_time, new_id, ring
from domain.desk.messages import Item
from domain.keys import Keys
from domain.migrations import migrate
from domain.ways_in import channels
from domain.ways_in.channels import Channel, ChannelKind, add_channel
from domain.ways_in.fetching import Box
from integrations.channel_settings import read_settings
from tests.dovecot import DOVECOT, PASSWORD, Dovecot, dovecot

ROOT = Path(__file__).parent.parent
FETCHED = "fetched@shop.example"
ROUNDS = 3
CONNECTIONS = 4
WARMING = 20
LOOK = 0.05
LONGEST = 300.0
NOWHERE = "smtp://127.0.0.1:1"

Way = Callable[[Sequence[bytes]], Awaitable[None]]


class Shown:
    """Of one way, over all rounds."""

    def __init__(self) -> None:
        self.rates: list[float] = []
        self.app: list[float | None] = []
        self.database: list[float | None] = []

    def row(self, name: str, floor: "Shown") -> list[str]:
        share = median(mine / theirs for mine, theirs in zip(self.rates, floor.rates, strict=True))
        spent = (number(middle(one), 2) for one in (self.app, self.database))
        return [name, number(median(self.rates), 0), number(share, 2), *spent]


async def measured(url: str, folder: Path, sizes: Sizes) -> Table:
    db, secret = Database(url), secrets.token_urlsafe(48)
    keys = Keys(secret)
    smtp, lmtp = _free_ports(2)
    try:
        await migrate(db)
        shop = await load(db, keys, sizes)
        async with AsyncExitStack() as stack:
            server = await stack.enter_async_context(dovecot()) if DOVECOT else None
            if server:
                await _a_box(db, keys, server)
            pid = await stack.enter_async_context(_heddle(db, secret, folder, smtp, lmtp))
            floor = "lie there as arrivals"
            ways: dict[str, Way] = {
                floor: lambda some: _arrive(db, shop.channels[ChannelKind.EMAIL], some),
                f"by SMTP, {CONNECTIONS} connections": lambda some: _by_smtp(smtp, some),
                f"by LMTP, {CONNECTIONS} connections": lambda some: _by_lmtp(lmtp, some),
            }
            if server:
                ways["by IMAP, from Dovecot"] = lambda some: _by_imap(db, server, some)
            shown = await _in_turns(db, ways, sizes, Processor(pid), postgres_in(folder))
    finally:
        await db.close()
    rows = [one.row(name, shown[floor]) for name, one in shown.items()]
    if not server:
        rows.append(["by IMAP: no Dovecot is here", "–", "–", "–", "–"])
    note = (
        f"{sizes.mails} small mails a round, half of their senders new; medians of {ROUNDS} rounds that take turns, from the "
        "first byte to the commit of the last message. All in one process; sign-in to the mailbox included."
    )
    columns = ("", "mails/s", "of the first", "CPU ms: heddle", "database")
    return Table(report.MAIL, columns, rows, note)


async def _in_turns(
    db: Database, ways: dict[str, Way], sizes: Sizes, app: Processor, database: Processor
) -> dict[str, Shown]:
    shown = {name: Shown() for name in ways}
    for turn in range(-1, ROUNDS):
        for place, (name, way) in enumerate(ways.items()):
            many = sizes.mails if turn >= 0 else WARMING
            some = [letter.raw for letter in mails(f"mail{turn}.{place}", many)]
            meters = Meter(app), Meter(database)
            before, messages = await _opened(db), await _messages(db)
            begun = perf_counter()
            await way(some)
            while await _opened(db) < before + many:
                await asyncio.sleep(LOOK)
                if perf_counter() - begun > LONGEST:
                    raise RuntimeError(f"{name}: after {LONGEST:.0f} s mails are missing")
            seconds = perf_counter() - begun
            if await _messages(db) != messages + many:
                raise RuntimeError(f"{name}: {many} mails did not become as many messages")
            if turn >= 0:
                shown[name].rates.append(many / seconds)
                shown[name].app.append(meters[0].milliseconds(many))
                shown[name].database.append(meters[1].milliseconds(many))
    return shown


async def _opened(db: Database) -> int:
    async with db.reading() as connection:
        opened = select(func.count()).select_from(Arrival).where(Arrival.due_at.is_(None))
        return await connection.scalar(opened) or 0


async def _messages(db: Database) -> int:
    async with db.reading() as connection:
        return await connection.scalar(select(func.count()).select_from(Item)) or 0


async def _arrive(db: Database, channel: Channel, some: Sequence[bytes]) -> None:
    async with db.transaction() as session:
        now = await database_time(session)
        rows = [
            {
                "id": new_id(),
                "channel_id": channel.id,
                "external_id": sha256(raw).hexdigest(),
                "raw": raw,
                "envelope": {"peer": "127.0.0.1", "from": "", "thread": None},
                "received_at": now,
                "state": ArrivalState.WAITING,
                "due_at": now,
            }
            for raw in some
        ]
        await session.execute(insert(Arrival), rows)
        ring(session, ARRIVALS.topic)


async def _by_smtp(port: int, some: Sequence[bytes]) -> None:
    async def hand_over(share: Sequence[bytes]) -> None:
        async with aiosmtplib.SMTP(hostname="127.0.0.1", port=port, start_tls=False) as relay:
            for raw in share:
                await relay.sendmail("ada@mail.example", [MAILBOX], raw)

    await asyncio.gather(*(hand_over(some[place::CONNECTIONS]) for place in range(CONNECTIONS)))


async def _by_lmtp(port: int, some: Sequence[bytes]) -> None:
    async def hand_over(share: Sequence[bytes]) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)

        async def say(words: bytes, code: bytes) -> None:
            writer.write(words)
            while (line := await reader.readline())[3:4] == b"-":
                pass
            if not line.startswith(code):
                raise RuntimeError(line)

        await say(b"LHLO benchmark\r\n", b"220")
        await say(b"", b"250")
        for raw in share:
            await say(b"MAIL FROM:<ada@mail.example>\r\n", b"250")
            await say(f"RCPT TO:<{MAILBOX}>\r\n".encode(), b"250")
            await say(b"DATA\r\n", b"354")
            await say(raw + b"\r\n.\r\n", b"250")
        writer.close()

    await asyncio.gather(*(hand_over(some[place::CONNECTIONS]) for place in range(CONNECTIONS)))


async def _by_imap(db: Database, server: Dovecot, some: Sequence[bytes]) -> None:
    """They lie in the box when it begins to be fetched."""
    await _fetch(db, False)
    async with asyncio.timeout(LONGEST):
        while await _is_held(db):  # noqa: ASYNC110 - it happens in another process
            await asyncio.sleep(LOOK)
    server.put(*some)
    await _fetch(db, True)


async def _fetch(db: Database, wanted: bool) -> None:
    async with db.transaction() as session:
        off = None if wanted else func.now()
        await session.execute(update(Channel).where(Channel.address == FETCHED).values(disabled_at=off))
        ring(session, channels.TOPIC)


async def _is_held(db: Database) -> bool:
    async with db.reading() as connection:
        return bool(await connection.scalar(select(Box.held_by).where(Box.held_by.is_not(None))))


async def _a_box(db: Database, keys: Keys, server: Dovecot) -> None:
    settings = {"address": FETCHED, "imap_url": server.url, "imap_user": "help", "imap_password": PASSWORD}
    read = read_settings(ChannelKind.EMAIL, settings | {"imap_since_days": 1})
    async with db.transaction() as session:
        await add_channel(
            session,
            keys,
            kind=ChannelKind.EMAIL,
            slug="fetched",
            name="Fetched",
            address=FETCHED,
            config=read.config(),
            secrets=read.secrets(),
            at=await database_time(session),
        )


@asynccontextmanager
async def _heddle(db: Database, secret: str, folder: Path, smtp: int, lmtp: int) -> AsyncIterator[int]:
    """The process's id; it answers at both ports by then."""
    outside = {name: value for name, value in os.environ.items() if not name.startswith("HEDDLE_")}
    settings = {
        "HEDDLE_DATABASE_URL": db.url,
        "HEDDLE_SECRET_KEY": secret,
        "HEDDLE_DATA": str(folder),
        "HEDDLE_SMTP_URL": NOWHERE,
        "HEDDLE_SMTP_IN_PORT": str(smtp),
        "HEDDLE_LMTP_PORT": str(lmtp),
    }
    with (folder / "heddle.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "api.cli", "serve", "--port", "0"),
            cwd=ROOT,
            env=outside | settings,
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
        )
    try:
        assert process.stdout
        if not await asyncio.wait_for(process.stdout.readline(), 60):
            raise RuntimeError(f"Heddle did not start: {(folder / 'heddle.log').read_text()[-500:]}")
        yield process.pid
    finally:
        process.terminate()
        await process.wait()


def _free_ports(many: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(many)]
    with_ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return with_ports
