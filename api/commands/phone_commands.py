"""What whoever sets up the telephones types: whose telephone is which, and where the shop's numbers stand."""

from typing import Annotated, Literal

from cyclopts import App, Parameter
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from api.running import house_here
from domain import audit
from domain.actors import SYSTEM
from domain.agents.staff import Team, account, free_line
from domain.audit import AuditKind
from domain.calling import dialled_numbers
from domain.customers.contacts import IdentityKind, normalised
from domain.db import database_time
from domain.settings import WrongSetting
from domain.ways_in.channels import Channel, ChannelKind

numbers = App(name="numbers", help="The shop's numbers that lead to a phone line, and where they stand.")


async def line_of(email: str, line: Annotated[str, Parameter(help='"" takes it away')]) -> None:
    """Says which telephone is whose, as the PBX calls it: `heddle agent line ben@shop.example 7`."""
    async with house_here() as (house, _), house.db.transaction() as session:
        agent = await account(session, email)
        if agent is None:
            raise WrongSetting(f"Nobody works here as {email!r}: `heddle agent list` shows who does.")
        if line:
            await free_line(session, agent, line)
        now = await database_time(session)
        agent.change(by=SYSTEM, at=now, line=line)
        told = {"line": agent.line}
        audit.note(session, AuditKind.AGENT_CHANGED, by=SYSTEM, at=now, agent_id=agent.id, data=told)
    print(f"{agent.name}'s telephone is {agent.line}." if agent.line else f"{agent.name} has no telephone.")


@numbers.command(name="list")
async def list_numbers(slug: str) -> None:
    """The numbers of a line: campaign, where it stands, language, where its calls are connected, and its team."""
    async with house_here() as (house, _), house.db.transaction() as session:
        line = await _line(session, slug)
        found = await dialled_numbers.numbers_of(session, line.id)
        teams = {team.id: team.name for team in await session.scalars(select(Team))}
        rows = [
            (one.number, one.campaign, one.source, one.language, one.dial, one.team_id and teams[one.team_id])
            for one in found
        ]
    for row in rows:
        print("  ".join(cell or "-" for cell in row))


@numbers.command(name="set")
async def set_number(
    slug: str,
    number: str,
    *,
    campaign: str | None = None,
    source: str | None = None,
    language: Literal["", "en", "pl", "es", "ca"] | None = None,
    team: Annotated[str | None, Parameter(help='By its name; "": that of the line')] = None,
    dial: str | None = None,
) -> None:
    """Says where a number stands: `heddle channel numbers set line +48221112233 --campaign Spring --language pl`."""
    async with house_here() as (house, _), house.db.transaction() as session:
        line = await _line(session, slug)
        named = select(Team.id).where(Team.name == team, Team.archived_at.is_(None))
        team_id = await session.scalar(named) if team else None
        if team and team_id is None:
            raise WrongSetting(f"There is no team {team!r}.")
        now = await database_time(session)
        saved = await dialled_numbers.save_number(
            session,
            line,
            number,
            campaign=campaign,
            source=source,
            language=language,
            team_id=team_id,
            keep_team=team is None,
            dial=dial,
            at=now,
        )
        told = {"number": saved.number, "campaign": saved.campaign}
        audit.note(session, AuditKind.NUMBER_SAVED, by=SYSTEM, at=now, data=told)
    print(f"{saved.number} leads to {slug!r}: {saved.campaign or 'no campaign'}.")


@numbers.command(name="remove")
async def remove_number(slug: str, number: str) -> None:
    """Forgets a number; calls that came by it keep their campaign."""
    async with house_here() as (house, _), house.db.transaction() as session:
        line = await _line(session, slug)
        read = normalised(IdentityKind.PHONE, number, region=line.config.get("region"))
        kept = await dialled_numbers.called(session, line.id, read)
        if kept is None:
            raise WrongSetting(f"{read} does not lead to {slug!r}.")
        await session.delete(kept)
        now = await database_time(session)
        audit.note(session, AuditKind.NUMBER_DELETED, by=SYSTEM, at=now, data={"number": read})
    print(f"{read} is forgotten.")


async def _line(session: AsyncSession, slug: str) -> Channel:
    line = await session.scalar(
        select(Channel).where(Channel.slug == slug, Channel.kind == ChannelKind.PHONE)
    )
    if line is None:
        raise WrongSetting(f"There is no phone line {slug!r}: `heddle channel list` shows them.")
    return line
