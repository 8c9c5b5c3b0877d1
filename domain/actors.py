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
    TOKEN = "token"
    """An integrator's program."""
    CUSTOMER = "customer"
    """Whose message it was: writes history, reads nothing."""
    VISITOR = "visitor"
    """A browser that holds a chat's session: reads that conversation."""
    SYSTEM = "system"


class Scope(StrEnum):
    """What an integrator's token may do."""

    TICKETS_READ = "tickets:read"
    TICKETS_WRITE = "tickets:write"
    MESSAGES_SEND = "messages:send"
    CONTACTS_READ = "contacts:read"
    CONTACTS_WRITE = "contacts:write"
    TASKS_READ = "tasks:read"
    TASKS_WRITE = "tasks:write"
    ALERTS_READ = "alerts:read"
    ALERTS_WRITE = "alerts:write"
    STAFF_READ = "staff:read"
    CHANNELS_READ = "channels:read"
    CHANGES_READ = "changes:read"


@dataclass(frozen=True)
class Actor:
    kind: ActorKind
    id: uuid.UUID | None = None
    """The agent's, the token's or the contact's; none for the house itself."""
    role: Role | None = None
    teams: frozenset[uuid.UUID] = frozenset()
    locale: str = "en"
    scopes: frozenset[Scope] = frozenset()
    """A token's."""
    sees_all_teams: bool = False
    """An agent's, where the shop wants it so."""
    timezone: str = "UTC"
    """An agent's: where their day begins."""
    name: str = ""
    """A token's: who wrote, where no agent did."""
    conversation: tuple[uuid.UUID, str] | None = None
    """A visitor's: channel and thread key."""
    together: frozenset[uuid.UUID] = frozenset()
    """Agents for whom is read at once: what is one's own is all of theirs (`domain/access.py`)."""

    @property
    def manages(self) -> bool:
        return self.role in (Role.MANAGER, Role.ADMIN)

    @property
    def own(self) -> frozenset[uuid.UUID | None]:
        """Whose tickets and tasks are theirs."""
        return self.together or frozenset([self.id])

    @property
    def agent_id(self) -> uuid.UUID | None:
        return self.id if self.kind == ActorKind.AGENT else None


SYSTEM = Actor(ActorKind.SYSTEM)


def customer(contact_id: uuid.UUID) -> Actor:
    return Actor(ActorKind.CUSTOMER, contact_id)


def visitor(channel_id: uuid.UUID, thread_key: str) -> Actor:
    return Actor(ActorKind.VISITOR, conversation=(channel_id, thread_key))
