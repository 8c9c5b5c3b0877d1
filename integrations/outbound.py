"""What every sender shares: the message with all it needs to leave, and how a refusal says whether to try again."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial

from domain.agents.staff import Agent
from domain.answering.delivery_problems import Problem
from domain.customers.contacts import Identity
from domain.db import Database
from domain.desk.files import Files
from domain.desk.messages import Attachment, Message
from domain.desk.threads import Thread
from domain.keys import Keys
from domain.ways_in.channels import Channel
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
    at: datetime = field(default_factory=partial(datetime.now, UTC))
    """When it is carried."""
    last_inbound_at: datetime | None = None
    """When the customer spoke last, in this conversation."""
    maybe_sent: datetime | None = None
    """When it was tried last, if that try may have got through. Whoever can ask the provider does; who cannot gives up, with
    MayHaveArrived; who sends under an id by which the far side knows a repeat need not care."""
    language: str = ""
    """In which the customer reads, as far as is known."""
    attachments: tuple[Attachment, ...] = ()
    below: Message | None = None
    """The message that is quoted or passed on."""
    links: str = ""
    """Below its words, for the customer alone: by which a survey is answered. They stand in no row."""

    @property
    def text(self) -> str:
        return f"{self.message.text}\n\n{self.links}" if self.links else self.message.text


@dataclass(frozen=True)
class Handed:
    """The provider has it. Of a mail: which recipients did not take it, and what their side said. Of what leaves in parts:
    which one this was, and whether there are more."""

    external_id: str | None = None
    taken: tuple[str, ...] = ()
    refused: Mapping[str, str] = field(default_factory=dict)
    later: Mapping[str, str] = field(default_factory=dict)
    """They may take it another time."""
    part: int | None = None
    more: bool = False


class SendRefused(Exception):
    """The provider will not take this message, now or later: the agent must see why."""

    def __init__(self, error: str, *, problem: Problem | None = None) -> None:
        super().__init__(error)
        self.problem = problem


class MayHaveArrived(SendRefused):
    """An earlier try may have got through, and nobody can say: sent again, the customer might read it twice."""

    def __init__(self, error: str = "") -> None:
        super().__init__(error, problem=Problem.MAY_HAVE_ARRIVED)


class SendFailed(TryLater):
    """The provider could not take it now; the same message is sent again, with the same id."""

    def __init__(self, error: str, *, after: float | None = None, problem: Problem | None = None) -> None:
        super().__init__(error, after=after)
        self.problem = problem


class MaybeSent(SendFailed):
    """Whether the provider has it is not known: its answer did not come, or could not be read."""


class AwaitsWord(SendFailed):
    """Nothing was sent now: an earlier try may have got through, and the provider may still say so."""


class ChannelRefused(SendFailed):
    """The provider takes nothing from this channel until somebody sets it up otherwise. What waits goes on waiting."""


class RecipientBusy(SendFailed):
    """The recipient's side put this one off, as greylisting does: of the channel it says nothing bad."""
