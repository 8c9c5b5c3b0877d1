"""The conversations of a ticket, each with the reason why it is there."""

import uuid
from collections.abc import Collection
from datetime import datetime
from functools import cache
from typing import Any

import strawberry
from sqlalchemy import Select, func, or_, select

from api.answering.participants import Participant, participants_of
from api.context import Reading, by, nothing, plain
from api.customers.identities import Identity, identities_where
from api.node import Node
from api.selection import Selection
from domain.customers.contacts import Identity as IdentityRow
from domain.db import one_of_given
from domain.desk import threads
from domain.desk.messages import DeliveryState, Item
from domain.gathering import gathered
from domain.ids import public_id
from domain.joining import reasons
from domain.joining.moves import UNDO_WITHIN, Move
from domain.joining.reasons import JoinCode, MatterCode
from domain.ways_in.channels import Channel, ChannelKind


@strawberry.type(description="Why a thread belongs to its ticket: a stable code, and words for a person.")
class JoinReason:
    event_id: strawberry.ID = strawberry.field(description="What `joinUndo` takes.")
    code: str
    matter: str | None = strawberry.field(description="What made it the same matter, as a code.")
    text: str
    undoable: bool
    automatic: bool = strawberry.field(description="Decided by a rule; otherwise it was somebody's word.")


@strawberry.type(description="One conversation in one channel.")
class Thread(Node):
    channel: ChannelKind
    identity: Identity | None = strawberry.field(
        description="Whom an answer goes to; none for a caller who withheld the number."
    )
    subject: str | None
    side: bool = strawberry.field(
        description="With somebody else (a supplier, a carrier) about the ticket: the customer sees nothing of it."
    )
    joined_because: JoinReason
    joined_at: datetime
    message_count: int
    last_message_at: datetime | None
    participants: list[Participant] = strawberry.field(
        description="Of a mail: third people, the accepted ones first. None of them is the customer."
    )


async def threads_of(
    reading: Reading, ticket_ids: Collection[uuid.UUID], wanted: Selection
) -> dict[uuid.UUID, list[Thread]]:
    """By ticket, in the order in which they joined."""
    found = (await reading.connection.execute(_threads(), {"ids": list(ticket_ids)})).all()
    ids = [row.identity_id for row in found if row.identity_id]
    known, others = await gathered(
        identities_where(reading, _named, {"ids": ids}, wanted["identity"])
        if "identity" in wanted
        else nothing(),
        participants_of(reading, [row.id for row in found]) if "participants" in wanted else nothing(),
    )
    identities = {one.row_id: one for one in known}
    return {
        ticket_id: [
            plain(
                Thread,
                {
                    "id": public_id("Thread", row.id),
                    "channel": row.kind,
                    "identity": identities.get(row.identity_id),
                    "subject": row.subject or None,
                    "side": row.side,
                    "joined_because": _because(row, reading),
                    "joined_at": row.joined_at,
                    "message_count": row.messages or 0,
                    "last_message_at": row.last_at,
                    "participants": others.get(row.id, []),
                },
            )
            for row in group
        ]
        for ticket_id, group in by("ticket_id", found).items()
    }


_named = one_of_given(IdentityRow.id)


@cache
def _threads() -> Select[Any]:
    thread, item = threads.Thread.__table__, Item.__table__.c
    stands = item.delivery.is_distinct_from(DeliveryState.UNDONE)
    items = (
        select(
            item.thread_id,
            func.count().filter(stands).label("messages"),
            func.max(item.at).filter(stands).label("last_at"),
        )
        .join(thread, thread.c.id == item.thread_id)
        .where(one_of_given(thread.c.ticket_id))
        .group_by(item.thread_id)
        .subquery()
    )
    return (
        select(thread, Channel.kind, items.c.messages, items.c.last_at, Move.at.label("moved_at"))
        .join_from(thread, Channel, Channel.id == thread.c.channel_id)
        .outerjoin(items, items.c.thread_id == thread.c.id)
        .outerjoin(Move, Move.id == thread.c.move_id)
        .where(
            one_of_given(thread.c.ticket_id),
            or_(items.c.thread_id.is_not(None), thread.c.split_from_id.is_(None)),
        )
        .order_by(thread.c.joined_at, thread.c.number)
    )


def _because(row: Any, reading: Reading) -> JoinReason:
    said = [reasons.sentence(row.joined_code, reading.locale)]
    matter = row.joined_evidence.get("matter")
    if matter:
        number = row.joined_evidence.get("number", "")
        said.append(reasons.sentence(MatterCode(matter), reading.locale, value=number))
    began_here = row.joined_code in (JoinCode.OPENED_TICKET, JoinCode.AGENT_OPENED)
    return JoinReason(
        event_id=strawberry.ID(
            public_id("Move", row.move_id) if row.move_id else public_id("Thread", row.id)
        ),
        code=row.joined_code.value.upper(),
        matter=matter.upper() if matter else None,
        text=" ".join(said),
        undoable=reading.at < row.moved_at + UNDO_WITHIN if row.move_id else not began_here,
        automatic=row.joined_by_id is None,
    )
