"""Of a table's columns a query reads those of the fields that it asks for."""

from collections.abc import Mapping, Sequence
from typing import Any

from api.selection import Selection


class Columns:
    """`always`: of every object of the kind; `fields`: by the field that each, or a tuple of them, is read for."""

    def __init__(self, always: Sequence[Any], fields: Mapping[str, Any]) -> None:
        self._always = tuple(always)
        self._fields = {name: one if isinstance(one, tuple) else (one,) for name, one in fields.items()}

    def asked(self, selection: Selection) -> frozenset[str]:
        return frozenset(self._fields.keys() & selection.keys())

    def of(self, asked: frozenset[str]) -> list[Any]:
        chosen = (column for field in sorted(asked) for column in self._fields[field])
        return list(dict.fromkeys((*self._always, *chosen)))
