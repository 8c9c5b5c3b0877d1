"""The stories as they stand in `stories/*.toml`, checked. What their fields mean: README.md."""

import tomllib
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import combinations
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "stories"
WAYS = ("mail", "chat", "messenger", "call", "agent")
LANGUAGES = ("pl", "es", "ca", "en")
EVENT_FIELDS = {"id", "at", "by", *WAYS}
STORY_FIELDS = {
    "name", "lang", "contacts", "tickets", "suggests", "may_suggest", "may_contact", "event"
}  # fmt: skip

Pair = tuple[str, str]


@dataclass(frozen=True)
class Happening:
    """What a customer did in a channel, or an agent in between (`way` "agent", no id)."""

    id: str
    at: datetime
    by: str
    way: str
    said: dict[str, Any]


@dataclass(frozen=True)
class Story:
    file: str
    name: str
    lang: str
    happenings: tuple[Happening, ...]
    contacts: frozenset[Pair]
    """Pairs of events, each in alphabetical order, that end at one contact."""
    tickets: frozenset[Pair]
    may_contact: frozenset[Pair]
    suggests: frozenset[Pair]
    """The ticket of the first should offer that of the second."""
    may_suggest: frozenset[Pair]

    @property
    def events(self) -> list[Happening]:
        return [happening for happening in self.happenings if happening.id]

    def pairs(self) -> list[Pair]:
        return [ordered(one.id, other.id) for one, other in combinations(self.events, 2)]


class WrongStory(Exception):
    pass


def ordered(one: str, other: str) -> Pair:
    return (one, other) if one < other else (other, one)


def load(*files: str) -> list[Story]:
    paths = sorted(FOLDER.glob("*.toml"))
    return [
        _story(path.stem, told)
        for path in paths
        if not files or path.stem in files
        for told in tomllib.loads(path.read_text("utf-8"))["story"]
    ]


def _story(file: str, told: dict[str, Any]) -> Story:
    try:
        return _checked(file, told)
    except (KeyError, ValueError, AssertionError) as problem:
        raise WrongStory(f"{file}: {told.get('name')}: {problem!r}") from problem


def _checked(file: str, told: dict[str, Any]) -> Story:
    assert told.keys() <= STORY_FIELDS, told.keys() - STORY_FIELDS
    assert told["lang"] in LANGUAGES, told["lang"]
    happenings = tuple(_happening(event) for event in told["event"])
    ids = [happening.id for happening in happenings if happening.id]
    times = [happening.at for happening in happenings]
    assert len(ids) == len(set(ids)), "an id twice"
    assert times == sorted(times), "not in the order of time"
    for name in ("contacts", "tickets", "suggests", "may_suggest", "may_contact"):
        named = [one for group in told.get(name, ()) for one in group]
        assert set(named) <= set(ids), f"{name} names what is no event"
        assert name not in ("contacts", "tickets") or len(named) == len(set(named)), f"{name}: in two groups"
    story = Story(
        file=file,
        name=told["name"],
        lang=told["lang"],
        happenings=happenings,
        contacts=_together(told.get("contacts", ())),
        tickets=_together(told.get("tickets", ())),
        may_contact=_together(told.get("may_contact", ())),
        suggests=frozenset((one, other) for one, other in told.get("suggests", ())),
        may_suggest=frozenset((one, other) for one, other in told.get("may_suggest", ())),
    )
    assert story.tickets <= story.contacts, "one ticket, two contacts"
    assert not story.contacts & story.may_contact, "both one contact and either way"
    assert not any(ordered(*pair) in story.tickets for pair in story.suggests), "suggested within a ticket"
    return story


def _happening(event: dict[str, Any]) -> Happening:
    assert event.keys() <= EVENT_FIELDS, event.keys() - EVENT_FIELDS
    (way,) = [way for way in WAYS if way in event]
    at = datetime.strptime(event["at"], "%Y-%m-%d %H:%M").replace(tzinfo=UTC)
    return Happening(event.get("id", ""), at, event.get("by", ""), way, event[way])


def _together(groups: Any) -> frozenset[Pair]:
    return frozenset(ordered(one, other) for group in groups for one, other in combinations(group, 2))
