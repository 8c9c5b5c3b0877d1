"""Mail in a box of a real Dovecot: what is fetched, what is not, and what it becomes."""

import asyncio
import re
import sys
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, update

from api.house import House
from api.running import Settings
from api.settings import ApiSettings
from api.workers import working
from domain.arriving.inbound import Arrival, ArrivalState
from domain.customers.contacts import Identity
from domain.db import database_time, new_id
from domain.desk.messages import Message
from domain.desk.threads import Thread
from domain.settings import DomainSettings
from domain.ways_in.channels import Channel
from domain.ways_in.fetching import Box
from integrations.mail.addresses import reply_address
from integrations.mail.receiving.fetching import Pace
from integrations.settings import IntegrationSettings
from notifications.settings import NotificationSettings
from tests.dovecot import Dovecot, dovecot, with_dovecot
from tests.factories import NOON, messages, tickets
from tests.fetching import (
    HELP,
    a_mail,
    a_mailbox,
    as_many,
    fetching,
    kept,
    mails,
    opening,
    orders,
    subjects,
    until,
    works,
)
from tests.wire import wire

pytestmark = with_dovecot


@pytest.fixture
async def server() -> AsyncIterator[Dovecot]:
    async with dovecot() as running:
        yield running


async def test_what_is_delivered_is_kept_at_once_and_the_box_is_left_as_it_was(
    house: House, server: Dovecot
) -> None:
    await a_mailbox(house, server.url)
    async with fetching(house):
        await until(lambda: works(house))
        took = []
        for number in range(3):
            began = time.perf_counter()
            await asyncio.to_thread(server.deliver, a_mail(number))
            await as_many(house, number + 1)
            took.append(time.perf_counter() - began)

    told = ", ".join(f"{one * 1000:.0f} ms" for one in took)
    sys.stdout.write(f"\nFrom LMTP, by IDLE, to a committed arrival: {told} (Dovecot itself waits 500 ms).\n")
    arrivals = await kept(house)
    assert subjects(arrivals) == orders(0, 1, 2)
    assert arrivals[0].raw.endswith(a_mail(0))
    assert len(server.flags()) == 3
    assert not any(b"\\Seen" in flags for flags in server.flags())


async def test_what_is_delivered_becomes_a_ticket_and_its_answer_comes_back_to_it(
    house: House, server: Dovecot
) -> None:
    channel = await a_mailbox(house, server.url, imap_since_days=0)
    settings = Settings(
        DomainSettings(),
        ApiSettings(),
        IntegrationSettings(smtp_url="smtp://127.0.0.1:1"),
        NotificationSettings(),
    )

    async def written(many: int) -> bool:
        async with house.db.transaction() as session:
            return await session.scalar(select(func.count()).select_from(Message)) == many

    async with working(house, settings):
        await until(lambda: works(house))
        results = "mx.shop.example; dmarc=pass header.from=example.org"
        began = time.perf_counter()
        await asyncio.to_thread(server.deliver, a_mail(1, Authentication_Results=results))
        await until(lambda: written(1))
        sys.stdout.write(
            f"\nFrom LMTP to a committed ticket: {(time.perf_counter() - began) * 1000:.0f} ms.\n"
        )
        async with house.db.transaction() as session:
            (thread,) = await session.scalars(select(Thread))
        signed = reply_address(house.keys, HELP, thread.number)
        elsewhere = reply_address(house.keys, "sales@shop.example", thread.number + 1)
        await asyncio.to_thread(
            server.deliver, a_mail(2, "It came.", Delivered_To=HELP, Cc=f"Shop <{elsewhere}>, <{signed}>")
        )
        await until(lambda: written(2))

    async with house.db.transaction() as session:
        (ticket,) = await tickets(session)
        first, second = await messages(session, ticket)
        (identity,) = await session.scalars(select(Identity))
    assert (first.channel_id, first.text.strip(), second.text.strip()) == (
        channel.id,
        "Where is it?",
        "It came.",
    )
    assert first.sender_verified
    assert identity.value == "ada@example.org"


async def test_of_a_new_box_only_what_comes_from_then_on_is_fetched(house: House, server: Dovecot) -> None:
    server.put(*mails(1, 2))
    await a_mailbox(house, server.url, imap_since_days=0)

    async with fetching(house):
        await until(lambda: works(house))
        server.put(a_mail(3))
        await as_many(house, 1)

    assert subjects(await kept(house)) == orders(3)


async def test_or_of_so_many_days_before(house: House, server: Dovecot) -> None:
    server.put(a_mail(1), days_ago=10)
    server.put(a_mail(2), days_ago=3.5)
    server.put(a_mail(3), days_ago=2.5)
    server.put(a_mail(4))
    await a_mailbox(house, server.url, imap_since_days=3)

    async with fetching(house):
        await until(lambda: works(house))

    assert subjects(await kept(house)) == orders(3, 4)


async def test_a_mail_that_is_too_large_is_shown_by_its_headers(house: House, server: Dovecot) -> None:
    server.put(a_mail(1), a_mail(2, "X" * 70 + "\n" + ("large " * 12 + "\n") * 2000), a_mail(3))
    await a_mailbox(house, server.url)

    async with fetching(house, largest=100_000), opening(house):
        await as_many(house, 3)
        await until(lambda: all_opened(house))

    arrivals = await kept(house)
    assert subjects(arrivals) == orders(1, 2, 3)
    assert len(arrivals[1].raw) < 1000
    async with house.db.transaction() as session:
        found = await session.scalars(select(Message).where(Message.arrival_id == arrivals[1].id))
        (message,) = found
    assert message.text.startswith("Only the headers of this mail are here: with 0.1 MB it was too large")
    assert (message.mail or {})["subject"] == "Order 2"


async def test_what_cannot_be_read_holds_up_no_other(house: House, server: Dovecot) -> None:
    server.put(*mails(*range(10)), b"\r\n\r\n", *mails(*range(10, 19)))
    await a_mailbox(house, server.url)

    async with fetching(house), opening(house):
        await as_many(house, 20)
        await until(lambda: all_opened(house))

    states = [arrival.state for arrival in await kept(house)]
    assert states.count(ArrivalState.PLACED) == 19
    assert states.count(ArrivalState.FAILED) == 1


async def test_a_box_that_was_numbered_anew_is_read_again_and_nothing_is_shown_twice(
    house: House, server: Dovecot
) -> None:
    server.put(a_mail(0), days_ago=40)
    server.put(*mails(1, 2, 3))
    async with wire(server.port) as line:
        await a_mailbox(house, f"imap://127.0.0.1:{line.port}", imap_since_days=2)
        async with fetching(house), opening(house):
            await as_many(house, 3)
            await until(lambda: all_opened(house))
            before = await the_validity(house)
            await server.kill()
            server.forget_numbers()
            server.put(*mails(4, 5))
            line.said.clear()
            await asyncio.sleep(1.1)  # a UIDVALIDITY is a time in seconds
            await server.start()
            await as_many(house, 5)
            await until(lambda: works(house))

    assert await the_validity(house) != before
    assert sorted(subjects(await kept(house))) == orders(1, 2, 3, 4, 5)
    whole = re.findall(rb"UID FETCH ([\d,]+) \(BODY\.PEEK\[\]\)", b"".join(line.said))
    assert sum(len(uids.split(b",")) for uids in whole) == 2, "what is here already is not fetched again"


def test_another_account_or_folder_is_another_box_though_it_is_numbered_alike() -> None:
    box = Box(last_uid=0, older_until=0, tries=0)
    met: dict[str, Any] = {"uid_validity": 1, "days": 0, "at": NOON}
    box.met(place="help imaps://one INBOX", uid_next=25_001, **met)
    assert box.last_uid == 25_000
    box.last_uid = 25_100

    box.met(place="help imaps://one INBOX", uid_next=25_101, **met)
    assert box.last_uid == 25_100
    box.met(place="help imaps://two INBOX", uid_next=300, **met)

    assert (box.last_uid, box.since) == (299, NOON), "what lies there already is left"

    box.failing_since = NOON - timedelta(days=2)
    box.met(place="help imaps://renamed INBOX", uid_next=310, **met)
    assert (box.last_uid, box.since) == (0, box.failing_since), (
        "but not what came while it could not be opened"
    )


async def test_two_workers_never_fetch_the_same_box(house: House, server: Dovecot) -> None:
    server.put(*mails(*range(30)))
    async with wire(server.port) as line:
        await a_mailbox(house, f"imap://127.0.0.1:{line.port}")
        async with fetching(house), fetching(house), fetching(house):
            await as_many(house, 30)
            server.put(*mails(*range(30, 60)))
            await as_many(house, 60)
            await asyncio.sleep(0.3)

    assert line.connections == 1
    assert sorted(subjects(await kept(house))) == sorted(orders(*range(60)))


async def test_the_box_of_a_worker_that_died_is_taken_over_after_its_lease(
    house: House, server: Dovecot
) -> None:
    channel = await a_mailbox(house, server.url)
    server.put(a_mail(1))
    async with house.db.transaction() as session:
        until_then = await database_time(session) + timedelta(seconds=1)
        session.add(Box(channel_id=channel.id, held_by=new_id(), held_until=until_then))

    async with fetching(house):
        (arrival,) = await as_many(house, 1)

    assert arrival.received_at >= until_then


async def test_who_lost_the_box_commits_nothing_any_more(house: House, server: Dovecot) -> None:
    await a_mailbox(house, server.url)
    slow = Pace(recheck=20, read=1, look=30)

    async with fetching(house, slow):
        await until(lambda: works(house))
        async with house.db.transaction() as session:
            await session.execute(update(Box).values(held_by=new_id()))
        server.put(a_mail(1))
        await asyncio.sleep(1.5)
        assert await kept(house) == []


async def test_a_channel_that_is_switched_off_is_not_fetched_and_fetching_ends_at_once(
    house: House, server: Dovecot
) -> None:
    await a_mailbox(house, server.url)
    async with fetching(house):
        await until(lambda: works(house))
        async with house.db.transaction() as session:
            await session.execute(update(Channel).values(disabled_at=func.now()))
        await until(lambda: is_free(house))
        server.put(a_mail(1))
        await asyncio.sleep(1)
        assert await kept(house) == []

        async with house.db.transaction() as session:
            await session.execute(update(Channel).values(disabled_at=None))
        await as_many(house, 1)
        began = time.perf_counter()
    assert time.perf_counter() - began < 1


async def all_opened(house: House) -> bool:
    async with house.db.transaction() as session:
        waiting = select(Arrival.id).where(Arrival.due_at.is_not(None))
        return not await session.scalar(select(waiting.exists()))


async def is_free(house: House) -> bool:
    async with house.db.transaction() as session:
        return await session.scalar(select(Box.held_by)) is None


async def the_validity(house: House) -> int | None:
    async with house.db.transaction() as session:
        return await session.scalar(select(Box.uid_validity))
