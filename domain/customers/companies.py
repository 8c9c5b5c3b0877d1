"""A firm that several contacts belong to. Nobody joins one by an address: an agent says so."""

import uuid
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import idna
from sqlalchemy import Index, text
from sqlalchemy.orm import Mapped, mapped_column

from domain.actors import Actor
from domain.db import INDEXED_NAME, Base, new_id, session_of
from domain.errors import InvalidInput
from domain.events import EventKind, record
from domain.languages import N_

MOST_DOMAINS = 20


class Company(Base):
    __tablename__ = "company"
    __table_args__ = (Index("ix_company_name", text(f"lower(left(name, {INDEXED_NAME}))"), "id"),)

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    name: Mapped[str]
    domains: Mapped[list[str]]
    note: Mapped[str]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]

    def change(self, *, by: Actor, at: datetime, **said: Any) -> None:
        """`name`, `domains`, `note`: what is left out stays. The event says which of them are different now."""
        changed = sorted(name for name, value in said.items() if getattr(self, name) != value)
        for name in changed:
            setattr(self, name, said[name])
        if changed:
            self.updated_at = at
            record(
                session_of(self),
                EventKind.COMPANY_CHANGED,
                by=by,
                at=at,
                data={"company": str(self.id), "changed": changed},
            )


def domains(given: Iterable[str]) -> list[str]:
    """As DNS writes them, each once."""
    names = [domain_of(one) for one in given]
    kept = list(dict.fromkeys(name for name in names if name))
    if None in names:
        raise InvalidInput(N_("This is not a domain name, such as example.org."), field=["domains"])
    if len(kept) > MOST_DOMAINS:
        raise InvalidInput(N_("At most {most} domain names."), field=["domains"], most=MOST_DOMAINS)
    return kept


def domain_of(written: str) -> str | None:
    """As DNS writes it; none for what is no domain name."""
    said = written.strip().removeprefix("@").rstrip(".")
    try:
        name = idna.encode(said, uts46=True).decode()
    except idna.IDNAError:
        return None
    return name if "." in name else None
