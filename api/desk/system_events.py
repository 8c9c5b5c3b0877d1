"""What happened, told in the reader's language."""

import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import strawberry

from api.agents.staff import Agent
from api.node import Node
from api.scalars import BigInt
from domain.assigning.reasons import reasons as reasons_of
from domain.complaints.stages import NAMES, Stage
from domain.events import EventKind
from domain.feedback.scales import SurveyKind
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
    EventKind.TICKET_SNOOZED: N_("{who} snoozed the ticket."),
    EventKind.TICKET_WOKE: N_("The snooze is over: the ticket is open again."),
    EventKind.TICKET_MERGED: N_("Another ticket became part of this one."),
    EventKind.TICKET_LINKED: N_("{who} linked the ticket to another."),
    EventKind.CONTACT_CHANGED: N_("{who} changed what is known of the customer."),
    EventKind.CONTACT_MERGED: N_("Another contact turned out to be this one."),
    EventKind.MOVE_UNDONE: N_("{who} undid a merge or a move."),
    EventKind.CONTACT_ERASED: N_("What names this customer was erased."),
    EventKind.SLA_BREACHED: N_("A promised time passed."),
    EventKind.ALERT_ACKED: N_("{who} has seen the alert."),
    EventKind.COMPLAINT_OPENED: N_("{who} opened a complaint."),
}


RATED = {
    SurveyKind.CSAT: N_("The customer rated our help: {score} of {most}."),
    SurveyKind.NPS: N_("The customer said how likely a recommendation is: {score} of {most}."),
}
PARTICIPANTS = {
    True: N_("{who} let somebody else take part in the conversation."),
    False: N_("{who} let somebody take part in the conversation no more."),
}
CHANGED = N_("The customer changed the answer: {score} of {most}.")


def told(event: Any, agents: dict[uuid.UUID | None, Agent], locale: str, words: str = "") -> str:
    """`words`: the customer's own, of an answer to a survey."""
    said = sentence(event, {id: agent.name for id, agent in agents.items()}, locale)
    return f"{said}\n{words}" if words else said


def sentence(event: Any, names: Mapping[uuid.UUID | None, str], locale: str) -> str:
    """`names`: of agents."""
    actor = names.get(event.actor_id)
    who = actor or "Heddle"
    match event.kind:
        case EventKind.THREAD_JOINED:
            return reasons.sentence(JoinCode(event.data["code"]), locale)
        case EventKind.TICKET_ASSIGNED:
            return _assigned(event, who, names, locale)
        case EventKind.TICKET_CHANGED if "team" in event.data:
            return translate(locale, N_("{who} moved the ticket to another team."), who=who)
        case EventKind.TICKET_CHANGED if "participant" in event.data:
            return translate(locale, PARTICIPANTS[event.data["accepted"]], who=who)
        case EventKind.TICKET_LINKED if event.data["link"] is None:
            return translate(locale, N_("{who} took away a link to another ticket."), who=who)
        case EventKind.FEEDBACK_GIVEN:
            said = CHANGED if event.data["changed"] else RATED[SurveyKind(event.data["kind"])]
            return translate(locale, said, score=event.data["score"], most=event.data["most"])
        case EventKind.COMPLAINT_ADVANCED:
            stage = translate(locale, NAMES[Stage(event.data["stage"])])
            return translate(locale, N_("The complaint, by {who}: {stage}."), who=who, stage=stage)
        case kind:
            return translate(locale, SENTENCES[kind], who=who)


def _assigned(event: Any, who: str, names: Mapping[uuid.UUID | None, str], locale: str) -> str:
    to, why = given_to(event), reasons_of(event.data, locale)
    if to not in names:
        sentence = N_("{who} released the ticket: nobody has it.")
        if why:
            sentence = N_("{who} put the ticket back into the queue ({why}).")
    elif to == event.actor_id:
        sentence = N_("{who} took the ticket.")
    elif why:
        sentence = N_("{who} gave the ticket to {to} ({why}).")
    else:
        sentence = N_("{who} gave the ticket to {to}.")
    return translate(locale, sentence, who=who, to=names.get(to, ""), why=why)


def given_to(event: Any) -> uuid.UUID | None:
    """The agent whom a ticket was given to."""
    to = event.data.get("to")
    return uuid.UUID(to) if to else None
