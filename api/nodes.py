"""`node(id)`: whatever has an id of its own, found through the same door as everything else."""

import uuid
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from typing import Any

import strawberry
from sqlalchemy import select

from api.agents.staff import agents_by_id, teams_by_id
from api.alerting.alerts import alerts_where
from api.complaints.complaints import complaints_by_id
from api.context import Info, Reading
from api.customers.companies import companies_by_id
from api.customers.contacts import Contact, contacts_by_id
from api.desk.tasks import tasks_where
from api.desk.tickets import Ticket, tickets_by_id
from api.desk.timeline import items_by_id
from api.feedback.feedback import feedback_by_id
from api.node import Node
from api.paging import MOST
from api.reads import opened
from api.selection import Selection, wanted
from domain.access import may_see
from domain.agents import staff
from domain.alerting import alerts
from domain.complaints import complaints
from domain.customers import companies, contacts
from domain.db import Base, one_of
from domain.desk import messages, tasks, tickets
from domain.errors import InvalidInput
from domain.feedback import requests
from domain.gathering import gathered
from domain.ids import typed
from domain.languages import N_

Load = Callable[[Reading, list[uuid.UUID], Selection], Awaitable[Mapping[Any, Any]]]


async def _alerts(reading: Reading, ids: list[uuid.UUID], selection: Selection) -> dict[uuid.UUID, Node]:
    found = await alerts_where(reading, one_of(alerts.Alert.id, ids), selection=selection)
    return {alert.row_id: alert for alert in found}


async def _tasks(reading: Reading, ids: list[uuid.UUID], selection: Selection) -> dict[uuid.UUID, Node]:
    found = await tasks_where(reading, one_of(tasks.Task.id, ids), selection=selection)
    return {task.row_id: task for task in found}


KINDS: dict[str, tuple[type[Base], Load]] = {
    "Ticket": (tickets.Ticket, tickets_by_id),
    "Contact": (contacts.Contact, contacts_by_id),
    "Company": (companies.Company, companies_by_id),
    "Message": (messages.Message, items_by_id),
    "Call": (messages.Call, items_by_id),
    "Note": (messages.Note, items_by_id),
    "Task": (tasks.Task, _tasks),
    "Complaint": (complaints.Complaint, complaints_by_id),
    "Alert": (alerts.Alert, _alerts),
    "Feedback": (requests.SurveyRequest, feedback_by_id),
    "Agent": (staff.Agent, agents_by_id),
    "Team": (staff.Team, lambda reading, ids, _: teams_by_id(reading, ids)),
}


async def _nodes(info: Info, ids: list[strawberry.ID]) -> list[Node | None]:
    if len(ids) > MOST:
        raise InvalidInput(N_("At most {most} ids at once."), field=["ids"], most=MOST)
    named = [typed(id) for id in ids]
    asked = by_kind(one for one in named if one)
    async with info.context.reading() as reading:
        some = await gathered(*(_of_kind(reading, *one, wanted(info)) for one in asked.items()))
    found = {place: node for nodes in some for place, node in nodes.items()}
    await opened(info.context, _contacts(found.values()))
    return [found.get(named_id) if named_id else None for named_id in named]


def by_kind(named: Iterable[tuple[str, uuid.UUID]]) -> dict[str, list[uuid.UUID]]:
    """In the order of `KINDS`; what is of no kind has no node."""
    groups: dict[str, list[uuid.UUID]] = {kind: [] for kind in KINDS}
    for kind, id in named:
        groups.get(kind, []).append(id)
    return {kind: ids for kind, ids in groups.items() if ids}


async def _of_kind(
    reading: Reading, kind: str, ids: list[uuid.UUID], selection: Selection
) -> dict[tuple[str, uuid.UUID], Node]:
    model, load = KINDS[kind]
    seen = await _seen(reading, model, ids)
    loaded = await load(reading, seen, selection) if seen else {}
    return {(kind, id): node for id, node in loaded.items()}


def _contacts(nodes: Iterable[Node]) -> Iterator[uuid.UUID]:
    for node in nodes:
        if isinstance(node, Contact):
            yield node.row_id
        elif isinstance(node, Ticket):
            yield node.contact_id


async def _seen(reading: Reading, model: Any, ids: list[uuid.UUID]) -> list[uuid.UUID]:
    door = messages.Item if issubclass(model, messages.Item) else model
    rows = await reading.connection.execute(
        select(model.id).where(one_of(model.id, ids), may_see(door, reading.actor))
    )
    return list(rows.scalars())


async def _node(info: Info, id: strawberry.ID) -> Node | None:
    (found,) = await _nodes(info, [id])
    return found


@strawberry.type
class NodeQueries:
    node: Node | None = strawberry.field(
        resolver=_node,
        description="A ticket, contact, company, message, call, note, task, complaint, alert, feedback, agent or team; null for what does not exist or "
        "may not be seen.",
    )
    nodes: list[Node | None] = strawberry.field(
        resolver=_nodes, description="In the order of the ids; at most 100."
    )
