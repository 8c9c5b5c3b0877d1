"""Which contact it is by now: contacts become part of others, and who belongs to one belongs to the one that survives."""

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, any_, bindparam, func, select, union_all
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased
from sqlalchemy.sql.elements import KeyedColumnElement, SQLCoreOperations

from domain.abreast import asked
from domain.customers.contacts import Contact
from domain.db import one_of_given
from domain.telling import tell


async def survivor_of(session: AsyncSession, contact_id: uuid.UUID) -> Contact | None:
    """None of whom was erased: a link or a reply address of then leads nowhere."""
    contact = await session.get(Contact, contact_id)
    if contact and contact.canonical_id:
        contact = await session.get(Contact, contact.canonical_id)
    return None if contact and contact.erased_at else contact


async def held_contact(session: AsyncSession, contact_id: uuid.UUID) -> Contact:
    """The one that survives, held: nobody becomes another while something is opened for them."""
    contact = await session.get_one(
        Contact, contact_id, with_for_update={"key_share": True}, populate_existing=True
    )
    return await held_contact(session, contact.canonical_id) if contact.canonical_id else contact


async def has_become_another(session: AsyncSession, contact_id: uuid.UUID) -> bool:
    """By now, whatever the session has read of it."""
    return await asked(session, _become_others, contact_id)


async def _become_others(session: AsyncSession, ids: Sequence[uuid.UUID]) -> Mapping[uuid.UUID, bool]:
    others = set((await tell(session, _others, {"ids": list(ids)})).scalars())
    return {id: id in others for id in ids}


_others = select(Contact.id).where(one_of_given(Contact.id), Contact.canonical_id.is_not(None))
_survivor = aliased(Contact)
SURVIVOR = (
    select(_survivor.id)
    .select_from(Contact)
    .join(_survivor, _survivor.id == func.coalesce(Contact.canonical_id, Contact.id))
    .where(Contact.id == bindparam("contact_id"), _survivor.erased_at.is_(None))
)
"""The id of `survivor_of`."""


def same_person(
    column: SQLCoreOperations[Any], contact_id: uuid.UUID | KeyedColumnElement[uuid.UUID]
) -> ColumnElement[bool]:
    """Rows of a contact and of all that were merged into it; an id that is given may be that of one that became it. As one array,
    since an `OR` beside a subquery would read the whole table in place of its index."""
    if isinstance(contact_id, uuid.UUID):
        former = aliased(Contact)
        became = select(func.coalesce(former.canonical_id, former.id)).where(former.id == contact_id)
        survivor = became.scalar_subquery()
        everybody = union_all(select(survivor), select(Contact.id).where(Contact.canonical_id == survivor))
    else:
        around = contact_id.table
        merged = select(Contact.id).where(Contact.canonical_id == contact_id)
        everybody = union_all(select(contact_id).correlate(around), merged.correlate(around))
    return column == any_(func.array(everybody.scalar_subquery()))
