"""Rows as COPY takes them. Columns left out (`seq`, numbers of threads and transactions) are filled by the database."""

import random
import uuid
from datetime import datetime
from typing import Any

Row = tuple[Any, ...]
Rows = dict[str, list[Row]]
"""By table."""

COLUMNS = {
    "contact": ("id", "name", "locale", "created_at"),
    "identity": (
        "id", "contact_id", "kind", "scope", "value", "label",
        "verified_at", "verified_by", "created_at", "last_used_at",
    ),
    "ticket": (
        "id", "number", "contact_id", "subject", "status", "priority", "team_id", "assignee_id", "tags",
        "undecided", "created_at", "updated_at", "solved_at", "due_at",
    ),
    "thread": (
        "id", "channel_id", "key", "contact_id", "identity_id", "ticket_id", "subject",
        "joined_code", "joined_proof", "joined_evidence", "joined_at", "last_inbound_at", "ended_at",
    ),
    "item": (
        "id", "kind", "ticket_id", "contact_id", "thread_id", "channel_id", "direction", "agent_id",
        "author", "at", "text", "external_id", "automatic", "sender_verified", "delivery", "mail",
    ),
    "attachment": ("id", "item_id", "name", "mime", "bytes", "file", "inline"),
    "clock": (
        "id", "ticket_id", "policy_id", "metric", "started_at", "target_seconds",
        "warn_at", "due_at", "next_at", "met_at", "breached_at",
    ),
    "alert": ("id", "kind", "state", "level", "rung", "ticket_id", "clock_id", "fired_at"),
    "complaint": (
        "id", "number", "ticket_id", "channel", "stage", "stage_since", "opened_at", "moved_at", "next_step", "decision",
    ),
    "task": (
        "id", "title", "due_at", "assignee_id", "ticket_id", "contact_id", "created_by_id",
        "created_at", "updated_at", "done_at",
    ),
    "event": (
        "at", "kind", "actor_kind", "actor_id", "ticket_id", "contact_id", "thread_id", "item_id", "data",
    ),
}  # fmt: skip
"""In an order in which each row finds what it points to."""


def no_rows() -> Rows:
    return {table: [] for table in COLUMNS}


def dealt_id(dice: random.Random, at: datetime) -> uuid.UUID:
    """Ordered by time as the product's own are (version 7): where rows lie in an index decides what reading them costs."""
    chance = dice.getrandbits(74)
    moment = int(at.timestamp() * 1000)
    return uuid.UUID(int=moment << 80 | 7 << 76 | (chance >> 62) << 64 | 2 << 62 | chance & (1 << 62) - 1)
