"""What of a person lies where: the rows of each table that are theirs, and what stands there once the person is erased.

`tests/domain/test_holdings.py` walks all tables: a text or JSON column that is in none of the lists below fails it.
"""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import ColumnElement, String, Table, case, func, literal, null, select, true
from sqlalchemy import cast as sql_cast
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import aliased

from domain.agents.system_mail import SystemMail
from domain.alerting.alerts import AlertNote
from domain.answering.absence import UnprovenMail
from domain.arriving.acknowledging import Acknowledgement
from domain.arriving.inbound import Arrival, ArrivalState
from domain.arriving.participants import Participant
from domain.arriving.parts import TextPart
from domain.calling.dials import Dial
from domain.complaints.complaints import Complaint, ComplaintStep
from domain.customers.consents import Consent
from domain.customers.contact_notes import ContactNote
from domain.customers.contacts import Contact, Identity
from domain.customers.survivors import same_person
from domain.customers.visitors import Visitor
from domain.db import Base
from domain.desk.messages import Attachment, Item
from domain.desk.tasks import Task
from domain.desk.threads import Thread
from domain.desk.tickets import Ticket
from domain.feedback.requests import SurveyRequest
from domain.finding.entries import SearchEntry
from domain.finding.indexing import entries_of
from domain.joining.moves import Step
from domain.joining.named_numbers import NamedNumber
from domain.joining.suggestions import Suggestion
from domain.privacy.belonging import (
    complaints_of,
    consents_of,
    drafts_of,
    edits_of,
    items_of,
    mails_of,
    originals_of,
    posts_of,
    said_of_alerts,
    steps_of,
    suggested,
    tasks_of,
    tickets_of,
    visitors_of,
)
from domain.tagging.tags import Tag
from domain.webhooks import Attempt, Post
from domain.work import Work
from domain.working.drafts import Draft
from domain.working.edits import EditedTicket

Whose = Callable[[uuid.UUID], ColumnElement[bool]]
"""From a contact to the condition on a table's rows that are that contact's, or of one that became it."""


@dataclass(frozen=True)
class Holding:
    model: type[Base]
    theirs: Whose
    left: Mapping[str, Any]
    """By column: what stands there afterwards. A function is given the contact. Without any, the rows go."""
    exported: bool = True
    """Is it shown to the person? Not what only says what became of a push or a post."""
    stored: bool = False
    """Do the rows name stored bytes, in `file`?"""
    sealed: bool = True
    """Not what is made of other rows, and says nothing that they do not say."""
    large: str | None = None
    """A column of bytes that are taken a piece at a time."""

    @property
    def table(self) -> Table:
        return cast(Table, self.model.__table__)

    def values(self, contact_id: uuid.UUID) -> dict[str, Any]:
        return {name: left(contact_id) if callable(left) else left for name, left in self.left.items()}

    def columns(self) -> list[str]:
        """Those that mean something to a reader: not how the house went about its work."""
        unsaid = set(Work.__annotations__) - {"id"} if issubclass(self.model, Work) else set()
        return [column.name for column in self.table.columns if column.name not in {*unsaid, "raw", "file"}]


_item = Item.__table__.c


def _shared_tags(contact_id: uuid.UUID) -> ColumnElement[Any]:
    """A tag that nobody else's ticket has says more about the person than about the matter."""
    other = aliased(Ticket)
    words = func.jsonb_array_elements_text(Ticket.tags).table_valued("word").render_derived()
    anothers = same_person(other.contact_id, contact_id).is_not(true())
    shared = select(other.id).where(other.tags.has_key(words.c.word), anothers).correlate(words).exists()
    kept = select(func.jsonb_agg(words.c.word)).where(shared).scalar_subquery()
    return func.coalesce(kept, sql_cast(literal("[]", String), JSONB))


def _tags_of_nobody_else(contact_id: uuid.UUID) -> ColumnElement[bool]:
    theirs, other = aliased(Ticket), aliased(Ticket)
    words = select(func.jsonb_array_elements_text(theirs.tags)).where(
        same_person(theirs.contact_id, contact_id)
    )
    anothers = same_person(other.contact_id, contact_id).is_not(true())
    return Tag.name.in_(words) & ~select(other.id).where(anothers, other.tags.has_key(Tag.name)).exists()


def _fingerprint(contact_id: uuid.UUID) -> ColumnElement[Any]:
    """A SHA-256 stays, by which a provider's repeat is known; any other id may name the person."""
    is_digest = Arrival.external_id.regexp_match("^[0-9a-f]{64}$")
    return case((is_digest, Arrival.external_id), else_=func.concat("erased/", Arrival.id))


def _still_stopped(contact_id: uuid.UUID) -> ColumnElement[Any]:
    """The number of who wants no text messages stays: the shop could not go on sending none without it."""
    return case((Consent.stopped_at.is_not(None), Consent.number), else_=func.concat("erased/", Consent.id))


GONE = null()

HOLDINGS = (
    Holding(
        Contact,
        lambda id: same_person(Contact.id, id),
        {
            "name": "",
            "timezone": GONE,
            "city": "",
            "tags": [],
            "fields": {},
            "company_id": GONE,
            "erased_at": func.now(),
        },
    ),
    Holding(
        Participant,
        lambda id: Participant.thread_id.in_(select(Thread.id).where(same_person(Thread.contact_id, id))),
        {},
    ),
    Holding(Dial, lambda id: Dial.call_id.in_(items_of(id)), {}, exported=False),
    Holding(SearchEntry, lambda id: SearchEntry.id.in_(entries_of(id)), {}, exported=False, sealed=False),
    Holding(Acknowledgement, lambda id: Acknowledgement.item_id.in_(items_of(id)), {}, exported=False),
    Holding(Consent, consents_of, {"number": _still_stopped, "word": "", "history": []}),
    Holding(Visitor, visitors_of, {}),
    Holding(UnprovenMail, lambda id: UnprovenMail.item_id.in_(items_of(id)), {}, exported=False),
    Holding(
        Thread,
        lambda id: same_person(Thread.contact_id, id),
        {
            "key": GONE,
            "subject": "",
            "joined_evidence": {},
            "identity_id": GONE,
            "ended_at": func.coalesce(Thread.ended_at, func.now()),
        },
    ),
    Holding(Draft, drafts_of, {}),
    Holding(EditedTicket, edits_of, {}, exported=False),
    Holding(Identity, lambda id: same_person(Identity.contact_id, id), {}),
    Holding(Tag, _tags_of_nobody_else, {}, exported=False, sealed=False),
    Holding(
        Ticket, lambda id: same_person(Ticket.contact_id, id), {"subject": "", "tags": _shared_tags, "fields": {}}
    ),
    Holding(
        SurveyRequest,
        lambda id: SurveyRequest.ticket_id.in_(tickets_of(id)),
        {"words": "", "due_at": GONE, "last_error": GONE},
    ),
    Holding(ContactNote, lambda id: same_person(ContactNote.contact_id, id), {}),
    Holding(Step, steps_of, {}, exported=False),
    Holding(Suggestion, suggested, {"value": ""}, exported=False),
    Holding(TextPart, lambda id: TextPart.item_id.in_(items_of(id)), {}, exported=False),
    Holding(NamedNumber, lambda id: NamedNumber.item_id.in_(items_of(id)), {}, exported=False),
    Holding(Task, tasks_of, {"title": "", "description": "", "repeats": GONE, "repeat_at": GONE, "next_at": GONE}),
    Holding(ComplaintStep, lambda id: ComplaintStep.complaint_id.in_(complaints_of(id)), {"note": ""}),
    Holding(Complaint, lambda id: Complaint.id.in_(complaints_of(id)), {"next_step": "", "decision": ""}),
    Holding(
        Item,
        lambda id: same_person(_item.contact_id, id),
        {
            "author": "",
            "text": "",
            "folded": GONE,
            "html": GONE,
            "mail": GONE,
            "particulars": GONE,
            "external_id": GONE,
            "number": GONE,
            "cause": GONE,
            "steps": GONE,
            "ringing": GONE,
            "digest": GONE,
            "last_error": GONE,
            "due_at": GONE,
        },
    ),
    Holding(
        Attachment,
        lambda id: Attachment.item_id.in_(items_of(id)),
        {
            "name": "",
            "mime": "application/octet-stream",
            "source_url": GONE,
            "content_id": GONE,
            "last_error": GONE,
            "due_at": GONE,
        },
        stored=True,
    ),
    Holding(
        Arrival,
        originals_of,
        {
            "raw": b"",
            "envelope": {},
            "external_id": _fingerprint,
            "last_error": GONE,
            "due_at": GONE,
            "state": ArrivalState.IGNORED,
            "emptied_at": func.now(),
        },
        large="raw",
    ),
    Holding(AlertNote, said_of_alerts, {"text": ""}),
    Holding(Attempt, lambda id: Attempt.post_id.in_(posts_of(id)), {}, exported=False),
    Holding(Post, lambda id: Post.id.in_(posts_of(id)), {}, exported=False),
    Holding(SystemMail, mails_of, {"sealed": GONE, "last_error": GONE, "due_at": GONE}, exported=False),
)  # fmt: skip
"""In the order in which they are taken: whoever points to a row that goes comes before it."""

HARMLESS = {
    "agent.*": "of the people of the shop",
    "alert_preferences.*": "of the people of the shop",
    "api_token.*": "of the shop's programs",
    "assignment_policy.*": "how the shop hands out its work",
    "audit_entry.actor_kind": "a code",
    "audit_entry.address": "where a person of the shop sat",
    "audit_entry.data": "codes and ids; why somebody unsealed, who must not name the person there",
    "audit_entry.hash": "a digest",
    "awaited_message.external_id": "a provider's id of a message that is not here",
    "blocked_sender.*": "whom the shop wants no mail from: without it, it could not go on refusing it",
    "calendar.*": "the shop's hours",
    "channel.*": "the shop's own address, settings and errors",
    "import.file": "a spreadsheet of the shop's, which goes when its last row is done",
    "import.last_error": "what went wrong on our side",
    "import.problems": "lines, columns and codes; never what stood there",
    "import.unknown": "names of columns",
    "fetched_box.*": "how far the shop's own mailboxes are read, and what their servers said of it",
    "clock.warn_at": "times",
    "complaint.amount": "what the customer got: money, without a name",
    "complaint.currency": "a code",
    "company.*": "a firm, whoever of its people was erased",
    "custom_field.*": "what an admin has defined, no values",
    "contact.locale": "a language: reports and policies count by it",
    "contact_export.file": "a key: the bytes go when the person is erased, and after a week",
    "contact_export.last_error": "the kind of an error",
    "dialled_number.*": "numbers of the shop, and where they stand",
    "early_call.*": "what a PBX told of a call before it said whose, for a day at most",
    "item.handled_by": "ids of people of the shop",
    "item.dialled": "a number of the shop",
    "item.campaign": "the shop's word for an advert",
    "item.source": "the shop's word for where its number stands",
    "item.outcome": "a code",
    "delivery.*": "what a push service said about a device of the shop",
    "device.*": "of the people of the shop",
    "done.*": "ids, sealed, for a day",
    "edit.asked": "what is to become of many tickets, until it has",
    "edit.last_error": "the kind of an error",
    "erasure.emptied": "numbers, by table",
    "erasure.last_error": "the kind of an error",
    "erasure.wrapped_key": "a key, sealed, that is destroyed",
    "erasure.looked_for": "sealed, and only while it works",
    "event.actor_kind": "a code",
    "event.data": "ids and codes: never a person's text",
    "installation.*": "of the house",
    "left_out.*": "names of readers and kinds of errors",
    "macro.*": "the shop's own words, before anybody's name is filled in",
    "name_lookup.last_error": "what the provider said: the kind of an error, and its codes",
    "notice.because": "a code",
    "notice.ways": "codes",
    "password_link.*": "of the people of the shop",
    "scan.*": "keys of stored bytes, and what a scanner calls what it found",
    "policy.*": "the shop's promises",
    "promise_audit.*": "ids and numbers",
    "reader.*": "of the house",
    "recount.*": "of the house",
    "rota.*": "the shop's shifts",
    "sealed_part.sealed": "what was taken, encrypted, until it is destroyed",
    "search_fill.*": "of the house",
    "second_factor.*": "of the people of the shop",
    "sign_in.*": "of the people of the shop",
    "sign_in_try.*": "a digest",
    "spent_refresh.*": "a digest",
    "shop.*": "the shop's settings",
    "suggestion.score": "a number",
    "survey.*": "the shop's own questions",
    "survey_request.language": "a language",
    "tag_change.*": "an admin's words about all tickets, for a day",
    "task.step": "which step of a template",
    "task_template.*": "the shop's own words for its work",
    "team.*": "the shop's teams",
    "ticket_view.*": "what people of the shop look for: their own words, which they can change",
    "upload.*": "files of the people of the shop, for a day at most: what is sent becomes an attachment",
    "webhook.*": "the shop's own addresses",
}
"""Columns, or whole tables, that hold nothing of a customer, and why."""
