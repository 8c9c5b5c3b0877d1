"""Companies that contacts belong to."""

import uuid
from collections.abc import Collection
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import strawberry
from sqlalchemy import Select, cast, select, tuple_
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession

from api.context import Info, Reading, plain
from api.errors import UserError
from api.mutations import changed, mutation
from api.node import Node
from api.paging import PageInfo, by_name_cursor, named_place_of, page_info, page_size
from domain import access, naming
from domain.access import may_see
from domain.actors import Actor
from domain.customers import companies, contacts
from domain.db import Json, by_name, new_id, one_of
from domain.ids import public_id, row_id

if TYPE_CHECKING:
    from api.customers.address_book import ContactConnection


@strawberry.type(description="A firm, for which several contacts may write.")
class Company(Node):
    name: str
    domains: list[str] = strawberry.field(
        description="Of its addresses. Nobody comes to belong to a company by one: senders can be forged."
    )
    note: str
    row_id: strawberry.Private[uuid.UUID]
    place: strawberry.Private[str]

    @strawberry.field(description="By name; of merged contacts, the one they became.")
    async def contacts(
        self, info: Info, first: int = 25, after: str | None = None
    ) -> Annotated["ContactConnection", strawberry.lazy("api.customers.address_book")]:
        from api.customers.address_book import ContactOrder, contact_page

        theirs = contacts.Contact.company_id == self.row_id
        return await contact_page(info, theirs, first=first, after=after, order_by=ContactOrder.NAME)


@strawberry.type
class CompanyEdge:
    cursor: str
    node: Company


@strawberry.type
class CompanyConnection:
    edges: list[CompanyEdge]
    page_info: PageInfo


@strawberry.input(description="Without `id` a new one. What is left out stays.")
class CompanySaveInput:
    id: strawberry.ID | None = None
    name: str | None = None
    domains: list[str] | None = None
    note: str | None = None
    client_mutation_id: strawberry.ID


@strawberry.type
class CompanyPayload:
    company: Company | None = None
    user_errors: list[UserError] = strawberry.field(default_factory=list)


PLACE = by_name(companies.Company.name)


async def companies_by_id(
    reading: Reading, ids: Collection[uuid.UUID], _: object = None
) -> dict[uuid.UUID, Company]:
    """Those this person sees."""
    return {
        one.row_id: one for one in await _load(reading, _seen(reading, one_of(companies.Company.id, ids)))
    }


def _seen(reading: Reading, *conditions: Any) -> Select[Any]:
    query: Select[Any] = select(companies.Company.__table__, PLACE.label("place"))
    return query.where(may_see(companies.Company, reading.actor), *conditions)


async def _load(reading: Reading, query: Select[Any]) -> list[Company]:
    rows = await reading.connection.execute(query)
    return [
        plain(
            Company,
            {
                "id": public_id("Company", row.id),
                "row_id": row.id,
                "place": row.place,
                "name": row.name,
                "domains": row.domains,
                "note": row.note,
            },
        )
        for row in rows
    ]


async def _companies(
    info: Info, search: str | None = None, first: int = 25, after: str | None = None
) -> CompanyConnection:
    size, company = page_size(first), companies.Company
    async with info.context.reading() as reading:
        query = _seen(reading)
        for word in (search or "").split():
            is_domain = cast(company.domains, JSONB).contains([companies.domain_of(word) or word])
            query = query.where(company.name.icontains(word, autoescape=True) | is_domain)
        if after:
            query = query.where(tuple_(PLACE, company.id) > tuple_(*named_place_of("companies", after)))
        found = await _load(reading, query.order_by(PLACE, company.id).limit(size + 1))
    edges = [
        CompanyEdge(cursor=by_name_cursor("companies", one.place, one.row_id), node=one)
        for one in found[:size]
    ]
    return CompanyConnection(edges=edges, page_info=page_info(edges, after=after, more=len(found) > size))


async def _company_save(info: Info, input: CompanySaveInput) -> CompanyPayload:
    async def change(session: AsyncSession, actor: Actor, now: datetime) -> Json:
        if input.id:
            company = await access.one(
                session, companies.Company, row_id("Company", input.id), to=actor, lock=True
            )
        else:
            company = companies.Company(
                id=new_id(), name="", domains=[], note="", created_at=now, updated_at=now
            )
            session.add(company)
        said: dict[str, Any] = {}
        if input.name is not None or not input.id:
            said["name"] = naming.name(input.name or "")
        if input.domains is not None:
            said["domains"] = companies.domains(input.domains)
        if input.note is not None:
            said["note"] = input.note.strip()
        company.change(by=actor, at=now, **said)
        return {"company": str(company.id)}

    done = await changed(info, input, change)
    async with info.context.reading() as reading:
        id = uuid.UUID(done["company"])
        return CompanyPayload(company=(await companies_by_id(reading, [id])).get(id))


@strawberry.type
class CompanyQueries:
    companies: CompanyConnection = strawberry.field(
        resolver=_companies, description="By name; each word of `search` is in the name, or is a domain."
    )


@strawberry.type
class CompanyMutations:
    company_save: CompanyPayload = mutation(resolver=_company_save)
