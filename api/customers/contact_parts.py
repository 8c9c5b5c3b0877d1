"""What is around a contact, each part read for many contacts at once; none needs another, nor the contact's own row."""

from typing import Any

from api.context import Part, Reading, by
from api.customers.contact_notes import notes_of
from api.customers.contact_stats import stats_of
from api.customers.identities import identities_of
from api.selection import Selection

Contacts = list[Any]
"""Of `api/customers/contacts.py`, which reads these."""


def ids_of(contacts: Contacts) -> list[Any]:
    return [contact.row_id for contact in contacts]


async def _notes(reading: Reading, contacts: Contacts, selection: Selection) -> None:
    notes = await notes_of(reading, ids_of(contacts))
    for contact in contacts:
        contact.notes = notes.get(contact.row_id, [])


async def _stats(reading: Reading, contacts: Contacts, selection: Selection) -> None:
    stats = await stats_of(reading, ids_of(contacts))
    for contact in contacts:
        contact.stats = stats[contact.row_id]


async def _merge_candidates(reading: Reading, contacts: Contacts, selection: Selection) -> None:
    from api.joining.merging import candidates_of

    candidates = await candidates_of(reading, ids_of(contacts), selection["mergeCandidates"])
    for contact in contacts:
        contact.merge_candidates = candidates.get(contact.row_id, [])


async def _identities(reading: Reading, contacts: Contacts, selection: Selection) -> None:
    groups = await identities_of(reading, ids_of(contacts), selection["identities"])
    for contact in contacts:
        contact.identities = groups.get(contact.row_id, [])


async def _open_tickets(reading: Reading, contacts: Contacts, selection: Selection) -> None:
    from api.desk.tickets import open_tickets_of

    tickets = by("contact_id", await open_tickets_of(reading, ids_of(contacts), selection["openTickets"]))
    for contact in contacts:
        contact.open_tickets = tickets.get(contact.row_id, [])


async def _tasks(reading: Reading, contacts: Contacts, selection: Selection) -> None:
    from api.desk.tasks import tasks_of
    from domain.desk.tasks import Task

    tasks = by("contact_id", await tasks_of(reading, Task.contact_id, ids_of(contacts), selection["tasks"]))
    for contact in contacts:
        contact.tasks = tasks.get(contact.row_id, [])


PARTS: dict[str, Part[Any]] = {
    "notes": _notes,
    "stats": _stats,
    "mergeCandidates": _merge_candidates,
    "identities": _identities,
    "openTickets": _open_tickets,
    "tasks": _tasks,
}
