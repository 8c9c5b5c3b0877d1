"""What agents do with tickets: hand over, change."""

import uuid
from dataclasses import replace
from datetime import datetime

import strawberry
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from api.agents.staff import Agent
from api.context import Info
from api.desk.changed_tickets import TicketsPayload, held_tickets, kept_for_undo, pictures, tickets_payload
from api.desk.tickets import tickets_by_id
from api.errors import UserError
from api.mutations import changed, mutation
from api.selection import Selection
from api.working.changing import TicketChangeInput, asked_change
from domain import access
from domain.actors import Actor
from domain.agents import staff
from domain.alerting import ledger
from domain.alerting.alerts import Alert, AlertState
from domain.db import Json
from domain.errors import InvalidInput, NotFound, SomebodyElseAssigned
from domain.ids import row_id
from domain.languages import N_
from domain.sla import policies, reckoning
from domain.working import changing
from domain.working.noting import add_note


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


async def still_here(session: AsyncSession, id: str, actor: Actor, field: str) -> staff.Agent:
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
            to = await still_here(session, input.agent_id, actor, "agentId")
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
    team = await access.team(session, id, to=actor)
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


@strawberry.type
class TicketMutations:
    ticket_assign: TicketsPayload = mutation(resolver=_ticket_assign)
    ticket_update: TicketsPayload = mutation(resolver=_ticket_update)
