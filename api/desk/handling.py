"""What agents do with tickets: open, hand over, change."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TypeVar

import strawberry
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from api.agents.staff import Agent
from api.answering.messages import undo_for
from api.complaints.handling import ComplaintTermsInput, opened
from api.context import Info
from api.desk.tickets import MOST_AT_ONCE, Ticket, held, read_ticket, tickets_by_id
from api.errors import UserError
from api.mutations import changed, mutation
from api.selection import Selection, wanted
from api.working.changing import TicketChangeInput, asked_change
from domain import access
from domain.actors import Actor
from domain.agents import staff
from domain.alerting import ledger
from domain.alerting.alerts import Alert, AlertState
from domain.arriving.opening import open_ticket
from domain.db import Json
from domain.desk.tickets import Ticket as TicketRow
from domain.errors import InvalidInput, NotFound, Refused, SomebodyElseAssigned
from domain.ids import public_id, row_id
from domain.languages import N_
from domain.sla import policies, reckoning
from domain.working import changing, edits
from domain.working.noting import add_note


@strawberry.input
class TicketCreateInput:
    contact_id: strawberry.ID
    subject: str
    text: str | None = None
    priority: int = 3
    team_id: strawberry.ID | None = strawberry.field(
        default=None, description="In whose queue it is; without it everybody sees it."
    )
    assignee_id: strawberry.ID | None = None
    complaint: ComplaintTermsInput | None = strawberry.field(
        default=None, description="It is a complaint, as `complaintOpen` would open one; `{}` says no more."
    )
    client_mutation_id: strawberry.ID


@strawberry.input(
    description="`expectedAssigneeId`: who has it, as far as the caller knows, null for nobody; otherwise a refusal. By hand somebody "
    "may be given more than their capacity."
)
class TicketAssignInput:
    ticket_ids: list[strawberry.ID]
    agent_id: strawberry.ID | None = strawberry.field(
        default=None,
        description="Without it nobody has it any more; with `teamId`, whoever has it keeps it if they are in that team.",
    )
    team_id: strawberry.Maybe[strawberry.ID | None] = strawberry.field(
        description="To another team; null: to none, so that everybody sees it."
    )
    take_over: bool = strawberry.field(
        default=False,
        description="To oneself; then `agentId` is left out. Alerts that fire for the ticket are acknowledged.",
    )
    note: str | None = None
    expected_assignee_id: strawberry.Maybe[strawberry.ID | None]
    client_mutation_id: strawberry.ID


@strawberry.input(description="What is left out stays.")
class TicketUpdateInput(TicketChangeInput):
    ids: list[strawberry.ID]
    subject: str | None = strawberry.field(
        default=None,
        description="What the ticket is called. Its conversations keep their own subjects, so a customer's answers come under theirs.",
    )
    policy_id: strawberry.Maybe[strawberry.ID | None] = strawberry.field(
        description="Promised by hand, whatever the policies' conditions say; null: as these say."
    )
    client_mutation_id: strawberry.ID


@strawberry.type
class TicketPayload:
    ticket: Ticket | None = None
    user_errors: list[UserError] = strawberry.field(default_factory=list)


@strawberry.type
class TicketsPayload:
    tickets: list[Ticket] = strawberry.field(default_factory=list)
    conflict: Agent | None = strawberry.field(default=None, description="Who has the ticket, unexpectedly.")
    merge_id: strawberry.ID | None = strawberry.field(
        default=None, description="Of a merge or a move: what `joinUndo` takes."
    )
    change_id: strawberry.ID | None = strawberry.field(
        default=None,
        description="What `changeUndo` takes, until `undoUntil`; null where nothing was changed that it could take back.",
    )
    undo_until: datetime | None = None
    user_errors: list[UserError] = strawberry.field(default_factory=list)


async def _ticket_create(info: Info, input: TicketCreateInput) -> TicketPayload:
    async def change(session: AsyncSession, actor: Actor, now: datetime) -> Json:
        if not input.subject.strip():
            raise InvalidInput(N_("This may not be empty."), field=["subject"])
        contact = await access.contact(
            session, row_id("Contact", input.contact_id, field="contactId"), to=actor, lock=True
        )
        team_id = row_id("Team", input.team_id, field="teamId") if input.team_id else None
        team = await access.one(session, staff.Team, team_id, to=actor) if team_id else None
        ticket = open_ticket(
            session,
            contact,
            subject=input.subject.strip(),
            by=actor,
            at=now,
            team_id=team.id if team else None,
        )
        await session.flush()
        ticket.change(by=actor, at=now, priority=input.priority)
        if input.text:
            await add_note(session, ticket, input.text, by=actor, at=now)
        if input.assignee_id:
            ticket.assign(to=await _agent(session, input.assignee_id, actor, "assigneeId"), by=actor, at=now)
        await reckoning.reckon(session, ticket, by=actor, at=now)
        if input.complaint:
            await _complain(session, ticket, input.complaint, actor, now)
        return {"ticket": str(ticket.id)}

    done = await changed(info, input, change)
    return TicketPayload(ticket=await read_ticket(info, done["ticket"]))


async def _complain(
    session: AsyncSession, ticket: TicketRow, terms: ComplaintTermsInput, actor: Actor, now: datetime
) -> None:
    try:
        await opened(session, ticket, terms, actor, now)
    except Refused as refusal:
        refusal.field = ["complaint", *(refusal.field or ())]
        raise


async def _agent(session: AsyncSession, id: str, actor: Actor, field: str) -> staff.Agent:
    agent = await access.one(session, staff.Agent, row_id("Agent", id, field=field), to=actor)
    if agent.left_at:
        raise NotFound(field=[field])
    return agent


async def _ticket_assign(info: Info, input: TicketAssignInput) -> TicketsPayload:
    async def change(session: AsyncSession, actor: Actor, now: datetime) -> Json:
        to = None
        if input.take_over and input.agent_id:
            raise InvalidInput(N_("With `takeOver` it goes to yourself: leave this out."), field=["agentId"])
        if input.take_over:
            to = await access.one(session, staff.Agent, actor.agent_id, to=actor)
        elif input.agent_id:
            to = await _agent(session, input.agent_id, actor, "agentId")
        team, members = await _team(session, input, actor)
        tickets = await held_tickets(session, input.ticket_ids, actor, field="ticketIds")
        teams = {ticket.id: ticket.team_id for ticket in tickets}
        before = pictures(tickets)
        for ticket in tickets:
            if input.expected_assignee_id is not None:
                named = input.expected_assignee_id.value
                ticket.still_with(row_id("Agent", named, field="expectedAssigneeId") if named else None)
            if input.team_id is not None:
                ticket.hand_to(team, members, by=actor, at=now)
            if to or input.team_id is None:
                ticket.assign(to=to, by=actor, at=now)
            if input.note:
                await add_note(session, ticket, input.note, by=actor, at=now)
            if input.take_over:
                await _is_at_it(session, ticket.id, actor, now)
            await reckoning.reckon(session, ticket, by=actor, at=now)
        # Who belongs to the other team does not come back with it, nor is it the former team's to take back.
        stayed = [pair for pair in before if pair[0].team_id == teams[pair[0].id]]
        done = await kept_for_undo(info, session, stayed, actor, now)
        return done | {"tickets": [str(ticket.id) for ticket in tickets]}

    try:
        done = await changed(info, input, change)
    except SomebodyElseAssigned as conflict:
        return TicketsPayload(
            conflict=await _conflict(info, input),
            user_errors=[
                UserError(
                    code=conflict.code,
                    field=conflict.field,
                    message=conflict.in_language(info.context.locale),
                )
            ],
        )
    return await tickets_payload(info, done)


async def _team(
    session: AsyncSession, input: TicketAssignInput, actor: Actor
) -> tuple[staff.Team | None, frozenset[uuid.UUID]]:
    """And who is in it."""
    if input.team_id is None or input.team_id.value is None:
        return None, frozenset()
    id = row_id("Team", input.team_id.value, field="teamId")
    team = await access.one(session, staff.Team, id, to=actor)
    members = select(staff.TeamMember.agent_id).where(staff.TeamMember.team_id == team.id)
    return team, frozenset(await session.scalars(members))


async def _is_at_it(session: AsyncSession, ticket_id: uuid.UUID, actor: Actor, now: datetime) -> None:
    """Who takes a ticket over has seen what it fires, and nobody else needs to be rung."""
    firing = select(Alert).where(Alert.ticket_id == ticket_id, Alert.state == AlertState.FIRING)
    for alert in (await session.scalars(firing.with_for_update(key_share=True))).all():
        alert.acknowledge(by=actor, at=now)
        await ledger.acted_on(session, actor.agent_id, alert.id, at=now)


async def _conflict(info: Info, input: TicketAssignInput) -> Agent | None:
    expected = input.expected_assignee_id and input.expected_assignee_id.value
    async with info.context.reading() as reading:
        ids = [row_id("Ticket", id) for id in input.ticket_ids]
        found = await tickets_by_id(reading, ids, Selection(assignee=Selection()))
        assignees = (ticket.assignee for ticket in found.values())
        return next((one for one in assignees if one and one.id != expected), None)


async def _ticket_update(info: Info, input: TicketUpdateInput) -> TicketsPayload:
    async def change(session: AsyncSession, actor: Actor, now: datetime) -> Json:
        policy_id, wish = await _policy(session, input, actor), await asked_change(session, input)
        if input.subject is not None:
            wish = replace(wish, subject=input.subject.strip())
        tickets = await held_tickets(session, input.ids, actor)
        before = pictures(tickets)
        for ticket in tickets:
            if input.policy_id is not None:
                ticket.policy_id = policy_id
                await reckoning.promise_anew(session, ticket, by=actor, at=now)
            await changing.make(session, ticket, wish, by=actor, at=now)
        return await kept_for_undo(info, session, before, actor, now)

    return await tickets_payload(info, await changed(info, input, change))


async def _policy(session: AsyncSession, input: TicketUpdateInput, actor: Actor) -> uuid.UUID | None:
    if input.policy_id is None or input.policy_id.value is None:
        return None
    id = row_id("Policy", input.policy_id.value, field="policyId")
    policy = await access.one(session, policies.Policy, id, to=actor)
    if policy.archived_at:
        raise NotFound(field=["policyId"])
    return policy.id


AnId = TypeVar("AnId", bound=str)


async def held_tickets(
    session: AsyncSession, ids: list[strawberry.ID], actor: Actor, *, field: str = "ids"
) -> list[TicketRow]:
    """Each once: several may have become part of one."""
    found = [await held(session, id, actor, field=field) for id in few_tickets(ids, field=field)]
    return list(dict.fromkeys(found))


def few_tickets(ids: list[strawberry.ID], *, field: str = "ids") -> list[strawberry.ID]:
    """In the order in which everybody holds tickets: two people who change the same ones do not wait for each other in a circle."""
    if len(ids) > MOST_AT_ONCE:
        raise InvalidInput(N_("At most {most} tickets at once."), field=[field], most=MOST_AT_ONCE)
    return in_order(dict.fromkeys(ids, field))


def in_order(fields: Mapping[AnId, str]) -> list[AnId]:
    """Ids of tickets, each with the field that names it, as the rows lie; the letters of an id are in another order."""
    return sorted(fields, key=lambda id: row_id("Ticket", id, field=fields[id]))


Pictures = list[tuple[TicketRow, Json]]
"""Tickets in hand, each as it was before."""


def pictures(tickets: Sequence[TicketRow]) -> Pictures:
    return [(ticket, edits.picture(ticket)) for ticket in tickets]


async def kept_for_undo(
    info: Info, session: AsyncSession, before: Pictures, actor: Actor, now: datetime
) -> Json:
    """What a change of these tickets has come to, and how to take it back."""
    done: Json = {"tickets": [str(ticket.id) for ticket, _ in before]}
    edit = await edits.keep(session, before, by=actor, at=now, undo_for=undo_for(info))
    if edit and edit.undo_until:
        done |= {"change": str(edit.id), "undo_until": edit.undo_until.isoformat()}
    return done


async def tickets_payload(info: Info, done: Json) -> TicketsPayload:
    async with info.context.reading() as reading:
        ids = [uuid.UUID(id) for id in done["tickets"]]
        found = await tickets_by_id(reading, ids, wanted(info).below("tickets"))
    return TicketsPayload(
        tickets=[found[id] for id in ids if id in found],
        merge_id=strawberry.ID(public_id("Move", uuid.UUID(done["move"]))) if "move" in done else None,
        change_id=strawberry.ID(public_id("Change", uuid.UUID(done["change"]))) if "change" in done else None,
        undo_until=datetime.fromisoformat(done["undo_until"]) if "change" in done else None,
    )


@strawberry.type
class TicketMutations:
    ticket_create: TicketPayload = mutation(resolver=_ticket_create)
    ticket_assign: TicketsPayload = mutation(resolver=_ticket_assign)
    ticket_update: TicketsPayload = mutation(resolver=_ticket_update)
