"""How far an order is: the port through which a machine on the telephone asks, and what answers for now.

Whoever knows a number hears the answer, and a caller's number unlocks nothing. So the port has no room for more than a stage
and a day: no name, no address, no parcel's number, no words of the shop's.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from domain.settings import WrongSetting

DEADLINE = 2.0
"""Seconds for which a caller hears nothing."""


class Stage(StrEnum):
    RECEIVED = "received"
    PACKED = "packed"
    SHIPPED = "shipped"
    READY = "ready"
    """To be collected."""
    DELIVERED = "delivered"
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class OrderStatus:
    stage: Stage
    on: date | None = None
    """The day on which it came to that."""


class Orders(Protocol):
    async def order_status(self, number: str) -> OrderStatus | None:
        """Of the order of this number, as `spelled`; none for a number that is no order's. Given up after `DEADLINE`."""


class NoOrders:
    """Nobody was told of any."""

    async def order_status(self, number: str) -> OrderStatus | None:
        return None


class ListedOrders:
    """Those of a file: it stands in for the shop until somebody connects it."""

    def __init__(self, listed: Mapping[str, OrderStatus]) -> None:
        self._listed = {spelled(number): status for number, status in listed.items()}

    async def order_status(self, number: str) -> OrderStatus | None:
        return self._listed.get(spelled(number))


def spelled(number: str) -> str:
    """As numbers are compared: spoken, they come as `10 42.`"""
    return re.sub(r"[^0-9a-z]", "", number.casefold())


class _Line(BaseModel):
    model_config = ConfigDict(extra="forbid")

    stage: Stage
    on: date | None = None


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    orders: dict[str, _Line] = Field(default_factory=dict)


def orders_in(file: Path | None) -> Orders:
    """Of a TOML file: `[orders.1042]`, with `stage = "shipped"` and `on = 2026-11-20`."""
    if file is None:
        return NoOrders()
    try:
        read = TypeAdapter(_File).validate_python(tomllib.loads(file.read_text()))
    except (OSError, ValueError, ValidationError) as problem:
        said = str(problem).splitlines()[0]
        raise WrongSetting(f"HEDDLE_ORDERS: {file} cannot be read as a list of orders: {said}.") from problem
    return ListedOrders({number: OrderStatus(one.stage, one.on) for number, one in read.orders.items()})
