"""Mail that relays hand over, by SMTP and by LMTP, spoken as relays speak it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from sqlalchemy import func, select, text, update

from api import loops
from api.house import House
from domain.arriving.inbound import Arrival
from domain.ways_in.channels import Channel, ChannelKind
from integrations.mail.addresses import reply_address
from integrations.mail.receiving import smtp_in
from integrations.mail.receiving.smtp_in import Guests, listen
from tests.factories import SETTINGS, a_channel

HELP, SALES = SETTINGS[ChannelKind.EMAIL]["address"], "sales@shop.example"
MAIL = b"From: Ada <ada@example.org>\r\nSubject: Mug\r\n\r\nWhere is it?\r\n"


class Relay:
    """Says lines and reads answers."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    def say(self, *lines: bytes) -> None:
        self._writer.write(b"".join(line + b"\r\n" for line in lines))

    async def hears(self, many: int = 1) -> list[str]:
        """So many answers; one of several lines counts as one."""
        answers: list[str] = []
        while len(answers) < many:
            line = (await asyncio.wait_for(self._reader.readline(), 20)).decode()
            assert line, answers
            if line[3:4] != "-":
                answers.append(line.rstrip())
        return answers

    async def is_left_alone(self) -> bool:
        return await asyncio.wait_for(self._reader.read(), 30) == b""


@asynccontextmanager
async def at_the_door(house: House, **options: Any) -> AsyncIterator[Callable[[], Any]]:
    server = await listen(house.db, house.keys, host="127.0.0.1", port=0, hostname="heddle.test", **options)
    port = server.sockets[0].getsockname()[1]
    writers: list[asyncio.StreamWriter] = []

    async def relay() -> Relay:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writers.append(writer)
        return Relay(reader, writer)

    async with server:
        yield relay
        for writer in writers:
            writer.close()


@pytest.fixture(autouse=True)
async def mailboxes(house: House) -> None:
    async with house.db.transaction() as session:
        await a_channel(session, house.keys, ChannelKind.EMAIL)
        await a_channel(session, house.keys, ChannelKind.EMAIL, slug="sales", address=SALES)


async def kept(house: House) -> list[Arrival]:
    async with house.db.transaction() as session:
        return list(await session.scalars(select(Arrival).order_by(Arrival.id)))


async def test_a_relay_may_say_all_at_once(house: House) -> None:
    async with at_the_door(house) as relay:
        one = await relay()
        one.say(
            b"EHLO relay.shop.example",
            b"MAIL FROM:<ada@example.org> SIZE=100 BODY=8BITMIME",
            b"RCPT TO:<help@shop.example>",
            b"RCPT TO:<nobody@shop.example>",
            b"DATA",
        )
        answers = await one.hears(6)
        one.say(MAIL + b".", b"QUIT")
        answers += await one.hears(2)

    assert [answer[:3] for answer in answers] == ["220", "250", "250", "250", "550", "354", "250", "221"]
    (arrival,) = await kept(house)
    assert (arrival.raw, arrival.envelope["from"]) == (MAIL, "ada@example.org")


async def test_lmtp_answers_for_each_recipient(house: House) -> None:
    async with at_the_door(house, lmtp=True) as relay:
        one = await relay()
        one.say(b"EHLO relay", b"LHLO relay", b"MAIL FROM:<ada@example.org>")
        one.say(
            b"RCPT TO:<help@shop.example>", b"RCPT TO:<nobody@shop.example>", b"RCPT TO:<sales@shop.example>"
        )
        one.say(b"DATA")
        answers = await one.hears(8)
        async with house.db.transaction() as session:
            await session.execute(
                update(Channel).where(Channel.slug == "sales").values(disabled_at=func.now())
            )
        one.say(MAIL + b".", b"NOOP")
        answers += await one.hears(3)

    codes = [answer[:3] for answer in answers]
    assert codes == ["220", "500", "250", "250", "250", "550", "250", "354", "250", "451", "250"]
    (arrival,) = await kept(house)
    assert arrival.raw == MAIL


async def test_a_mail_that_is_too_large_is_refused_for_each_recipient(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smtp_in, "LARGEST_MAIL", 2_000)
    async with at_the_door(house, lmtp=True) as relay:
        one = await relay()
        one.say(b"LHLO relay", b"MAIL FROM:<ada@example.org> SIZE=3000", b"MAIL FROM:<ada@example.org>")
        one.say(b"RCPT TO:<help@shop.example>", b"RCPT TO:<sales@shop.example>", b"DATA")
        answers = await one.hears(7)
        one.say(MAIL + b"large\r\n" * 1000 + b".", b"NOOP")
        answers += await one.hears(3)

    codes = [answer[:3] for answer in answers]
    assert codes == ["220", "250", "552", "250", "250", "250", "354", "552", "552", "250"]
    assert await kept(house) == []


@pytest.mark.parametrize("lmtp", [False, True])
async def test_what_happens_to_be_written_in_a_mail_is_kept(house: House, lmtp: bool) -> None:
    body = b"\r\n".join(
        [b".", b"..", b".hidden", b"x" * 5_000, "zażółć".encode(), b"\xff\x00", b"end\n.\nnot", b""]
    )
    async with at_the_door(house, lmtp=lmtp) as relay:
        one = await relay()
        one.say(
            b"LHLO relay" if lmtp else b"EHLO relay", "MAIL FROM:<żółw@przykład.example> SMTPUTF8".encode()
        )
        one.say(b"RCPT TO:<help@shop.example>", b"DATA")
        stuffed = b"\r\n".join(b"." + line if line.startswith(b".") else line for line in body.split(b"\r\n"))
        one.say(b"Subject: Mug\r\n\r\n" + stuffed + b".")
        answers = await one.hears(6)

    assert answers[-1].startswith("250 2.0.0"), answers
    (arrival,) = await kept(house)
    assert arrival.raw == b"Subject: Mug\r\n\r\n" + body
    assert arrival.envelope["from"] == "żółw@przykład.example"


async def test_a_bounce_has_no_sender(house: House) -> None:
    async with at_the_door(house) as relay:
        one = await relay()
        one.say(b"HELO relay", b"MAIL FROM:<>", b"RCPT TO:<help@shop.example>", b"DATA", MAIL + b".")
        answers = await one.hears(6)

    assert answers[-1].startswith("250")
    (arrival,) = await kept(house)
    assert arrival.envelope["from"] == ""


async def test_a_thousand_recipients_are_taken_and_one_more_is_not(house: House) -> None:
    addresses = [reply_address(house.keys, HELP, number) for number in range(1, 1_001)]
    async with at_the_door(house) as relay:
        one = await relay()
        one.say(b"EHLO relay", b"MAIL FROM:<ada@example.org>")
        one.say(*(f"RCPT TO:<{address}>".encode() for address in [*addresses, HELP]))
        one.say(b"DATA", MAIL + b".")
        answers = await one.hears(3 + 1_001 + 2)

    assert [answer[:3] for answer in answers[3:1_003]] == ["250"] * 1_000
    assert [answer[:9] for answer in answers[1_003:]] == ["452 4.5.3", answers[-2][:9], "250 2.0.0"]
    (arrival,) = await kept(house)
    assert arrival.envelope["thread"] == 1_000


@pytest.mark.parametrize(
    "address", [b"<help\x00@shop.example>", b"<\xff\xfe@shop.example>", b"<@>", b"<" + b"a" * 400 + b"@b>"]
)
async def test_an_address_that_is_none_is_refused(house: House, address: bytes) -> None:
    async with at_the_door(house) as relay:
        one = await relay()
        one.say(b"EHLO relay", b"MAIL FROM:<\xff\xfe\x01@example.org>", b"MAIL FROM:<ada@example.org>")
        one.say(b"RCPT TO:" + address, b"NOOP")
        answers = await one.hears(6)

    assert answers[-2][:1] == "5", answers
    assert answers[-1][:3] == "250"


async def test_a_fault_of_the_database_puts_the_mail_off(house: House) -> None:
    async with at_the_door(house, lmtp=True) as relay:
        one = await relay()
        one.say(b"LHLO relay", b"MAIL FROM:<ada@example.org>")
        one.say(b"RCPT TO:<help@shop.example>", b"RCPT TO:<sales@shop.example>", b"DATA")
        await one.hears(6)
        async with house.db.engine.begin() as connection:
            await connection.execute(text("ALTER TABLE arrival RENAME TO elsewhere"))
        try:
            one.say(MAIL + b".")
            answers = await one.hears(2)
        finally:
            async with house.db.engine.begin() as connection:
                await connection.execute(text("ALTER TABLE elsewhere RENAME TO arrival"))
        one.say(b"MAIL FROM:<ada@example.org>", b"RCPT TO:<help@shop.example>", b"DATA", MAIL + b".")
        again = await one.hears(4)

    assert [answer[:3] for answer in answers] == ["451", "451"]
    assert again[-1].startswith("250 2.0.0")
    assert len(await kept(house)) == 1


async def test_only_so_many_are_let_in_and_nobody_stays_for_ever(house: House) -> None:
    guests = Guests(most=2)
    async with at_the_door(house, guests=guests, patience=0.5) as relay:
        first, second = await relay(), await relay()
        await first.hears()
        await second.hears()
        third = await relay()
        turned_away = await third.hears()
        assert await first.is_left_alone()
        fourth = await relay()
        let_in = await fourth.hears()
        guests.dismiss()
        bye = await fourth.hears()

    assert (turned_away[0][:3], let_in[0][:3], bye[0][:3]) == ("421", "220", "421")


async def test_one_too_many_is_turned_away_on_the_loop_that_serves(house: House) -> None:
    async def turned_away() -> tuple[str, list[str]]:
        async with at_the_door(house, guests=Guests(most=1)) as relay:
            first = await relay()
            await first.hears()
            second = await relay()
            said = await second.hears()
            assert await second.is_left_alone()
        await asyncio.sleep(0.1)  # until both are closed: this loop does not end before that
        return type(asyncio.get_running_loop()).__module__, said

    loop, said = await asyncio.to_thread(loops.run, turned_away())

    assert loop.startswith("uvloop")
    assert said == ["421 4.3.2 too many connections"]


async def test_a_relay_that_leaves_in_the_middle_leaves_nothing(house: House) -> None:
    guests = Guests()
    async with at_the_door(house, guests=guests) as relay:
        one = await relay()
        one.say(b"EHLO relay", b"MAIL FROM:<ada@example.org>", b"RCPT TO:<help@shop.example>", b"DATA", MAIL)
        await one.hears(5)
        one._writer.close()
        async with asyncio.timeout(30):
            while guests.here:
                await asyncio.sleep(0.01)

    assert await kept(house) == []
