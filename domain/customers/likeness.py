"""Who has the same address or number: every identity with a claim's value, with the contact that stands for it."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import CompoundSelect, any_, bindparam, column, func, select, tuple_, union_all
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from domain.abreast import asked
from domain.customers.contacts import Claim, Contact, Identity
from domain.telling import Wanted, known, tell_together


async def identities_like(session: AsyncSession, claim: Claim) -> list[tuple[Identity, Contact]]:
    """Every identity with the claim's value, beside the surviving contact it belongs to; the proven one first."""
    return await asked(session, _like, claim)


async def _like(
    session: AsyncSession, claims: Sequence[Claim]
) -> Mapping[Claim, list[tuple[Identity, Contact]]]:
    kinds, scopes, values = zip(*{claim.key for claim in claims}, strict=True)
    like = {"kinds": list(kinds), "scopes": list(scopes), "values": list(values)}
    found, people = await tell_together(
        session, Wanted(_alike, like, Identity), Wanted(_their_people, like, Contact)
    )
    by_id = {contact.id: contact for contact in people}
    by_key: dict[Any, list[tuple[Identity, Contact]]] = {claim.key: [] for claim in claims}
    for identity in found:
        if (key := identity.key) in by_key:
            # As they are in the database: what the session knows of them may be older.
            owner = by_id[identity.contact_id]
            survivor = by_id[owner.canonical_id or owner.id]
            by_key[key].append((known(session, identity), known(session, survivor)))
    return {claim: by_key[claim.key] for claim in claims}


_key = (Identity.kind, Identity.scope, Identity.value)
_keys: Any = (
    func.unnest(
        *(
            bindparam(name, type_=ARRAY(part.type))
            for name, part in zip(("kinds", "scopes", "values"), _key, strict=True)
        )
    )
    .table_valued(*(column(part.key, part.type) for part in _key), name="key")
    .render_derived()
)
_these_values = tuple_(*_key).in_(select(_keys.c.kind, _keys.c.scope, _keys.c.value))
_alike = select(Identity).where(_these_values).order_by(Identity.verified_at.is_(None), Identity.created_at)
_owner = aliased(Contact)
_owners = select(_owner.id, _owner.canonical_id).where(
    _owner.id.in_(select(Identity.contact_id).where(_these_values))
)
_everybody: CompoundSelect[Any] = union_all(
    _owners.with_only_columns(_owner.id), _owners.with_only_columns(_owner.canonical_id)
)
_their_people = select(Contact).where(Contact.id == any_(func.array(_everybody.scalar_subquery())))
"""Whose they are, and whom those have become."""
