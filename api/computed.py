"""Fields that are made of what was read, when they are asked for: a list of fifty makes no fifty ids that nobody sees.

    computed(Clock, id=lambda clock: public_id("Clock", clock.row.id))

What an object was given (`plain`) stands before that.
"""

from collections.abc import Callable, Mapping
from typing import Any

MAY_LIE_READY: Mapping[Any, Any] = {"may_lie_ready": True}
"""Metadata of a field with a resolver: where an object has its value already (`plain`), nobody is asked for it."""


class _Computed:
    def __init__(self, name: str, make: Callable[[Any], Any]) -> None:
        self._name, self._make = name, make

    def __get__(self, source: Any, kind: type) -> Any:
        if source is None:  # of the type, which has none
            raise AttributeError(self._name)
        value = source.__dict__[self._name] = self._make(source)
        return value


def computed(kind: type, **fields: Callable[[Any], Any]) -> None:
    for name, make in fields.items():
        setattr(kind, name, _Computed(name, make))
