"""A customer, and the identities that are the customer's: some proven, some only claimed.

A value (an address, a number…) has at most one contact that has proven it; any number may claim it. A merged contact
stays, and points to the one it became.
"""

import re
import uuid
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import idna
import phonenumbers
from sqlalchemy import (
    ColumnElement,
    ForeignKey,
    Index,
    UniqueConstraint,
    Uuid,
    any_,
    func,
    literal,
    select,
    text,
    union_all,
)
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, aliased, mapped_column
from sqlalchemy.sql.elements import SQLCoreOperations

from domain.actors import Actor
from domain.db import Base, new_id, session_of
from domain.errors import InvalidInput
from domain.events import EventKind, record
from domain.languages import N_

_ADDRESS = re.compile(r'(?:[^\s@,;:()<>\[\]\\"]+|"(?:[^"\\\s]|\\\S)*")@[^\s@,;:()<>\[\]\\"]+')


class IdentityKind(StrEnum):
    EMAIL = "email"
    PHONE = "phone"
    MESSENGER = "messenger"
    CHAT = "chat"
    CUSTOMER = "customer"
    """The shop's own id of the customer."""


class Proof(StrEnum):
    """What made an identity certain. A caller id is none of these and never will be."""

    MAIL_AUTHENTICATED = "mail_authenticated"  # DMARC passed, as our own relay wrote
    CHAT_SIGNATURE = "chat_signature"  # the shop signed who its visitor is
    CHAT_SESSION = "chat_session"  # the browser that holds the session's secret
    REPLY_ADDRESS = "reply_address"  # answered from where we wrote to, with the token only that mail had
    MESSENGER_PAGE = "messenger_page"  # Meta's word, for one page
    MESSENGER_LINK = "messenger_link"  # opened by our signed m.me link
    AGENT = "agent"


class Contact(Base):
    __tablename__ = "contact"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    name: Mapped[str] = mapped_column(default="", server_default="")
    locale: Mapped[str | None]
    timezone: Mapped[str | None]
    canonical_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("contact.id"), index=True)
    """The contact this one became when they were merged. Chains are shortened as they are made."""
    created_at: Mapped[datetime]
    erased_at: Mapped[datetime | None]
    """Nothing here names anybody any more (`domain/erasure.py`): the person, should they write again, is another contact."""

    def become(self, survivor: "Contact", *, by: Actor, at: datetime) -> None:
        self.canonical_id = survivor.id
        survivor.name = survivor.name or self.name
        survivor.locale = survivor.locale or self.locale
        record(
            session_of(self),
            EventKind.CONTACT_MERGED,
            by=by,
            at=at,
            contact_id=survivor.id,
            data={"merged": str(self.id)},
        )


class Identity(Base):
    __tablename__ = "identity"
    __table_args__ = (
        UniqueConstraint("kind", "scope", "value", "contact_id"),
        Index(
            "uq_identity_proven",
            "kind",
            "scope",
            "value",
            unique=True,
            postgresql_where=text("verified_at IS NOT NULL"),
        ),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    contact_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("contact.id"), index=True)
    kind: Mapped[IdentityKind]
    scope: Mapped[str] = mapped_column(default="", server_default="")
    """Where the value is unique: the page of a Messenger id, the widget of a chat; empty for the whole world."""
    value: Mapped[str]
    label: Mapped[str]
    verified_at: Mapped[datetime | None]
    verified_by: Mapped[Proof | None]
    created_at: Mapped[datetime]
    last_used_at: Mapped[datetime | None]

    def prove(self, proof: Proof, *, by: Actor, at: datetime) -> None:
        if self.verified_at:
            return
        self.verified_at, self.verified_by = at, proof
        self.record_link(by=by, at=at)

    def record_link(self, *, by: Actor, at: datetime) -> None:
        record(
            session_of(self),
            EventKind.IDENTITY_LINKED,
            by=by,
            at=at,
            contact_id=self.contact_id,
            data={"identity": str(self.id), "proof": self.verified_by},
        )


@dataclass(frozen=True)
class Claim:
    """Who a sender says to be, and what proves it."""

    kind: IdentityKind
    value: str
    proof: Proof | None
    scope: str = ""
    label: str = ""

    @property
    def key(self) -> tuple[IdentityKind, str, str]:
        return self.kind, self.scope, self.value


def normalised(kind: IdentityKind, value: str, *, region: str | None = None) -> str:
    """Addresses case-folded, numbers in E.164 (`region` reads national ones), the rest as it is."""
    value = value.strip()
    match kind:
        case IdentityKind.EMAIL:
            if not (_ADDRESS.fullmatch(value) and value.isprintable()):
                raise InvalidInput(N_("This is not an email address."), field=["value"])
            local, _, domain = value.rpartition("@")
            return f"{local.lower()}@{_ascii(domain)}"
        case IdentityKind.PHONE:
            number = phone_number(value, region=region)
            if number is None:
                raise InvalidInput(
                    N_("This is not a phone number with its country, such as +48 600 100 200."),
                    field=["value"],
                )
            return number
        case _:
            if not value:
                raise InvalidInput(N_("This may not be empty."), field=["value"])
            return value


def _ascii(domain: str) -> str:
    """`faß.de` and `fass.de` are two domains: case-folding would make them one."""
    try:
        return idna.encode(domain, uts46=True).decode()
    except idna.IDNAError:
        return domain.lower()


def phone_number(value: str, *, region: str | None) -> str | None:
    """In E.164; none for what is not a possible number (`anonymous`, `unknown`, an extension)."""
    digits = value.strip()
    if digits.isdigit() and len(digits) > 9 and not digits.startswith("0"):
        digits = f"+{digits}"  # PBXs write 48600100200
    try:
        parsed = phonenumbers.parse(digits, region)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(parsed):
        return None
    return str(phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164))


async def lock_identity(session: AsyncSession, claim: Claim) -> None:
    """Whoever deals with this value next waits until we are done: two first mails of one person make one contact."""
    await session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended("\n".join(claim.key), 0))))


async def identities_like(session: AsyncSession, claim: Claim) -> list[tuple[Identity, Contact]]:
    """Every identity with the claim's value, beside the surviving contact it belongs to."""
    owner, survivor = aliased(Contact), aliased(Contact)
    found = await session.execute(
        select(Identity, survivor)
        .join(owner, owner.id == Identity.contact_id)
        .join(survivor, survivor.id == func.coalesce(owner.canonical_id, owner.id))
        .where(Identity.kind == claim.kind, Identity.scope == claim.scope, Identity.value == claim.value)
        .order_by(Identity.created_at)
    )
    return [(identity, contact) for identity, contact in found]


async def survivor_of(session: AsyncSession, contact_id: uuid.UUID) -> Contact | None:
    """None of whom was erased: a link or a reply address of then leads nowhere."""
    contact = await session.get(Contact, contact_id)
    if contact and contact.canonical_id:
        contact = await session.get(Contact, contact.canonical_id)
    return None if contact and contact.erased_at else contact


def same_person(column: SQLCoreOperations[Any], contact_id: uuid.UUID) -> ColumnElement[bool]:
    """Rows of a contact and of all that were merged into it; as one array, since an `OR` beside a subquery would read
    the whole table in place of its index."""
    merged = select(Contact.id).where(Contact.canonical_id == contact_id)
    everybody = union_all(select(literal(contact_id, Uuid())), merged)
    return column == any_(func.array(everybody.scalar_subquery()))


def add_contact(session: AsyncSession, *, name: str, locale: str | None, by: Actor, at: datetime) -> Contact:
    contact = Contact(id=new_id(), name=name, locale=locale, created_at=at)
    session.add(contact)
    record(session, EventKind.CONTACT_OPENED, by=by, at=at, contact_id=contact.id)
    return contact


def add_identity(
    session: AsyncSession, contact: Contact, claim: Claim, *, by: Actor, at: datetime
) -> Identity:
    identity = Identity(
        id=new_id(),
        contact_id=contact.id,
        kind=claim.kind,
        scope=claim.scope,
        value=claim.value,
        label=claim.label or claim.value,
        created_at=at,
        last_used_at=at,
        verified_at=at if claim.proof else None,
        verified_by=claim.proof,
    )
    session.add(identity)
    identity.record_link(by=by, at=at)
    return identity
