"""What the made functions complete is what graphql-core would have said: data, their order, errors and paths."""

import asyncio
import gc
import inspect
import random
import warnings
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from types import SimpleNamespace
from typing import Any, NewType

import orjson
import pytest
import strawberry
from graphql import (
    ExecutionResult,
    NoUnusedVariablesRule,
    OperationDefinitionNode,
    Undefined,
    execute,
    parse,
    specified_rules,
    validate,
)
from strawberry.schema.config import StrawberryConfig
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from api.completion import KEPT, CompilingExecutor
from api.computed import MAY_LIE_READY
from api.context import plain
from api.documents import Operation, deciding
from api.memory import settled
from api.permissions import Needs

COMBINATIONS = 160
"""Of a query and data; each with two choices of variables."""
RULES = [rule for rule in specified_rules if rule is not NoUnusedVariablesRule]


@strawberry.enum
class Colour(Enum):
    RED = "red"
    GREEN = "green"


Sparse = NewType("Sparse", int)
"""Says nothing of a 7, which it may not."""


@strawberry.interface
class Named:
    name: str


@strawberry.type
class Cat(Named):
    lives: int
    colour: Colour
    friend: "Cat | None"
    kittens: list["Cat"]


@strawberry.type
class Dog(Named):
    id: strawberry.ID
    born: datetime | None
    weight: float
    is_good: bool
    tags: list[str]
    odd: list[list[int | None]] | None
    colours: list[Colour | None]
    sparse: Sparse | None

    @strawberry.field
    def barks(self, times: int = 2) -> str:
        return "woof " * times

    @strawberry.field(metadata=MAY_LIE_READY)  # type: ignore[untyped-decorator]
    async def mood(self) -> Colour:
        await asyncio.sleep(0)
        mood: Colour = vars(self).get("mood", Colour.GREEN)
        return mood

    @strawberry.field
    async def slowly(self, name: str | None = None) -> str | None:
        await asyncio.sleep(0)
        if name == "Eve":
            raise ValueError("not for her")
        return name


@strawberry.type
class Zoo:
    animals: list[Cat | Dog]
    named: list[Named | None]
    best: Cat | None
    cats: list[Cat] | None
    dog: Dog


def _zoo() -> Zoo:
    raise NotImplementedError  # the root is given


@strawberry.type
class Query:
    zoo: Zoo
    maybe: Zoo | None
    zoos: list[Zoo | None]


SCALARS: Any = {
    Sparse: strawberry.scalar(name="Sparse", serialize=lambda value: None if value == 7 else value)
}
SCHEMA = strawberry.Schema(Query, types=[Cat, Dog], config=StrawberryConfig(scalar_map=SCALARS))._schema

FIELDS: dict[str, list[tuple[str, str | None]]] = {
    "Query": [("zoo", "Zoo"), ("maybe", "Zoo"), ("zoos", "Zoo")],
    "Zoo": [("animals", "CatOrDog"), ("named", "Named"), ("best", "Cat"), ("cats", "Cat"), ("dog", "Dog")],
    "Named": [("name", None)],
    "Cat": [("name", None), ("lives", None), ("colour", None), ("friend", "Cat"), ("kittens", "Cat")],
    "Dog": [
        *(
            (name, None)
            for name in ("name", "id", "born", "weight", "isGood", "tags", "odd", "colours", "sparse")
        ),
        ("mood", None),
        ("barks", None),
        ("barks(times: $times)", None),
        ('slowly(name: "Eve")', None),
    ],
}
BELOW = {"CatOrDog": ["Cat", "Dog"], "Named": ["Cat", "Dog", "Named"]}
"""What fragments may be on."""


@dataclass
class Writing:
    """A document, by chance."""

    chance: random.Random
    fragments: list[str] = field(default_factory=list)
    plain: float = 0.5
    """How often a whole selection is left without resolvers."""

    def document(self) -> str:
        selected = self.selection("Query", 3)
        return "\n".join(
            [f"query($yes: Boolean!, $no: Boolean!, $times: Int = 1) {{ {selected} }}", *self.fragments]
        )

    def selection(self, type: str, depth: int) -> str:
        chance, parts = self.chance, []
        for name, below in chance.sample(
            FIELDS.get(type, []), k=min(len(FIELDS.get(type, [])), chance.randint(1, 4))
        ):
            if below and depth == 0:
                continue
            if ("(" in name or name == "barks") and chance.random() < self.plain:
                continue
            # an alias of its own for each type and arguments, so that none conflict
            alias = (
                f"{type.lower()}{chance.choice('ab')}_{name.replace('(', '_').split(':')[0]}: "
                if chance.random() < 0.3
                else ""
            )
            if "(" in name and not alias:
                alias = f"{type.lower()}_{len(name)}_{name.partition('(')[0]}: "
            parts.append(
                f"{alias}{name}{self.condition()}"
                + (f" {{ {self.selection(below, depth - 1)} }}" if below else "")
            )
        if chance.random() < 0.4 or not parts:
            parts.append("__typename")
        if type != "Query" and depth > 0 and (type in BELOW or chance.random() < 0.3):
            for on in BELOW.get(type, [type]):
                parts.append(self.fragment(on, depth))
        chance.shuffle(parts)
        return " ".join(parts)

    def fragment(self, on: str, depth: int) -> str:
        selected = self.selection(on, depth - 1)
        if self.chance.random() < 0.5:
            return f"... on {on}{self.condition()} {{ {selected} }}"
        name = f"F{len(self.fragments)}"
        self.fragments.append(f"fragment {name} on {on} {{ {selected} }}")
        return f"...{name}{self.condition()}"

    def condition(self) -> str:
        return self.chance.choice(["", "", "", " @include(if: $yes)", " @skip(if: $no)", " @skip(if: false)"])


class Text(str):
    """A text of another class."""


@dataclass
class Later:
    """Is awaited; unlike a coroutine, nobody minds if it is not."""

    value: Any

    def __await__(self) -> Generator[Any, None, Any]:
        yield from asyncio.sleep(0).__await__()
        return self.value


@dataclass
class Making:
    """Data, by chance: of each kind of value mostly what is right."""

    chance: random.Random
    faults: float

    def value(self, right: Any) -> Any:
        if self.chance.random() >= self.faults:
            return right
        return self.chance.choice(
            [
                None, Undefined, ValueError("a value"), Later(right), 7, 2**40, float("nan"), "a text", Text("of a class"),
                True, b"bytes", [], {}, (1, 2), Colour.RED, "red", object(), datetime(2026, 1, 1, tzinfo=UTC), {"name": "x"},
            ]
        )  # fmt: skip

    def several(self, make: Callable[[], Any]) -> Any:
        made = [self.value(make()) for _ in range(self.chance.randint(0, 3))]
        kinds: list[Callable[[list[Any]], Any]] = [tuple, iter]
        return self.value(self.chance.choice(kinds)(made) if self.chance.random() < 0.1 else made)

    def cat(self, depth: int = 1) -> Any:
        friend = self.cat(depth - 1) if depth and self.chance.random() < 0.5 else None
        kittens = self.several(lambda: self.cat(depth - 1)) if depth else []
        values = {
            "name": self.value("Tom"),
            "lives": self.value(9),
            "colour": self.value(Colour.GREEN),
            "friend": self.value(friend),
            "kittens": kittens,
        }
        return self.object(Cat, values)

    def dog(self) -> Any:
        values = {
            "name": self.value("Rex"),
            "id": self.value("7"),
            "born": self.value(datetime(2026, 3, 1, 12, tzinfo=UTC)),
            "weight": self.value(self.chance.choice([1.5, 3])),
            "is_good": self.value(True),
            "tags": self.several(lambda: "brave"),
            "odd": self.several(lambda: self.several(lambda: 3)),
            "colours": self.several(lambda: Colour.RED),
            "sparse": self.value(self.chance.choice([1, 7, Later(1)]) if self.faults else 1),
        }
        if self.chance.random() < 0.7:
            values["mood"] = self.value(Colour.RED)
        return self.object(Dog, values)

    def object(self, kind: Any, values: dict[str, Any]) -> Any:
        if self.chance.random() < self.faults / 2:  # an attribute is missing
            values.pop(self.chance.choice(sorted(values)))
        return plain(kind, values)

    def zoo(self) -> Any:
        either = lambda: self.cat() if self.chance.random() < 0.5 else self.dog()  # noqa: E731
        return self.object(
            Zoo,
            {
                "animals": self.several(either),
                "named": self.several(either),
                "best": self.value(self.cat()),
                "cats": self.several(self.cat),
                "dog": self.value(self.dog()),
            },
        )

    def root(self) -> Any:
        return SimpleNamespace(
            zoo=self.value(self.zoo()), maybe=self.value(self.zoo()), zoos=self.several(self.zoo)
        )


async def _answer(
    executor: Any, operation: Operation, root: Any, variables: dict[str, Any]
) -> ExecutionResult:
    found = execute(
        SCHEMA,
        operation.document,
        root_value=root,
        context_value=SimpleNamespace(operation=operation),
        variable_values=variables,
        executor_class=executor,
    )
    answer = await found if inspect.isawaitable(found) else found
    assert isinstance(answer, ExecutionResult)
    return answer


def _operation(text: str) -> Operation:
    document = parse(text)
    assert validate(SCHEMA, document, RULES) == []
    node = next(one for one in document.definitions if isinstance(one, OperationDefinitionNode))
    return Operation(node, document, Needs([], []), deciding=deciding(document))


def _json(data: Any) -> bytes:
    return orjson.dumps(data, default=repr)


async def test_every_answer_is_graphql_cores_own() -> None:
    compiled = 0
    for seed in range(COMBINATIONS):
        chance = random.Random(seed)
        operation = _operation(Writing(chance, plain=chance.choice([0, 1, 1])).document())
        faults = chance.choice([0, 0.01, 0.05, 0.3])
        for again in range(2):  # the second time with the functions that were made the first time
            variables = {"yes": chance.random() < 0.7, "no": chance.random() < 0.3}
            ours = await _answer(
                CompilingExecutor, operation, Making(random.Random(seed + again), faults).root(), variables
            )
            theirs = await _answer(
                StrawberryGraphQLCoreExecutionContext,
                operation,
                Making(random.Random(seed + again), faults).root(),
                variables,
            )

            assert _json(ours.data) == _json(theirs.data), seed
            assert sorted(map(repr, ours.errors or ())) == sorted(map(repr, theirs.errors or ())), seed
        compiled += sum(made is not None for made in operation.completers.values())

    assert compiled > COMBINATIONS


async def _late(turns: int, *, fails: bool = False) -> str:
    for _ in range(turns):
        await asyncio.sleep(0)
    if fails:
        raise ValueError("too late")
    return "late"


@strawberry.type
class Step:
    @strawberry.field
    async def deeper(self) -> "Step":
        await _late(1)
        return Step()

    @strawberry.field
    async def steps(self) -> list["Step"]:
        await _late(1)
        return [Step(), Step()]

    @strawberry.field
    async def word(self, turns: int, fails: bool = False) -> str:
        return await _late(turns, fails=fails)


@strawberry.type
class Stairs:
    @strawberry.field
    async def step(self) -> Step:
        return Step()


STAIRS = strawberry.Schema(Stairs)._schema


async def test_of_one_document_no_more_functions_are_kept_than_are_used() -> None:
    names = [f"v{number}" for number in range(9)]
    declared = ", ".join(f"${name}: Boolean!" for name in names)
    asked = " ".join(f"{name}: name @include(if: ${name})" for name in names)
    operation = _operation(f"query({declared}) {{ zoo {{ dog {{ name {asked} }} }} }}")
    root = SimpleNamespace(zoo=plain(Zoo, {"dog": plain(Dog, {"name": "Rex"})}))

    for number in range(KEPT + 60):
        chosen = {name: bool(number >> place & 1) for place, name in enumerate(names)}
        answer = await _answer(CompilingExecutor, operation, root, chosen)
        shown = [name for name in names if chosen[name]]
        assert answer.data == {"zoo": {"dog": dict.fromkeys(["name", *shown], "Rex")}}

    assert 0 < len(operation.completers) <= KEPT


DOWN = """query($turns: Int!) { step { word(turns: $turns, fails: true)
    deeper { steps { one: word(turns: 1) two: word(turns: 1) deeper { one: word(turns: 1) two: word(turns: 1) } } } } }"""


@pytest.mark.parametrize("leaves", [False, True])
async def test_nobody_is_forgotten_where_a_sibling_fails_or_who_asked_has_left(leaves: bool) -> None:
    """Whatever has been begun by then: Python tells of coroutines that nobody awaits."""
    settled()  # so that garbage is looked for among what is made from now on
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        for turns in range(30):
            running = execute(
                STAIRS, parse(DOWN), variable_values={"turns": turns}, executor_class=CompilingExecutor
            )
            assert inspect.isawaitable(running)
            asked = asyncio.ensure_future(running)
            if leaves:
                await _late(turns)
                asked.cancel()
            await asyncio.wait((asked,))
            gc.collect()

    assert [str(one.message) for one in told] == []


async def test_nobody_is_asked_for_what_lies_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    operation = _operation("{ zoo { dog { name mood } } }")
    resolver = SCHEMA.type_map["Dog"].fields["mood"]  # type: ignore[attr-defined]
    resolve = resolver.resolve

    def noted(source: Any, info: Any) -> Any:
        asked.append(source.name)
        return resolve(source, info)

    noted._is_default = False  # type: ignore[attr-defined]
    monkeypatch.setattr(resolver, "resolve", noted)
    for values in ({"name": "Rex", "mood": Colour.RED}, {"name": "Ada's"}):
        dog = plain(Dog, dict(values))
        answer = await _answer(
            CompilingExecutor, operation, SimpleNamespace(zoo=plain(Zoo, {"dog": dog})), {}
        )
        mood = "RED" if "mood" in values else "GREEN"
        assert answer.data == {"zoo": {"dog": {"name": values["name"], "mood": mood}}}

    assert asked == ["Ada's"]
