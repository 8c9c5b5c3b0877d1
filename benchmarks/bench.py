"""What every measurement has at hand, and what it hands back."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmarks.data.loading import Shop
from benchmarks.processes import Child, Processor
from benchmarks.sizes import Sizes
from domain.db import Database
from domain.keys import Keys


@dataclass(frozen=True)
class Bench:
    sizes: Sizes
    db: Database
    keys: Keys
    shop: Shop
    orders: dict[str, str]
    """What a process of ours is told when it starts."""
    postgres: Processor
    product: Child
    floor: Child
    usual: Child
    usual_graphql: Child


@dataclass(frozen=True)
class Table:
    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""


@dataclass(frozen=True)
class Measured:
    table: Table
    figures: dict[str, float] = field(default_factory=dict)
    """For machines, by the names that `--json` promises."""


def number(value: float | None, digits: int = 1) -> str:
    return "–" if value is None else f"{value:,.{digits}f}"
