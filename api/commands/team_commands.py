"""Teams and how their work is handed out; what each person can do and carry."""

import uuid
from dataclasses import replace
from datetime import timedelta
from typing import Annotated

from cyclopts import App, Parameter
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from api.commands.columns import print_table
from api.running import house_here
from domain import audit, naming
from domain.actors import SYSTEM
from domain.agents.invitations import spend_all
from domain.agents.staff import Agent, Team, TeamMember, account, free_address, put_in_teams, save_team
from domain.assigning import policies
from domain.assigning.choosing import AssignmentMode
from domain.assigning.policies import SkillRule, Terms
from domain.audit import AuditKind
from domain.db import Json, database_time
from domain.settings import WrongSetting

team = App(name="team", version_flags=[])


@team.command(name="list")
async def list_teams() -> None:
    """The teams, by name: their members, and their rules."""
    async with house_here() as (house, _), house.db.transaction() as session:
        teams = (
            await session.scalars(select(Team).where(Team.archived_at.is_(None)).order_by(Team.name))
        ).all()
        said = await policies.terms_of(session, [one.id for one in teams])
        rows = []
        for one in teams:
            names = await session.scalars(
                select(Agent.name)
                .join(TeamMember, TeamMember.agent_id == Agent.id)
                .where(TeamMember.team_id == one.id, Agent.left_at.is_(None))
                .order_by(Agent.name)
            )
            terms = said.get(one.id, Terms())
            rows.append((one.name, terms.mode.value, f"capacity {terms.capacity}", ", ".join(names)))
    print_table(rows)


@team.command(name="set")
async def set_team(
    name: str,
    *,
    mode: AssignmentMode | None = None,
    capacity: Annotated[int | None, Parameter(help="Of members who have none of their own.")] = None,
    by_language: bool | None = None,
    language_wait: Annotated[
        int | None, Parameter(help="Minutes for which who speaks the language is waited for.")
    ] = None,
    skill: Annotated[
        list[str] | None,
        Parameter(help="SKILL=TAG: what has the tag is for who has the skill; given once for each."),
    ] = None,
    off_shift_after: Annotated[
        int | None,
        Parameter(help="Minutes off shift after which waiting customers are somebody else's; -1: never."),
    ] = None,
    unreachable_after: Annotated[
        int | None, Parameter(help="The same of who cannot be reached; -1: never.")
    ] = None,
) -> None:
    """Makes a team, or says how its work is handed out; what is left out stays."""
    async with house_here() as (house, _), house.db.transaction() as session:
        named = (Team.name == naming.name(name), Team.archived_at.is_(None))
        found = await session.scalar(select(Team).where(*named))
        kept = found or await save_team(session, None, name)
        before = (await policies.terms_of(session, [kept.id])).get(kept.id, Terms())
        given: Json = {
            "mode": mode,
            "capacity": capacity,
            "by_language": by_language,
            "language_wait": None if language_wait is None else timedelta(minutes=language_wait),
            "skills": None if skill is None else _rules(skill),
        }
        said: Json = {what: value for what, value in given.items() if value is not None}
        for what, minutes in (("off_shift_after", off_shift_after), ("unreachable_after", unreachable_after)):
            if minutes is not None:
                said[what] = timedelta(minutes=minutes) if minutes >= 0 else None
        await policies.save(session, kept, replace(before, **said))
        now = await database_time(session)
        audit.note(session, AuditKind.TEAM_SAVED, by=SYSTEM, at=now, data={"name": kept.name})
    print(f"The team {kept.name!r} is {'set up' if found else 'here'}.")


def _rules(written: list[str]) -> tuple[SkillRule, ...]:
    tags: dict[str, list[str]] = {}
    for one in written:
        skill, said, tag = one.partition("=")
        if not said or not tag:
            raise WrongSetting(f"--skill {one!r} should be like returns=return")
        tags.setdefault(skill, []).append(tag)
    return tuple(SkillRule(skill, tuple(those)) for skill, those in tags.items())


async def set_agent(
    email: str,
    *,
    address: Annotated[
        str | None, Parameter(help="By which they sign in and are mailed from now on.")
    ] = None,
    skill: Annotated[list[str] | None, Parameter(help="Given once for each; replaces those before.")] = None,
    language: Annotated[
        list[str] | None,
        Parameter(help="In which they can answer, besides their own; replaces those before."),
    ] = None,
    capacity: Annotated[
        int | None, Parameter(help="How much work they are given at once; 0: none, -1: as their teams say.")
    ] = None,
    team: Annotated[list[str] | None, Parameter(help="In these, and in no others.")] = None,
) -> None:
    """Where somebody is mailed, what they can do and carry, and in which teams they are; what is left out stays."""
    async with house_here() as (house, _), house.db.transaction() as session:
        agent = await account(session, email)
        if agent is None:
            raise WrongSetting(f"Nobody works here as {email!r}: `heddle agent list` shows who does.")
        now = await database_time(session)
        if address is not None:
            agent.email = await free_address(session, address, of=agent.id)
            await spend_all(session, agent.id, at=now)
        agent.change(by=SYSTEM, at=now, skills=skill, languages=language)
        if capacity is not None:
            agent.set_capacity(capacity if capacity >= 0 else None)
        if team is not None:
            await put_in_teams(session, agent, [await _team_id(session, name) for name in team])
        said = {"email": address, "skills": skill, "languages": language, "capacity": capacity, "teams": team}
        told = {what: value for what, value in said.items() if value is not None}
        audit.note(session, AuditKind.AGENT_CHANGED, by=SYSTEM, at=now, agent_id=agent.id, data=told)
    print(f"{agent.name} is set up.")


async def _team_id(session: AsyncSession, name: str) -> uuid.UUID:
    id = await session.scalar(select(Team.id).where(Team.name == name, Team.archived_at.is_(None)))
    if id is None:
        raise WrongSetting(f"--team: there is no team {name!r}.")
    return id
