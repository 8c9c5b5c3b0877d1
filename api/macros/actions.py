"""What a macro does to a ticket, as it is shown and as it is asked for."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import strawberry

from api.agents.staff import Agent
from domain.desk.tickets import TicketStatus
from domain.errors import InvalidInput
from domain.ids import row_id
from domain.languages import N_
from domain.macros import actions as doing

strawberry.enum(
    doing.Whom,
    name="MacroWhom",
    description="To whom work is handed: whoever uses the macro, nobody, an agent.",
)


@strawberry.type
class MacroAssignee:
    whom: doing.Whom
    agent: Agent | None


@strawberry.type
class MacroTask:
    title: str
    assignee: MacroAssignee
    due_in: int | None = strawberry.field(description="Seconds from then.")


@strawberry.type(description="The ticket sleeps.")
class MacroSnooze:
    seconds: int | None = strawberry.field(description="From then; null: until the customer answers.")


@strawberry.type(
    description="A team, or a template of tasks: `teams` and `taskTemplates` have the rest of it."
)
class MacroTarget:
    id: strawberry.ID
    name: str


@strawberry.type(description="One thing that is done to the ticket: of these fields one is set.")
class MacroAction:
    assign: MacroAssignee | None = None
    team: MacroTarget | None = strawberry.field(default=None, description="That it is handed to.")
    snooze: MacroSnooze | None = None
    status: TicketStatus | None = None
    priority: int | None = None
    add_tags: list[str] | None = None
    remove_tags: list[str] | None = None
    note: str | None = None
    task: MacroTask | None = None
    task_template: MacroTarget | None = strawberry.field(
        default=None, description="Whose tasks are made; null where it was archived since."
    )


@strawberry.input(description="`agentId`: of `AGENT`.")
class MacroAssigneeInput:
    whom: doing.Whom
    agent_id: strawberry.ID | None = None


@strawberry.input
class MacroTaskInput:
    title: str
    assignee: MacroAssigneeInput
    due_in: int | None = strawberry.field(default=None, description="Seconds from when it is used.")


@strawberry.input(description="Without `seconds` until the customer answers.")
class MacroSnoozeInput:
    seconds: int | None = None


@strawberry.input(one_of=True, description="One thing to do.")
class MacroActionInput:
    assign: strawberry.Maybe[MacroAssigneeInput]
    team_id: strawberry.Maybe[strawberry.ID]
    snooze: strawberry.Maybe[MacroSnoozeInput]
    status: strawberry.Maybe[TicketStatus]
    priority: strawberry.Maybe[int]
    add_tags: strawberry.Maybe[list[str]]
    remove_tags: strawberry.Maybe[list[str]]
    note: strawberry.Maybe[str]
    task: strawberry.Maybe[MacroTaskInput]
    task_template_id: strawberry.Maybe[strawberry.ID]


@dataclass(frozen=True)
class Known:
    """What actions name, by row ids."""

    agents: Mapping[Any, Agent]
    teams: Mapping[Any, MacroTarget]
    templates: Mapping[Any, MacroTarget]


def shown_action(action: doing.Action, known: Known) -> MacroAction:
    def assignee(one: doing.Assignee) -> MacroAssignee:
        return MacroAssignee(whom=one.whom, agent=known.agents.get(one.agent_id))

    match action:
        case doing.Assign(to):
            return MacroAction(assign=assignee(to))
        case doing.HandTo(team_id):
            return MacroAction(team=known.teams.get(team_id))
        case doing.Snooze(length):
            return MacroAction(snooze=MacroSnooze(seconds=_seconds(length)))
        case doing.SetStatus(status):
            return MacroAction(status=status)
        case doing.SetPriority(priority):
            return MacroAction(priority=priority)
        case doing.AddTags(tags):
            return MacroAction(add_tags=[*tags])
        case doing.RemoveTags(tags):
            return MacroAction(remove_tags=[*tags])
        case doing.AddNote(text):
            return MacroAction(note=text)
        case doing.AddTask(title, one, due_in):
            task = MacroTask(title=title, assignee=assignee(one), due_in=_seconds(due_in))
            return MacroAction(task=task)
        case doing.ApplyTemplate(template_id):
            return MacroAction(task_template=known.templates.get(template_id))


def _seconds(length: timedelta | None) -> int | None:
    return None if length is None else int(length.total_seconds())


def asked_action(input: MacroActionInput, path: list[str]) -> doing.Action:
    if input.assign is not None:
        return doing.Assign(_assignee(input.assign.value, [*path, "assign"]))
    if input.team_id is not None:
        return doing.HandTo(row_id("Team", input.team_id.value))
    if input.snooze is not None:
        seconds = input.snooze.value.seconds
        return doing.Snooze(None if seconds is None else timedelta(seconds=seconds))
    if input.task_template_id is not None:
        return doing.ApplyTemplate(row_id("TaskTemplate", input.task_template_id.value))
    if input.status is not None:
        return doing.SetStatus(input.status.value)
    if input.priority is not None:
        return doing.SetPriority(input.priority.value)
    if input.add_tags is not None:
        return doing.AddTags(tuple(input.add_tags.value))
    if input.remove_tags is not None:
        return doing.RemoveTags(tuple(input.remove_tags.value))
    if input.note is not None:
        return doing.AddNote(input.note.value)
    assert input.task is not None  # GraphQL has seen to it that one is given
    task = input.task.value
    due_in = timedelta(seconds=task.due_in) if task.due_in is not None else None
    return doing.AddTask(task.title, _assignee(task.assignee, [*path, "task", "assignee"]), due_in)


def _assignee(input: MacroAssigneeInput, path: list[str]) -> doing.Assignee:
    if (input.whom == doing.Whom.AGENT) != (input.agent_id is not None):
        raise InvalidInput(N_("An agentId goes with AGENT, and only with it."), field=[*path, "agentId"])
    return doing.Assignee(input.whom, row_id("Agent", input.agent_id) if input.agent_id else None)
