"""What every resolver has at hand, and how it reads."""

import asyncio
import uuid
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from operator import attrgetter
from typing import Any, TypeAlias, TypeVar

import strawberry
from starlette.responses import Response
from strawberry.dataloader import DataLoader

from api.documents import Operation
from api.house import House
from api.selection import Selection, Selections
from api.watch import Shown, Watched, still
from domain.actors import Actor
from domain.addresses import counted_as
from domain.chorus import Chorus
from domain.errors import NotSignedIn
from domain.gathering import gathered


@dataclass
class Context:
    house: House
    locale: str
    address: str | None = None
    """Of the network, from where this came."""
    response: Response | None = None
    """What cookies are set on; none on a socket."""
    token: str | None = None
    """What they showed, whether it was good or not."""
    somebody: Actor | None = None
    session_id: uuid.UUID | None = None
    """An agent's."""
    selections: Selections = field(default_factory=dict)
    operation: Operation | None = None
    paid: int = 0
    """Operations of this request that were taken from its rate."""
    executor: Any = None
    """Of a subscription: what resolves its events."""
    connection_params: dict[str, Any] | None = None
    """What `connection_init` brought, on a socket."""
    loaders: dict[Any, DataLoader[uuid.UUID, Any]] = field(default_factory=dict)
    chorus: Chorus | None = None
    keeps: bool = False
    """The connection over which is read, until it is let go."""
    at: datetime | None = None
    """The database's time, where a change has just told it."""
    is_query: bool = False
    opened: set[uuid.UUID] = field(default_factory=set)
    """Contacts, which are noted before the answer to this query is given."""

    @property
    def actor(self) -> Actor:
        if self.somebody is None:
            raise NotSignedIn
        return self.somebody

    def permit(self) -> None:
        for rule in self.operation.needs.rules if self.operation else ():
            rule.check(self.somebody)

    def becomes(self, somebody: Actor | None) -> None:
        """Of a stream: it goes on for whoever they are now, if they may ask for it still."""
        self.somebody = somebody
        self.permit()

    def pay(self, operations: int) -> None:
        """As many in all: what was paid before counts."""
        rates, owed = self.house.rates, operations - self.paid
        rates.take(self.principal, owed, signed_in=self.somebody is not None)
        self.paid = operations

    @property
    def principal(self) -> str:
        """Whose rate it is."""
        if self.somebody is None:
            return f"address {counted_as(self.address)}"
        return f"{self.somebody.kind} {self.somebody.id}"

    @property
    def shown(self) -> Shown:
        return self.session_id or self.token

    async def still(self) -> Actor | None:
        """Whoever brought the token, with the rights of this moment; none when the session has ended."""
        return (await still(self.house.db, [self.shown])).get(self.shown)

    @contextmanager
    def watched(self, rung: asyncio.Event) -> Iterator[Watched]:
        """Rung when they are somebody else."""
        with self.house.watch.over(self.shown, self.somebody, rung) as stream:
            yield stream

    def singing(self) -> Chorus:
        """All who read at the same time, over one connection; those of an operation keep it until its end."""
        if self.chorus is None or self.chorus.has_ended:
            self.chorus = Chorus(self.house.db, lasts=self.keeps, at=self.at)
        return self.chorus

    @asynccontextmanager
    async def reading(self) -> AsyncIterator["Reading"]:
        chorus = self.singing()
        async with chorus:
            yield Reading(chorus, self.actor, self.locale, await chorus.time(), self.house)

    @asynccontextmanager
    async def querying(self) -> AsyncIterator[None]:
        self.is_query = self.keeps = True
        try:
            yield
        finally:
            self.is_query = False
            await self.let_go()

    def changed(self, at: datetime) -> None:
        """What is shown of a change is read over one connection."""
        self.keeps, self.at = True, at

    async def let_go(self) -> None:
        """The connection is back before anything else is asked for: who holds one while waiting for another can wait for ever."""
        self.keeps, self.at = False, None
        if self.chorus:
            await self.chorus.end()

    async def load(self, read: "Read[T]", id: uuid.UUID) -> "T | None":
        """What objects anywhere in an answer want of the same kind is read at once for all of them, and not kept."""
        if read not in self.loaders:

            async def read_all(ids: list[uuid.UUID]) -> list[Any]:
                async with self.reading() as reading:
                    found = await read(reading, set(ids))
                return [found.get(id) for id in ids]

            self.loaders[read] = DataLoader(read_all, cache=False)
        found: T | None = await self.loaders[read].load(id)
        return found


@dataclass(frozen=True)
class Reading:
    connection: Chorus
    actor: Actor
    locale: str
    at: datetime
    house: House


@asynccontextmanager
async def reading_as(house: House, actor: Actor, locale: str) -> AsyncIterator[Reading]:
    chorus = Chorus(house.db)
    async with chorus:
        yield Reading(chorus, actor, locale, await chorus.time(), house)


Info: TypeAlias = strawberry.Info[Context, None]

T = TypeVar("T")

Read: TypeAlias = Callable[[Reading, set[uuid.UUID]], Awaitable[Mapping[uuid.UUID, T]]]


def plain(kind: type[T], values: dict[str, Any]) -> T:
    """An object of a GraphQL type that holds what was read and no more: its fields are plain attributes, and `values` is its own."""
    made = object.__new__(kind)
    made.__dict__ = values
    return made


async def nothing() -> Any:
    """In the place of a part that is not asked for."""
    return {}


Part: TypeAlias = Callable[[Reading, list[T], Selection], Awaitable[None]]


async def fill(parts: Mapping[str, Part[T]], reading: Reading, found: list[T], selection: Selection) -> None:
    """Side by side what is asked for of these objects. `parts`: by the field, who reads it for all of them."""
    asked = dict.fromkeys(part for name, part in parts.items() if name in selection)
    await gathered(*(part(reading, found, selection) for part in asked))


def by(attribute: str, rows: Iterable[T]) -> dict[Any, list[T]]:
    """Rows grouped by an attribute: one statement reads a to-many level for all parents."""
    key, groups = attrgetter(attribute), defaultdict[Any, list[T]](list)
    for row in rows:
        groups[key(row)].append(row)
    return dict(groups)
