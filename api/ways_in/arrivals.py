"""What came in and could not be read: nothing a customer sent is out of sight."""

from datetime import datetime

import strawberry
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from api.context import Info, plain
from api.errors import OkPayload
from api.mutations import changed, mutation
from api.node import Node
from api.paging import page_size
from domain import access
from domain.access import may_see
from domain.actors import Actor
from domain.arriving.inbound import ARRIVALS, ArrivalState
from domain.arriving.inbound import Arrival as ArrivalRow
from domain.db import Json, ring
from domain.errors import NotFound
from domain.ids import public_id, row_id
from domain.ways_in.channels import Channel, ChannelKind

strawberry.enum(ArrivalState)

SHOWN = 20_000


@strawberry.type(description="The original of something that came in.")
class Arrival(Node):
    channel: ChannelKind
    received_at: datetime
    state: ArrivalState
    reason: str | None = strawberry.field(description="Why it could not be read, or was not acted on.")
    bytes: int
    raw: str = strawberry.field(
        description="Its beginning, as it came; letters that cannot be read are replaced."
    )


async def _arrivals(
    info: Info, states: list[ArrivalState] | None = None, first: int = 25, before: strawberry.ID | None = None
) -> list[Arrival]:
    row_of = ArrivalRow
    older = [row_of.id < row_id("Arrival", before, field="before")] if before is not None else []
    async with info.context.reading() as reading:
        rows = await reading.connection.execute(
            select(
                row_of.id,
                row_of.received_at,
                row_of.state,
                row_of.last_error,
                func.length(row_of.raw).label("bytes"),
                func.substring(row_of.raw, 1, SHOWN).label("raw"),
                Channel.kind,
            )
            .join(Channel, Channel.id == row_of.channel_id)
            .where(
                may_see(row_of, reading.actor),
                row_of.state.in_(states if states is not None else [ArrivalState.FAILED]),
                *older,
            )
            .order_by(row_of.id.desc())
            .limit(page_size(first))
        )
        return [
            plain(
                Arrival,
                {
                    "id": public_id("Arrival", row.id),
                    "channel": row.kind,
                    "received_at": row.received_at,
                    "state": row.state,
                    "reason": row.last_error,
                    "bytes": row.bytes,
                    "raw": row.raw.decode("utf-8", "replace").replace("\x00", "�"),
                },
            )
            for row in rows
        ]


@strawberry.input
class ArrivalRetryInput:
    id: strawberry.ID
    client_mutation_id: strawberry.ID


async def _arrival_retry(info: Info, input: ArrivalRetryInput) -> OkPayload:
    async def change(session: AsyncSession, actor: Actor, now: datetime) -> Json:
        arrival = await access.one(session, ArrivalRow, row_id("Arrival", input.id), to=actor, lock=True)
        if arrival.state not in (ArrivalState.FAILED, ArrivalState.IGNORED) or arrival.emptied_at:
            raise NotFound(field=["id"])
        arrival.state, arrival.due_at, arrival.deaths, arrival.failures = ArrivalState.WAITING, now, 0, 0
        ring(session, ARRIVALS.topic)
        return {"arrival": str(arrival.id)}

    await changed(info, input, change)
    return OkPayload(ok=True)


@strawberry.type
class ArrivalQueries:
    arrivals: list[Arrival] = strawberry.field(
        resolver=_arrivals,
        description="For managers: what failed, unless other states are asked for, the newest first; at most 100, and with "
        "`before`, the id of the last one, those before it.",
    )


@strawberry.type
class ArrivalMutations:
    arrival_retry: OkPayload = mutation(
        resolver=_arrival_retry,
        description="Reads an original again that failed or was ignored: what had been placed is not placed twice.",
    )
