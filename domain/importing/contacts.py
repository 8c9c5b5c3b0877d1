"""A row of a spreadsheet becomes a contact, or what it says is written down of one who is here.

Whoever imports gives their word that each address and number is the person's, as an agent does who links one.
"""

import re
import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain import fields, naming
from domain.actors import Actor
from domain.customers import profiles
from domain.customers.companies import Company
from domain.customers.contact_notes import add_note
from domain.customers.contacts import Claim, Contact, IdentityKind, Proof, add_contact, normalised
from domain.customers.describing import describe
from domain.customers.likeness import identities_like
from domain.customers.people import link
from domain.db import new_id
from domain.errors import IdentityTaken, InvalidInput, Refused
from domain.fields import FieldSubject
from domain.importing.imports import Outcome
from domain.importing.sheets import Line
from domain.languages import N_

_YES = frozenset(
    {"true", "yes", "1", "x", "y", "vip", "tak", "t", "sí", "si", "s", "verdadero", "prawda", "cert"}
)
_NO = frozenset({"false", "no", "0", "n", "nie", "falso", "fałsz", "fals"})
_BETWEEN = re.compile(r"[;,|\n]")


def several(cell: str) -> list[str]:
    """The values of a cell that holds more than one."""
    return [value for part in _BETWEEN.split(cell) if (value := part.strip())]


async def take(session: AsyncSession, line: Line, *, by: Actor, at: datetime) -> Outcome:
    """What the row leaves empty stays; its tags are added to those that are there."""
    claims = _claims(line)
    if not claims:
        raise InvalidInput(N_("There is neither an address nor a phone number."), field=["email"])
    contact, known = await _whose(session, claims)
    is_new = contact is None
    if contact is None:
        contact = add_contact(session, name="", locale=None, by=by, at=at)
        await session.flush()
    for claim in claims:
        if claim.key not in known:
            await link(session, contact, claim, by=by, at=at)
    changed = await describe(session, contact, by=by, at=at, **await _said(session, line, contact, by, at))
    if is_new and (note := line.cells.get("note")):
        add_note(session, contact, note, by=by, at=at)
    if is_new:
        return Outcome.CREATED
    return Outcome.UPDATED if changed or len(known) < len(claims) else Outcome.UNCHANGED


def _claims(line: Line) -> list[Claim]:
    claims = []
    for column, kind in (("email", IdentityKind.EMAIL), ("phone", IdentityKind.PHONE)):
        for value in several(line.cells.get(column, "")):
            try:
                claims.append(Claim(kind, normalised(kind, value), Proof.AGENT, label=value))
            except Refused as refusal:
                refusal.field = [column]
                raise
    return list({claim.key: claim for claim in claims}.values())


async def _whose(session: AsyncSession, claims: list[Claim]) -> tuple[Contact | None, set[Any]]:
    """The one contact who has proven any of them, and which of them are proven already."""
    owners: dict[uuid.UUID, Contact] = {}
    known = set()
    for claim in claims:
        for identity, owner in await identities_like(session, claim):
            if identity.verified_at:
                owners[owner.id] = owner
                known.add(claim.key)
    if len(owners) > 1:
        raise IdentityTaken(field=["email"])
    return next(iter(owners.values()), None), known


async def _said(
    session: AsyncSession, line: Line, contact: Contact, by: Actor, at: datetime
) -> dict[str, Any]:
    """By the contact's columns, in the spelling in which they are kept."""
    cells = line.cells
    said: dict[str, Any] = {}
    parts = (cells.get("first_name"), cells.get("last_name"))
    if name := cells.get("name") or " ".join(filter(None, parts)):
        said["name"] = naming.name(name)
    if language := cells.get("locale"):
        said["locale"] = profiles.locale(language)
    if zone := cells.get("timezone"):
        said["timezone"] = profiles.timezone(zone)
    if city := cells.get("city"):
        said["city"] = naming.line(city, "city")
    if vip := cells.get("is_vip"):
        said["is_vip"] = _switch(vip)
    if tags := cells.get("tags"):
        said["tags"] = profiles.tags([*contact.tags, *several(tags)])
    if company := cells.get("company"):
        said["company_id"] = await _company(session, naming.line(company, "company"), by, at)
    if line.own:
        said["fields"] = await fields.spelled_by_label(session, FieldSubject.CONTACT, line.own)
    return said


def _switch(given: str) -> bool:
    word = given.casefold()
    if word not in _YES | _NO:
        raise InvalidInput(N_("This is either true or false."), field=["is_vip"])
    return word in _YES


async def _company(session: AsyncSession, name: str, by: Actor, at: datetime) -> uuid.UUID:
    here = select(Company.id).where(func.lower(Company.name) == name.lower()).order_by(Company.created_at)
    if found := await session.scalar(here.limit(1)):
        return found
    company = Company(id=new_id(), name="", domains=[], note="", created_at=at, updated_at=at)
    session.add(company)
    company.change(by=by, at=at, name=name)
    await session.flush()
    return company.id
