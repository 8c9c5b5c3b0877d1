"""What every sender shares: the message with all it needs to leave, and how a refusal says whether to try again."""

from dataclasses import dataclass

from domain.channels import Channel
from domain.contacts import Identity
from domain.messages import Message
from domain.staff import Agent
from domain.threads import Thread
from domain.work import TryLater


@dataclass(frozen=True)
class Letter:
    message: Message
    thread: Thread
    channel: Channel
    to: Identity
    agent: Agent | None


class SendRefused(Exception):
    """The provider will not take this message, now or later: the agent must see why."""


class SendFailed(TryLater):
    """The provider could not take it now; the same message is sent again, with the same id."""


class RecipientBusy(SendFailed):
    """The recipient's side put this one off, as greylisting does: of the channel it says nothing bad."""
