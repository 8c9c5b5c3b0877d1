"""A customer is erased, as an admin does it."""

from uuid import UUID

from sqlalchemy import text

from api.house import House
from domain.db import Base
from domain.ids import public_id
from domain.privacy.erasure import ERASURES
from domain.privacy.sealing import Sealer
from tests.client import Client
from tests.working_off import worked_off

ERASE = "mutation($input: ContactEraseInput!) { contactErase(input: $input) { erasure { id } userErrors { code field } } }"


async def confirmed(admin: Client, contact_id: UUID) -> None:
    done = await admin.do(ERASE, contactId=public_id("Contact", contact_id), confirm=True)
    assert done["userErrors"] == []


async def sealed(house: House) -> None:
    await worked_off(house, ERASURES, Sealer(house.db, house.keys, house.files).erase)


async def erased(house: House, admin: Client, contact_id: UUID) -> None:
    await confirmed(admin, contact_id)
    await sealed(house)


async def tables_that_say(house: House, word: str) -> set[str]:
    """As text, or in bytes."""
    found = set()
    async with house.db.reading() as connection:
        for name in Base.metadata.tables:
            rows = await connection.scalars(text(f'SELECT "{name}"::text FROM "{name}"'))
            if any(word in said or word.encode().hex() in said for said in rows):
                found.add(name)
    return found
