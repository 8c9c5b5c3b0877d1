"""What happened, told in the reader's language."""

import uuid
from datetime import datetime
from typing import Any

import strawberry

from api.agents.staff import Agent
from api.node import Node
from api.scalars import BigInt
from domain.assigning.reasons import reasons as reasons_of
from domain.events import EventKind
from domain.joining import reasons
from domain.joining.reasons import JoinCode
from domain.languages import N_, translate


@strawberry.type(description="Something that happened, told in the reader's language.")
class SystemEvent(Node):
    seq: BigInt
    ticket_id: strawberry.ID | None
    at: datetime
    text: str


SENTENCES = {
    EventKind.TICKET_OPENED: N_("The ticket was opened."),
    EventKind.TICKET_CHANGED: N_("{who} changed the ticket."),
    EventKind.TICKET_REOPENED: N_("The customer wrote again: the ticket is open again."),
    EventKind.TICKET_MERGED: N_("Another ticket became part of this one."),
    EventKind.CONTACT_CHANGED: N_("{who} changed what is known of the customer."),
    EventKind.CONTACT_MERGED: N_("Another contact turned out to be this one."),
    EventKind.MOVE_UNDONE: N_("{who} undid a merge or a move."),
    EventKind.CONTACT_ERASED: N_("What names this customer was erased."),
    EventKind.SLA_BREACHED: N_("A promised time passed."),
    EventKind.ALERT_ACKED: N_("{who} has seen the alert."),
}


def told(event: Any, agents: dict[uuid.UUID | None, Agent], locale: str) -> str:
    actor = agents.get(event.actor_id)
    who = actor.name if actor else "Heddle"
    match event.kind:
        case EventKind.THREAD_JOINED:
            return reasons.sentence(JoinCode(event.data["code"]), locale)
        case EventKind.TICKET_ASSIGNED:
            return _assigned(event, actor, who, agents, locale)
        case EventKind.TICKET_CHANGED if "team" in event.data:
            return translate(locale, N_("{who} moved the ticket to another team."), who=who)
        case kind:
            return translate(locale, SENTENCES[kind], who=who)


def _assigned(
    event: Any, actor: Agent | None, who: str, agents: dict[uuid.UUID | None, Agent], locale: str
) -> str:
    to, why = agents.get(given_to(event)), reasons_of(event.data, locale)
    if to is None and why:
        sentence = N_("{who} put the ticket back into the queue ({why}).")
    elif to is None:
        sentence = N_("{who} released the ticket: nobody has it.")
    elif to is actor:
        sentence = N_("{who} took the ticket.")
    elif why:
        sentence = N_("{who} gave the ticket to {to} ({why}).")
    else:
        sentence = N_("{who} gave the ticket to {to}.")
    return translate(locale, sentence, who=who, to=to.name if to else "", why=why)


def given_to(event: Any) -> uuid.UUID | None:
    """The agent whom a ticket was given to."""
    to = event.data.get("to")
    return uuid.UUID(to) if to else None
