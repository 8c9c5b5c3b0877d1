"""Servers that die, lines that break, and mails that no server hands over: every mail is kept once all the same."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from api.house import House
from domain.arriving.inbound import ArrivalState
from tests.dovecot import Dovecot, dovecot, with_dovecot
from tests.fetching import (
    QUICK,
    a_mail,
    a_mailbox,
    as_many,
    fails,
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


async def test_a_server_that_is_killed_twice_in_the_middle_loses_no_mail_and_doubles_none(
    house: House, server: Dovecot
) -> None:
    await a_mailbox(house, server.url)

    async def deliver() -> None:
        for number in range(60):
            server.put(a_mail(number))
            await asyncio.sleep(0.03)

    async with fetching(house):
        delivering = asyncio.create_task(deliver())
        for many in (10, 35):
            await as_many(house, many)
            await server.kill()
            await asyncio.sleep(0.2)
            await server.start()
        await delivering
        await as_many(house, 60)
        await asyncio.sleep(0.3)

    assert subjects(await kept(house)) == orders(*range(60))


async def test_a_line_that_is_cut_in_the_middle_of_a_mail_is_taken_up_where_it_broke(
    house: House, server: Dovecot
) -> None:
    server.put(*(a_mail(number, f"Mug {number} " + "and a saucer\n" * 3000) for number in range(20)))
    async with wire(server.port) as line:
        line.cuts = [(b"Mug 3 ", 1), (b"Mug 7 ", 2), (b"Mug 19 ", 1)]
        await a_mailbox(house, f"imap://127.0.0.1:{line.port}")
        async with fetching(house):
            await as_many(house, 20)

    assert subjects(await kept(house)) == orders(*range(20))
    assert line.connections == 5


async def test_a_mail_on_which_the_server_dies_is_passed_over_and_shown(
    house: House, server: Dovecot
) -> None:
    server.put(*mails(0, 1, 2), a_mail(3, "poison in the text"), *mails(4, 5), a_mail(6, Comments="poison"))
    async with wire(server.port) as line:
        line.cuts = [(b"poison", 1000)]
        await a_mailbox(house, f"imap://127.0.0.1:{line.port}")
        async with fetching(house, replace(QUICK, patience=0.5)), opening(house):
            await as_many(house, 7)
            server.put(a_mail(7))
            arrivals = await as_many(house, 8)
            await until(lambda: is_failed(house))

    assert subjects(arrivals) == orders(0, 1, 2, 3, 4, 5, 7), "of one the headers came, of one nothing"
    assert b"poison" not in arrivals[3].raw
    failed = [arrival for arrival in await kept(house) if arrival.state == ArrivalState.FAILED]
    assert [arrival.envelope["uid"] for arrival in failed] == [7]
    assert "does not hand over mail 7" in str(failed[0].last_error)


@pytest.mark.parametrize("behind", [0, 2])
async def test_while_the_server_hands_over_no_mail_none_is_taken_for_the_one_it_dies_on(
    house: House, server: Dovecot, behind: int
) -> None:
    server.put(*mails(*range(1 + behind)))
    async with wire(server.port) as line:
        line.cuts = [(b"Where is it?", 8)]
        await a_mailbox(house, f"imap://127.0.0.1:{line.port}")
        async with fetching(house):
            arrivals = await as_many(house, 1 + behind)

    assert line.connections > 8
    assert subjects(arrivals) == orders(*range(1 + behind))
    assert all(b"Where is it?" in arrival.raw for arrival in arrivals)


async def test_a_line_that_falls_silent_is_given_up_and_another_is_taken(
    house: House, server: Dovecot
) -> None:
    async with wire(server.port) as line:
        await a_mailbox(house, f"imap://127.0.0.1:{line.port}")
        async with fetching(house, replace(QUICK, recheck=0.5, read=0.5)):
            await until(lambda: works(house))
            line.silent = True
            server.put(a_mail(1))
            failing = await until(lambda: fails(house))
            line.silent = False
            await as_many(house, 1)
            await until(lambda: works(house))

    assert "timed out" in failing.last_error


async def test_fetching_ends_at_once_though_the_server_says_nothing(house: House, server: Dovecot) -> None:
    async with wire(server.port) as line:
        await a_mailbox(house, f"imap://127.0.0.1:{line.port}")
        async with fetching(house, replace(QUICK, read=30)):
            await until(lambda: works(house))
            line.silent = True
            await asyncio.sleep(1.2)  # it says DONE, and waits for the answer
            began = time.perf_counter()
        assert time.perf_counter() - began < 1


async def test_a_server_that_says_goodbye_is_asked_again(house: House, server: Dovecot) -> None:
    async with wire(server.port) as line:
        await a_mailbox(house, f"imap://127.0.0.1:{line.port}")
        async with fetching(house):
            await until(lambda: works(house))
            await asyncio.sleep(0.2)
            await line.say(b"* BYE Server shutting down.\r\n")
            await line.hang_up()
            failing = await until(lambda: fails(house))
            server.put(a_mail(1))
            await as_many(house, 1)

    assert failing.last_error


async def test_whoever_waits_on_a_dead_line_does_not_spin(house: House, server: Dovecot) -> None:
    async with wire(server.port) as line:
        await a_mailbox(house, f"imap://127.0.0.1:{line.port}")
        async with fetching(house, replace(QUICK, again=10, longest=10)):
            await until(lambda: works(house))
            before = time.process_time()
            await server.kill()
            await line.hang_up()
            await until(lambda: fails(house))
            await asyncio.sleep(1)
            spent = time.process_time() - before

    assert spent < 0.7
    assert line.connections == 1


async def is_failed(house: House) -> bool:
    return any(arrival.state == ArrivalState.FAILED for arrival in await kept(house))
