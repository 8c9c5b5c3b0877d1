"""Whom a note calls: by id, or by `@` and a name in its text. Who is called must be able to see the ticket."""

import re
import uuid
from collections.abc import Collection, Mapping

from sqlalchemy import ColumnElement, ForeignKey, Index, Select, select
from sqlalchemy.orm import Mapped, mapped_column

from domain.db import Base
from domain.desk.messages import Item
from domain.desk.tickets import Ticket


class Mention(Base):
    __tablename__ = "mention"
    __table_args__ = (Index("ix_mention_agent", "agent_id", "item_id"),)

    item_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("item.id"), primary_key=True)
    agent_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("agent.id"), primary_key=True)


def named_in(text: str, people: Mapping[uuid.UUID, str]) -> list[uuid.UUID]:
    """Those whose name follows an `@`: all of it, or its first word where only one has that. Whatever else follows an `@` is
    text."""
    called: dict[str, set[uuid.UUID]] = {}
    for id, name in people.items():
        words = name.casefold().split()
        for said in {" ".join(words), *words[:1]}:
            called.setdefault(said, set()).add(id)
    names = sorted(called, key=len, reverse=True)
    if not names:
        return []
    pattern = rf"(?<!\w)@({'|'.join(map(re.escape, names))})(?!\w)"
    found = [called[name] for name in re.findall(pattern, " ".join(text.casefold().split()))]
    return list(dict.fromkeys(id for ids in found if len(ids) == 1 for id in ids))


def mentions(agent_ids: Collection[uuid.UUID] | Select[uuid.UUID]) -> ColumnElement[bool]:
    """Of a ticket: does a note in it call one of them?"""
    return (
        select(Mention.item_id)
        .join(Item, Item.id == Mention.item_id)
        .where(Item.ticket_id == Ticket.id, Mention.agent_id.in_(agent_ids))
        .exists()
    )
