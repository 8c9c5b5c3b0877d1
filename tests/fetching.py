"""A mailbox that is fetched from a real server, and what came of it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import timedelta
from email.message import EmailMessage
from typing import Any

from sqlalchemy import select

from api.house import House
from domain.arriving.inbound import Arrival
from domain.ways_in.channels import Channel, ChannelKind
from domain.ways_in.fetching import Box
from integrations.mail.receiving.fetching import Fetcher, Pace
from integrations.mailroom import Mailroom
from tests.dovecot import PASSWORD
from tests.factories import SETTINGS, a_channel

HELP = SETTINGS[ChannelKind.EMAIL]["address"]
QUICK = Pace(recheck=20, read=1, lease=timedelta(seconds=2), again=0.05, longest=0.3, refused=5, look=0.1)


async def a_mailbox(house: House, url: str, **others: Any) -> Channel:
    settings = {"imap_url": url, "imap_user": "help", "imap_password": PASSWORD, "imap_since_days": 3}
    async with house.db.transaction() as session:
        return await a_channel(session, house.keys, ChannelKind.EMAIL, **settings | others)


@asynccontextmanager
async def fetching(house: House, pace: Pace = QUICK, **others: Any) -> AsyncIterator[None]:
    async with running(Fetcher(house.db, house.keys, pace, **others).run()):
        yield


@asynccontextmanager
async def opening(house: House) -> AsyncIterator[None]:
    async with running(Mailroom(house.db, house.keys, house.files).run()):
        yield


@asynccontextmanager
async def running(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    task = asyncio.create_task(work)
    try:
        yield
        assert not task.done()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def a_mail(number: int = 0, text: str = "Where is it?", **headers: str) -> bytes:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "Ada <ada@example.org>", HELP, f"Order {number}"
    mail["Message-ID"] = f"<order.{number}@example.org>"
    for name, value in headers.items():
        mail[name.replace("_", "-")] = value
    mail.set_content(text)
    return mail.as_bytes().replace(b"\n", b"\r\n")


def mails(*numbers: int) -> list[bytes]:
    return [a_mail(number) for number in numbers]


async def until(look: Callable[[], Awaitable[Any]], seconds: float = 30) -> Any:
    """What `look` sees, once it sees something."""
    async with asyncio.timeout(seconds):
        while not (seen := await look()):
            await asyncio.sleep(0.01)
        return seen


async def kept(house: House) -> list[Arrival]:
    async with house.db.transaction() as session:
        return list(await session.scalars(select(Arrival).order_by(Arrival.id)))


async def as_many(house: House, many: int) -> list[Arrival]:
    async def all_here() -> list[Arrival]:
        here = await kept(house)
        return here if len(here) >= many else []

    return list(await until(all_here))


async def the_box(house: House) -> Box:
    async with house.db.transaction() as session:
        return (await session.scalars(select(Box))).one_or_none() or Box(last_uid=0, older_until=0)


async def fails(house: House) -> Box | None:
    box = await the_box(house)
    return box if box.failing_since else None


async def works(house: House) -> bool:
    """Is somebody signed in, and has all that lay there before been looked at?"""
    box = await the_box(house)
    return bool(box.signed_in_at and not box.failing_since and box.last_uid >= box.older_until)


def subjects(arrivals: list[Arrival]) -> list[str]:
    lines = [
        line for one in arrivals for line in one.raw.decode().splitlines() if line.startswith("Subject:")
    ]
    return [line.removeprefix("Subject: ") for line in lines]


def orders(*numbers: int) -> list[str]:
    return [f"Order {number}" for number in numbers]
