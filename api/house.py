"""What a process holds."""

import uuid
from dataclasses import dataclass, field
from typing import Any

from api.rates import Rates
from api.remembered import Remembered
from api.settings import ApiSettings
from api.watch import Watch
from domain.db import Database
from domain.desk.files import Files
from domain.keys import Keys
from integrations.orders import NoOrders, Orders
from integrations.settings import IntegrationSettings
from notifications.settings import NotificationSettings
from notifications.vapid import VapidKey


@dataclass(frozen=True)
class House:
    """What all requests and all work of a process share."""

    db: Database
    keys: Keys
    files: Files
    base_url: str
    reads: Remembered[tuple[uuid.UUID | None, uuid.UUID]] = field(
        default_factory=lambda: Remembered(seconds=3600, most=50_000)
    )
    """Who opened which contact."""
    pushing: NotificationSettings = field(default_factory=NotificationSettings.model_construct)
    integrations: IntegrationSettings = field(default_factory=IntegrationSettings.model_construct)
    """Where the outside world is."""
    vapid: VapidKey | None = None
    """By which push services know us."""
    epoch: str = "0"
    """Of the change feed."""
    audiences: dict[Any, Any] = field(default_factory=dict)
    """Of the streams that are open (`api/audiences.py`)."""
    settings: ApiSettings = field(default_factory=ApiSettings.model_construct)
    orders: Orders = field(default_factory=NoOrders)
    """Whom a machine on the telephone asks how far an order is."""
    rates: Rates = field(init=False)
    watch: Watch = field(init=False)

    def __post_init__(self) -> None:
        rates = Rates(self.settings.operations_per_minute, self.settings.anonymous_per_minute)
        object.__setattr__(self, "rates", rates)
        object.__setattr__(self, "watch", Watch(self.db))
