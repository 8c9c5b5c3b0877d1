"""Which message another one answers, where its writer pointed at it: if it is here, and its reader sees its ticket."""

import uuid
from collections.abc import Collection
from functools import lru_cache
from typing import Any

import strawberry
from sqlalchemy import Select, or_, select
from sqlalchemy.orm import aliased

from api.computed import computed
from api.context import Reading, plain
from api.node import Node
from api.scalars import BigInt
from domain.access import may_see, sight
from domain.actors import Actor
from domain.db import one_of_given
from domain.desk.messages import Direction, Message
from domain.desk.threads import Thread
from domain.desk.tickets import Ticket
from domain.ids import public_id


@strawberry.type(description="A message that another one answers.")
class RepliedMessage(Node):
    seq: BigInt
    direction: Direction
    text: str
    row: strawberry.Private[Any]


computed(RepliedMessage, id=lambda message: public_id("Message", message.row.id))


async def replied_to(reading: Reading, ids: Collection[uuid.UUID]) -> dict[uuid.UUID, RepliedMessage]:
    """By the message that answers."""
    found = await reading.connection.execute(_replied(sight(reading.actor)), {"ids": list(ids)})
    return {
        row.by: plain(
            RepliedMessage, {"seq": row.seq, "direction": row.direction, "text": row.text, "row": row}
        )
        for row in found
    }


_answer, _there = aliased(Message), aliased(Thread)
_SHOWN: tuple[Any, ...] = (_answer.id.label("by"), Message.id, Message.seq, Message.direction, Message.text)


@lru_cache(1000)
def _replied(actor: Actor) -> Select[Any]:
    """Of the same person's conversations in the channel; what left in parts is answered by the id of one of them."""
    mid = _answer.particulars["reply_to"]
    return (
        select(*_SHOWN)
        .join_from(_answer, _there, _there.id == _answer.thread_id)
        .join(Thread, (Thread.channel_id == _there.channel_id) & (Thread.key == _there.key))
        .join(Message, Message.thread_id == Thread.id)
        .join(Ticket, Ticket.id == Message.ticket_id)
        .where(
            one_of_given(_answer.id),
            or_(Message.external_id == mid.astext, Message.particulars["mids"].contains(mid)),
            may_see(Ticket, actor),
        )
    )
