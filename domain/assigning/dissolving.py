"""A team that nothing goes to any more is deleted. Its tickets that are over stay its own, and who was in it goes on seeing them."""

from datetime import datetime

from sqlalchemy import Text, cast, delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.abreast import one_at_a_time
from domain.actors import Actor
from domain.agents.staff import Team
from domain.assigning.policies import AssignmentPolicy
from domain.calling.dialled_numbers import DialledNumber
from domain.desk.tasks import Task
from domain.desk.tickets import LIVE, Ticket
from domain.errors import InUse, NotFound
from domain.languages import N_, translate
from domain.macros.macros import Macro
from domain.sla.policies import Policy
from domain.ways_in.channels import Channel


async def archive_team(session: AsyncSession, team: Team, *, by: Actor, at: datetime) -> None:
    """Refused while anything open is its own, or anything the shop has set up names it."""
    await one_at_a_time(session, "teams")
    await session.refresh(team, with_for_update=True)
    if team.archived_at:
        raise NotFound(field=["id"])
    if using := await _using(session, team, by.locale):
        raise InUse(field=["id"], names=", ".join(using))
    await session.execute(delete(AssignmentPolicy).where(AssignmentPolicy.team_id == team.id))
    team.archived_at = at
    await session.flush()


async def _using(session: AsyncSession, team: Team, locale: str) -> list[str]:
    work = {
        N_("open tickets"): select(Ticket.id).where(Ticket.team_id == team.id, Ticket.status.in_(LIVE)),
        N_("open tasks"): select(Task.id).where(Task.team_id == team.id, Task.done_at.is_(None)),
    }
    using = [translate(locale, what) for what, open in work.items() if await session.scalar(open.limit(1))]
    names_it = {"teams": [str(team.id)]}
    hands_to_it = cast(Macro.actions, Text).contains(str(team.id)) & Macro.owner_id.is_(None)
    for rule in (
        select(Channel.name).where(Channel.team_id == team.id),
        select(DialledNumber.number).where(DialledNumber.team_id == team.id),
        select(Policy.name).where(Policy.archived_at.is_(None), Policy.conditions.contains(names_it)),
        select(Macro.name).where((Macro.team_id == team.id) | hands_to_it),
    ):
        using += await session.scalars(rule)
    return using
