"""Mail that lies in a box of a real server: every one is kept once, whatever happens to the server or the line."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from email.message import EmailMessage
from typing import Any

import pytest
from sqlalchemy import func, select, update

from api.house import House
from domain import fetching as domain_fetching
from domain import outages
from domain.alerts import Alert, AlertKind, AlertState
from domain.channels import TOPIC, Channel, ChannelKind
from domain.db import database_time, ring
from domain.fetching import Box
from domain.inbound import Arrival, ArrivalState
from domain.messages import Message
from integrations.channel_settings import Mailbox
from integrations.mail.addresses import reply_address
from integrations.mail.fetching import Fetcher, Pace
from integrations.mailroom import Mailroom
from tests.dovecot import PASSWORD, Dovecot, dovecot, with_dovecot
from tests.factories import SETTINGS, a_channel
from tests.wire import wire

pytestmark = with_dovecot

HELP = SETTINGS[ChannelKind.EMAIL]["address"]
QUICK = Pace(recheck=20, read=1, lease=timedelta(seconds=2), again=0.05, longest=0.3, refused=0.4, look=0.1)


@pytest.fixture
async def server() -> AsyncIterator[Dovecot]:
    async with dovecot() as running:
        yield running


async def a_mailbox(house: House, url: str, **others: Any) -> Channel:
    settings = {"imap_url": url, "imap_user": "help", "imap_password": PASSWORD, "imap_since_days": 3}
    async with house.db.transaction() as session:
        return await a_channel(session, house.keys, ChannelKind.EMAIL, **settings | others)


@asynccontextmanager
async def fetching(house: House, pace: Pace = QUICK, **others: Any) -> AsyncIterator[Fetcher]:
    fetcher = Fetcher(house.db, house.keys, pace, **others)
    task = asyncio.create_task(fetcher.run())
    try:
        yield fetcher
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def opening(house: House) -> AsyncIterator[None]:
    task = asyncio.create_task(Mailroom(house.db, house.keys, house.files).run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def a_mail(
    number: int = 0, *, text: str = "Where is it?", sender: str = "ada@example.org", **headers: str
) -> bytes:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = f"Ada <{sender}>", HELP, f"Order {number}"
    mail["Message-ID"] = f"<{number}.{text.encode().hex()[:20]}@example.org>"
    for name, value in headers.items():
        mail[name.replace("_", "-")] = value
    mail.set_content(text)
    return mail.as_bytes().replace(b"\n", b"\r\n")


async def until(look: Callable[[], Awaitable[Any]], seconds: float = 10) -> Any:
    """What `look` sees, once it sees something."""
    async with asyncio.timeout(seconds):
        while not (seen := await look()):
            await asyncio.sleep(0.01)
        return seen


async def kept(house: House) -> list[Arrival]:
    async with house.db.transaction() as session:
        return list(await session.scalars(select(Arrival).order_by(Arrival.id)))


async def as_many(house: House, many: int, seconds: float = 10) -> list[Arrival]:
    async def all_here() -> list[Arrival]:
        here = await kept(house)
        return here if len(here) >= many else []

    return list(await until(all_here, seconds))


async def the_box(house: House) -> Box | None:
    async with house.db.transaction() as session:
        return (await session.scalars(select(Box))).one_or_none()


async def looked(house: House) -> Any:
    """Has all of the box been fetched, and does somebody wait for more?"""
    box = await the_box(house)
    return box and box.signed_in_at and not box.failing_since and box.last_uid >= box.older_until


def subjects(arrivals: list[Arrival]) -> list[str]:
    lines = [
        line for one in arrivals for line in one.raw.decode().splitlines() if line.startswith("Subject:")
    ]
    return [line.removeprefix("Subject: ") for line in lines]


async def test_what_is_delivered_is_kept_as_it_is_at_once(house: House, server: Dovecot) -> None:
    await a_mailbox(house, server.url)
    async with fetching(house):
        await until(lambda: looked(house))
        took = []
        for number in range(3):
            began = time.perf_counter()
            await asyncio.to_thread(server.deliver, a_mail(number))
            await as_many(house, number + 1)
            took.append(time.perf_counter() - began)

    print(f"\nfrom LMTP by IDLE to a committed arrival: {', '.join(f'{one * 1000:.0f} ms' for one in took)}")
    arrivals = await kept(house)
    assert subjects(arrivals) == ["Order 0", "Order 1", "Order 2"]
    assert arrivals[0].raw.endswith(a_mail(0)), "the server only adds its headers of delivery"
    assert server.flags() == [(b"\\Recent",)] * 3 or not any(b"\\Seen" in flags for flags in server.flags())
