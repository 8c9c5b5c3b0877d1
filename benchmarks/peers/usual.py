"""The usual way: FastAPI, pydantic and SQLAlchemy's ORM answer the inbox page as REST."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, FastAPI, Header
from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import selectinload

from benchmarks.peers.serving import Orders, answer, run, usual_server
from benchmarks.peers.usual_rows import Agent, Contact, Thread, Ticket
from benchmarks.peers.usual_sign_in import signed_in


class Shown(BaseModel):
    model_config = ConfigDict(from_attributes=True, alias_generator=to_camel, populate_by_name=True)


class ShownIdentity(Shown):
    label: str
    verified: bool


class ShownContact(Shown):
    name: str
    identities: list[ShownIdentity]


class ShownAgent(Shown):
    name: str


class ShownClock(Shown):
    state: str
    due_at: datetime


class ShownTicket(Shown):
    id: UUID
    number: int
    subject: str
    status: str
    priority: int
    tags: list[str]
    updated_at: datetime
    preview: str
    channels: list[str]
    seq: int
    contact: ShownContact
    assignee: ShownAgent | None
    clock: ShownClock | None


class Page(Shown):
    tickets: list[ShownTicket]
    end_cursor: str | None
    has_next_page: bool


def usual(sessions: async_sessionmaker[AsyncSession]) -> FastAPI:
    app = FastAPI()

    async def session() -> AsyncIterator[AsyncSession]:
        async with sessions() as opened:
            yield opened

    Opened = Annotated[AsyncSession, Depends(session)]

    async def asker(opened: Opened, authorization: Annotated[str, Header()] = "") -> Agent:
        return await signed_in(opened, authorization)

    @app.get("/tickets", response_model=Page)
    async def tickets(opened: Opened, agent: Annotated[Any, Depends(asker)], first: int = 50) -> Any:
        query = (
            select(Ticket)
            .where(Ticket.merged_into_id.is_(None))
            .order_by(Ticket.updated_at.desc(), Ticket.id.desc())
            .limit(first + 1)
            .options(
                selectinload(Ticket.contact).selectinload(Contact.identities),
                selectinload(Ticket.assignee),
                selectinload(Ticket.threads).selectinload(Thread.channel),
                selectinload(Ticket.clocks),
            )
        )
        found = (await opened.scalars(query)).all()
        shown = found[:first]
        cursor = f"{shown[-1].updated_at.isoformat()},{shown[-1].id}" if shown else None
        return {"tickets": shown, "end_cursor": cursor, "has_next_page": len(found) > first}

    return app


async def _serve(orders: Orders) -> None:
    engine = create_async_engine(orders["database"], pool_size=20)
    try:
        await answer(usual_server(usual(async_sessionmaker(engine, expire_on_commit=False))), orders)
    finally:
        await engine.dispose()


if __name__ == "__main__":
    run(_serve)
