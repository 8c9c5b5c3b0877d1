"""The heartbeat is heard once a minute, and only while the promises are proven."""

import asyncio

import httpx
import pytest
from sqlalchemy import select, update

from demo.farends.server import Answer, HttpFarEnd, Received, Request
from domain.alerting.alerts import Alert
from domain.auditor import EVERY, TOLD_WITHIN, Audited
from domain.db import Database
from domain.events import Event
from domain.keys import Keys
from domain.sla.deadlines import fire_due
from domain.ways_in.channels import ChannelKind
from notifications import watch
from notifications.settings import NotificationSettings
from tests.factories import a_channel, a_mail, a_promise, receive


class Listener(HttpFarEnd):
    def __init__(self) -> None:
        self.beats: Received[str] = Received()

    def answer(self, request: Request) -> Answer:
        self.beats.take(request.path)
        return Answer({})


async def test_the_heartbeat_stops_when_an_alert_was_told_to_nobody(clean: Database, keys: Keys) -> None:
    """There is no manager and no admin: nobody can be told."""
    async with Listener() as listener, httpx.AsyncClient() as http:
        settings = NotificationSettings(heartbeat_url=f"{listener.url}/a-secret-path")

        async def minute() -> int:
            async with clean.transaction() as session:
                await session.execute(update(Audited).values(at=Audited.at - EVERY))
            await watch.look(clean, settings, http)
            return len(listener.beats)

        assert [await minute(), await minute()] == [1, 2]
        await watch.look(clean, settings, http)
        assert len(listener.beats) == 2, "the minute is not over"

        async with clean.transaction() as session:
            await a_promise(session, 60)
            await receive(
                session, await a_channel(session, keys, ChannelKind.EMAIL), a_mail("ada@example.org")
            )
        async with clean.transaction() as session:
            await fire_due(session)
        async with clean.transaction() as session:
            await session.execute(update(Event).values(recorded_at=Event.recorded_at - TOLD_WITHIN * 2))
            assert await session.scalar(select(Alert.id))

        assert await minute() == 2


class Deaf(Listener):
    """Hears, and does not answer."""

    def answer(self, request: Request) -> Answer:
        super().answer(request)
        return Answer(b"", ending="silence")


async def test_a_listener_that_does_not_answer_stops_nothing(
    clean: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "PATIENCE", 0.2)
    monkeypatch.setattr(watch, "LOOK", 0.01)
    async with Deaf() as listener:
        watching = asyncio.create_task(
            watch.run(clean, NotificationSettings(heartbeat_url=f"{listener.url}/a-secret-path"))
        )
        await listener.beats.next(timeout=30)
        async with clean.transaction() as session:
            await session.execute(update(Audited).values(at=Audited.at - EVERY))

        assert await listener.beats.next(timeout=30) == "/a-secret-path"
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


def test_a_heartbeat_needs_a_web_address() -> None:
    with pytest.raises(ValueError, match="https://"):
        NotificationSettings(heartbeat_url="heartbeat.example")
