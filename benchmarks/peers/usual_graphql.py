"""Strawberry the usual way: a resolver for each relation, DataLoaders over the ORM's rows, and FastAPI's `GraphQLRouter`."""

from collections import defaultdict
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import strawberry
from fastapi import Depends, FastAPI
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import selectinload
from starlette.requests import HTTPConnection
from strawberry.dataloader import DataLoader
from strawberry.fastapi import BaseContext, GraphQLRouter
from strawberry.schema.config import StrawberryConfig

from api.paging import cursor_of
from api.scalars import SCALARS, BigInt
from benchmarks.peers import usual_rows as rows
from benchmarks.peers.serving import Orders, answer, run, usual_server
from benchmarks.peers.usual_sign_in import signed_in
from domain.db import Database
from domain.desk.tickets import TicketStatus
from domain.events import TOPIC
from domain.ids import public_id, row_id
from domain.sla.clocks import ClockState
from domain.ways_in.channels import ChannelKind

Sessions = async_sessionmaker[AsyncSession]


class Context(BaseContext):
    def __init__(self, sessions: Sessions, db: Database) -> None:
        super().__init__()
        self.sessions, self.db = sessions, db
        self.begin_anew()

    def begin_anew(self) -> None:
        """What was loaded is forgotten."""
        self.contacts = self._loader(_by_id(rows.Contact))
        self.agents = self._loader(_by_id(rows.Agent))
        self.identities = self._loader(_lists(rows.Identity, "contact_id", "created_at"))
        self.threads = self._loader(_lists(rows.Thread, "ticket_id", "joined_at", rows.Thread.channel))
        self.clocks = self._loader(_lists(rows.Clock, "ticket_id", "due_at"))

    def _loader(self, load: "Load") -> DataLoader[UUID, Any]:
        async def batch(ids: list[UUID]) -> Sequence[Any]:
            async with self.sessions() as session:
                return await load(session, ids)

        return DataLoader(load_fn=batch)


Load = Callable[[AsyncSession, list[UUID]], Awaitable[Sequence[Any]]]
Info = strawberry.Info[Context, None]


def _by_id(model: Any) -> Load:
    async def load(session: AsyncSession, ids: list[UUID]) -> Sequence[Any]:
        found = {row.id: row for row in await session.scalars(select(model).where(model.id.in_(ids)))}
        return [found.get(id) for id in ids]

    return load


def _lists(model: Any, parent: str, order: str, *with_them: Any) -> Load:
    columns = model.__table__.c

    async def load(session: AsyncSession, ids: list[UUID]) -> Sequence[Any]:
        query = select(model).where(columns[parent].in_(ids)).order_by(columns[order])
        found = defaultdict(list)
        for row in await session.scalars(query.options(*map(selectinload, with_them))):
            found[getattr(row, parent)].append(row)
        return [found[id] for id in ids]

    return load


for kind in (TicketStatus, ChannelKind, ClockState):
    strawberry.enum(kind)


@strawberry.type
class Identity:
    label: str
    verified: bool


@strawberry.type
class Contact:
    row: strawberry.Private[Any]
    name: str

    @strawberry.field
    async def identities(self, info: Info) -> list[Identity]:
        found = await info.context.identities.load(self.row.id)
        return [Identity(label=row.label, verified=row.verified) for row in found]


@strawberry.type
class Agent:
    name: str


@strawberry.type
class Clock:
    state: ClockState
    due_at: datetime


@strawberry.type
class Ticket:
    row: strawberry.Private[Any]
    number: int
    subject: str
    status: TicketStatus
    priority: int
    tags: list[str]
    updated_at: datetime
    preview: str
    seq: BigInt

    @classmethod
    def of(cls, row: rows.Ticket) -> "Ticket":
        names = ("number", "subject", "status", "priority", "tags", "updated_at", "preview", "seq")
        return cls(row=row, **{name: getattr(row, name) for name in names})

    @strawberry.field
    def id(self) -> strawberry.ID:
        return strawberry.ID(public_id("Ticket", self.row.id))

    @strawberry.field
    async def channels(self, info: Info) -> list[ChannelKind]:
        return [ChannelKind(kind) for kind in rows.channels_of(await info.context.threads.load(self.row.id))]

    @strawberry.field
    async def contact(self, info: Info) -> Contact:
        row = await info.context.contacts.load(self.row.contact_id)
        return Contact(row=row, name=row.name)

    @strawberry.field
    async def assignee(self, info: Info) -> Agent | None:
        row = await info.context.agents.load(self.row.assignee_id) if self.row.assignee_id else None
        return Agent(name=row.name) if row else None

    @strawberry.field
    async def clock(self, info: Info) -> Clock | None:
        row = rows.clock_of(await info.context.clocks.load(self.row.id))
        return Clock(state=ClockState(row.state), due_at=row.due_at) if row else None


@strawberry.type
class TicketEdge:
    node: Ticket


@strawberry.type
class PageInfo:
    end_cursor: str | None
    has_next_page: bool


@strawberry.type
class TicketConnection:
    edges: list[TicketEdge]
    page_info: PageInfo


@strawberry.type
class Query:
    @strawberry.field
    async def tickets(self, info: Info, first: int) -> TicketConnection:
        query = (
            select(rows.Ticket)
            .where(rows.Ticket.merged_into_id.is_(None))
            .order_by(rows.Ticket.updated_at.desc(), rows.Ticket.id.desc())
            .limit(first + 1)
        )
        async with info.context.sessions() as session:
            found = (await session.scalars(query)).all()
        shown = found[:first]
        end = cursor_of("updated", shown[-1].updated_at, shown[-1].id) if shown else None
        return TicketConnection(
            edges=[TicketEdge(node=Ticket.of(row)) for row in shown],
            page_info=PageInfo(end_cursor=end, has_next_page=len(found) > first),
        )


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def ticket(self, info: Info, id: strawberry.ID) -> AsyncGenerator[Ticket, None]:
        """As it is whenever something has happened, read and resolved for each who asks."""
        with info.context.db.bell.listening(TOPIC) as rung:
            while True:
                await rung.wait()
                rung.clear()
                info.context.begin_anew()
                async with info.context.sessions() as session:
                    row = await session.get_one(rows.Ticket, row_id("Ticket", id))
                yield Ticket.of(row)


def usual(sessions: Sessions, db: Database) -> FastAPI:
    app = FastAPI()

    async def session() -> AsyncIterator[AsyncSession]:
        async with sessions() as opened:
            yield opened

    async def context(asked: HTTPConnection, opened: Annotated[AsyncSession, Depends(session)]) -> Context:
        if asked.scope["type"] == "http":
            await signed_in(opened, asked.headers.get("authorization", ""))
        return Context(sessions, db)

    config = StrawberryConfig(scalar_map=SCALARS)
    schema = strawberry.Schema(query=Query, subscription=Subscription, config=config)
    app.include_router(GraphQLRouter(schema, context_getter=context), prefix="/graphql")
    return app


async def _serve(orders: Orders) -> None:
    engine = create_async_engine(orders["database"], pool_size=20)
    db = Database(orders["database"])
    await db.open()
    try:
        sessions = async_sessionmaker(engine, expire_on_commit=False)
        await answer(usual_server(usual(sessions, db)), orders)
    finally:
        await db.close()
        await engine.dispose()


if __name__ == "__main__":
    run(_serve)
