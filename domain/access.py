"""The door: what somebody may see is asked here and nowhere else.

Managers and admins see everything; agents see their teams' tickets, those of no team, and what is assigned to them,
and of contacts those whose tickets they see or who have none, and of companies those whose contacts they see or that have
none, unless the shop lets them see all. A token sees all teams, as far as its scopes go. A chat's visitor sees that
conversation. What may be *asked* at all: `api/permissions.md`.
"""

import uuid
from collections.abc import Collection, Iterable
from dataclasses import replace
from functools import lru_cache
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Select, and_, bindparam, exists, false, func, or_, select, true
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from domain.actors import Actor, ActorKind, Role, Scope
from domain.agents.sign_in import SignIn, actor_by_id
from domain.agents.staff import Agent, Team
from domain.agents.tokens import ApiToken
from domain.alerting.alerts import Alert
from domain.alerting.devices import Device
from domain.alerting.notices import Delivery, Notice
from domain.answering.uploads import Upload
from domain.arriving.inbound import Arrival
from domain.arriving.participants import Participant
from domain.audit import AuditEntry
from domain.calling.dialled_numbers import DialledNumber
from domain.calling.dials import Dial
from domain.complaints.complaints import Complaint, ComplaintStep
from domain.customers.companies import Company
from domain.customers.contact_notes import ContactNote
from domain.customers.contacts import Contact
from domain.db import Base, among, one_of
from domain.desk.messages import Attachment, Item, Message
from domain.desk.tasks import Task
from domain.desk.threads import Thread
from domain.desk.tickets import Ticket
from domain.errors import NotFound
from domain.feedback.requests import SurveyRequest
from domain.feedback.surveys import Survey
from domain.fields import CustomField, FieldSubject
from domain.finding.views import View
from domain.importing.imports import Import
from domain.macros.macros import Macro, shown_to
from domain.planning.templates import TaskTemplate
from domain.privacy.erasure import Erasure, SealedPart
from domain.privacy.exports import ContactExport
from domain.reporting.measurements import Measurement
from domain.sla.calendars import Calendar
from domain.sla.policies import Policy
from domain.tagging.changes import TagChange
from domain.tagging.tags import Tag
from domain.telling import rows
from domain.ways_in.blocking import BlockedSender
from domain.ways_in.channels import Channel
from domain.webhooks import Post, Webhook
from domain.working.drafts import Draft
from domain.working.edits import Edit
from domain.working.links import TicketLink

Row = TypeVar("Row", bound=Base)


NOBODY = uuid.UUID(int=0)

SCOPES: dict[type[Base], Scope] = {
    Ticket: Scope.TICKETS_READ,
    Thread: Scope.TICKETS_READ,
    Participant: Scope.TICKETS_READ,
    Item: Scope.TICKETS_READ,
    Attachment: Scope.TICKETS_READ,
    Dial: Scope.TICKETS_READ,
    Measurement: Scope.TICKETS_READ,
    TicketLink: Scope.TICKETS_READ,
    SurveyRequest: Scope.TICKETS_READ,
    Contact: Scope.CONTACTS_READ,
    ContactNote: Scope.CONTACTS_READ,
    Company: Scope.CONTACTS_READ,
    Task: Scope.TASKS_READ,
    TaskTemplate: Scope.TASKS_READ,
    Complaint: Scope.TICKETS_READ,
    ComplaintStep: Scope.TICKETS_READ,
    Alert: Scope.ALERTS_READ,
    Agent: Scope.STAFF_READ,
    Team: Scope.STAFF_READ,
    Channel: Scope.CHANNELS_READ,
    Policy: Scope.TICKETS_READ,
    Calendar: Scope.TICKETS_READ,
    View: Scope.TICKETS_READ,
    Tag: Scope.TICKETS_READ,
}
"""What a token needs to see a row at all."""
OF_FIELDS = {FieldSubject.CONTACT: Scope.CONTACTS_READ, FieldSubject.TICKET: Scope.TICKETS_READ}


def may_see(model: type[Base], actor: Actor) -> ColumnElement[bool]:
    """The condition under which `actor` sees a row of `model`."""
    match actor.kind:
        case ActorKind.SYSTEM:
            return true()
        case ActorKind.AGENT:
            return _agents(model, actor)
        case ActorKind.TOKEN if model is CustomField:
            return CustomField.subject.in_([of for of, scope in OF_FIELDS.items() if scope in actor.scopes])
        case ActorKind.TOKEN:
            if SCOPES.get(model) not in actor.scopes:
                return false()
            return View.owner_id.is_(None) if model is View else true()
        case ActorKind.VISITOR:
            return _visitors(model, actor)
        case ActorKind.CUSTOMER:
            return false()


def may_not_see(model: type[Base], actor: Actor) -> ColumnElement[bool]:
    """Its opposite, which `NOT` is not: of a ticket that nobody has, an agent's condition is neither true nor false."""
    return may_see(model, actor).is_not(true())


def _agents(model: type[Base], actor: Actor) -> ColumnElement[bool]:
    if model is SealedPart:
        return false()  # whoever is to read it needs the command line, and a reason
    if model in (Device, SignIn, Upload, Draft):
        return _own(model.agent_id, actor)
    if model is View:
        return or_(View.owner_id.is_(None), _own(View.owner_id, actor))
    if model in (Agent, Team, Channel, Policy, Calendar, CustomField, TaskTemplate):
        return true()
    if model is Macro:
        return shown_to(actor)
    if model in (ApiToken, AuditEntry, Webhook, Post, Import, TagChange):
        return true() if actor.role == Role.ADMIN else false()
    if model in (Delivery, Notice):
        return _deliveries(model, actor)
    if model in (Arrival, Erasure, ContactExport, BlockedSender, DialledNumber, Survey):
        return true() if actor.manages else false()
    if actor.manages:
        return true()
    if model is Edit:
        return _own(Edit.by_id, actor)
    if model is Task:
        return _tasks(actor)
    if actor.sees_all_teams:
        return true()
    if model is Tag:
        return or_(Tag.team_id.is_(None), Tag.team_id.in_(actor.teams))
    tickets = _tickets(actor)
    if model is Ticket:
        return tickets
    if model is Contact:
        return _contacts(Contact, tickets)
    if model is ContactNote:
        about, became = aliased(Contact), aliased(Contact)
        is_theirs = (
            about.id == ContactNote.contact_id,
            became.id == func.coalesce(about.canonical_id, about.id),
        )
        return exists().where(*is_theirs, _contacts(became, tickets))
    if model is Company:
        person, became = aliased(Contact), aliased(Contact)
        works_there = person.company_id == Company.id
        survives = became.id == func.coalesce(person.canonical_id, person.id)
        return or_(
            exists().where(works_there, survives, _contacts(became, tickets)), ~exists().where(works_there)
        )
    if model is Dial:
        return exists().where(Item.id == Dial.call_id, Ticket.id == Item.ticket_id, tickets)
    if model is Attachment:
        return exists().where(Item.id == Attachment.item_id, Ticket.id == Item.ticket_id, tickets)
    if model is Alert:
        return and_(Alert.ticket_id.is_not(None), exists().where(Ticket.id == Alert.ticket_id, tickets))
    if model is TicketLink:
        return and_(*(_became_seen(end, tickets) for end in (TicketLink.from_id, TicketLink.to_id)))
    if model is ComplaintStep:
        its = (Complaint.id == ComplaintStep.complaint_id, Ticket.id == Complaint.ticket_id)
        return exists().where(*its, tickets)
    if model is Participant:
        return exists().where(Thread.id == Participant.thread_id, Ticket.id == Thread.ticket_id, tickets)
    if model is SurveyRequest:
        return _became_seen(SurveyRequest.ticket_id, tickets)
    if model in (Thread, Item, Measurement, Complaint):
        return exists().where(Ticket.id == model.ticket_id, tickets)
    raise LookupError(f"the door does not know {model.__name__}")


def _own(agent: Any, actor: Actor) -> ColumnElement[bool]:
    is_theirs: ColumnElement[bool] = one_of(agent, actor.together) if actor.together else agent == actor.id
    return is_theirs


def _tickets(actor: Actor) -> ColumnElement[bool]:
    if actor.sees_all_teams:
        return true()
    return or_(Ticket.team_id.is_(None), Ticket.team_id.in_(actor.teams), _own(Ticket.assignee_id, actor))


def _became_seen(ticket_id: Any, tickets: ColumnElement[bool]) -> ColumnElement[bool]:
    """Of what stays at the ticket where it was made, and is shown with what that became."""
    former = aliased(Ticket)
    survives = Ticket.id == func.coalesce(former.merged_into_id, former.id)
    return exists().where(former.id == ticket_id, survives, tickets)


def _contacts(contact: Any, tickets: ColumnElement[bool]) -> ColumnElement[bool]:
    theirs = Ticket.contact_id == contact.id
    return or_(exists().where(theirs, tickets), ~exists().where(theirs))


def _tasks(actor: Actor) -> ColumnElement[bool]:
    """One's own; those of nobody that stand alone, of one's teams or of none; of one's teams, those of who has left too; those of
    tickets one sees."""
    of_teams = Task.team_id.in_(actor.teams)
    gone = select(Agent.id).where(Agent.left_at.is_not(None))
    nobodys = or_(
        and_(Task.assignee_id.is_(None), or_(Task.team_id.is_(None), of_teams)),
        and_(among(Task.assignee_id, gone), of_teams),
    )
    return or_(
        _own(Task.assignee_id, actor),
        _own(Task.created_by_id, actor),
        and_(Task.ticket_id.is_(None), nobodys),
        exists().where(Ticket.id == Task.ticket_id, _tickets(actor)),
    )


def _visitors(model: type[Base], actor: Actor) -> ColumnElement[bool]:
    """What was written in their conversation, by them and to them, and its files: no note, no other conversation of the ticket."""
    if model not in (Message, Attachment) or actor.conversation is None:
        return false()
    channel_id, key = actor.conversation
    said = (Thread.id == Message.thread_id, Thread.channel_id == channel_id, Thread.key == key)
    if model is Attachment:
        return exists().where(Message.id == Attachment.item_id, *said)
    return exists().where(*said)


def _deliveries(model: type[Base], actor: Actor) -> ColumnElement[bool]:
    """One's own; managers see what became of everybody's alerts."""
    if model is Notice:
        return true() if actor.manages else _own(Notice.agent_id, actor)
    if actor.manages:
        return true()
    return exists().where(Notice.id == Delivery.notice_id, _own(Notice.agent_id, actor))


def sight(actor: Actor) -> Actor:
    """The same for all who see the same rows: those who manage. Everybody else sees something of their own."""
    if actor.kind == ActorKind.AGENT and actor.manages:
        return replace(
            actor, id=None, role=Role.MANAGER, teams=frozenset(), sees_all_teams=True, timezone="UTC"
        )
    return actor


def peers(actor: Actor) -> Actor:
    """The same for agents of the same teams and rights: they see the same but for what is their own."""
    return replace(actor, id=None) if actor.kind == ActorKind.AGENT else actor


def bounds(people: Collection[Actor]) -> tuple[Actor, ...]:
    """Of peers, who sees least and who sees most of them. The door only ever adds what is one's own, so where these two are shown the
    same, whoever is between them is shown it too."""
    if len(people) == 1:
        return tuple(people)
    least = replace(next(iter(people)), id=NOBODY)
    return least, replace(least, together=frozenset(one.id for one in people if one.id))


def visible(model: type[Row], *, to: Actor) -> Select[Any]:
    return select(model).where(may_see(model, to))


async def one(
    session: AsyncSession, model: type[Row], id: uuid.UUID | None, *, to: Actor, lock: bool = False
) -> Row:
    """The row, if this person may see it; "not allowed" and "does not exist" are the same answer."""
    viewer = sight(to) if model is Ticket else to  # of other things managers may have their own
    found = await rows(session, model, _one(model, viewer, lock), {"id": id}, fresh=lock)
    if not found:
        raise NotFound
    return found[0]


@lru_cache(1000)
def _one(model: type[Row], actor: Actor, lock: bool) -> Select[Any]:
    query = visible(model, to=actor).where(model.id == bindparam("id"))  # type: ignore[attr-defined]
    return query.with_for_update(of=model, key_share=True) if lock else query


async def team(session: AsyncSession, id: uuid.UUID, *, to: Actor) -> Team:
    """That something is to go to: whoever deletes it waits, and finds what has come."""
    found: Team | None = await session.scalar(
        visible(Team, to=to)
        .where(Team.id == id, Team.archived_at.is_(None))
        .with_for_update(read=True, key_share=True)
        .execution_options(populate_existing=True)
    )
    if found is None:
        raise NotFound
    return found


async def who_may_see(
    session: AsyncSession, agent_ids: Iterable[uuid.UUID], ticket_id: uuid.UUID | None
) -> list[uuid.UUID]:
    """Those agents who see the ticket, and of none, all of them: whoever is told of it goes through the same door."""
    if ticket_id is None:
        return list(agent_ids)
    seeing = []
    for id in agent_ids:
        actor = await actor_by_id(session, id)
        if actor and (
            actor.manages
            or await session.scalar(select(Ticket.id).where(Ticket.id == ticket_id, may_see(Ticket, actor)))
        ):
            seeing.append(id)
    return seeing


async def contact(session: AsyncSession, id: uuid.UUID, *, to: Actor, lock: bool = False) -> Contact:
    """The contact that this one has become, or still is; who was erased is nobody's to find."""
    survivor = await session.scalar(
        select(func.coalesce(Contact.canonical_id, Contact.id)).where(Contact.id == id)
    )
    found = await one(session, Contact, survivor, to=to, lock=lock)
    if found.canonical_id:  # while this waited
        found = await one(session, Contact, found.canonical_id, to=to, lock=lock)
    if found.erased_at:
        raise NotFound
    return found


async def ticket(session: AsyncSession, id: uuid.UUID, *, to: Actor, lock: bool = False) -> Ticket:
    """The ticket that this one has become, or still is."""
    found = await one(session, Ticket, id, to=to, lock=lock)
    if found.merged_into_id:
        return await one(session, Ticket, found.merged_into_id, to=to, lock=lock)
    return found
