"""Views: saved queries, with how many tickets each holds for whoever asks."""

import uuid
from datetime import datetime
from typing import Any

import strawberry
from sqlalchemy import ColumnElement, Row, select
from sqlalchemy.ext.asyncio import AsyncSession

from api.context import Info, Reading, plain
from api.errors import OkPayload, UserError
from api.mutations import changed, mutation
from api.node import Node
from api.selection import Selection, wanted
from domain import access
from domain.access import may_see
from domain.actors import Actor
from domain.db import Json
from domain.errors import NotFound
from domain.finding import counting, views
from domain.finding.views import TicketOrder, name_of
from domain.ids import public_id, row_id

strawberry.enum(
    TicketOrder,
    description="DUE: by the promise that is due first; what is paused or promised nothing comes last, the oldest first. UPDATED, "
    "CREATED: the newest first.",
)


@strawberry.type(description="A saved query: one's own, or the shop's.")
class View(Node):
    name: str = strawberry.field(
        description="In the reader's language, of a view that every shop begins with and nobody has renamed."
    )
    query: str
    order_by: TicketOrder
    shared: bool = strawberry.field(description="The shop's, for everybody.")
    shortcut: str | None
    position: int
    count: int | None = strawberry.field(
        description="Of tickets that the reader sees; exact up to 1,000, 1,001 means more. Null where the view reaches into what "
        "is settled and counting would take too long, its query is not understood any more, or the views before it ask for 200 "
        "terms and words already."
    )
    breached: int | None = strawberry.field(
        description="Of those, how many have a broken promise; as `count`."
    )


@strawberry.input(description="Without `id` a new one. What is left out stays.")
class ViewSaveInput:
    id: strawberry.ID | None = None
    name: str | None = None
    query: str | None = None
    order_by: TicketOrder | None = None
    shortcut: str | None = None
    position: int | None = None
    shared: bool | None = strawberry.field(
        default=None, description="The shop's: saved by who manages. A new one is one's own."
    )
    client_mutation_id: strawberry.ID


@strawberry.input
class ViewInput:
    id: strawberry.ID
    client_mutation_id: strawberry.ID


@strawberry.type
class ViewPayload:
    view: View | None = None
    user_errors: list[UserError] = strawberry.field(default_factory=list)


async def view_row(reading: Reading, id: str) -> Row[Any]:
    row_of = views.View
    asked = row_of.id == row_id("View", id, field="viewId")
    found = await reading.connection.execute(
        select(row_of.__table__).where(may_see(row_of, reading.actor), asked)
    )
    row = found.one_or_none()
    if row is None:
        raise NotFound(field=["viewId"])
    return row


async def views_where(reading: Reading, selection: Selection, *conditions: ColumnElement[bool]) -> list[View]:
    """The shop's first."""
    row_of = views.View
    rows = (
        await reading.connection.execute(
            select(row_of.__table__)
            .where(may_see(row_of, reading.actor), *conditions)
            .order_by(row_of.owner_id.is_not(None), row_of.position, row_of.id)
            .limit(2 * views.MOST)
        )
    ).all()
    names, counts = [name for name in counting.ALSO if name in selection], counting.Counts()
    if rows and names:
        counts = await counting.counts(reading.connection, rows, names, to=reading.actor, at=reading.at)
    return [
        plain(
            View,
            {
                "id": public_id("View", row.id),
                "name": name_of(row, reading.locale),
                "query": row.query,
                "order_by": row.order_by,
                "shared": row.owner_id is None,
                "shortcut": row.shortcut,
                "position": row.position,
                **dict.fromkeys(counting.ALSO),
                **counts.get(row.id, {}),
            },
        )
        for row in rows
    ]


async def _views(info: Info) -> list[View]:
    async with info.context.reading() as reading:
        return await views_where(reading, wanted(info))


async def _view_save(info: Info, input: ViewSaveInput) -> ViewPayload:
    async def change(session: AsyncSession, actor: Actor, now: datetime) -> Json:
        row = await _held(session, input.id, actor) if input.id else None
        was_shared = row is not None and row.owner_id is None
        row = await views.save_view(
            session,
            row,
            by=actor,
            at=now,
            shared=input.shared,
            name=input.name,
            query=input.query,
            order_by=input.order_by,
            shortcut=input.shortcut,
            position=input.position,
        )
        return {"view": str(row.id), "private": not (was_shared or row.owner_id is None)}

    done = await changed(info, input, change)
    async with info.context.reading() as reading:
        asked = views.View.id == uuid.UUID(done["view"])
        found = await views_where(reading, wanted(info).below("view"), asked)
    return ViewPayload(view=found[0] if found else None)


async def _view_delete(info: Info, input: ViewInput) -> OkPayload:
    async def change(session: AsyncSession, actor: Actor, now: datetime) -> Json:
        row = await _held(session, input.id, actor)
        row.may_be_changed(by=actor)
        await session.delete(row)
        return {"private": row.owner_id is not None}

    await changed(info, input, change)
    return OkPayload(ok=True)


async def _held(session: AsyncSession, id: str, actor: Actor) -> views.View:
    return await access.one(session, views.View, row_id("View", id), to=actor, lock=True)


@strawberry.type
class ViewQueries:
    views: list[View] = strawberry.field(
        resolver=_views, description="The shop's, then one's own: at most 50 of each."
    )


@strawberry.type
class ViewMutations:
    view_save: ViewPayload = mutation(resolver=_view_save)
    view_delete: OkPayload = mutation(resolver=_view_delete)
