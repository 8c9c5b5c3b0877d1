"""Which rows of a table are a contact's, or of one that became it."""

import uuid
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, exists, func, or_, select, true
from sqlalchemy.orm import aliased

from domain.agents.system_mail import SystemMail
from domain.alerting.alerts import Alert, AlertNote
from domain.alerting.notices import Delivery, Notice
from domain.arriving.inbound import Arrival
from domain.complaints.complaints import Complaint
from domain.customers.consents import Consent
from domain.customers.contacts import Contact, Identity, IdentityKind
from domain.customers.survivors import same_person
from domain.customers.visitors import Visitor
from domain.db import among
from domain.desk.messages import Item
from domain.desk.tasks import Task
from domain.desk.threads import Thread
from domain.desk.tickets import Ticket
from domain.events import Event
from domain.joining.moves import Step
from domain.joining.suggestions import Suggestion
from domain.ways_in.channels import Channel
from domain.webhooks import Post
from domain.working.drafts import Draft
from domain.working.edits import EditedTicket

_item, _event = Item.__table__.c, Event.__table__.c


def tickets_of(contact_id: uuid.UUID) -> Select[Any]:
    return select(Ticket.id).where(same_person(Ticket.contact_id, contact_id))


def items_of(contact_id: uuid.UUID) -> Select[Any]:
    return select(_item.id).where(same_person(_item.contact_id, contact_id))


def events_of(contact_id: uuid.UUID) -> ColumnElement[bool]:
    return or_(same_person(_event.contact_id, contact_id), among(_event.ticket_id, tickets_of(contact_id)))


def tasks_of(contact_id: uuid.UUID) -> ColumnElement[bool]:
    return or_(same_person(Task.contact_id, contact_id), among(Task.ticket_id, tickets_of(contact_id)))


def drafts_of(contact_id: uuid.UUID) -> ColumnElement[bool]:
    return Draft.ticket_id.in_(tickets_of(contact_id))


def edits_of(contact_id: uuid.UUID) -> ColumnElement[bool]:
    """What was taken from tickets and given to them: tags, and values of fields."""
    return EditedTicket.ticket_id.in_(tickets_of(contact_id))


def complaints_of(contact_id: uuid.UUID) -> Select[Any]:
    return select(Complaint.id).where(Complaint.ticket_id.in_(tickets_of(contact_id)))


def originals_of(contact_id: uuid.UUID) -> ColumnElement[bool]:
    return Arrival.id.in_(select(_item.arrival_id).where(same_person(_item.contact_id, contact_id)))


def said_of_alerts(contact_id: uuid.UUID) -> ColumnElement[bool]:
    about = or_(Alert.ticket_id.in_(tickets_of(contact_id)), Alert.about_id.in_(items_of(contact_id)))
    return AlertNote.alert_id.in_(select(Alert.id).where(about))


def posts_of(contact_id: uuid.UUID) -> Select[Any]:
    return select(Post.id).where(Post.event_seq.in_(select(_event.seq).where(events_of(contact_id))))


def mails_of(contact_id: uuid.UUID) -> ColumnElement[bool]:
    """To people of the shop, about the person's tickets and tasks: at the setting FULL they name the customer."""
    told = select(Delivery.id).join(Notice, Notice.id == Delivery.notice_id)
    tasks = select(Task.id).where(tasks_of(contact_id))
    about = or_(among(Notice.ticket_id, tickets_of(contact_id)), among(Notice.task_id, tasks))
    return SystemMail.delivery_id.in_(told.where(about))


def steps_of(contact_id: uuid.UUID) -> ColumnElement[bool]:
    """What was overwritten when contacts became one, or tickets, or a conversation was moved: names, tags and evidence."""
    people = select(Contact.id).where(same_person(Contact.id, contact_id))
    threads = select(Thread.id).where(same_person(Thread.contact_id, contact_id))
    return or_(*(among(Step.row_id, rows) for rows in (people, tickets_of(contact_id), threads)))


def suggested(contact_id: uuid.UUID) -> ColumnElement[bool]:
    theirs = tickets_of(contact_id)
    return or_(among(Suggestion.ticket_id, theirs), among(Suggestion.other_id, theirs))


def visitors_of(contact_id: uuid.UUID) -> ColumnElement[bool]:
    """Sessions that wrote, and those that only signed in."""
    wrote = exists().where(
        Thread.channel_id == Visitor.channel_id,
        Thread.key == Visitor.key,
        same_person(Thread.contact_id, contact_id),
    )
    said = Visitor.identity
    # Anybody may name another's address in a chat, and each channel has a customer 7 of its own.
    signed_in = exists().where(
        Channel.id == Visitor.channel_id,
        same_person(Identity.contact_id, contact_id),
        Identity.verified_at.is_not(None),
        or_(
            and_(
                Identity.kind == IdentityKind.CUSTOMER,
                Identity.scope == Channel.slug,
                Identity.value == said["sub"].astext,
            ),
            and_(
                Identity.kind == IdentityKind.EMAIL,
                Identity.value == func.coalesce(said["address"].astext, func.lower(said["email"].astext)),
                said["email_verified"].as_boolean(),
            ),
        ),
    )
    return or_(wrote, signed_in)


def consents_of(contact_id: uuid.UUID) -> ColumnElement[bool]:
    """Of numbers that nobody else is known by."""
    theirs, others = aliased(Identity), aliased(Identity)
    anothers = same_person(others.contact_id, contact_id).is_not(true())
    return and_(
        exists().where(
            theirs.kind == IdentityKind.PHONE,
            theirs.value == Consent.number,
            same_person(theirs.contact_id, contact_id),
        ),
        ~exists().where(others.kind == IdentityKind.PHONE, others.value == Consent.number, anothers),
    )
