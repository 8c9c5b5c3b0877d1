"""A row of a spreadsheet becomes somebody who works here, or changes what is known of them."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain import naming
from domain.actors import Actor, Role
from domain.agents.staff import MOST_CAPACITY, Agent, Team, TeamMember, add_agent, free_line, line_called
from domain.customers import profiles
from domain.desk.tags import kept
from domain.errors import InvalidInput
from domain.importing.contacts import several
from domain.importing.imports import Outcome
from domain.importing.sheets import Line
from domain.languages import LANGUAGES, N_

Welcome = Callable[[AsyncSession, Agent, datetime], Awaitable[None]]
"""Tells a new agent how to set a password."""


async def take(
    session: AsyncSession, line: Line, *, by: Actor, at: datetime, welcome: Welcome | None = None
) -> Outcome:
    """What the row leaves empty stays; its teams are added to those that the agent is in."""
    email, said = line.cells.get("email", ""), _said(line)
    agent = await session.scalar(select(Agent).where(func.lower(Agent.email) == email.lower()))
    if agent and agent.left_at:
        raise InvalidInput(N_("This person has left: let them come back first."), field=["email"])
    is_new = agent is None
    if agent is None:
        name = naming.name(said.get("name", ""))
        agent = await add_agent(
            session,
            email=email,
            name=name,
            role=said.get("role", Role.AGENT),
            password_hash=None,
            by=by,
            at=at,
        )
    changed = {name: value for name, value in said.items() if getattr(agent, name) != value}
    if "line" in changed:
        await free_line(session, agent, said["line"])
    joins = await _teams_to_join(session, agent, several(line.cells.get("teams", "")))
    session.add_all(joins)
    is_other = bool(changed or joins)
    if "capacity" in changed:
        agent.set_capacity(changed.pop("capacity"))
    if is_other:
        agent.change(by=by, at=at, **changed)
    if is_new and welcome:
        await welcome(session, agent, at)
    if is_new:
        return Outcome.CREATED
    return Outcome.UPDATED if is_other else Outcome.UNCHANGED


def _said(line: Line) -> dict[str, Any]:
    """By the agent's columns."""
    cells = line.cells
    said: dict[str, Any] = {}
    if name := cells.get("name"):
        said["name"] = naming.name(name)
    if role := cells.get("role"):
        if role.lower() not in set(Role):
            raise InvalidInput(
                N_("This is none of the choices: {options}."), field=["role"], options=", ".join(Role)
            )
        said["role"] = Role(role.lower())
    if languages := cells.get("languages"):
        said["languages"] = sorted({profiles.locale(word, field="languages") for word in several(languages)})
    if skills := cells.get("skills"):
        said["skills"] = sorted(skill for skill in kept(several(skills)) if skill)
    if capacity := cells.get("capacity"):
        if not capacity.isdecimal():
            raise InvalidInput(N_("A capacity is 0 to {most}."), field=["capacity"], most=MOST_CAPACITY)
        said["capacity"] = int(capacity)
    if language := cells.get("locale"):
        if language.lower() not in LANGUAGES:
            raise InvalidInput(
                N_("This is none of the choices: {options}."), field=["locale"], options=", ".join(LANGUAGES)
            )
        said["locale"] = language.lower()
    if zone := cells.get("timezone"):
        said["timezone"] = profiles.timezone(zone)
    if called := cells.get("line"):
        said["line"] = line_called(called)
    return said


async def _teams_to_join(session: AsyncSession, agent: Agent, names: list[str]) -> list[TeamMember]:
    there = select(Team).where(Team.archived_at.is_(None))
    teams = {team.name.lower(): team.id for team in await session.scalars(there)} if names else {}
    if unknown := [name for name in names if name.lower() not in teams]:
        raise InvalidInput(N_("There is no team {name}."), field=["teams"], name=unknown[0])
    joined = set(await session.scalars(select(TeamMember.team_id).where(TeamMember.agent_id == agent.id)))
    wanted = {teams[name.lower()] for name in names}
    return [TeamMember(agent_id=agent.id, team_id=id) for id in sorted(wanted - joined)]
