"""Who asks, and whether the people and teams a query names are there."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import literal, select, union_all

from domain.actors import SYSTEM, Actor, ActorKind, Scope
from domain.agents.staff import Agent, Team
from domain.chorus import Reads
from domain.finding.conditions import Asking
from domain.finding.mistakes import NobodyIsMe, UnknownValue
from domain.finding.terms import TERMS
from domain.finding.tree import Query, asked_in
from domain.finding.values import ME, Anything, Times, nearest


async def asking_as(connection: Reads, actor: Actor, queries: Iterable[Query], *, at: datetime) -> Asking:
    """A day begins where the asker is; a program's at Greenwich."""
    zone = None
    if actor.agent_id and any(_speaks_of_days(query) for query in queries):
        zone = await connection.scalar(select(Agent.timezone).where(Agent.id == actor.agent_id))
    return Asking(at, actor.agent_id, zone or "UTC", knows_contacts=_knows_contacts(actor))


def _knows_contacts(actor: Actor) -> bool:
    return actor.kind != ActorKind.TOKEN or Scope.CONTACTS_READ in actor.scopes


def _knows_staff(actor: Actor) -> bool:
    return actor.kind != ActorKind.TOKEN or Scope.STAFF_READ in actor.scopes


def _knows_addresses(actor: Actor) -> bool:
    return actor.kind == ActorKind.SYSTEM or actor.manages


def _speaks_of_days(query: Query) -> bool:
    return any(TERMS[one.key].values == Times() for one in asked_in(query))


async def check(
    connection: Reads, query: Query, *, by: Actor = SYSTEM, is_saved: bool = False, nobody_asks: bool = False
) -> None:
    """Refuses names that nobody has, and `me` where a program asks; points at them. To a token that may not read who works
    here, nobody has a name, and to who does not manage, nobody an address: they shall not guess them. `is_saved`: by somebody
    who may have known more."""
    named = [
        (term.names, one.key, value, span)
        for one in asked_in(query)
        if isinstance(term := TERMS[one.key].values, Anything) and term.names
        for value, span in zip(one.values, one.spans, strict=True)
    ]
    for _, _, value, span in named:
        if nobody_asks and value == ME:
            raise NobodyIsMe(*span, value)
    asked = [(of, key, value, span) for of, key, value, span in named if value not in _also(key)]
    if not asked:
        return
    known = await _known(connection, SYSTEM if is_saved else by)
    for of, key, value, span in asked:
        names = known[of]
        if value.lower() not in {name.lower() for name in names}:
            told = (await _known(connection, by))[of] if is_saved else names
            raise UnknownValue(*span, value, nearest=nearest(value, told), term=key)


def _also(key: str) -> tuple[str, ...]:
    values: Any = TERMS[key].values
    also: tuple[str, ...] = values.also
    return also


async def _known(connection: Reads, by: Actor) -> dict[str, list[str]]:
    known: dict[str, list[str]] = {"agent": [], "team": []}
    if not _knows_staff(by):
        return known
    said = {"agent": [Agent.name, *([Agent.email] if _knows_addresses(by) else [])], "team": [Team.name]}
    asked = [select(literal(of).label("of"), name.label("name")) for of in said for name in said[of]]
    for of, name in await connection.execute(union_all(*asked)):
        known[of].append(name)
    return known
