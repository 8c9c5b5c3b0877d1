"""Selects as the driver is told them: the text and how rows are read are made once for each kind of select.

SQLAlchemy's own execution goes through a cursor and a greenlet for each statement, which costs more than the statement. What is
asked here is its Core compiled by its compiler, with its types; only the telling is ours.
"""

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from itertools import islice
from typing import Any, NamedTuple, TypeVar

import asyncpg
import orjson
from sqlalchemy import Boolean, Integer, Interval, String
from sqlalchemy.dialects.postgresql.asyncpg import (
    AsyncAdapt_asyncpg_dbapi,
    PGCompiler_asyncpg,
    PGDialect_asyncpg,
)
from sqlalchemy.engine.result import IteratorResult, SimpleResultMetaData
from sqlalchemy.sql import visitors
from sqlalchemy.sql.dml import UpdateBase
from sqlalchemy.sql.sqltypes import ARRAY, Enum, NumericCommon
from sqlalchemy.util import LRUCache

T = TypeVar("T")

KEPT = 1000
SPREAD = 20
"""Kinds of one select that names values one by one (`IN`), by how many there are."""
AND = "NULL::uuid[], NULL::timestamptz[], now()"
"""Of an array that it has not met the driver asks the database, but not when it meets it within a record."""


@dataclass(frozen=True, eq=False)
class Kind:
    """Selects that differ only by their values."""

    text: str
    """With each value as `%(name)s`."""
    names: tuple[str, ...]
    shape: SimpleResultMetaData
    tables: frozenset[str] | None = None
    """Of a select that is kept, and neither writes nor locks: those that it reads."""

    def numbered(self, places: Sequence[int]) -> str:
        return self.text % {name: f"${place}" for name, place in zip(self.names, places, strict=True)}

    def result(self, rows: Sequence[Any]) -> IteratorResult[*tuple[Any, ...]]:
        return IteratorResult(self.shape, map(tuple, rows))

    def objects(self, made: type[T], rows: Sequence[Any]) -> list[T]:
        """A row's columns are the attributes of an object, by their names."""
        found: list[T] = self._make(made, object.__new__, rows)
        return found

    @cached_property
    def _make(self) -> Any:
        """A function for these columns: in a list of fifty it makes some hundred objects."""
        names: dict[str, Any] = {}
        values, said = [], []
        for place, (column, read) in enumerate(
            zip(self.shape.keys, self.shape._processors or (), strict=True)
        ):
            values.append(f"v{place}")
            said.append(f"{column!r}: read{place}(v{place})" if read else f"{column!r}: v{place}")
            names[f"read{place}"] = read
        lines = (
            "def make(kind, new, rows):",
            " found = []",
            f" for {', '.join(values)}, in rows:",
            "  one = new(kind)",
            f"  one.__dict__ = {{{', '.join(said)}}}",
            "  found.append(one)",
            " return found",
        )
        exec("\n".join(lines), names)
        return names["make"]


class Told(NamedTuple):
    kind: Kind
    values: list[Any]


def told(asked: Any, values: Mapping[str, Any] | None = None) -> Told:
    """`values`: of a select that is kept and asked again and again, with these in place of its bound parameters."""
    if values is not None:
        return _again(asked, values)
    compiled: Any
    compiled, given, *_ = asked._compile_w_cache(_dialect, compiled_cache=_compiled, column_keys=[])
    text, found, writers = _spread(compiled, compiled.construct_params(extracted_parameters=given))
    kinds: dict[str, Kind] = vars(compiled).setdefault("kinds", {})
    kind = kinds.get(text)
    if kind is None:
        if len(kinds) >= SPREAD:
            kinds.clear()
        kind = kinds[text] = Kind(text, _names(text), _shape(compiled))
    return Told(kind, [writers[name](found[name]) if name in writers else found[name] for name in kind.names])


def _again(asked: Any, values: Mapping[str, Any]) -> Told:
    known = _kept.get(asked)
    if known is None:
        writes = any(isinstance(part, UpdateBase) for part in visitors.iterate(asked))
        compiled: Any = asked.compile(dialect=_dialect if writes else _for_kept)
        text, fixed, writers = _spread(compiled, compiled.construct_params(_check=False))
        said = vars(compiled)
        tables = None if writes or said.get("locks") else frozenset[str](said.get("tables", ()))
        kind = Kind(text, _names(text), _shape(compiled), tables)
        known = _kept[asked] = kind, [(name, fixed.get(name), writers.get(name)) for name in kind.names]
    kind, names = known
    return Told(
        kind,
        [
            (write(values.get(name, value)) if write else values.get(name, value))
            for name, value, write in names
        ],
    )


def _spread(compiled: Any, values: dict[str, Any]) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """The text, the values by name, and how each is written; of an `IN` each value has a name of its own."""
    if not compiled.post_compile_params:
        return compiled.string, values, _writers(compiled)
    found = compiled._process_parameters_for_postcompile(values)
    return found.statement, found.parameters, {**_writers(compiled), **found.processors}


def _writers(compiled: Any) -> dict[str, Any]:
    """How values are written, but for arrays whose items are sent as they are: SQLAlchemy goes through each of them."""
    known: dict[str, Any] | None = vars(compiled).get("writers")
    if known is None:
        plain = {
            name for name, bind in compiled.binds.items() if _is_plain(bind.type, "bind_processor", _dialect)
        }
        known = {name: write for name, write in compiled._bind_processors.items() if name not in plain}
        vars(compiled)["writers"] = known
    return known


def _is_plain(type: Any, processor: str, *given: Any) -> bool:
    """An array of which nothing is made, for its items have no such processor."""
    return (
        isinstance(type, ARRAY) and getattr(type.item_type.dialect_impl(_dialect), processor)(*given) is None
    )


def together(said: Sequence[Told]) -> tuple[str, list[Any]]:
    """One row, in which each select is an array of records; the time is last. And the values: ids that several ask for are sent once."""
    values: list[Any] = []
    lists: list[tuple[int, list[Any]]] = []
    places: list[int] = []
    for one in said:
        for value in one.values:
            is_ids = value.__class__ is list and value and isinstance(value[0], uuid.UUID)
            place = next((known for known, other in lists if other == value), None) if is_ids else None
            if place is None:
                values.append(value)
                place = len(values)
                if is_ids:
                    lists.append((place, value))
            places.append(place)
    key = (*(one.kind for one in said), *places)
    text = _together.get(key)
    if text is None:
        arrays, left = [], iter(places)
        for one in said:
            numbered = one.kind.numbered(list(islice(left, len(one.values))))
            arrays.append(f"ARRAY(SELECT ROW(one.*) FROM ({numbered}) AS one)")
        text = _together[key] = f"SELECT {', '.join([*arrays, AND])}"
    return text, values


def alone(kind: Kind) -> str:
    text = _together.get(kind)
    if text is None:
        text = _together[kind] = kind.numbered(range(1, len(kind.names) + 1))
    found: str = text
    return found


class _PlannedOnce(PGCompiler_asyncpg):
    """Of selects that are kept, so that the database keeps its plan. Words and numbers that the code names stand in the text. What is
    given is out of the planner's sight: it would count what each value costs, and plan anew for the next."""

    def visit_bindparam(self, bindparam: Any, *args: Any, **options: Any) -> Any:
        kind = bindparam.type.dialect_impl(self.dialect)
        if not bindparam.unique or not isinstance(_item(kind), String | Integer | Boolean | Interval):
            return super().visit_bindparam(bindparam, *args, **options)  # type: ignore[no-untyped-call]
        text = super().visit_bindparam(bindparam, *args, **options | {"literal_binds": True})  # type: ignore[no-untyped-call]
        is_typed = kind.render_bind_cast and not bindparam.expanding
        return super().render_bind_cast(kind, kind, text) if is_typed else text  # type: ignore[no-untyped-call]

    def render_bind_cast(self, type_: Any, dbapi_type: Any, sqltext: str) -> str:
        value: str = super().render_bind_cast(type_, dbapi_type, sqltext)  # type: ignore[no-untyped-call]
        kind = value.rpartition("::")[2]
        return f"(SELECT {value})::{kind}"  # said twice: `ANY ((SELECT …))` would be of rows

    def visit_table(self, table: Any, *args: Any, **options: Any) -> Any:
        vars(self).setdefault("tables", set()).add(table.name)
        return super().visit_table(table, *args, **options)  # type: ignore[no-untyped-call]

    def for_update_clause(self, *args: Any, **options: Any) -> Any:
        vars(self)["locks"] = True
        return super().for_update_clause(*args, **options)  # type: ignore[no-untyped-call]


def _item(kind: Any) -> Any:
    return kind.item_type if isinstance(kind, ARRAY) else kind


def _speaking(compiler: Any) -> Any:
    dialect: Any = PGDialect_asyncpg(  # type: ignore[no-untyped-call]
        dbapi=AsyncAdapt_asyncpg_dbapi(asyncpg),  # type: ignore[no-untyped-call]
        paramstyle="pyformat",
        json_serializer=lambda value: orjson.dumps(value).decode(),
        json_deserializer=orjson.loads,
    )
    dialect.statement_compiler = compiler
    dialect._backslash_escapes = False  # as the server does, of which it has not asked
    return dialect


_dialect = _speaking(PGCompiler_asyncpg)
_for_kept = _speaking(_PlannedOnce)
_compiled: Any = LRUCache(KEPT)
_together: Any = LRUCache(KEPT)
_kept: Any = LRUCache(4 * KEPT)  # some are kept for each who sees something else


class _Names(dict[str, str]):
    def __missing__(self, name: str) -> str:
        self[name] = ""
        return ""


def _names(text: str) -> tuple[str, ...]:
    found = _Names()
    _ = text % found
    return tuple(found)


def _shape(compiled: Any) -> SimpleResultMetaData:
    """The names of its columns, and what SQLAlchemy does with their values."""
    columns = compiled._result_columns
    return SimpleResultMetaData(
        [column.keyname for column in columns], _processors=[_reader(column.type) for column in columns]
    )


def _reader(type: Any) -> Any:
    kind: Any = type.dialect_impl(_dialect)
    if isinstance(kind, NumericCommon):
        return _number(kind)
    if _is_plain(kind, "result_processor", _dialect, None):
        return None
    if isinstance(kind, Enum) and kind.enum_class:
        return kind._object_lookup.__getitem__
    return kind.result_processor(_dialect, None)


def _number(kind: Any) -> Callable[[Any], Any]:
    """SQLAlchemy wants to know as what type of the database a number came; within a record only its value tells."""
    readers = {one: kind.result_processor(_dialect, oid) for one, oid in NUMBERS.items()}

    def read(value: Any) -> Any:
        reader = readers.get(value.__class__)
        return reader(value) if reader else value

    return read


NUMBERS = {float: 701, Decimal: 1700, int: 20}
"""With the database's number of the type that each comes from."""
