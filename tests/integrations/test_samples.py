"""What providers send, as their documents say it, is read as it is meant."""

import asyncio
import hashlib
import json
from contextlib import suppress
from dataclasses import replace
from typing import Any

import orjson
import pytest
from sqlalchemy import select
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from api.house import House
from domain.arriving.afterwards import InboundReceipt
from domain.arriving.inbound import Arrival, InboundMessage, Unread
from domain.ways_in.channels import Channel, ChannelKind
from integrations.chat.widget import ChatWidget
from integrations.mailroom import READERS
from tests.factories import a_channel
from tests.integrations.judging import Part, as_expected, unstorable
from tests.integrations.sampled import KINDS, SAMPLES, missing_reader, parts_of, samples

PROVIDERS = [
    pytest.param(
        provider, marks=pytest.mark.skipif(bool(why := missing_reader(provider)), reason=why or "read")
    )
    for provider in KINDS
]


@pytest.mark.parametrize("provider", PROVIDERS)
def test_every_sample_is_read_as_its_provider_means_it(provider: str) -> None:
    otherwise = {
        name: parts
        for name, body, expected in samples(provider)
        if not as_expected(expected, parts := parts_of(provider, name, body))
    }

    assert otherwise == {}


@pytest.mark.parametrize("provider", PROVIDERS)
def test_what_is_read_of_a_sample_can_be_stored(provider: str) -> None:
    problems = {
        name: problem
        for name, body, _ in samples(provider)
        for part in parts_of(provider, name, body)
        if (problem := unstorable(part))
    }

    assert problems == {}


def test_another_reading_than_the_expected_one_is_told_apart() -> None:
    name, body, expected = next(one for one in samples("messenger") if one[0] == "text.json")
    (said,) = parts_of("messenger", name, body)
    assert isinstance(said, InboundMessage)

    others: list[list[Part]] = [
        [],
        [said, said],
        [replace(said, text=said.text.upper())],
        [replace(said, external_id="m_another")],
        [replace(said, from_shop=True)],
        [replace(said, claims=(replace(said.claims[0], value="7"),))],
        [Unread("nothing", failed=True)],
    ]
    assert as_expected(expected, [said])
    assert not any(as_expected(expected, other) for other in others)


@pytest.mark.parametrize("provider", [*KINDS, "chat"])
def test_every_sample_says_how_it_is_read(provider: str) -> None:
    kept = {path.name for path in (SAMPLES / provider).iterdir() if path.suffix != ".claims"}
    assert kept == {name for name, _, _ in samples(provider)} | {"expected.json"}


def test_the_claims_beside_a_body_are_of_this_body() -> None:
    for claims in (SAMPLES / "vonage").glob("*.claims"):
        body = claims.with_suffix(".json").read_bytes()
        assert json.loads(claims.read_bytes())["payload_hash"] == hashlib.sha256(body).hexdigest()


async def test_a_chat_takes_every_message_and_outlives_every_other_frame(house: House, door: str) -> None:
    unhurried = {name: 10_000 for name in ChatWidget.model_fields if name.endswith("s_per_minute")}
    async with house.db.transaction() as session:
        channel = await a_channel(session, house.keys, ChannelKind.CHAT, **unhurried)
    said = list(samples("chat"))

    for number in range(0, len(said), 8):
        async with asyncio.TaskGroup() as visitors:
            for name, body, _ in said[number : number + 8]:
                visitors.create_task(_say(door, body.decode().strip(), name))

    read = await _read(house, channel)
    otherwise = {
        name: read[name]
        for name, _, expected in said
        if not as_expected(expected, read[name]) or any(map(unstorable, read[name]))
    }
    assert otherwise == {}


LAST_WORD = "I am still here after "


async def _say(door: str, frame: str, name: str) -> None:
    """And a last word after it: on another socket, if this one was closed for it."""
    async with connect(f"{door.replace('http', 'ws')}/chat/chat", max_queue=None) as socket:
        with suppress(ConnectionClosed):
            if '"hello"' not in frame:
                await _tell(socket, {"type": "hello"}, until="hello")
            await socket.send(frame)
            if '"hello"' in frame:
                await _tell(socket, {"type": "hello"}, until="hello")
            last = {"type": "message", "id": f"last {name}"[:60], "text": f"{LAST_WORD}{name}"}
            await _tell(socket, last, until="ack", id=last["id"])
            return
    assert socket.close_code in (1003, 1007, 1008, 1009)
    await _say(door, '{"type": "typing"}', name)


async def _tell(socket: ClientConnection, frame: dict[str, Any], *, until: str, **said: Any) -> None:
    await socket.send(orjson.dumps(frame).decode())
    while True:
        heard = orjson.loads(await asyncio.wait_for(socket.recv(), 30))
        if heard["type"] == until and said.items() <= heard.items():
            return


async def _read(house: House, channel: Channel) -> dict[str, list[Part]]:
    """What each visitor said before the last word, which names the frame."""
    read: dict[str, list[Part]] = {}
    visits: dict[str, list[Part]] = {}
    async with house.db.transaction() as session:
        for arrival in await session.scalars(select(Arrival).order_by(Arrival.id)):
            for part in READERS[ChannelKind.CHAT](channel, house.keys, arrival):
                assert isinstance(part, InboundMessage | InboundReceipt)
                if isinstance(part, InboundMessage) and part.text.startswith(LAST_WORD):
                    read[part.text.removeprefix(LAST_WORD)] = visits.pop(str(part.thread_key), [])
                else:
                    visits.setdefault(str(part.thread_key), []).append(part)
    return read
