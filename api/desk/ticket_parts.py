"""What is around a ticket, each part read for many tickets at once; none needs another."""

from typing import Any

from api.agents.staff import agents_by_id, teams_by_id
from api.answering.reply_channels import reply_channels_of
from api.context import Part, Reading, by
from api.customers.contacts import contacts_now
from api.desk.previews import channels_of, newest_items, unread_of
from api.desk.threads import threads_of
from api.desk.ticket_fields import TicketField, TicketFieldValue
from api.fields import fields_of, values_of
from api.scalars import BigInt
from api.selection import Selection
from api.sla.sla import clocks_of
from domain.assigning.queues import why_waiting

Tickets = list[Any]
"""Of `api/desk/tickets.py`, which reads these."""


def ids_of(tickets: Tickets) -> list[Any]:
    return [ticket.row_id for ticket in tickets]


async def _contact(reading: Reading, tickets: Tickets, selection: Selection) -> None:
    people = await contacts_now(reading, {one.contact_id for one in tickets}, selection["contact"])
    for ticket in tickets:
        ticket.contact = people[ticket.contact_id]


async def _assignee(reading: Reading, tickets: Tickets, selection: Selection) -> None:
    agents = await agents_by_id(reading, [ticket.assignee_id for ticket in tickets], selection["assignee"])
    for ticket in tickets:
        ticket.assignee = agents.get(ticket.assignee_id)


async def _team(reading: Reading, tickets: Tickets, selection: Selection) -> None:
    teams = await teams_by_id(reading, [ticket.team_id for ticket in tickets])
    for ticket in tickets:
        ticket.team = teams.get(ticket.team_id)


async def _waits(reading: Reading, tickets: Tickets, selection: Selection) -> None:
    queued = [ticket.row_id for ticket in tickets if ticket.assignee_id is None]
    why = await why_waiting(reading.connection, queued, at=reading.at) if queued else {}
    for ticket in tickets:
        ticket.waits_because = why.get(ticket.row_id)


async def _newest(reading: Reading, tickets: Tickets, selection: Selection) -> None:
    newest = await newest_items(reading, ids_of(tickets))
    for ticket in tickets:
        ticket.preview, ticket.seq = newest.get(ticket.row_id, ("", BigInt(0)))


async def _unread(reading: Reading, tickets: Tickets, selection: Selection) -> None:
    unread = await unread_of(reading, ids_of(tickets))
    for ticket in tickets:
        ticket.unread_count = unread.get(ticket.row_id, 0)


async def _channels(reading: Reading, tickets: Tickets, selection: Selection) -> None:
    kinds = await channels_of(reading, ids_of(tickets))
    for ticket in tickets:
        used = kinds.get(ticket.row_id, [])
        ticket.channels, ticket.last_channel = list(dict.fromkeys(used)), used[0] if used else None


async def _clocks(reading: Reading, tickets: Tickets, selection: Selection) -> None:
    asked = Selection(selection.below("clock") | selection.below("clocks"))
    clocks = await clocks_of(reading, ids_of(tickets), asked)
    for ticket in tickets:
        ticket.clocks = clocks.get(ticket.row_id, [])
        ticket.clock = ticket.clocks[0] if ticket.clocks else None


async def _alert(reading: Reading, tickets: Tickets, selection: Selection) -> None:
    from api.alerting.alerts import pressing_alerts

    alerts = await pressing_alerts(reading, ids_of(tickets), selection["alert"])
    for ticket in tickets:
        ticket.alert = alerts.get(ticket.row_id)


async def _complaint(reading: Reading, tickets: Tickets, selection: Selection) -> None:
    from api.complaints.complaints import complaints_of

    complaints = await complaints_of(reading, ids_of(tickets), selection["complaint"])
    for ticket in tickets:
        ticket.complaint = complaints.get(ticket.row_id)


async def _threads(reading: Reading, tickets: Tickets, selection: Selection) -> None:
    threads = await threads_of(reading, ids_of(tickets), selection["threads"])
    for ticket in tickets:
        ticket.threads = threads.get(ticket.row_id, [])


async def _suggestions(reading: Reading, tickets: Tickets, selection: Selection) -> None:
    from api.joining.joining import suggestions_of

    told = await suggestions_of(reading, ids_of(tickets), selection["suggestions"])
    for ticket in tickets:
        ticket.suggestions = told.get(ticket.row_id, [])


async def _tasks(reading: Reading, tickets: Tickets, selection: Selection) -> None:
    from api.desk.tasks import tasks_of
    from domain.desk.tasks import Task

    tasks = by("ticket_id", await tasks_of(reading, Task.ticket_id, ids_of(tickets), selection["tasks"]))
    for ticket in tickets:
        ticket.tasks = tasks.get(ticket.row_id, [])


async def _feedback(reading: Reading, tickets: Tickets, selection: Selection) -> None:
    from api.feedback.feedback import feedback_of

    answers = await feedback_of(reading, ids_of(tickets), selection["feedback"])
    for ticket in tickets:
        ticket.feedback = answers.get(ticket.row_id)


async def _survey(reading: Reading, tickets: Tickets, selection: Selection) -> None:
    from api.feedback.asked import surveys_of

    surveys = await surveys_of(reading, ids_of(tickets))
    for ticket in tickets:
        ticket.survey = surveys.get(ticket.row_id)


async def _reply_channels(reading: Reading, tickets: Tickets, selection: Selection) -> None:
    whose = {ticket.row_id: ticket.contact_id for ticket in tickets}
    ways = await reply_channels_of(reading, whose, selection["replyChannels"])
    for ticket in tickets:
        ticket.reply_channels = ways[ticket.row_id]


async def _fields(reading: Reading, tickets: Tickets, selection: Selection) -> None:
    fields = await fields_of(reading, TicketField)
    for ticket in tickets:
        ticket.fields = values_of(ticket.kept_fields, fields, TicketFieldValue)


async def _draft(reading: Reading, tickets: Tickets, selection: Selection) -> None:
    from api.working.drafts import drafts_of

    drafts = await drafts_of(reading, ids_of(tickets), selection["draft"])
    for ticket in tickets:
        ticket.draft = drafts.get(ticket.row_id)


async def _viewers(reading: Reading, tickets: Tickets, selection: Selection) -> None:
    from api.working.viewing import viewers_of

    viewers = await viewers_of(reading, ids_of(tickets), selection["viewers"])
    for ticket in tickets:
        ticket.viewers = viewers.get(ticket.row_id, [])


async def _links(reading: Reading, tickets: Tickets, selection: Selection) -> None:
    from api.working.links import links_of

    links = await links_of(reading, ids_of(tickets), selection["links"])
    for ticket in tickets:
        ticket.links = links.get(ticket.row_id, [])


PARTS: dict[str, Part[Any]] = {
    "contact": _contact,
    "assignee": _assignee,
    "team": _team,
    "waitsBecause": _waits,
    "preview": _newest,
    "seq": _newest,
    "unreadCount": _unread,
    "channels": _channels,
    "lastChannel": _channels,
    "clock": _clocks,
    "clocks": _clocks,
    "alert": _alert,
    "complaint": _complaint,
    "threads": _threads,
    "suggestions": _suggestions,
    "tasks": _tasks,
    "feedback": _feedback,
    "survey": _survey,
    "replyChannels": _reply_channels,
    "fields": _fields,
    "draft": _draft,
    "viewers": _viewers,
    "links": _links,
}
