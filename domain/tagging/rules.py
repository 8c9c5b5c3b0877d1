"""What of the shop names tags, besides tickets: policies, skills, macros, views and webhooks' filters.

No rule comes to mean something else because somebody tidies up the tags. A renamed tag is renamed in all of them; while its
tickets are worked through, they ask for the old and the new one. One that a shared rule names is not removed.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import chain
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.agents.staff import Team
from domain.assigning.policies import AssignmentPolicy
from domain.db import Json
from domain.desk.tags import kept
from domain.errors import InvalidInput
from domain.finding.query import understood
from domain.finding.tree import asked_in, respelled, written
from domain.finding.views import View, name_of
from domain.languages import LANGUAGES, N_
from domain.macros.macros import Macro, Visibility
from domain.sla.policies import Policy
from domain.webhooks import Webhook

TAG = "tag"
"""The key of queries."""


class Kind(Enum):
    """With what is said to who would remove a tag that one of these names."""

    POLICY = N_("Policies hold for tickets with this tag: {names}.")
    TEAM = N_("Teams hand out work by this tag: {names}.")
    MACRO = N_("Macros put this tag on or take it off: {names}.")
    VIEW = N_("Views look for this tag: {names}.")
    WEBHOOK = N_("Webhooks look for this tag: {names}.")


@dataclass(frozen=True)
class Renaming:
    """`under_way`: some tickets have the old tag still."""

    old: str
    new: str
    under_way: bool

    def asked(self, tags: Sequence[str]) -> list[str]:
        """Of tags that a rule looks for."""
        instead = [self.old, self.new] if self.under_way else [self.new]
        named = (instead if kept([tag]) == [self.old] else [tag] for tag in tags)
        return list(dict.fromkeys(tag for some in named for tag in some))

    def put(self, tags: Sequence[str]) -> list[str]:
        """Of tags that a macro puts on."""
        return list(dict.fromkeys(self.new if kept([tag]) == [self.old] else tag for tag in tags))


@dataclass(frozen=True)
class Rule:
    kind: Kind
    name: str
    shared: bool
    tags: frozenset[str]
    rename: Callable[[Renaming], None]


async def rules_of(session: AsyncSession) -> list[Rule]:
    """All that name a tag, held until the transaction ends. There are as many as people write down."""

    async def held(query: Select[Any]) -> Sequence[Any]:
        held = query.with_for_update().execution_options(populate_existing=True)
        return (await session.scalars(held)).all()

    teams = {team.id: team.name for team in await session.scalars(select(Team))}
    found = [
        *map(_policy, await held(select(Policy).where(Policy.archived_at.is_(None)))),
        *(_team(one, teams[one.team_id]) for one in await held(select(AssignmentPolicy))),
        *map(_macro, await held(select(Macro))),
        *map(_view, await held(select(View).where(View.query.icontains(f"{TAG}:")))),
        *map(_webhook, await held(select(Webhook).where(Webhook.filter.icontains(f"{TAG}:")))),
    ]
    return [rule for rule in found if rule.tags]


def _policy(policy: Policy) -> Rule:
    tags = policy.conditions.get("tags", [])

    def rename(to: Renaming) -> None:
        policy.conditions = policy.conditions | {"tags": to.asked(tags)}

    return Rule(Kind.POLICY, policy.name, True, _names(tags), rename)


def _team(policy: AssignmentPolicy, name: str) -> Rule:
    skills: list[Json] = policy.terms["skills"]

    def rename(to: Renaming) -> None:
        renamed = [skill | {"tags": to.asked(skill["tags"])} for skill in skills]
        policy.terms = policy.terms | {"skills": renamed}

    return Rule(Kind.TEAM, name, True, _names(tag for skill in skills for tag in skill["tags"]), rename)


def _macro(macro: Macro) -> Rule:
    def renamed(action: Json, to: Renaming) -> Json:
        match action:
            case {"add_tags": tags}:
                return {"add_tags": to.put(tags)}
            case {"remove_tags": tags}:
                return {"remove_tags": to.asked(tags)}
        return action

    def rename(to: Renaming) -> None:
        macro.actions = [renamed(action, to) for action in macro.actions]

    named = [
        *chain(*(action.get(verb, ()) for action in macro.actions for verb in ("add_tags", "remove_tags")))
    ]
    return Rule(Kind.MACRO, macro.name, macro.visibility != Visibility.PRIVATE, _names(named), rename)


def _view(view: View) -> Rule:
    name = name_of(view, LANGUAGES[0])

    def rename(to: Renaming) -> None:
        view.query = _respelled(view.query, to, name)

    return Rule(Kind.VIEW, name, view.owner_id is None, _asked(view.query), rename)


def _webhook(webhook: Webhook) -> Rule:
    def rename(to: Renaming) -> None:
        webhook.filter = _respelled(webhook.filter, to, webhook.url)

    return Rule(Kind.WEBHOOK, webhook.url, True, _asked(webhook.filter), rename)


def _asked(query: str) -> frozenset[str]:
    tree = understood(query)
    return (
        _names(tag for one in asked_in(tree) if one.key == TAG for tag in one.values) if tree else frozenset()
    )


def _respelled(query: str, to: Renaming, name: str) -> str:
    tree = understood(query)
    longer = written(respelled(tree, TAG, to.asked)) if tree else query
    if understood(longer) is None:
        raise InvalidInput(N_("What {name} looks for would be too long."), field=["into"], name=name)
    return longer


def _names(tags: Iterable[str]) -> frozenset[str]:
    return frozenset(kept(tags))
