"""After a ticket is solved: the history is read, what waits falls due, a worker asks."""

import asyncio
import re
import uuid
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select, update

from api.house import House
from domain import events, following
from domain.actors import Actor
from domain.answering.replies import send
from domain.customers.contacts import Identity
from domain.db import database_time
from domain.desk.messages import OUTBOX, Message
from domain.desk.survivors import locked
from domain.desk.tickets import Ticket, TicketStatus
from domain.feedback import requests, solving, surveys
from domain.feedback.asking import Asker
from domain.feedback.requests import SURVEYS, AnsweredBy, SurveyRequest
from domain.feedback.scales import SurveyKind
from domain.feedback.surveys import Choice, Survey
from integrations.courier import Courier
from tests.factories import an_agent, tickets

LINK = re.compile(r"http://heddle\.test(/feedback/[a-z2-7]{52})")


def link_in(said: str | None) -> str:
    """Its path."""
    found = LINK.search(said or "")
    assert found, said
    return found[1]


@dataclass
class Afterwards:
    house: House
    ben: Actor

    @classmethod
    async def at(cls, house: House, *, name: str = "Ben", **choice: Any) -> "Afterwards":
        """A shop that asks; the history is read from here on."""
        async with house.db.transaction() as session:
            ben = await an_agent(session, name)
            await following.begin(session, solving.READER)
        afterwards = cls(house, ben.as_actor())
        await afterwards.survey(SurveyKind.CSAT, **choice)
        return afterwards

    async def survey(self, kind: SurveyKind, channel_id: uuid.UUID | None = None, **choice: Any) -> Survey:
        async with self.house.db.transaction() as session:
            at = await database_time(session)
            return await surveys.save(session, kind, channel_id, Choice(**{"enabled": True, **choice}), at=at)

    async def answers(self, ticket: Ticket, text: str = "We have looked into it.") -> Message:
        async with self.house.db.transaction() as session:
            held = await locked(session, ticket.id)
            theirs = select(Identity).where(Identity.contact_id == held.contact_id)
            to = (await session.scalars(theirs.order_by(Identity.last_used_at.desc()).limit(1))).one()
            return await send(
                session, self.house.keys, held, to=to, text=text, by=self.ben,
                at=await database_time(session), last_seen_seq=10**15,
            )  # fmt: skip

    async def becomes(self, ticket: Ticket, status: TicketStatus, by: Actor | None = None) -> None:
        async with self.house.db.transaction() as session:
            held = await locked(session, ticket.id)
            held.change(by=by or self.ben, at=await database_time(session), status=status)

    async def solves(self, ticket: Ticket, by: Actor | None = None) -> None:
        await self.becomes(ticket, TicketStatus.SOLVED, by)
        await self.hears()

    async def hears(self) -> None:
        """All of the history, also what an older transaction somewhere else still holds back."""
        async with asyncio.timeout(30):
            while True:
                async with self.house.db.transaction() as session:
                    pending = await events.any_pending(session)
                    read = await following.read_on(session, solving.READER, solving.heed)
                if not pending and not read:
                    return
                await asyncio.sleep(0.01 if pending else 0)

    async def time_comes(self) -> None:
        async with self.house.db.transaction() as session:
            waiting = update(SurveyRequest).where(SurveyRequest.due_at.is_not(None))
            await session.execute(waiting.values(due_at=func.now()))

    async def asks(self) -> list[SurveyRequest]:
        """Everything that waits, at once; then all that was ever to be asked."""
        await self.time_comes()
        asker = Asker(self.house.db, self.house.keys, self.house.base_url)
        async with self.house.db.transaction() as session:
            claimed = await SURVEYS.claim(session, 100)
        for request, lease in claimed:
            await asker.ask(request, lease)
        return await self.requests()

    async def requests(self) -> list[SurveyRequest]:
        async with self.house.db.transaction() as session:
            return list(await session.scalars(select(SurveyRequest).order_by(SurveyRequest.event_seq)))

    async def tickets(self) -> list[Ticket]:
        async with self.house.db.transaction() as session:
            return await tickets(session)

    async def asked(self, ticket: Ticket) -> SurveyRequest:
        """It is solved, and its customer has been asked."""
        await self.answers(ticket)
        await self.solves(ticket)
        request = (await self.asks())[-1]
        assert request.asked_at, request.unasked
        return request

    async def is_answered(self, request: SurveyRequest, score: int, words: str | None = None) -> None:
        async with self.house.db.transaction() as session:
            found = await requests.held_request(session, request.id)
            assert found
            at = await database_time(session)
            held, ticket = found
            held.answer(ticket, score=score, words=words, by=AnsweredBy.LINK, at=at)

    async def carried(self, courier: Courier) -> None:
        """All that waits to leave."""
        while True:
            async with self.house.db.transaction() as session:
                claimed = await OUTBOX.claim(session, 1)
            if not claimed:
                return
            for message, lease in claimed:
                await courier.carry(message, lease)
