"""The audit, as admins read it."""

import uuid
from datetime import datetime
from typing import Any

import strawberry
from sqlalchemy import select
from strawberry.scalars import JSON

from api.context import Info
from api.paging import PageInfo, page_info, page_size
from api.scalars import BigInt
from domain.access import may_see
from domain.actors import ActorKind
from domain.audit import AuditEntry as Row
from domain.audit import AuditKind
from domain.customers.survivors import same_person
from domain.errors import InvalidInput
from domain.ids import public_id, row_id
from domain.languages import N_

strawberry.enum(AuditKind)


@strawberry.type(description="Somebody signed in, opened a contact, exported, or changed rights.")
class AuditEntry:
    seq: BigInt
    at: datetime
    kind: AuditKind
    actor_kind: str = strawberry.field(
        description="agent, token, system; customer where nobody was signed in."
    )
    actor_id: strawberry.ID | None
    address: str | None = strawberry.field(description="Of the network.")
    agent_id: strawberry.ID | None = strawberry.field(description="Whose account or rights.")
    contact_id: strawberry.ID | None
    data: JSON = strawberry.field(description="What was asked for.")


@strawberry.type
class AuditEdge:
    cursor: str
    node: AuditEntry


@strawberry.type
class AuditConnection:
    edges: list[AuditEdge]
    page_info: PageInfo


async def _audit(
    info: Info,
    kinds: list[AuditKind] | None = None,
    agent_id: strawberry.ID | None = None,
    contact_id: strawberry.ID | None = None,
    first: int = 50,
    after: str | None = None,
) -> AuditConnection:
    async with info.context.reading() as reading:
        query = select(Row.__table__).where(may_see(Row, reading.actor))
        if kinds is not None:
            query = query.where(Row.kind.in_(kinds))
        if agent_id:
            agent = row_id("Agent", agent_id, field="agentId")
            query = query.where((Row.agent_id == agent) | (Row.actor_id == agent))
        if contact_id:
            query = query.where(same_person(Row.contact_id, row_id("Contact", contact_id, field="contactId")))
        if after is not None:
            query = query.where(Row.seq < _seq(after))
        rows = (
            await reading.connection.execute(query.order_by(Row.seq.desc()).limit(page_size(first) + 1))
        ).all()
    edges = [AuditEdge(cursor=str(row.seq), node=_entry(row)) for row in rows[:first]]
    return AuditConnection(edges=edges, page_info=page_info(edges, after=after, more=len(rows) > first))


def _seq(cursor: str) -> int:
    if not cursor.isascii() or not cursor.isdigit() or len(cursor) > 18:
        raise InvalidInput(N_("This cursor is not one of ours."), field=["after"])
    return int(cursor)


TYPES = {ActorKind.AGENT: "Agent", ActorKind.TOKEN: "Token"}


def _entry(row: Any) -> AuditEntry:
    def id_of(typename: str | None, id: uuid.UUID | None) -> strawberry.ID | None:
        return strawberry.ID(public_id(typename, id)) if typename and id else None

    return AuditEntry(
        seq=row.seq,
        at=row.at,
        kind=row.kind,
        actor_kind=row.actor_kind,
        actor_id=id_of(TYPES.get(row.actor_kind), row.actor_id),
        address=row.address,
        agent_id=id_of("Agent", row.agent_id),
        contact_id=id_of("Contact", row.contact_id),
        data=row.data,
    )


@strawberry.type
class AuditQueries:
    audit: AuditConnection = strawberry.field(
        resolver=_audit,
        description="Newest first. `agentId`: who did it, or to whom it was done. Contacts are noted once an hour for each "
        "reader.",
    )
