"""The change feed: what happened, in commit order, told from a cursor on."""

from collections.abc import Collection
from datetime import timedelta
from typing import Any

import strawberry
from sqlalchemy import select

from api.change_topics import Change, ChangeTopic, changes_of
from api.context import Info, Reading
from api.cursors import ELSEWHERE, cursor, place
from api.house import House
from api.scalars import Cursor
from api.selection import Selection, wanted
from api.telling import SharedResult
from domain import events
from domain.errors import InvalidInput
from domain.events import Event, Place
from domain.gathering import gathered
from domain.languages import N_

BATCH = 200


@strawberry.type(
    description="`resetRequired`: the cursor is older than the feed reaches back; drop what is kept and ask the screen's "
    "query again."
)
class ChangeBatch:
    cursor: Cursor
    has_more: bool
    reset_required: bool
    changes: list[Change]
    told: strawberry.Private[SharedResult | None] = None
    """As it is sent to all to whom all of it is the same."""

    @property
    def says(self) -> bool:
        return bool(self.changes) or self.reset_required

    def is_told_as(self, other: "ChangeBatch") -> bool:
        if self.told and other.told:
            return self.told.json == other.told.json
        return not self.says and not other.says

    @classmethod
    def of(
        cls,
        house: House,
        reached: Place,
        changes: list[Any] | None = None,
        *,
        has_more: bool = False,
        reset_required: bool = False,
    ) -> "ChangeBatch":
        return cls(
            cursor=cursor(house, reached),
            has_more=has_more,
            reset_required=reset_required,
            changes=changes or [],
        )


async def read_batch(
    reading: Reading,
    since: Place,
    topics: Collection[ChangeTopic],
    first: int,
    selection: Selection,
    until: Place | None = None,
) -> tuple[ChangeBatch, Place]:
    query = select(Event.__table__).where(events.after(since))
    if until:
        query = query.where(events.up_to(until))
    query = query.order_by(Event.xid, Event.seq).limit(first + 1)
    is_too_old, told = await gathered(too_old(reading, since), reading.connection.execute(query))
    if is_too_old:
        newest = await events.newest_place(reading.connection)
        return ChangeBatch.of(reading.house, newest, reset_required=True), newest
    found = told.all()
    read = found[:first]
    reached = (read[-1].xid, read[-1].seq) if read else since
    changes = await changes_of(reading, read, topics, selection.below("changes")) if read else []
    return ChangeBatch.of(reading.house, reached, changes, has_more=len(found) > first), reached


async def too_old(reading: Reading, since: Place) -> bool:
    """Is there something after this place that the feed no longer tells? A place in the future is no better."""
    if since == ELSEWHERE:
        return True
    following = select(Event.recorded_at).where(events.after(since)).order_by(Event.xid, Event.seq).limit(1)
    recorded_at, newest = await gathered(
        reading.connection.scalar(following), events.newest_place(reading.connection)
    )
    if recorded_at and recorded_at < reading.at - timedelta(days=events.RETENTION_DAYS):
        return True
    return since[0] > newest[0] + 1


async def _query(
    info: Info, since: Cursor, topics: list[ChangeTopic] | None = None, first: int = BATCH
) -> ChangeBatch:
    if not 1 <= first <= BATCH:
        raise InvalidInput(N_("`first` is a number from 1 to {most}."), field=["first"], most=BATCH)
    async with info.context.reading() as reading:
        batch, _ = await read_batch(
            reading, place(info.context.house, since), topics or list(ChangeTopic), first, wanted(info)
        )
        return batch


async def _change_cursor(info: Info) -> Cursor:
    async with info.context.reading() as reading:
        return cursor(info.context.house, await events.newest_place(reading.connection))


@strawberry.type
class ChangeQueries:
    change_cursor: Cursor = strawberry.field(
        resolver=_change_cursor, description="Ask for it with a screen's query: `changes` goes on from there."
    )
    changes: ChangeBatch = strawberry.field(resolver=_query)
