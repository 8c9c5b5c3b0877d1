"""Bringing customers and colleagues along from a spreadsheet."""

from typing import Any

import pytest
from sqlalchemy import func, select, update

from api.house import House
from api.importing.rows import takes
from domain.actors import Role
from domain.agents.staff import Agent, save_team
from domain.agents.system_mail import SystemMail
from domain.customers.contacts import Claim, Contact, IdentityKind, Proof
from domain.customers.people import recognise
from domain.db import Database
from domain.importing import imports
from domain.importing.imports import IMPORTS, Importer
from domain.importing.sheets import ImportKind
from tests.client import Client
from tests.factories import NOON, contacts
from tests.working_off import worked_off

START = """mutation($input: ImportStartInput!) {
  importStart(input: $input) { import { id state } userErrors { code field message } }
}"""
LOOK = """{ imports(first: 1) {
  kind state dryRun total done created updated unchanged refused unknownColumns problems { line column code message }
} }"""

CUSTOMERS = """\
Name;E-mail;Phone;Language;Tags;Company;VIP;Shoe size
Ada Kowalska;ada@example.com;+48 600 100 200;pl;vip, wholesale;Krosno Sp. z o.o.;yes;38
Zofia Nowak;zofia@example.com;;pl-PL;;;;
nobody at all;;;;;;;
Bad Address;not an address;;;;;;
Colour;colour@example.com;;;;;perhaps;
Ada Kowalska;ada@example.com;+48 600 100 200;pl;VIP;KROSNO sp. z o.o.;;
"""
REFUSED = [(4, "email", "INVALID"), (5, "email", "INVALID"), (6, "is_vip", "INVALID")]


async def _import(client: Client, house: House, text: str, **input: Any) -> dict[str, Any]:
    sent = await client.http.post(
        "/files",
        params={"name": "customers.csv"},
        content=text.encode(),
        headers={"authorization": f"Bearer {client.token}"},
    )
    started = await client.do(START, fileId=sent.json()["id"], **input)
    assert started["userErrors"] == []
    await worked_off(house, IMPORTS, Importer(house.db, house.files, takes(house)).go_on)
    shown, *_ = (await client.ask(LOOK))["imports"]
    return shown  # type: ignore[no-any-return]


async def test_customers_come_along_and_each_refused_row_says_why(admin: Client, house: House) -> None:
    shown = await _import(admin, house, CUSTOMERS, kind="CONTACTS", dryRun=False)

    assert (shown["state"], shown["total"], shown["done"]) == ("FINISHED", 6, 6)
    assert (shown["created"], shown["updated"], shown["unchanged"], shown["refused"]) == (2, 0, 1, 3)
    assert [(one["line"], one["column"], one["code"]) for one in shown["problems"]] == REFUSED
    assert shown["unknownColumns"] == ["Shoe size"]
    async with house.db.transaction() as session:
        ada, zofia = sorted(await contacts(session), key=lambda one: one.name)
        assert (ada.name, ada.locale, ada.is_vip, ada.tags) == (
            "Ada Kowalska",
            "pl",
            True,
            ["vip", "wholesale"],
        )
        assert zofia.locale == "pl-PL"
        row = (await session.scalars(select(imports.Import))).one()
        assert row.file is None


async def test_a_dry_run_says_the_same_and_keeps_nothing(admin: Client, house: House) -> None:
    shown = await _import(admin, house, CUSTOMERS, kind="CONTACTS")

    assert shown["dryRun"] is True
    assert (shown["created"], shown["refused"]) == (3, 3)  # the repeated row is new each time
    assert [(one["line"], one["column"], one["code"]) for one in shown["problems"]] == REFUSED
    async with house.db.transaction() as session:
        assert await session.scalar(select(func.count()).select_from(Contact)) == 0


async def test_what_is_known_already_is_kept_and_added_to(admin: Client, house: House) -> None:
    await _import(admin, house, CUSTOMERS, kind="CONTACTS", dryRun=False)

    again = await _import(
        admin, house, "email,city,tags\nADA@example.com,Kraków,spring\n", kind="CONTACTS", dryRun=False
    )

    assert (again["created"], again["updated"]) == (0, 1)
    async with house.db.transaction() as session:
        ada = await session.scalar(select(Contact).where(Contact.name == "Ada Kowalska"))
        assert ada
        assert (ada.city, ada.tags, ada.locale) == ("Kraków", ["vip", "wholesale", "spring"], "pl")


async def test_who_writes_from_an_imported_address_is_that_customer(admin: Client, house: House) -> None:
    await _import(admin, house, CUSTOMERS, kind="CONTACTS", dryRun=False)

    async with house.db.transaction() as session:
        claim = Claim(IdentityKind.EMAIL, "ada@example.com", Proof.MAIL_AUTHENTICATED)
        person = await recognise(session, (claim,), name="Ada Kowalska", locale=None, linked=None, at=NOON)

    assert (person.contact.name, person.known) == ("Ada Kowalska", True)


async def test_an_address_of_one_and_a_number_of_another_is_refused(admin: Client, house: House) -> None:
    await _import(
        admin,
        house,
        "name,email,phone\nAda,ada@example.com,\nZofia,,+48600100200\n",
        kind="CONTACTS",
        dryRun=False,
    )

    shown = await _import(
        admin, house, "name,email,phone\nAda,ada@example.com,+48600100200\n", kind="CONTACTS", dryRun=False
    )

    assert [one["code"] for one in shown["problems"]] == ["IDENTITY_TAKEN"]


async def test_colleagues_come_along_with_their_teams_and_are_invited(admin: Client, house: House) -> None:
    async with house.db.transaction() as session:
        await save_team(session, None, "Zwroty")
        (await save_team(session, None, "Gone")).archived_at = NOON
    sheet = (
        "Nazwa,E-mail,Rola,Zespół,Języki,Umiejętności,Capacity\n"
        "Bo,bo@shop.example,manager,zwroty,pl;ca,Returns;Looms,12\n"
        "Nobody,no@shop.example,chief,,,,\n"
        "Somebody,some@shop.example,,Gone,,,\n"
        "Anybody,any@shop.example,,,,,a lot\n"
        "Everybody,all@shop.example,,,,,2000\n"
    )

    tried = await _import(admin, house, sheet, kind="AGENTS")
    shown = await _import(admin, house, sheet, kind="AGENTS", dryRun=False)

    assert (shown["created"], shown["refused"]) == (1, 4)
    assert [one["column"] for one in shown["problems"]] == ["role", "teams", "capacity", "capacity"]
    assert tried["problems"] == shown["problems"]
    async with house.db.transaction() as session:
        bo = (await session.scalars(select(Agent).where(Agent.email == "bo@shop.example"))).one()
        assert (bo.name, bo.role, bo.languages) == ("Bo", Role.MANAGER, ["ca", "pl"])
        assert (bo.skills, bo.capacity) == (["looms", "returns"], 12)
        assert await session.scalar(select(func.count()).select_from(SystemMail)) == 1


async def test_a_worker_that_dies_takes_no_row_twice(admin: Client, house: House, clean: Database) -> None:
    rows = "".join(f"Person {n},p{n}@example.com\n" for n in range(60))
    dying = 0

    async def dies(session: Any, line: Any, **about: Any) -> Any:
        nonlocal dying
        dying += 1
        if dying == 40:
            raise ConnectionResetError
        return await takes(house)[ImportKind.CONTACTS](session, line, **about)

    sent = await admin.http.post(
        "/files",
        params={"name": "x.csv"},
        content=("name,email\n" + rows).encode(),
        headers={"authorization": f"Bearer {admin.token}"},
    )
    await admin.do(START, kind="CONTACTS", fileId=sent.json()["id"], dryRun=False)
    importer = Importer(house.db, house.files, {ImportKind.CONTACTS: dies})
    async with house.db.transaction() as session:
        ((row, lease),) = await IMPORTS.claim(session, 1)
    with pytest.raises(ConnectionResetError):
        await importer.go_on(row, lease)
    async with house.db.transaction() as session:
        await lease.retry(session, after=0, error="cut")
    await worked_off(house, IMPORTS, importer.go_on)

    (shown,) = (await admin.ask(LOOK))["imports"]
    assert (shown["state"], shown["created"], shown["refused"]) == ("FINISHED", 60, 0)


async def test_only_an_admin_imports_and_only_their_own_file(
    admin: Client, mia: Client, house: House
) -> None:
    sent = await mia.http.post(
        "/files", params={"name": "x.csv"}, content=b"email\na@example.com\n",
        headers={"authorization": f"Bearer {mia.token}"},
    )  # fmt: skip

    bare = "mutation($input: ImportStartInput!) { importStart(input: $input) { userErrors { code } } }"
    by_mia = await mia.do(bare, kind="CONTACTS", fileId=sent.json()["id"])
    by_admin = await admin.do(START, kind="CONTACTS", fileId=sent.json()["id"])

    assert [error["code"] for error in by_mia["userErrors"]] == ["NOT_ALLOWED"]
    assert [error["code"] for error in by_admin["userErrors"]] == ["NOT_FOUND"]


async def test_a_file_that_has_not_come_whole_is_not_imported(admin: Client) -> None:
    begin = "mutation($input: FileUploadStartInput!) { fileUploadStart(input: $input) { upload { attachmentId } userErrors { code } } }"
    awaited = await admin.do(begin, name="customers.csv", mime="text/csv", bytes=30)

    started = await admin.do(START, kind="CONTACTS", fileId=awaited["upload"]["attachmentId"])

    assert [error["code"] for error in started["userErrors"]] == ["NOT_FOUND"]


async def test_what_somebody_wanted_to_import_stops_when_they_are_no_admin_any_more(
    admin: Client, house: House
) -> None:
    people = "email,name,role\nmallory@example.com,Mallory,admin\n"
    sent = await admin.http.post(
        "/files", params={"name": "people.csv"}, content=people,
        headers={"authorization": f"Bearer {admin.token}"},
    )  # fmt: skip
    await admin.do(START, kind="AGENTS", fileId=sent.json()["id"])

    async with house.db.transaction() as session:
        await session.execute(update(Agent).values(left_at=NOON))
    await worked_off(house, IMPORTS, Importer(house.db, house.files, takes(house)).go_on)

    async with house.db.transaction() as session:
        assert await session.scalar(select(func.count()).select_from(Agent)) == 1
        row = (await session.scalars(select(imports.Import))).one()
        assert (row.last_error, row.done) == ("NOT_ALLOWED", 0)
