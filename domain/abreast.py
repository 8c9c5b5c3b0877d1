"""Writers side by side: several who would each have a transaction of their own share one.

Each of them is written as if it were alone, and asks as it would ask its own session. Nobody is answered before all have asked:
then what is asked of one kind (`asked`) is one statement for all, what they have written is flushed at once, and the rest is done
in their order. Meanwhile none of them runs, so a flush finds nobody's work half done. Who has more to ask than others goes first, so
that they come together to what all of them ask.

What one writer holds (`one_at_a_time`, a ticket, a contact), the others wait for until it has ended, as between transactions. All of
them are committed, or none: what failed together can be done once more, each alone.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Coroutine, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import wraps
from typing import Any, TypeVar

from sqlalchemy import Text, bindparam, func, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession

from domain.writing import Writing

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

Find = Callable[[Any, Sequence[K]], Awaitable[Mapping[K, V]]]
"""One look-up for many keys, with the session to ask: each of them is in what it gives."""


async def asked(session: Any, find: Find[K, V], key: K, *, holding: Collection[str] = ()) -> V:
    """What `find` gives for this key; for writers side by side who ask at the same time it is called once. `holding`: names of which
    each is held by one of them."""
    if isinstance(session, Abreast):
        found: V = await session.wished(what=find, find=find, key=key, names=frozenset(holding))
        return found
    return (await find(session, [key]))[key]


async def one_at_a_time(session: AsyncSession, *what: str) -> None:
    """Until this transaction ends, whoever says one of the same waits here."""
    if not (isinstance(session, Abreast) and session.holds(what)):
        await asked(session, _locked, frozenset(what), holding=what)


async def _locked(session: AsyncSession, many: Sequence[frozenset[str]]) -> Mapping[frozenset[str], None]:
    """In one order, whoever locks: nobody waits for one who waits for them."""
    await session.execute(_lock, {"names": sorted(frozenset[str]().union(*many))})
    return dict.fromkeys(many)


_names = func.unnest(bindparam("names", type_=ARRAY(Text))).column_valued("name")
_locks = select(func.hashtextextended(_names, 0).label("lock")).distinct().order_by("lock").subquery()
_lock = select(func.count(func.pg_advisory_xact_lock(_locks.c.lock)))


async def by_turns(session: AsyncSession, *what: str) -> None:
    """Of writers side by side, one who says one of the same goes on when those before it have ended."""
    if isinstance(session, Abreast):
        await session.wished(names=frozenset(what))


Question = tuple[Hashable, int]
"""What is asked, and how often the same writer has asked it before."""
TO_COME: dict[Question, int] = {}
"""How much writers had still to ask then, at most: learned from those who have ended."""
LONGEST_WAY = 200
"""Questions of a writer from whom others are told."""


class Entangled(Exception):
    """Writers of one transaction wait for each other."""


@dataclass(eq=False)
class _Wish:
    """Of one writer, who waits: for a look-up, for other work at the database, or only for names to hold."""

    writer: "asyncio.Task[Any] | None"
    find: Find[Any, Any] | None = None
    key: Any = None
    work: Callable[[], Awaitable[Any]] | None = None
    names: frozenset[str] = frozenset()
    to_come: int | None = None
    """None where nothing is asked."""
    answer: asyncio.Future[Any] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


def _in_turn(method: Callable[..., Coroutine[Any, Any, Any]]) -> Any:
    @wraps(method)
    async def wished(self: "Abreast", *args: Any, **options: Any) -> Any:
        if self.is_asking:
            return await method(self, *args, **options)
        return await self.wished(work=lambda: method(self, *args, **options), what=method)

    return wished


class Abreast(Writing):
    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.is_asking = True
        """At the database, while no writer runs."""
        self._writers: dict[asyncio.Task[Any] | None, int] = {}
        """Those who have not ended, each with its place."""
        self._wishes: list[_Wish] = []
        self._ways: dict[asyncio.Task[Any] | None, list[Question]] = defaultdict(list)
        self._holders: dict[str, asyncio.Task[Any] | None] = {}
        self._all_wait = asyncio.Event()

    execute = _in_turn(AsyncSession.execute)
    scalar = _in_turn(AsyncSession.scalar)
    scalars = _in_turn(AsyncSession.scalars)
    get = _in_turn(AsyncSession.get)
    get_one = _in_turn(AsyncSession.get_one)
    refresh = _in_turn(AsyncSession.refresh)
    flush = _in_turn(AsyncSession.flush)
    delete = _in_turn(AsyncSession.delete)

    def holds(self, names: Collection[str]) -> bool:
        writer = asyncio.current_task()
        return all(self._holders.get(name) is writer for name in names)

    async def wished(self, *, what: Hashable = None, **wished: Any) -> Any:
        """`what`: is asked, but for names alone."""
        wish = _Wish(asyncio.current_task(), **wished)
        if what:
            way = self._ways[wish.writer]
            question = what, sum(1 for one, _ in way if one is what)
            way.append(question)
            wish.to_come = TO_COME.get(question, 0)
        self._wishes.append(wish)
        self._look()
        return await wish.answer

    async def side_by_side(self, writers: Sequence[Coroutine[Any, Any, V]]) -> list[V]:
        """Fails as a whole, with the group of what has failed."""
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(writer) for writer in writers]
            for place, task in enumerate(tasks):
                self._writers[task] = place
                task.add_done_callback(self._ended)
            self.is_asking = False
            while self._writers:
                await self._all_wait.wait()
                self._all_wait.clear()
                await self._answer()
            self.is_asking = True
        return [task.result() for task in tasks]

    def _ended(self, task: asyncio.Task[Any]) -> None:
        del self._writers[task]
        way = self._ways.pop(task, [])
        if len(way) <= LONGEST_WAY:
            for place, question in enumerate(way):
                TO_COME[question] = max(TO_COME.get(question, 0), len(way) - place)
        self._holders = {name: holder for name, holder in self._holders.items() if holder is not task}
        self._look()

    def _look(self) -> None:
        if len(self._wishes) == len(self._writers):
            self._all_wait.set()

    async def _answer(self) -> None:
        now = self._next()
        if self._wishes and not now:
            raise Entangled
        self._wishes = [wish for wish in self._wishes if wish not in now]
        answers: dict[_Wish, Any] = {}
        self.is_asking = True
        for find in dict.fromkeys(wish.find for wish in now if wish.find):
            asking = [wish for wish in now if wish.find is find]
            found = await find(self, list(dict.fromkeys(wish.key for wish in asking)))
            answers |= {wish: found[wish.key] for wish in asking}
        for wish in now:
            if wish.work:
                answers[wish] = await wish.work()
        self.is_asking = False
        for wish in now:
            wish.answer.set_result(answers.get(wish))

    def _next(self) -> list[_Wish]:
        wishes = sorted(self._wishes, key=lambda wish: self._writers[wish.writer])
        if free := [wish for wish in wishes if wish.to_come is None and self._may(wish, wishes)]:
            return free
        for most in sorted({wish.to_come for wish in wishes if wish.to_come is not None}, reverse=True):
            if now := [wish for wish in wishes if wish.to_come == most and self._may(wish, wishes)]:
                return now
        return []

    def _may(self, wish: _Wish, wishes: Sequence[_Wish]) -> bool:
        """Does nobody hold what it wants to, and nobody before it want the same? Then it holds that from now on."""
        if not wish.names:
            return True
        if any(self._holders.get(name, wish.writer) is not wish.writer for name in wish.names):
            return False
        if any(wish.names & other.names for other in wishes[: wishes.index(wish)]):
            return False
        self._holders |= dict.fromkeys(wish.names, wish.writer)
        return True
