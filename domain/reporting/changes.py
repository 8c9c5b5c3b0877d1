"""The changes of a ticket's status, assignee and team that its events tell of.

A ticket that the shop itself takes up again within a minute was solved by mistake: that is as if it had not been done.
"""

import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from sqlalchemy import Row

from domain.actors import ActorKind
from domain.desk.tickets import OVER, TicketStatus
from domain.events import EventKind
from domain.reporting.courses import UNKNOWN, Change

SLIP = timedelta(minutes=1)


def statuses(events: Sequence[Row[Any]]) -> list[Change]:
    found: list[Change] = []
    for event in events:
        by_customer = event.kind == EventKind.TICKET_REOPENED
        if not by_customer and event.status is None:
            continue
        before = UNKNOWN if by_customer else event.data["status"][0]
        after = TicketStatus.OPEN if by_customer else event.status
        made = Change(event.at, before, after, _agent_of(event), by_customer)
        if found and _is_slip(found[-1], made):
            made = replace(made, before=found.pop().before)
        if made.before != made.after:
            found.append(made)
    return found


def _is_slip(solved: Change, made: Change) -> bool:
    if solved.after not in OVER or solved.before in OVER or made.by_customer:
        return False
    return made.after not in OVER and made.at - solved.at <= SLIP


def assignees(events: Sequence[Row[Any]]) -> list[Change]:
    return [
        Change(event.at, _id(event.data["before"]), _id(event.data["to"]))
        for event in events
        if event.kind == EventKind.TICKET_ASSIGNED
    ]


def teams(events: Sequence[Row[Any]]) -> list[Change]:
    return [
        Change(event.at, _id(event.data["team"][0]), _id(event.data["team"][1]))
        for event in events
        if event.kind == EventKind.TICKET_CHANGED and "team" in event.data
    ]


def _id(written: str | None) -> uuid.UUID | None:
    return uuid.UUID(written) if written else None


def _agent_of(event: Row[Any]) -> uuid.UUID | None:
    return event.actor_id if event.actor_kind == ActorKind.AGENT else None
