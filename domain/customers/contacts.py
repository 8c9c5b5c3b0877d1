"""A customer, and the identities that are the customer's: some proven, some only claimed.

A value (an address, a number…) has at most one contact that has proven it; any number may claim it, and a contact that others
have become may have it twice. A merged contact stays, and points to the one it became.
"""

import re
import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import idna
import phonenumbers
from sqlalchemy import ColumnElement, ForeignKey, Index, Integer, Select, and_, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from domain.abreast import one_at_a_time
from domain.actors import Actor
from domain.db import INDEXED_NAME, Base, Json, new_id, session_of
from domain.errors import InvalidInput
from domain.events import EventKind, record
from domain.fields import kept_values
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
    MARKETPLACE = "marketplace"  # the marketplace wrote on behalf of the buyer of an order
    AGENT = "agent"


_CODES = {"is_vip": "isVip", "company_id": "company"}
"""Columns that the API knows by another name."""


class Contact(Base):
    __tablename__ = "contact"
    __table_args__ = (
        Index("ix_contact_created", "created_at", "id"),
        Index("ix_contact_name", text(f"lower(left(name, {INDEXED_NAME}))"), "id"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    name: Mapped[str] = mapped_column(default="", server_default="")
    locale: Mapped[str | None]
    timezone: Mapped[str | None]
    canonical_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("contact.id"), index=True)
    """The contact this one became when they were merged. Chains are shortened as they are made."""
    company_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("company.id"), index=True)
    is_vip: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    tags: Mapped[list[str]] = mapped_column(default=list, server_default=text("'[]'"))
    city: Mapped[str] = mapped_column(default="", server_default="")
    fields: Mapped[Json] = mapped_column(default=dict, server_default=text("'{}'"))
    """Values of the fields an admin defined (`domain/fields.py`), by their ids."""
    created_at: Mapped[datetime]
    erased_at: Mapped[datetime | None]
    """Nothing here names anybody any more (`domain/privacy/erasure.py`): the person, should they write again, is another contact."""

    def change(self, *, by: Actor, at: datetime, fields: Json | None = None, **said: Any) -> None:
        """What is left out stays: a column, or one of `fields`, where none takes a value away."""
        said["fields"] = kept_values(self.fields, fields or {})
        changed = [name for name, value in said.items() if getattr(self, name) != value]
        asked = [id for id, value in (fields or {}).items() if self.fields.get(id) != value]
        for name in changed:
            setattr(self, name, said[name])
        if changed:
            self.tell_change(changed, by=by, at=at, **({"fields": sorted(asked)} if asked else {}))

    def tell_change(self, what: Collection[str], *, by: Actor, at: datetime, **data: Any) -> None:
        """`what`: names of columns, or `notes`. The history keeps no value of any of them."""
        changed = sorted(_CODES.get(name, name) for name in what)
        record(
            session_of(self),
            EventKind.CONTACT_CHANGED,
            by=by,
            at=at,
            contact_id=self.id,
            data={"changed": changed, **data},
        )


class Identity(Base):
    __tablename__ = "identity"
    __table_args__ = (
        Index("ix_identity_value", "kind", "scope", "value"),
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
    name: Mapped[str] = mapped_column(default="", server_default="")
    """Under which it was used first: couples and firms share an address."""
    verified_at: Mapped[datetime | None]
    verified_by: Mapped[Proof | None]
    shared_at: Mapped[datetime | None]
    """Proven as well, but somebody else writes from it too: it no longer says who."""
    created_at: Mapped[datetime]
    last_used_at: Mapped[datetime | None]
    bounces: Mapped[int] = mapped_column(Integer, default=0, server_default="0")
    """Mails of ours that came back because there is nobody there; none of late, if one came from there since."""
    bounced_at: Mapped[datetime | None]
    """Since when nothing is believed to arrive there."""

    @property
    def key(self) -> tuple[IdentityKind, str, str]:
        return self.kind, self.scope, self.value

    def claimed(self) -> "Claim":
        """By somebody who proves nothing."""
        return Claim(self.kind, self.value, None, scope=self.scope)

    def used(self, *, at: datetime) -> None:
        """Something came from there: so there is somebody."""
        self.last_used_at, self.bounces, self.bounced_at = at, 0, None

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


SHORTEST = 7
"""Digits without a country. Fewer are an extension, unless that country has such numbers."""


def phone_number(value: str, *, region: str | None) -> str | None:
    """In E.164; none for what is not a possible number (`anonymous`, `unknown`, an extension)."""
    written = value.strip()
    national = _possible(written, region)
    if not written.isdigit():
        return _in_e164(national)
    if len(written) < SHORTEST and national and not phonenumbers.is_valid_number(national):
        return None
    if len(written) <= 9 or written.startswith("0"):
        return _in_e164(national)
    whole = _possible(f"+{written}", None)  # PBXs write 48600100200
    # It may be in use as both. Where a national number begins with 0, or one is longer than any, it has its country.
    begins_with_0 = region and phonenumbers.ndd_prefix_for_region(region, True) == "0"
    both = (whole, national) if begins_with_0 or len(written) > 10 else (national, whole)
    in_use = (one for one in both if one and phonenumbers.is_valid_number(one))
    return _in_e164(next(in_use, whole or national))


def _possible(written: str, region: str | None) -> phonenumbers.PhoneNumber | None:
    try:
        parsed = phonenumbers.parse(written, region)
    except phonenumbers.NumberParseException:
        return None
    return parsed if phonenumbers.is_possible_number(parsed) else None


def _in_e164(number: phonenumbers.PhoneNumber | None) -> str | None:
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)) if number else None


def name_of(claim: Claim) -> str:
    return "\n".join(claim.key)


async def lock_identities(session: AsyncSession, *claims: Claim) -> None:
    """Whoever deals with one of these values next waits until we are done: two first mails of one person make one contact."""
    await one_at_a_time(session, *map(name_of, claims))


def has_value_of(one: Identity | Claim, identity: type[Identity] = Identity) -> ColumnElement[bool]:
    """A condition on an identity."""
    return and_(identity.kind == one.kind, identity.scope == one.scope, identity.value == one.value)


def same_value(identity: Identity) -> Select[uuid.UUID]:
    """Contacts that became one may have brought the same address twice."""
    return select(Identity.id).where(has_value_of(identity))


def add_contact(session: AsyncSession, *, name: str, locale: str | None, by: Actor, at: datetime) -> Contact:
    contact = Contact(id=new_id(), name=name, locale=locale, created_at=at)
    session.add(contact)
    record(session, EventKind.CONTACT_OPENED, by=by, at=at, contact_id=contact.id)
    return contact


def add_identity(
    session: AsyncSession, contact: Contact, claim: Claim, *, by: Actor, at: datetime, name: str = ""
) -> Identity:
    identity = Identity(
        id=new_id(),
        contact_id=contact.id,
        kind=claim.kind,
        scope=claim.scope,
        value=claim.value,
        label=claim.label or claim.value,
        name=name,
        created_at=at,
        last_used_at=at,
        verified_at=at if claim.proof else None,
        verified_by=claim.proof,
    )
    session.add(identity)
    identity.record_link(by=by, at=at)
    return identity
