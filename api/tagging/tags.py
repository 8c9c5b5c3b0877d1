"""The tags of tickets: which there are, renaming and removing them."""

import uuid
from datetime import datetime
from enum import Enum
from typing import Any

import strawberry
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncSession

from api.context import Info, plain
from api.errors import UserError
from api.mutations import changed, mutation
from api.node import Node
from api.paging import PageInfo, by_name_cursor, named_place_of, page_info, page_size
from api.selection import wanted
from domain.access import may_see
from domain.actors import Actor
from domain.db import Json
from domain.desk.tags import kept
from domain.ids import public_id
from domain.tagging import renaming, tags
from domain.tagging.changes import TagChange as Change
from domain.tagging.counting import open_tickets


@strawberry.type(description="A word that is put on tickets.")
class Tag:
    name: str
    open_tickets: int = strawberry.field(
        description="As many as `tag:` with `is:open` lists for whoever asks."
    )


@strawberry.type
class TagEdge:
    cursor: str
    node: Tag


@strawberry.type
class TagConnection:
    edges: list[TagEdge]
    page_info: PageInfo


@strawberry.enum
class TagChangeState(Enum):
    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"


@strawberry.type(
    description="A tag that becomes another one, or goes, on all its tickets, in the background."
)
class TagChange(Node):
    tag: str
    into: str | None = strawberry.field(description="Null: it goes.")
    state: TagChangeState
    total: int = strawberry.field(description="Tickets that had it; 0 until it has begun.")
    done: int
    asked_at: datetime
    finished_at: datetime | None


@strawberry.input(
    description="`into`: a new name, or one that there is already. Policies, skills, macros, views and webhooks that name the tag name "
    "`into` from then on, and both until all tickets are done."
)
class TagRenameInput:
    tag: str
    into: str
    client_mutation_id: strawberry.ID


@strawberry.input(
    description="Refused as `TAG_IN_USE` while something that several people use names the tag."
)
class TagRemoveInput:
    tag: str
    client_mutation_id: strawberry.ID


@strawberry.type
class TagChangePayload:
    tag_change: TagChange | None = None
    user_errors: list[UserError] = strawberry.field(default_factory=list)


async def _tags(
    info: Info, search: str | None = None, first: int = 50, after: str | None = None
) -> TagConnection:
    size = page_size(first)
    node = wanted(info).below("edges", "node")
    async with info.context.reading() as reading:
        listed = select(tags.Tag.name, tags.Tag.id).where(may_see(tags.Tag, reading.actor))
        for part in kept((search or "").split()):
            listed = listed.where(tags.Tag.name.contains(part, autoescape=True))
        if after:
            listed = listed.where(tags.Tag.name > named_place_of("tags", after)[0])
        page = listed.order_by(tags.Tag.name).limit(size + 1).ext(distinct_on(tags.Tag.name))
        rows = (await reading.connection.execute(page)).all()
        names = [row.name for row in rows[:size]]
        counted = {}
        if names and "openTickets" in node:
            counted = await open_tickets(reading.connection, names, to=reading.actor)
    edges = [
        TagEdge(
            cursor=by_name_cursor("tags", row.name, row.id),
            node=Tag(name=row.name, open_tickets=counted.get(row.name, 0)),
        )
        for row in rows[:size]
    ]
    return TagConnection(edges=edges, page_info=page_info(edges, after=after, more=len(rows) > size))


async def _tag_rename(info: Info, input: TagRenameInput) -> TagChangePayload:
    async def change(session: AsyncSession, actor: Actor, now: datetime) -> Json:
        begun = await renaming.rename(session, input.tag, input.into, by=actor, at=now)
        return {"change": str(begun.id)}

    return await _payload(info, await changed(info, input, change))


async def _tag_remove(info: Info, input: TagRemoveInput) -> TagChangePayload:
    async def change(session: AsyncSession, actor: Actor, now: datetime) -> Json:
        begun = await renaming.remove(session, input.tag, by=actor, at=now)
        return {"change": str(begun.id)}

    return await _payload(info, await changed(info, input, change))


async def _payload(info: Info, done: Json) -> TagChangePayload:
    found = await _changes(info, Change.id == uuid.UUID(done["change"]), most=1)
    return TagChangePayload(tag_change=found[0] if found else None)


async def _changes(info: Info, *conditions: Any, most: int) -> list[TagChange]:
    async with info.context.reading() as reading:
        newest = (
            select(Change.__table__)
            .where(may_see(Change, reading.actor), *conditions)
            .order_by(Change.id.desc())
            .limit(most)
        )
        rows = (await reading.connection.execute(newest)).all()
    return [
        plain(
            TagChange,
            {
                "id": public_id("TagChange", row.id),
                "tag": row.tag,
                "into": row.into,
                "state": _state(row),
                "total": row.total or 0,
                "done": row.done,
                "asked_at": row.at,
                "finished_at": row.finished_at,
            },
        )
        for row in rows
    ]


def _state(row: Any) -> TagChangeState:
    if row.failed_at:
        return TagChangeState.FAILED
    return TagChangeState.FINISHED if row.finished_at else TagChangeState.RUNNING


async def _newest(info: Info, first: int = 10) -> list[TagChange]:
    return await _changes(info, most=page_size(first))


@strawberry.type
class TagQueries:
    tags: TagConnection = strawberry.field(
        resolver=_tags,
        description="Those of one's teams' tickets and of no team's, by name; each part of `search` is in the name.",
    )
    tag_changes: list[TagChange] = strawberry.field(
        resolver=_newest, description="Newest first; at most 100, for they are few and kept for a day."
    )


@strawberry.type
class TagMutations:
    tag_rename: TagChangePayload = mutation(
        resolver=_tag_rename, description="In the background; `tagChanges` says how far it is."
    )
    tag_remove: TagChangePayload = mutation(
        resolver=_tag_remove,
        description="From all tickets, in the background; `tagChanges` says how far it is.",
    )
