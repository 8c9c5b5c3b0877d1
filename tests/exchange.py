"""The manager interface of an Asterisk: what it says to who signs in, when it tells of calls, and how its line breaks."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from api.house import House
from domain.ways_in.channels import Channel, ChannelKind
from tests.factories import a_channel

USER, SECRET = "heddle", "the secret of the manager"
Packet = dict[str, str]


class Exchange:
    port: int

    def __init__(self) -> None:
        self.asked: list[Packet] = []
        self.channels: list[Packet] = []
        """That there are now, for CoreShowChannels."""
        self.refuses: str | None = None
        """What it says to an Originate."""
        self.silent_on: set[str] = set()
        """Actions that it takes and does not answer."""
        self.listening: set[asyncio.StreamWriter] = set()
        self._lines: set[asyncio.StreamWriter] = set()

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._lines.add(writer)
        writer.write(b"Asterisk Call Manager/9.0.0\r\n")
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while True:
                packet = _read(await reader.readuntil(b"\r\n\r\n"))
                self.asked.append(packet)
                if packet["Action"] not in self.silent_on:
                    await self._answer(packet, writer)
        self.listening.discard(writer)
        self._lines.discard(writer)
        writer.close()

    async def _answer(self, packet: Packet, writer: asyncio.StreamWriter) -> None:
        id = packet["ActionID"]
        match packet["Action"]:
            case "Login" if (packet["Username"], packet["Secret"]) == (USER, SECRET):
                if packet["Events"] != "off":
                    self.listening.add(writer)
                _write(writer, Response="Success", ActionID=id, Message="Authentication accepted")
                _write(writer, Event="FullyBooted", Status="Fully Booted")
            case "Login":
                _write(writer, Response="Error", ActionID=id, Message="Authentication failed")
            case "CoreShowChannels":
                _write(
                    writer, Response="Success", ActionID=id, EventList="start", Message="Channels will follow"
                )
                for channel in self.channels:
                    _write(writer, **{"Event": "CoreShowChannel", "ActionID": id} | channel)
                _write(writer, Event="CoreShowChannelsComplete", ActionID=id, EventList="Complete")
            case "Originate" if self.refuses:
                _write(writer, Response="Error", ActionID=id, Message=self.refuses)
            case "Originate":
                _write(writer, Response="Success", ActionID=id, Message="Originate successfully queued")
            case _:
                _write(writer, Response="Success", ActionID=id, Ping="Pong")
        await writer.drain()

    async def says(self, *events: Packet) -> None:
        """To all who listen."""
        for writer in list(self.listening):
            for event in events:
                _write(writer, **event)
            await writer.drain()

    def cut(self) -> None:
        for writer in list(self._lines):
            writer.transport.abort()

    def originated(self) -> list[Packet]:
        return [packet for packet in self.asked if packet["Action"] == "Originate"]


def _read(packet: bytes) -> Packet:
    return dict(line.split(": ", 1) for line in packet.decode().split("\r\n") if ": " in line)


def _write(writer: asyncio.StreamWriter, **packet: str) -> None:
    writer.write("".join(f"{name}: {value}\r\n" for name, value in packet.items()).encode() + b"\r\n")


@asynccontextmanager
async def an_exchange() -> AsyncIterator[Exchange]:
    exchange = Exchange()
    server = await asyncio.start_server(exchange.converse, "127.0.0.1", 0)
    exchange.port = server.sockets[0].getsockname()[1]
    try:
        yield exchange
    finally:
        server.close()
        exchange.cut()


async def a_line(house: House, exchange: Exchange, **settings: Any) -> Channel:
    async with house.db.transaction() as session:
        return await a_channel(
            session,
            house.keys,
            ChannelKind.PHONE,
            **{
                "provider": "asterisk",
                "ami_host": "127.0.0.1",
                "ami_port": exchange.port,
                "ami_user": USER,
                "ami_secret": SECRET,
            }
            | settings,
        )


def a_call(id: str = "1764172800.1", *, caller: str = "+48600100200", line: str = "101") -> list[Packet]:
    """From outside, taken by the telephone of that line, and hung up by the caller."""
    trunk, desk, leg = "PJSIP/trunk-00000001", f"PJSIP/{line}-00000002", f"{id}2"
    caller_side = {"Channel": trunk, "Uniqueid": id, "Linkedid": id, "CallerIDNum": caller}
    both = {**caller_side, "DestChannel": desk, "DestUniqueid": leg, "DestLinkedid": id}
    bridge = {"BridgeUniqueid": f"b{id}", "BridgeTechnology": "simple_bridge"}
    return [
        {"Event": "Newchannel", **caller_side, "Context": "from-trunk", "Exten": "+48221234567"},
        {"Event": "Newchannel", "Channel": desk, "Uniqueid": leg, "Linkedid": id, "Context": "from-internal"},
        {"Event": "DialBegin", **both, "DialString": line},
        {"Event": "DialEnd", **both, "DialStatus": "ANSWER"},
        {"Event": "BridgeEnter", "Channel": desk, "Uniqueid": leg, "Linkedid": id, **bridge, "BridgeNumChannels": "1"},
        {"Event": "BridgeEnter", **caller_side, **bridge, "BridgeNumChannels": "2"},
        {"Event": "Hangup", "Channel": desk, "Uniqueid": leg, "Linkedid": id, "Cause": "16", "Cause-txt": "Normal Clearing"},
        {"Event": "Hangup", **caller_side, "Cause": "16", "Cause-txt": "Normal Clearing"},
    ]  # fmt: skip
