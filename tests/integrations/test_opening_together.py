"""Arrivals that are opened together become what they would have become one after another, each alone."""

import random
from collections import Counter
from datetime import timedelta
from hashlib import sha256
from itertools import groupby
from typing import Any

import orjson
from sqlalchemy import select, text
from structlog.testing import capture_logs

from api.house import House
from demo.farends import messenger_events
from domain.arriving.inbound import ARRIVALS, Arrival, ArrivalState, keep
from domain.customers.contacts import Contact, Identity
from domain.db import database_time
from domain.desk.messages import Message
from domain.desk.threads import Thread
from domain.desk.tickets import Ticket
from domain.sla.clocks import Clock
from domain.ways_in import flood
from domain.ways_in.channels import Channel, ChannelKind
from integrations.mailroom import Mailroom
from tests.factories import a_channel
from tests.fetching import opening, until
from tests.statements import statements

AUTHENTICATED = "Authentication-Results: mx.shop.example; dmarc=pass header.from=mail.example"
WORDS = (
    "Where is order 12345?",
    "The mug is broken",
    "Thank you",
    "I want my money back",
    "Hello",
    "Order 777, please",
)


def a_day(dice: random.Random, many: int, key: str) -> list[tuple[ChannelKind, bytes]]:
    """A few people who write and write again, in conversations, to nobody's answer, from two addresses; `key` tells two days apart."""
    day = []
    for number in range(many):
        person, words = dice.randrange(6), dice.choice(WORDS)
        if dice.random() < 0.5:
            said = messenger_events.text_message(f"{key}{person}", "9001", words, mid=f"m{key}{number}")
            day.append(
                (
                    ChannelKind.MESSENGER,
                    orjson.dumps({"object": "page", "entry": [{"id": "9001", "messaging": [said]}]}),
                )
            )
            if dice.random() < 0.2:  # again, in another batch of Meta's
                day.append(
                    (
                        ChannelKind.MESSENGER,
                        orjson.dumps({"entry": [{"messaging": [said], "id": "9001"}], "object": "page"}),
                    )
                )
            continue
        answers = f"In-Reply-To: <{key}{dice.randrange(number + 1)}@mail.example>"
        lines = [
            *([AUTHENTICATED] if dice.random() < 0.7 else []), f"From: P{person} <p{person}{key}@mail.example>",
            "To: help@shop.example", f"Subject: {dice.choice(WORDS)}", f"Message-ID: <{key}{number}@mail.example>",
            *([answers] if dice.random() < 0.4 else []), "", words,
        ]  # fmt: skip
        day.append((ChannelKind.EMAIL, "\r\n".join(lines).encode()))
    return day


async def a_shop(house: House) -> dict[ChannelKind, Channel]:
    async with house.db.transaction() as session:
        return {
            kind: await a_channel(session, house.keys, kind, **others)
            for kind, others in (
                (ChannelKind.EMAIL, {}), (ChannelKind.MESSENGER, {"page_id": "9001"}),
            )
        }  # fmt: skip


async def arrive(
    house: House, channels: dict[ChannelKind, Channel], day: list[tuple[ChannelKind, bytes]]
) -> None:
    for kind, raw in day:
        async with house.db.transaction() as session:
            await keep(
                session, channels[kind], external_id=sha256(raw).hexdigest(), raw=raw,
                envelope={"peer": "127.0.0.1", "from": "x@mail.example", "thread": None},
            )  # fmt: skip


async def became(house: House, key: str) -> Any:
    """Tickets, by who wrote and what they say: as they would be whatever their ids and times."""
    async with house.db.transaction() as session:
        rows = await session.execute(
            select(Ticket.id, Ticket.status, Contact.name, Identity.value, Thread.joined_code, Message.external_id, Message.text, Message.sender_verified)
            .join(Thread, Thread.ticket_id == Ticket.id)
            .join(Identity, Identity.id == Thread.identity_id)
            .join(Contact, Contact.id == Ticket.contact_id)
            .join(Message, Message.thread_id == Thread.id)
            .order_by(Message.seq)
        )  # fmt: skip
        found: dict[Any, list[Any]] = {}
        for id, *about in rows:
            if key in str(about[2]):
                found.setdefault(id, []).append(tuple(str(one).replace(key, "") for one in about))
        clocks = Counter(await session.scalars(select(Clock.ticket_id).where(Clock.ticket_id.in_(found))))
    return sorted((tuple(said), clocks[id]) for id, said in found.items())


async def opened_alone(house: House) -> None:
    room = Mailroom(house.db, house.keys, house.files)
    while True:
        async with house.db.transaction() as session:
            claimed = await ARRIVALS.claim(session, 1)
        if not claimed:
            return
        await room.open(*claimed[0])


async def none_waits(house: House) -> bool:
    async with house.db.transaction() as session:
        return await session.scalar(select(Arrival.id).where(Arrival.due_at.is_not(None)).limit(1)) is None


async def test_a_day_opened_together_is_the_same_day_as_opened_one_by_one(house: House) -> None:
    channels = await a_shop(house)
    seed = 20261127
    await arrive(house, channels, a_day(random.Random(seed), 60, "alone"))
    await opened_alone(house)

    await arrive(house, channels, a_day(random.Random(seed), 60, "shared"))
    async with opening(house):
        await until(lambda: none_waits(house), seconds=60)

    alone = await became(house, "alone")
    assert len(alone) > 6
    assert await became(house, "shared") == alone


async def test_sixteen_first_messages_cost_few_statements_each(house: House) -> None:
    channels = await a_shop(house)
    people = [messenger_events.text_message(f"p{one}", "9001", "Hello") for one in range(16)]
    bodies = [
        orjson.dumps({"object": "page", "entry": [{"id": "9001", "messaging": [said]}]}) for said in people
    ]
    await arrive(house, channels, [(ChannelKind.MESSENGER, body) for body in bodies])

    with statements(house.db) as said:
        async with opening(house):
            await until(lambda: none_waits(house), seconds=60)

    assert len([one for one in said if one.startswith("INSERT INTO item")]) == 1
    assert len(said) < 16 * 6


async def test_batches_of_the_same_people_in_another_order_do_not_wait_for_each_other(house: House) -> None:
    channels = await a_shop(house)
    bodies = []
    for batch in range(4):
        people = ["ada", "zofia", "ben"] if batch % 2 else ["ben", "zofia", "ada"]
        said = [messenger_events.text_message(one, "9001", f"{one} {batch}") for one in people]
        bodies.append(orjson.dumps({"object": "page", "entry": [{"id": "9001", "messaging": said}]}))
    await arrive(house, channels, [(ChannelKind.MESSENGER, body) for body in bodies])

    with statements(house.db) as said_to_it, capture_logs() as logs:
        async with opening(house):
            await until(lambda: none_waits(house), seconds=60)

    assert [one for one in logs if one["event"] == "arrivals_opened_alone"] == []
    assert len([one for one in said_to_it if one.startswith("INSERT INTO item")]) == 4
    async with house.db.transaction() as session:
        rows = await session.execute(
            select(Message.contact_id, Message.text).order_by(Message.contact_id, Message.seq)
        )
        said_by = [[text for _, text in some] for _, some in groupby(rows, key=lambda row: row.contact_id)]
    assert sorted(said_by) == [[f"{one} {batch}" for batch in range(4)] for one in ("ada", "ben", "zofia")]


async def test_one_that_cannot_be_placed_holds_up_none_of_those_it_came_with(house: House) -> None:
    channels = await a_shop(house)
    day = a_day(random.Random(3), 12, "some")
    poison = messenger_events.text_message("poison", "9001", "poison", mid="poison")
    day.insert(
        5,
        (
            ChannelKind.MESSENGER,
            orjson.dumps({"object": "page", "entry": [{"id": "9001", "messaging": [poison]}]}),
        ),
    )
    await arrive(house, channels, day)
    refused = "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$"
    when = "CREATE TRIGGER refuse BEFORE INSERT ON item FOR EACH ROW WHEN (NEW.text = 'poison') EXECUTE FUNCTION refuse()"
    async with house.db.transaction() as session:
        for statement in (refused, when):
            await session.execute(text(statement))

    try:
        async with opening(house):
            await until(lambda: only_poison_waits(house), seconds=60)
    finally:
        async with house.db.transaction() as session:
            await session.execute(text("DROP TRIGGER refuse ON item"))
            await session.execute(text("DROP FUNCTION refuse"))

    async with house.db.transaction() as session:
        (failed,) = await session.scalars(select(Arrival).where(Arrival.due_at.is_not(None)))
        states = set(await session.scalars(select(Arrival.state).where(Arrival.due_at.is_(None))))
    assert (failed.failures, failed.deaths) == (1, 0)
    assert b"poison" in failed.raw
    assert states <= {ArrivalState.PLACED, ArrivalState.IGNORED}


async def only_poison_waits(house: House) -> bool:
    async with house.db.transaction() as session:
        waiting = list(await session.scalars(select(Arrival).where(Arrival.due_at.is_not(None))))
    return len(waiting) == 1 and waiting[0].failures == 1


async def test_above_a_channels_rate_those_who_come_together_wait_as_if_one_by_one(house: House) -> None:
    rate = 3
    turns: dict[str, list[timedelta | None]] = {}
    for way in ("alone", "together"):
        async with house.db.transaction() as session:
            channel = await a_channel(
                session, house.keys, ChannelKind.MESSENGER, slug=way, page_id=way, inbound_per_minute=rate
            )
            for number in range(8):
                await keep(session, channel, external_id=f"{way}{number}", raw=b"{}")
        async with house.db.transaction() as session:
            now = await database_time(session)
            found = await session.scalars(
                select(Arrival).where(Arrival.channel_id == channel.id).order_by(Arrival.id)
            )
            arrivals = list(found)
            if way == "together":
                given = await flood.turns_of(session, channel, arrivals, at=now)
            else:
                given = {}
                for one in arrivals:
                    if turn := await flood.turn_of(session, channel, one, at=now):
                        given[one.id] = turn
            turns[way] = [given[one.id] - now if one.id in given else None for one in arrivals]

    assert turns["together"] == turns["alone"]
    assert turns["alone"].count(None) == rate
