"""What every sender shares: the message with all it needs to leave, and how a refusal says whether to try again."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from domain.channels import Channel
from domain.contacts import Identity
from domain.db import Database
from domain.files import Files
from domain.keys import Keys
from domain.messages import Attachment, Message
from domain.staff import Agent
from domain.threads import Thread
from domain.work import TryLater
from integrations.settings import IntegrationSettings


@dataclass(frozen=True)
class Means:
    """What senders send with."""

    db: Database
    keys: Keys
    files: Files
    settings: IntegrationSettings
    base_url: str = ""
    """Where providers reach us."""


@dataclass(frozen=True)
class Letter:
    message: Message
    thread: Thread
    channel: Channel
    to: Identity | None
    """Whom it answers; none of what goes to others about a ticket."""
    agent: Agent | None
    language: str = ""
    """In which the customer reads, as far as is known."""
    attachments: tuple[Attachment, ...] = ()
    below: Message | None = None
    """The message that is quoted or passed on."""


@dataclass(frozen=True)
class Handed:
    """The provider has it. Of a mail: which recipients did not take it, and what their side said."""

    external_id: str | None = None
    taken: tuple[str, ...] = ()
    refused: Mapping[str, str] = field(default_factory=dict)
    later: Mapping[str, str] = field(default_factory=dict)
    """They may take it another time."""


class SendRefused(Exception):
    """The provider will not take this message, now or later: the agent must see why."""


class SendFailed(TryLater):
    """The provider could not take it now; the same message is sent again, with the same id."""


class MaybeSent(SendFailed):
    """Whether the provider has it is not known: its answer did not come, or could not be read."""


class RecipientBusy(SendFailed):
    """The recipient's side put this one off, as greylisting does: of the channel it says nothing bad."""
