"""Who takes part, and what the story has led to so far."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from demo.customer import Chat, Customer
from demo.farends import Push
from demo.narrator import Narrator
from demo.shop import Shop
from demo.staff import Colleague, Json, Ticket

PROMISE = 8
"""Seconds in which a customer is promised a first reply."""

T = TypeVar("T")


@dataclass
class Scene:
    narrator: Narrator
    shop: Shop
    mia: Colleague
    ben: Colleague
    zofia: Customer
    eve: Customer
    mias_phone: str
    """By what Google knows it."""
    mias_app: list[Json]
    """What the open app was told."""
    chat: Chat
    """Zofia's open page."""
    rung: list[Push] = field(default_factory=list)
    """What Mia's phone has shown."""

    ticket_id: str = field(init=False)
    number: int = field(init=False)
    contact_id: str = field(init=False)
    first_mail: str = field(init=False)
    """Its Message-ID."""
    due_at: datetime = field(init=False)
    alert_id: str = field(init=False)

    async def ticket(self) -> Ticket:
        return await self.ben.ticket(self.ticket_id)

    def shown(self, part: Callable[[Ticket], T]) -> Callable[[], Awaitable[T]]:
        """A question: what does this part of the ticket show now?"""

        async def ask() -> T:
            return part(await self.ticket())

        return ask
