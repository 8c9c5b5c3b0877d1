"""How a complaint goes on: from which stage to which, and how it ends."""

from collections.abc import Mapping
from enum import StrEnum

from domain.languages import N_


class Stage(StrEnum):
    RECEIVED = "received"
    INVESTIGATING = "investigating"
    WAITING_EXTERNAL = "waiting_external"
    """For the maker, the carrier, an expert: somebody outside."""
    DECIDED = "decided"
    """And the customer was told."""
    REMEDIED = "remedied"
    """What was decided has been done."""
    CLOSED = "closed"


class Outcome(StrEnum):
    ACCEPTED = "accepted"
    PARTLY = "partly"
    REJECTED = "rejected"
    DEEMED_ACCEPTED = "deemed_accepted"
    """Nobody answered in time, and the law says that this accepts it."""
    WITHDRAWN = "withdrawn"
    """By the customer."""


class Remedy(StrEnum):
    REFUND = "refund"
    REPAIR = "repair"
    REPLACEMENT = "replacement"
    DISCOUNT = "discount"


UNDECIDED = (Stage.RECEIVED, Stage.INVESTIGATING, Stage.WAITING_EXTERNAL)

FOLLOWING: Mapping[Stage, tuple[Stage, ...]] = {
    Stage.RECEIVED: (Stage.INVESTIGATING, Stage.WAITING_EXTERNAL, Stage.DECIDED, Stage.CLOSED),
    Stage.INVESTIGATING: (Stage.WAITING_EXTERNAL, Stage.DECIDED, Stage.CLOSED),
    Stage.WAITING_EXTERNAL: (Stage.INVESTIGATING, Stage.DECIDED, Stage.CLOSED),
    Stage.DECIDED: (Stage.REMEDIED, Stage.CLOSED, Stage.INVESTIGATING),
    Stage.REMEDIED: (Stage.CLOSED, Stage.DECIDED),
    Stage.CLOSED: (Stage.INVESTIGATING,),
}
"""Closed before a decision: only what the customer withdrew. From decided back: the decision is taken back, and the law's days
run on. From closed back: the customer objects, and the law's answer stays given."""

NAMES = {
    Stage.RECEIVED: N_("received"),
    Stage.INVESTIGATING: N_("being investigated"),
    Stage.WAITING_EXTERNAL: N_("waiting for others"),
    Stage.DECIDED: N_("decided"),
    Stage.REMEDIED: N_("remedied"),
    Stage.CLOSED: N_("closed"),
}
