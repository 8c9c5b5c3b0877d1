"""A text that is often written, in several languages, and what is done along with it. Without actions it is a canned text."""

import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, ForeignKey, Index, Integer, and_, func, select, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from domain.actors import Actor
from domain.db import Base, Json, new_id, one_of
from domain.errors import InvalidInput, NotAllowed
from domain.languages import LANGUAGES, N_
from domain.macros import actions as doing
from domain.macros import checking, variables
from domain.macros.actions import Action
from domain.ways_in.channels import ChannelKind

MOST = {"everyone": 500, "team": 200, "private": 200}
"""Of one holder: everyone, one team, one person."""
LONGEST_NAME = 100

_SHORTCUT = re.compile(r"[a-z0-9][a-z0-9_-]{0,30}")


class Visibility(StrEnum):
    PRIVATE = "private"
    TEAM = "team"
    EVERYONE = "everyone"


class Macro(Base):
    __tablename__ = "macro"
    __table_args__ = (
        Index(
            "uq_macro_shortcut",
            "shortcut",
            "owner_id",
            "team_id",
            unique=True,
            postgresql_nulls_not_distinct=True,
            postgresql_where=text("shortcut IS NOT NULL"),
        ),
        Index("ix_macro_owner", "owner_id"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    name: Mapped[str]
    shortcut: Mapped[str | None]
    """What is typed for it: once for everyone, once in a team, once of a person."""
    channels: Mapped[list[str]]
    """Kinds of channels that it fits; empty: all."""
    bodies: Mapped[dict[str, str]] = mapped_column(JSONB)
    """By language."""
    actions: Mapped[list[Json]] = mapped_column(JSONB)
    """In their order (`domain/macros/actions.py`)."""
    owner_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("agent.id"))
    """The one person who sees it."""
    team_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("team.id"))
    """The one team that sees it. Without either: everyone."""
    used: Mapped[int] = mapped_column(Integer, default=0, server_default="0")
    """On how many tickets."""
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]

    @property
    def visibility(self) -> Visibility:
        return visibility_of(self.owner_id, self.team_id)

    def fits(self, kind: ChannelKind) -> bool:
        return not self.channels or kind in self.channels

    def does(self) -> list[Action]:
        return [doing.read(kept) for kept in self.actions]

    def check_changed(self, by: Actor) -> None:
        """One's own, one's team's, and what is everyone's for who manages."""
        if by.manages or (self.owner_id or self.team_id) in (by.agent_id, *by.teams):
            return
        raise NotAllowed(field=["visibility"])


def visibility_of(owner_id: uuid.UUID | None, team_id: uuid.UUID | None) -> Visibility:
    if owner_id:
        return Visibility.PRIVATE
    return Visibility.TEAM if team_id else Visibility.EVERYONE


def shown_to(actor: Actor) -> ColumnElement[bool]:
    """A private one to nobody else, whoever manages."""
    theirs = Macro.team_id.is_(None) | one_of(Macro.team_id, actor.teams)
    shared = and_(Macro.owner_id.is_(None), *(() if actor.manages else (theirs,)))
    return shared | (Macro.owner_id == actor.agent_id)


def language_for(bodies: Mapping[str, Any], *wanted: str | None) -> str | None:
    """Of the first of `wanted` in which there is a text; otherwise of the first there is. None: it has no text."""
    for locale in wanted:
        language = (locale or "").replace("_", "-").split("-")[0].lower()
        if language in bodies:
            return language
    return next((language for language in LANGUAGES if language in bodies), None)


@dataclass(frozen=True)
class Said:
    """What is said of a macro; what is none stays."""

    name: str | None = None
    shortcut: str | None = None
    """Empty: none."""
    channels: Sequence[ChannelKind] | None = None
    bodies: Sequence[tuple[str, str]] | None = None
    """Language and text; all of them."""
    actions: Sequence[Action] | None = None
    visibility: Visibility | None = None
    team_id: uuid.UUID | None = None
    """Of `TEAM`."""


async def save(session: AsyncSession, macro: Macro | None, said: Said, *, by: Actor, at: datetime) -> Macro:
    """Without a macro a new one, which is private unless something else is said."""
    if macro is None:
        macro = Macro(
            id=new_id(), name="", channels=[], bodies={}, actions=[], owner_id=by.agent_id, created_at=at
        )
    else:
        macro.check_changed(by)
    macro.updated_at = at
    _share(macro, said, by)
    macro.check_changed(by)
    if said.name is not None:
        macro.name = variables.one_line(said.name)
    if not 0 < len(macro.name) <= LONGEST_NAME:
        raise InvalidInput(N_("A name has 1 to {most} characters."), field=["name"], most=LONGEST_NAME)
    if said.shortcut is not None:
        macro.shortcut = _shortcut(said.shortcut)
    if said.channels is not None:
        macro.channels = list(dict.fromkeys(said.channels))
    if said.bodies is not None:
        macro.bodies = _bodies(said.bodies)
    if said.actions is not None:
        macro.actions = await _actions(session, said.actions)
    if not macro.bodies and not macro.actions:
        raise InvalidInput(N_("A macro says something, does something, or both."), field=["bodies"])
    await _keep(session, macro)
    return macro


def _share(macro: Macro, said: Said, by: Actor) -> None:
    match said.visibility:
        case Visibility.PRIVATE:
            macro.owner_id, macro.team_id = macro.owner_id or by.agent_id, None
        case Visibility.TEAM:
            if said.team_id is None:
                raise InvalidInput(N_("Say which team's it is."), field=["teamId"])
            macro.owner_id, macro.team_id = None, said.team_id
        case Visibility.EVERYONE:
            macro.owner_id = macro.team_id = None
        case None if said.team_id is not None and said.team_id != macro.team_id:
            raise InvalidInput(N_("A team is said along with the visibility TEAM."), field=["teamId"])


def _shortcut(given: str) -> str | None:
    shortcut = given.strip().lower().lstrip("/")
    if shortcut and not _SHORTCUT.fullmatch(shortcut):
        raise InvalidInput(
            N_("A shortcut has letters from a to z, digits, - and _, 31 at most."), field=["shortcut"]
        )
    return shortcut or None


def _bodies(given: Sequence[tuple[str, str]]) -> dict[str, str]:
    bodies: dict[str, str] = {}
    for number, (language, body) in enumerate(given):
        path = ["bodies", str(number)]
        if language not in LANGUAGES or language in bodies:
            raise InvalidInput(
                N_("One text for each language; there are {known}."),
                field=[*path, "locale"],
                known=", ".join(LANGUAGES),
            )
        if not body.strip():
            raise InvalidInput(N_("This may not be empty."), field=[*path, "text"])
        variables.check(body, path=[*path, "text"])
        bodies[language] = body
    return bodies


async def _actions(session: AsyncSession, given: Sequence[Action]) -> list[Json]:
    if len(given) > doing.MOST:
        raise InvalidInput(N_("At most {most} actions."), field=["actions"], most=doing.MOST)
    for number, action in enumerate(given):
        checking.check(action, path=["actions", str(number)])
    await checking.check_named(session, given)
    return [doing.written(action) for action in given]


async def _keep(session: AsyncSession, macro: Macro) -> None:
    beside = (
        Macro.id != macro.id,
        Macro.owner_id.is_not_distinct_from(macro.owner_id),
        Macro.team_id.is_not_distinct_from(macro.team_id),
    )
    most = MOST[macro.visibility]
    with session.no_autoflush:
        if macro.shortcut and await session.scalar(
            select(Macro.id).where(*beside, Macro.shortcut == macro.shortcut)
        ):
            raise InvalidInput(N_("Another macro has this shortcut already."), field=["shortcut"])
        if (await session.scalar(select(func.count()).select_from(Macro).where(*beside)) or 0) >= most:
            raise InvalidInput(N_("At most {most} macros there."), field=["visibility"], most=most)
    session.add(macro)
    await session.flush()
