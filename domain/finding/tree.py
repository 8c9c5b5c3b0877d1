"""A query, read: what all must hold, which of several, what must not."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

Span: TypeAlias = tuple[int, int]
NOWHERE: Span = (0, 0)


@dataclass(frozen=True)
class Asked:
    """`key:value,value`: one of the values holds."""

    key: str
    values: tuple[str, ...]
    spans: tuple[Span, ...] = field(default=(), compare=False)
    """Of the values."""


@dataclass(frozen=True)
class Said:
    """Words, in any form."""

    text: str
    begins: bool = False
    """Only the beginning of the last one."""
    span: Span = field(default=NOWHERE, compare=False)


@dataclass(frozen=True)
class Quoted:
    """These very words, in this order."""

    text: str
    span: Span = field(default=NOWHERE, compare=False)


@dataclass(frozen=True)
class Not:
    of: "Query"


@dataclass(frozen=True)
class Every:
    of: tuple["Query", ...] = ()


@dataclass(frozen=True)
class Either:
    of: tuple["Query", ...]


Query: TypeAlias = Asked | Said | Quoted | Not | Every | Either

_OF_A_NUMBER = re.compile(r"[+\d][\d./+-]*")


def every(of: list[Query]) -> Query:
    """One of one is that one; what is said in groups is flat; digits that follow each other are one number."""
    flat: list[Query] = []
    for one in of:
        for part in one.of if isinstance(one, Every) else (one,):
            last = flat[-1] if flat else None
            if isinstance(part, Said) and isinstance(last, Said) and _is_number(last) and _is_number(part):
                flat[-1] = Said(f"{last.text} {part.text}", part.begins, (last.span[0], part.span[1]))
            else:
                flat.append(part)
    return flat[0] if len(flat) == 1 else Every(tuple(flat))


def _is_number(said: Said) -> bool:
    return not said.begins and all(_OF_A_NUMBER.fullmatch(part) for part in said.text.split(" "))


def either(of: list[Query]) -> Query:
    flat = [part for one in of for part in (one.of if isinstance(one, Either) else (one,))]
    return flat[0] if len(flat) == 1 else Either(tuple(flat))


def asked_in(query: Query) -> Iterator[Asked]:
    match query:
        case Asked():
            yield query
        case Not(of=one):
            yield from asked_in(one)
        case Every(of=many) | Either(of=many):
            for one in many:
                yield from asked_in(one)


def respelled(query: Query, key: str, values: Callable[[Sequence[str]], Sequence[str]]) -> Query:
    """The same with other values after `key:`."""
    match query:
        case Asked(key=named, values=before) if named == key:
            return Asked(key, tuple(values(before)))
        case Not(of=one):
            return Not(respelled(one, key, values))
        case Every(of=many):
            return Every(tuple(respelled(one, key, values) for one in many))
        case Either(of=many):
            return Either(tuple(respelled(one, key, values) for one in many))
    return query


def parts_of(query: Query) -> int:
    """How many things it asks."""
    match query:
        case Not(of=one):
            return parts_of(one)
        case Every(of=many) | Either(of=many):
            return sum(map(parts_of, many))
    return 1


def written(query: Query) -> str:
    """As somebody would type it; read again, it is the same."""
    if isinstance(query, Every):
        return " ".join(map(_part, query.of))
    return _part(query)


def _part(query: Query) -> str:
    match query:
        case Asked(key=key, values=values):
            return f"{key}:{','.join(map(_value, values))}"
        case Said(text=text, begins=begins):
            return f"{text}*" if begins else text
        case Quoted(text=text):
            return _in_quotes(text)
        case Not(of=Said(text=text) as one) if " " in text:
            return f"-({_part(one)})"
        case Not(of=one):
            return f"-{_part(one)}" if not isinstance(one, Every | Not) else f"-({written(one)})"
        case Either(of=many):
            return f"({' or '.join(map(written, many))})"
        case Every():
            return f"({written(query)})"


_PLAIN = re.compile(r'[^\s,()"\\]+')


def _value(value: str) -> str:
    return value if _PLAIN.fullmatch(value) else _in_quotes(value)


def _in_quotes(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
