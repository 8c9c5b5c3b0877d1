"""How much is loaded, and how long is measured."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Sizes:
    name: str
    contacts: int
    tickets: int
    messages: int
    rounds: int
    requests: int
    """At most in a burst of page requests or webhooks."""
    seconds: float
    """At most for a burst."""
    subscribers: int
    messenger: int
    """Arrivals that a worker opens, all rounds together."""
    mails: int
    few_tickets: int
    """Of the shop beside, which tells whether a message costs more when there are more tickets."""
    open_tickets: int
    deadlines: int
    """That fall within a minute."""
    patience: float
    """Seconds after which nothing more is measured."""


QUICK = Sizes(
    name="quick",
    contacts=2_000,
    tickets=10_000,
    messages=50_000,
    rounds=5,
    requests=1_000,
    seconds=1.5,
    subscribers=1_000,
    messenger=600,
    mails=150,
    few_tickets=1_000,
    open_tickets=50_000,
    deadlines=2_000,
    patience=480.0,
)

FULL = Sizes(
    name="full",
    contacts=50_000,
    tickets=200_000,
    messages=1_000_000,
    rounds=9,
    requests=10_000,
    seconds=5.0,
    subscribers=1_000,
    messenger=2_000,
    mails=500,
    few_tickets=10_000,
    open_tickets=1_000_000,
    deadlines=10_000,
    patience=3600.0,
)
