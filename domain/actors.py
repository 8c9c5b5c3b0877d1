"""Who acts: every sign-in, token, customer and the house itself becomes one Actor."""

import uuid
from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    AGENT = "agent"
    MANAGER = "manager"
    ADMIN = "admin"


class ActorKind(StrEnum):
    AGENT = "agent"
    CUSTOMER = "customer"
    SYSTEM = "system"


@dataclass(frozen=True)
class Actor:
    kind: ActorKind
    id: uuid.UUID | None = None
    """The agent's or the contact's; none for the house itself."""
    role: Role | None = None
    teams: frozenset[uuid.UUID] = frozenset()
    locale: str = "en"

    @property
    def manages(self) -> bool:
        return self.role in (Role.MANAGER, Role.ADMIN)


SYSTEM = Actor(ActorKind.SYSTEM)


def customer(contact_id: uuid.UUID) -> Actor:
    return Actor(ActorKind.CUSTOMER, contact_id)
