"""What an erasure would take, and what it would leave and why: said before anybody confirms it."""

import uuid
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Select, func, select

from domain.alerting.alerts import Alert
from domain.arriving.inbound import Arrival
from domain.audit import AuditEntry
from domain.chorus import Reads
from domain.complaints.complaints import Complaint
from domain.customers.survivors import same_person
from domain.desk.messages import Attachment, Item
from domain.desk.tickets import LIVE, Ticket
from domain.events import Event
from domain.languages import N_
from domain.privacy.belonging import complaints_of, events_of, tickets_of
from domain.privacy.holdings import HOLDINGS
from domain.sla.clocks import Clock

_item, _entry = Item.__table__.c, AuditEntry.__table__.c

TAKEN = {
    "contact": N_(
        "name, time zone, city, tags and fields of the contact and of all that were merged into it"
    ),
    "contact_note": N_("notes about the person"),
    "move_step": N_(
        "what names, tags and evidence were before contacts or tickets became one or conversations were moved: that cannot be undone any more"
    ),
    "suggestion": N_("addresses and numbers for which tickets were suggested"),
    "named_number": N_("orders and parcels that messages named"),
    "identity": N_("addresses, numbers and accounts: who writes from them again is a new contact"),
    "participant": N_("people whom the person's mails named, or who answered them"),
    "acknowledgement": N_("to which address the number of a ticket was sent"),
    "consent": N_(
        "what was said about text messages to the person's number, and when; that it wants none stays, so that none is sent"
    ),
    "text_part": N_("parts of long text messages"),
    "visitor": N_(
        "what the person's browsers told the chat: who was signed in, and what was answered before"
    ),
    "dial": N_("which calls to the person were asked for here, and what became of asking"),
    "tag": N_("from the list of tags, those that nobody else's ticket has"),
    "search_entry": N_("by which words the person, their tickets and what they said are found"),
    "unproven_mail": N_("to which claimed address a chat's answer was mailed"),
    "thread": N_("subjects and keys of conversations, and the evidence why each was joined"),
    "draft": N_("answers and notes that somebody of the shop had begun to write"),
    "edited_ticket": N_("what was changed on tickets in the last day: that cannot be taken back any more"),
    "ticket": N_("subjects and fields of tickets, and tags that nobody else's ticket has"),
    "survey_request": N_("what the person wrote about the help; the scores stay, as numbers"),
    "task": N_("titles and descriptions of tasks"),
    "complaint": N_("what was decided about complaints in words, and the next step"),
    "complaint_step": N_("what was noted about complaints"),
    "item": N_("texts of messages and notes, authors' names, numbers of calls"),
    "attachment": N_("names and bytes of attached files"),
    "arrival": N_("originals as they came, and those that became no message and name the person"),
    "alert_note": N_("what was said about alerts"),
    "webhook_attempt": N_("what subscribers answered to events about the person"),
    "webhook_post": N_("events about the person on their way to subscribers"),
    "system_mail": N_("mail to the shop's people that waits and names the person"),
}
"""By table, in words."""

KEPT = {
    "tickets": N_(
        "number, status, priority, team, times and who had it: statistics, and the proof of what was done"
    ),
    "items": N_("kind, direction, time, state and who answered: reports count them"),
    "complaints": N_(
        "stages, dates, outcome, remedy and amount of complaints: the proof that they were answered in time"
    ),
    "clocks": N_("promised times and whether they were kept"),
    "events": N_("what happened, as ids and codes"),
    "alerts": N_("that they fired, and who acted"),
    "audit": N_("who read, exported and erased: nobody can change it"),
    "fingerprints": N_("SHA-256 of originals, by which a repeat is known"),
    "others": N_("what other people wrote, even where it quotes this person: it is theirs"),
    "copies": N_(
        "backups made before, and what was sent out or posted to subscribers, are outside of Heddle's reach"
    ),
}


@dataclass(frozen=True)
class Share:
    what: str
    count: int | None
    """None: cannot be counted."""
    sentence: str


@dataclass(frozen=True)
class Plan:
    taken: list[Share]
    kept: list[Share]
    open_tickets: int
    """They are closed first."""
    stored_bytes: int
    shared_originals: int
    """In which others' messages came as well: these stay in them."""


async def plan(connection: Reads, contact_id: uuid.UUID) -> Plan:
    async def count(query: Select[int]) -> int:
        return int(await connection.scalar(query) or 0)

    taken = []
    for holding in HOLDINGS:
        table = holding.table
        rows = await count(select(func.count()).select_from(table).where(holding.theirs(contact_id)))
        taken.append(Share(table.name, rows, TAKEN[table.name]))
    theirs = Attachment.item_id.in_(select(_item.id).where(same_person(_item.contact_id, contact_id)))
    live = (
        same_person(Ticket.contact_id, contact_id),
        Ticket.status.in_(LIVE),
        Ticket.merged_into_id.is_(None),
    )
    return Plan(
        taken,
        [Share(what, await _left(connection, what, contact_id), said) for what, said in KEPT.items()],
        await count(select(func.count()).select_from(Ticket).where(*live)),
        await count(select(func.sum(Attachment.bytes)).where(theirs)),
        await count(select(func.count()).select_from(Arrival).where(_shared(contact_id))),
    )


async def _left(connection: Reads, what: str, contact_id: uuid.UUID) -> int | None:
    tickets = tickets_of(contact_id)
    rows: dict[str, tuple[type, ColumnElement[bool]]] = {
        "tickets": (Ticket, same_person(Ticket.contact_id, contact_id)),
        "items": (Item, same_person(_item.contact_id, contact_id)),
        "complaints": (Complaint, Complaint.id.in_(complaints_of(contact_id))),
        "clocks": (Clock, Clock.ticket_id.in_(tickets)),
        "events": (Event, events_of(contact_id)),
        "alerts": (Alert, Alert.ticket_id.in_(tickets)),
        "audit": (AuditEntry, same_person(_entry.contact_id, contact_id)),
        "fingerprints": (
            Arrival,
            Arrival.id.in_(select(_item.arrival_id).where(same_person(_item.contact_id, contact_id)))
            & Arrival.external_id.regexp_match("^[0-9a-f]{64}$"),
        ),
    }
    if what not in rows:
        return None
    model, theirs = rows[what]
    return int(await connection.scalar(select(func.count()).select_from(model).where(theirs)) or 0)


def _shared(contact_id: uuid.UUID) -> ColumnElement[bool]:
    mine = select(_item.arrival_id).where(same_person(_item.contact_id, contact_id))
    anothers = select(_item.id).where(
        _item.arrival_id == Arrival.id, same_person(_item.contact_id, contact_id).is_not(True)
    )
    return Arrival.id.in_(mine) & anothers.exists()
