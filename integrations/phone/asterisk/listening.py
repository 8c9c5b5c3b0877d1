"""Listens to the exchanges that are set up to be listened to: each by one process at a time.

An Asterisk tells what happens and never what happened: whoever was away asks, on coming back, which channels there are.
Every event of a call of the shop's is kept before anybody reads it, under an id that is the same whoever hears it.
"""

import asyncio
import hashlib
import uuid
from collections.abc import Iterable
from datetime import timedelta
from typing import Never

import orjson
import structlog
from sqlalchemy import func, or_, select

from domain.arriving.inbound import keep
from domain.calling.dials import Dial, DialState, is_ours
from domain.db import Database
from domain.desk.messages import Call, CallState
from domain.keys import Keys
from domain.ways_in import fetching
from domain.ways_in.channels import Channel, ChannelKind
from integrations.holding import Holder, Pace
from integrations.phone.asterisk.connection import Connection, Event, ExchangeFailed, SignInRefused, connected
from integrations.phone.asterisk.payloads import GONE, call_id, follows
from integrations.phone.line import HEARD, PhoneLine

log = structlog.get_logger()

PROVIDER = "asterisk"
FOLLOWED = {
    "Newchannel", "DialBegin", "DialEnd", "BridgeEnter", "BlindTransfer", "AttendedTransfer", "Hangup",
    "OriginateResponse",
}  # fmt: skip
TELLING_APART = (
    "Event", "Linkedid", "Uniqueid", "DestUniqueid", "DialStatus", "BridgeUniqueid", "BridgeNumChannels",
    "BridgeId", "TransfereeUniqueid", "OrigTransfererUniqueid", "SecondTransfererUniqueid", "Extension",
)  # fmt: skip
"""What makes an event another one: not when, or by whom, it was heard."""
AT_ONCE = 100
"""Events that are kept in one transaction."""
BACKLOG = 20_000
"""Events that wait while the database does not answer; then it is better to ask again what is so."""
GRACE = timedelta(seconds=10)
"""Until a call that was asked for has a channel."""


class Listener:
    def __init__(self, db: Database, keys: Keys, pace: Pace | None = None) -> None:
        self._db, self._keys = db, keys
        self._pace = pace or Pace(longest=30.0, refused=60.0)

    async def run(self) -> None:
        """Until cancelled."""
        await Holder(
            self._db,
            self._keys,
            self._pace,
            kind=ChannelKind.PHONE,
            only=HEARD,
            settings=PhoneLine,
            reader=lambda channel, line, me: _Reader(self._db, self._pace, channel, line, me),
        ).run()


class _Reader:
    """One exchange."""

    def __init__(self, db: Database, pace: Pace, channel: Channel, line: PhoneLine, me: uuid.UUID) -> None:
        self.settings = line
        self._db, self._pace, self._channel, self._me = db, pace, channel, me
        self._failures = 0
        self._calls: set[str] = set()
        """Those of the shop that go on."""

    async def read(self) -> float:
        try:
            await self._listen()
        except SignInRefused as refusal:
            return await self._failed(str(refusal), self._pace.after_refusal())
        except ExchangeFailed as failure:
            return await self._failed(str(failure), self._pace.after_failure(self._failures))

    async def _failed(self, error: str, again: float) -> float:
        log.warning("exchange_fails", channel=self._channel.slug)
        self._failures += 1
        async with self._db.transaction() as session:
            await fetching.fails(
                session, self._channel.id, by=self._me, error=error, again_in=again, fetching=False
            )
        return again

    async def _listen(self) -> Never:
        """Until the line is lost."""
        heard: asyncio.Queue[Event] = asyncio.Queue(BACKLOG)

        def hear(event: Event) -> None:
            if event.get("Event") in FOLLOWED:
                heard.put_nowait(event)

        async with connected(self.settings, hear) as connection:
            async with self._db.transaction() as session:
                await fetching.signed_in(session, self._channel.id, by=self._me)
            await self._catch_up(connection)
            self._failures = 0
            lost = asyncio.create_task(connection.until_lost())
            try:
                while True:
                    events = await _some(heard, lost)
                    if not events:
                        await lost
                        raise ExchangeFailed("the connection is lost")
                    await self._keep(filter(self._belongs, events))
            finally:
                lost.cancel()
                await asyncio.gather(lost, return_exceptions=True)

    async def _catch_up(self, connection: Connection) -> None:
        """What began, was answered and ended while nobody listened."""
        open_calls = await self._open_calls()
        shown = [dict(one) for one in await connection.ask({"Action": "CoreShowChannels"}, listed=True)]
        channels = [one for one in shown if one.get("Event") == "CoreShowChannel"]
        there = {call_id(channel) for channel in channels}
        known = (self._calls | open_calls) & there
        first = [channel for channel in channels if channel.get("Uniqueid") == call_id(channel)]
        begun = [channel for channel in first if follows(channel, self.settings, self.settings.region)]
        self._calls = known | {call_id(channel) for channel in begun}
        gone = [{"Event": GONE, "Linkedid": id} for id in sorted(open_calls - there)]
        await self._keep([*(one for one in first if call_id(one) in self._calls), *gone])
        async with self._db.transaction() as session:
            await fetching.works(session, self._channel.id, by=self._me)

    async def _open_calls(self) -> set[str]:
        """Those whose end has not been told; not one that is only just being asked for."""
        being_asked = select(Dial.call_id).where(Dial.state.in_((DialState.WAITING, DialState.ASKED)))
        settled = or_(Call.at < func.now() - GRACE, Call.arrival_id.is_not(None))
        async with self._db.transaction() as session:
            found = await session.scalars(
                select(Call.external_id).where(
                    Call.channel_id == self._channel.id,
                    Call.call_state.in_((CallState.RINGING, CallState.ANSWERED)),
                    Call.external_id.is_not(None),
                    Call.id.not_in(being_asked),
                    settled,
                )
            )
            return {str(id) for id in found}

    def _belongs(self, event: Event) -> bool:
        """What happens between the desks of the house is nobody's to keep."""
        id = call_id(event)
        match event["Event"]:
            case "Newchannel":
                if not follows(event, self.settings, self.settings.region):
                    return False
                self._calls.add(id)
                return True
            case "OriginateResponse":
                return is_ours(id)
            case "Hangup" if id in self._calls and event.get("Uniqueid") == id:
                self._calls.discard(id)
                return True
            case _:
                return id in self._calls

    async def _keep(self, events: Iterable[Event]) -> None:
        async with self._db.transaction() as session:
            await fetching.locked(session, self._channel.id, by=self._me)
            for event in events:
                await keep(
                    session,
                    self._channel,
                    external_id=_id(event),
                    raw=orjson.dumps(event),
                    envelope={"by": PROVIDER},
                )


async def _some(heard: asyncio.Queue[Event], lost: asyncio.Task[None]) -> list[Event]:
    """What was heard, as soon as something was; nothing once the line is lost and all is told."""
    getting = asyncio.create_task(heard.get())
    try:
        await asyncio.wait((getting, lost), return_when=asyncio.FIRST_COMPLETED)
        if not getting.done():
            return []
        some = [getting.result()]
    finally:
        getting.cancel()
    while not heard.empty() and len(some) < AT_ONCE:
        some.append(heard.get_nowait())
    return some


def _id(event: Event) -> str:
    said = [str(event.get(name, "")) for name in TELLING_APART]
    if event["Event"] == "OriginateResponse":
        said.append(call_id(event))
    return hashlib.sha256("\n".join(["ami", *said]).encode()).hexdigest()
