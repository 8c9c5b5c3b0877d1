"""What is known of a contact: said by agents, kept in one spelling, told in codes."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from api.house import House
from domain.actors import SYSTEM
from domain.agents.staff import Team
from domain.arriving.inbound import CallStep
from domain.arriving.opening import open_ticket
from domain.customers.contacts import add_contact
from domain.desk.tickets import TicketStatus
from domain.events import Event, EventKind
from domain.ids import public_id, row_id
from domain.joining.merging import merge_contacts
from domain.sla import policies, reckoning
from domain.sla.hours import ALWAYS
from domain.sla.targets import Metric, Target
from domain.ways_in.channels import ChannelKind
from domain.webhook_payloads import payload_of
from tests.client import Client
from tests.factories import (
    NOON,
    a_call_step,
    a_channel,
    a_mail,
    a_messenger_message,
    a_promise,
    contacts,
    receive,
    tickets,
)
from tests.feed import cursor_of
from tests.statements import statements

PROFILE = """name locale timezone isVip tags city company { id name } fields { field { label kind } value }
  notes { id author text }"""
SAVE = f"mutation($input: ContactSaveInput!) {{ contactSave(input: $input) {{ contact {{ id {PROFILE} }} userErrors {{ code field message }} }} }}"
CONTACT = f"query($id: ID!) {{ contact(id: $id) {{ id {PROFILE} stats {{ tickets openTickets complaints messages calls firstSeenAt lastSeenAt }} }} }}"
FIELD = """mutation($input: ContactFieldSaveInput!) { contactFieldSave(input: $input) {
  contactField { id label kind options archived } userErrors { code field } } }"""
ARCHIVE = "mutation($input: ContactFieldArchiveInput!) { contactFieldArchive(input: $input) { contactField { archived } userErrors { code field } } }"
COMPANY = "mutation($input: CompanySaveInput!) { companySave(input: $input) { company { id name domains note } userErrors { code field } } }"
NOTE = "mutation($input: ContactNoteAddInput!) { contactNoteAdd(input: $input) { contact { notes { id author text } } userErrors { code field } } }"
UNNOTE = "mutation($input: ContactNoteDeleteInput!) { contactNoteDelete(input: $input) { contact { notes { text } } userErrors { code } } }"
LIST = """query($search: String, $first: Int! = 25, $after: String, $by: ContactOrder! = NEWEST) {
  contacts(search: $search, first: $first, after: $after, orderBy: $by) {
    edges { cursor node { id name } } pageInfo { hasNextPage hasPreviousPage endCursor } } }"""
LINK = "mutation($input: IdentityLinkInput!) { identityLink(input: $input) { userErrors { code } } }"


@pytest.fixture
async def ada(house: House, mia: Client) -> str:
    """Ada, who wrote a mail."""
    async with house.db.transaction() as session:
        mailbox = await a_channel(session, house.keys, ChannelKind.EMAIL)
        await receive(session, mailbox, a_mail("ada@example.org", sender_name="Ada Lovelace"))
        (contact,) = await contacts(session)
        return public_id("Contact", contact.id)


async def told(house: House, kind: EventKind = EventKind.CONTACT_CHANGED) -> list[dict[str, Any]]:
    async with house.db.transaction() as session:
        rows = await session.scalars(select(Event).where(Event.kind == kind).order_by(Event.seq))
        return [row.data for row in rows]


async def test_what_is_left_out_of_an_update_stays_and_null_takes_away(ben: Client, ada: str) -> None:
    first = await ben.do(
        SAVE, id=ada, locale="PL-pl", timezone="Europe/Warsaw", isVip=True, tags=[" VIP", "vip", "B2B "], city=" Łódź "
    )  # fmt: skip
    assert first["contact"] | {"company": None} == first["contact"]
    assert first["contact"]["locale"] == "pl-PL"
    assert first["contact"]["tags"] == ["vip", "b2b"]

    second = await ben.do(SAVE, id=ada, locale=None, name="Ada L.")

    known = second["contact"]
    assert (known["name"], known["locale"], known["timezone"]) == ("Ada L.", None, "Europe/Warsaw")
    assert (known["isVip"], known["tags"], known["city"]) == (True, ["vip", "b2b"], "Łódź")


async def test_a_contact_is_made_by_hand(house: House, ben: Client) -> None:
    made = (await ben.do(SAVE, name="Zofia  Nowak", isVip=True))["contact"]

    assert (made["name"], made["isVip"], made["tags"], made["fields"]) == ("Zofia Nowak", True, [], [])
    assert (await ben.refused(LINK, contactId=made["id"], channel="EMAIL", value="zofia@example.org")) == []
    assert await ben.refused(SAVE, isVip=True) == ["INVALID"]


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"name": " "}, ["name"]),
        ({"name": "x" * 201}, ["name"]),
        ({"locale": "klingonish"}, ["locale"]),
        ({"timezone": "Mars/Olympus"}, ["timezone"]),
        ({"tags": ["x" * 51]}, ["tags"]),
        ({"companyId": "bm90aGluZw"}, ["companyId"]),
        ({"fields": [{"fieldId": "bm90aGluZw", "value": "1"}]}, ["fields", "0", "fieldId"]),
    ],
)
async def test_what_makes_no_sense_is_refused_at_its_field(
    ben: Client, ada: str, given: dict[str, Any], field: list[str]
) -> None:
    (error,) = (await ben.do(SAVE, id=ada, **given))["userErrors"]

    assert error["field"] == field


async def test_an_event_names_what_changed_and_holds_none_of_it(house: House, ben: Client, ada: str) -> None:
    await ben.do(SAVE, id=ada, name="Ada Secret", city="Hidden", isVip=False)
    await ben.do(SAVE, id=ada, name="Ada Secret")
    await ben.do(NOTE, contactId=ada, text="Nobody may know.")

    assert await told(house) == [{"changed": ["city", "name"]}, {"changed": ["notes"]}]


async def test_two_agents_who_save_different_things_lose_nothing(ben: Client, mia: Client, ada: str) -> None:
    await asyncio.gather(
        *(ben.do(SAVE, id=ada, city=f"City {n}") for n in range(5)),
        *(mia.do(SAVE, id=ada, tags=[f"tag {n}"]) for n in range(5)),
    )

    known = (await ben.ask(CONTACT, id=ada))["contact"]
    assert known["city"].startswith("City ")
    assert known["tags"][0].startswith("tag ")


async def test_a_change_comes_by_the_feed_and_stands_in_the_history(
    house: House, ben: Client, ada: str
) -> None:
    since = await cursor_of(house, ben)
    await ben.do(SAVE, id=ada, city="London")
    query = """query($since: Cursor!) { changes(since: $since, topics: [CONTACTS]) { changes {
        ... on ContactChanged { contact { city } } } } }"""

    async with asyncio.timeout(30):
        while not (seen := (await ben.ask(query, since=since))["changes"]["changes"]):
            await asyncio.sleep(0.02)

    assert seen == [{"contact": {"city": "London"}}]
    told = await ben.ask(
        "query($id: ID!) { contact(id: $id) { timeline(kinds: [EVENT], first: 1) { edges { node { ... on SystemEvent { text } } } } } }",
        id=ada,
    )
    (edge,) = told["contact"]["timeline"]["edges"]
    assert edge["node"]["text"] == "Ben changed what is known of the customer."


async def test_a_language_brings_the_policy_for_who_speaks_it(house: House, mia: Client, ada: str) -> None:
    async with house.db.transaction() as session:
        targets = [Target(Metric.FIRST_REPLY, 3600)]
        await policies.set_default_policy(session, name="Default", hours=ALWAYS, targets=targets)
    policy = """mutation($input: PolicySaveInput!) { policySave(input: $input) { userErrors { message } } }"""
    (calendar,) = (await mia.ask("{ calendars { id } }"))["calendars"]
    await mia.do(
        policy,
        name="Polish",
        calendarId=calendar["id"],
        targets=[{"metric": "FIRST_REPLY", "seconds": 60}],
        conditions={"languages": ["pl"]},
    )

    await mia.do(SAVE, id=ada, locale="pl-PL")

    query = "query($id: ID!) { contact(id: $id) { openTickets { clocks { targetSeconds } } } }"
    (ticket,) = (await mia.ask(query, id=ada))["contact"]["openTickets"]
    assert ticket["clocks"] == [{"targetSeconds": 60}]


async def test_a_webhook_hears_what_changed_and_none_of_it(house: House, ben: Client, ada: str) -> None:
    await ben.do(SAVE, id=ada, city="Hidden", isVip=True)

    async with house.db.transaction() as session:
        happened = (await session.scalars(select(Event).where(Event.kind == EventKind.CONTACT_CHANGED))).one()
        body = payload_of(happened, None)

    assert body["data"]["changed"] == ["city", "isVip"]
    assert body["data"]["contactId"] == ada
    assert "Hidden" not in str(body)


async def test_a_field_takes_values_of_its_kind_and_says_where_one_is_not(
    house: House, admin: Client, ben: Client, ada: str
) -> None:
    asked = {
        "Size": ("CHOICE", ["M", "L"]),
        "Since": ("DATE", None),
        "Owes": ("NUMBER", None),
        "Paper": ("YES_NO", None),
    }
    ids = {
        label: (await admin.do(FIELD, label=label, kind=kind, options=options))["contactField"]["id"]
        for label, (kind, options) in asked.items()
    }

    good = {"Size": "L", "Since": "2024-02-29", "Owes": "+012.50", "Paper": "true"}
    saved = await ben.do(
        SAVE, id=ada, fields=[{"fieldId": ids[label], "value": value} for label, value in good.items()]
    )
    values = {one["field"]["label"]: one["value"] for one in saved["contact"]["fields"]}
    assert values == {**good, "Owes": "12.50"}
    assert (await told(house))[-1] == {
        "changed": ["fields"],
        "fields": sorted(str(row_id("ContactField", id)) for id in ids.values()),
    }

    for label, value in {"Size": "XL", "Since": "29.02.2024", "Owes": "12,50", "Paper": "maybe"}.items():
        given = [{"fieldId": ids["Size"], "value": "M"}, {"fieldId": ids[label], "value": value}]
        (error,) = (await ben.do(SAVE, id=ada, fields=given))["userErrors"]
        assert (error["code"], error["field"]) == ("INVALID", ["fields", "1", "value"])

    taken = await ben.do(SAVE, id=ada, fields=[{"fieldId": ids["Size"]}])
    assert {one["field"]["label"] for one in taken["contact"]["fields"]} == {"Since", "Owes", "Paper"}


async def test_an_archived_field_is_gone_until_it_comes_back(admin: Client, ben: Client, ada: str) -> None:
    id = (await admin.do(FIELD, label="Size", kind="TEXT"))["contactField"]["id"]
    await ben.do(SAVE, id=ada, fields=[{"fieldId": id, "value": "M"}])

    await admin.do(ARCHIVE, id=id)
    assert (await ben.ask(CONTACT, id=ada))["contact"]["fields"] == []
    assert await ben.refused(SAVE, id=ada, fields=[{"fieldId": id, "value": "L"}]) == ["NOT_FOUND"]
    again = (await admin.do(FIELD, label="Size", kind="NUMBER"))["contactField"]["id"]
    assert await admin.refused(ARCHIVE, id=id, archived=False) == ["INVALID"]
    await admin.do(ARCHIVE, id=again)
    await admin.do(ARCHIVE, id=id, archived=False)

    assert [one["value"] for one in (await ben.ask(CONTACT, id=ada))["contact"]["fields"]] == ["M"]


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"label": "Size"}, ["kind"]),
        ({"label": " ", "kind": "TEXT"}, ["label"]),
        ({"kind": "TEXT"}, ["label"]),
        ({"label": "Taken", "kind": "TEXT"}, ["label"]),
        ({"label": "Size", "kind": "CHOICE"}, ["options"]),
        ({"label": "Size", "kind": "TEXT", "options": ["M"]}, ["options"]),
    ],
)
async def test_a_field_is_defined_in_full(admin: Client, given: dict[str, Any], field: list[str]) -> None:
    taken = await admin.do(FIELD, label="Taken", kind="DATE")

    (error,) = (await admin.do(FIELD, **given))["userErrors"]

    assert error["field"] == field
    (error,) = (await admin.do(FIELD, id=taken["contactField"]["id"], kind="TEXT"))["userErrors"]
    assert error["field"] == ["kind"]


async def test_a_note_is_deleted_by_who_wrote_it_or_who_manages(
    house: House, ben: Client, eve: Client, mia: Client, ada: str
) -> None:
    notes = (await ben.do(NOTE, contactId=ada, text=" Calls back. "))["contact"]["notes"]
    await ben.do(NOTE, contactId=ada, text="Second")
    assert [(note["author"], note["text"]) for note in notes] == [("Ben", "Calls back.")]

    assert await eve.refused(UNNOTE, id=notes[0]["id"]) == ["NOT_ALLOWED"]
    assert (await mia.do(UNNOTE, id=notes[0]["id"]))["contact"]["notes"] == [{"text": "Second"}]
    assert await mia.refused(UNNOTE, id=notes[0]["id"]) == ["NOT_FOUND"]
    assert await ben.refused(NOTE, contactId=ada, text=" ") == ["INVALID"]
    assert await told(house) == [{"changed": ["notes"]}] * 3, "whoever looks at the contact sees it go"


async def test_several_contacts_belong_to_a_company(house: House, ben: Client, ada: str) -> None:
    firm = (await ben.do(COMPANY, name="Acme", domains=["ACME.example", "acme.example."]))["company"]
    assert firm["domains"] == ["acme.example"]
    others = [
        (await ben.do(SAVE, name=f"Clerk {n}", companyId=firm["id"]))["contact"]["id"] for n in range(3)
    ]
    await ben.do(SAVE, id=ada, companyId=firm["id"])
    query = """query($after: String, $id: ID!) { node(id: $id) { ... on Company { name contacts(first: 3, after: $after) {
        edges { node { name } } pageInfo { hasNextPage endCursor } } } } }"""

    page = (await ben.ask(query, id=firm["id"]))["node"]["contacts"]
    rest = (await ben.ask(query, id=firm["id"], after=page["pageInfo"]["endCursor"]))["node"]["contacts"]

    names = [edge["node"]["name"] for edge in [*page["edges"], *rest["edges"]]]
    assert names == ["Ada Lovelace", "Clerk 0", "Clerk 1", "Clerk 2"]
    assert not rest["pageInfo"]["hasNextPage"]
    left = await ben.do(SAVE, id=others[0], companyId=None)
    assert left["contact"]["company"] is None
    assert await told(house, EventKind.COMPANY_CHANGED) == [
        {"company": str(row_id("Company", firm["id"])), "changed": ["domains", "name"]}
    ]
    assert await ben.refused(COMPANY, note="Nameless") == ["INVALID"]
    assert await ben.refused(COMPANY, id=firm["id"], domains=["nonsense"]) == ["INVALID"]


async def test_companies_are_listed_by_name_and_found(ben: Client) -> None:
    for name in ("Żabka", "acme", "Beta Tools", "100%"):
        await ben.do(COMPANY, name=name, domains=[f"{name.split()[0].strip('%')}.example"])
    query = """query($search: String, $after: String) { companies(search: $search, first: 2, after: $after) {
        edges { node { name } } pageInfo { endCursor hasNextPage } } }"""

    async def names(**asked: Any) -> list[str]:
        return [edge["node"]["name"] for edge in (await ben.ask(query, **asked))["companies"]["edges"]]

    first = await ben.ask(query)
    rest = await names(after=first["companies"]["pageInfo"]["endCursor"])
    assert [edge["node"]["name"] for edge in first["companies"]["edges"]] + rest == [
        "100%",
        "acme",
        "Beta Tools",
        "Żabka",
    ]
    assert await names(search="tools BETA") == ["Beta Tools"]
    assert await names(search="acme.example") == ["acme"]
    assert await names(search="@Żabka.example") == ["Żabka"]
    assert await names(search="%") == ["100%"]


async def test_contacts_are_found_by_name_address_and_number(house: House, ben: Client, ada: str) -> None:
    await ben.do(LINK, contactId=ada, channel="PHONE", value="+48 600 100 200")
    await ben.do(LINK, contactId=ada, channel="EMAIL", value="ada@bücher.example")
    async with house.db.transaction() as session:
        add_contact(session, name="Adam", locale=None, by=SYSTEM, at=NOON)

    async def found(search: str) -> list[str]:
        page = await ben.ask(LIST, search=search, by="NAME")
        return [edge["node"]["name"] for edge in page["contacts"]["edges"]]

    assert await found("ada") == ["Ada Lovelace", "Adam"]
    assert await found("lovelace ADA") == ["Ada Lovelace"]
    assert await found("Ada@Example.org") == ["Ada Lovelace"]
    assert await found("600 100-2") == ["Ada Lovelace"]
    assert await found("Ada@Bücher.example") == await found("xn--bcher") == ["Ada Lovelace"]
    assert await found("%") == await found("_") == await found("nobody") == []
    assert await found("  ") == ["Ada Lovelace", "Adam"]


@pytest.mark.parametrize("by", ["NEWEST", "NAME"])
async def test_the_list_pages_without_gaps_and_shows_what_one_sees(
    house: House, ben: Client, mia: Client, ada: str, by: str
) -> None:
    async with house.db.transaction() as session:
        team = Team(name="Returns")
        session.add(team)
        await session.flush()
        hidden = add_contact(session, name="Hidden", locale=None, by=SYSTEM, at=NOON)
        await session.flush()
        open_ticket(session, hidden, subject="Theirs", by=SYSTEM, at=NOON, team_id=team.id)
        for name in ("Zofia", "zofia", "Żaneta", "", "", "x" * 300):
            add_contact(session, name=name, locale=None, by=SYSTEM, at=NOON)

    async def walk(client: Client, size: int) -> list[Any]:
        seen: list[Any] = []
        after = None
        while True:
            page = (await client.ask(LIST, first=size, after=after, by=by))["contacts"]
            seen += page["edges"]
            assert page["pageInfo"]["hasPreviousPage"] == (after is not None)
            after = page["pageInfo"]["endCursor"]
            if not page["pageInfo"]["hasNextPage"]:
                return seen

    for client, count in ((mia, 8), (ben, 7)):
        whole = await walk(client, 100)
        assert len(whole) == count
        for size in (1, 2, 3):
            assert await walk(client, size) == whole


@pytest.mark.parametrize("cursor", ["x", "AAAA", "MC4x", "LjA"])
@pytest.mark.parametrize("by", ["NEWEST", "NAME"])
async def test_a_cursor_of_something_else_is_refused(ben: Client, cursor: str, by: str) -> None:
    (error,) = await ben.errors(LIST, after=cursor, by=by)

    assert error["extensions"]["code"] == "INVALID"


async def test_figures_count_what_one_sees_and_all_that_became_the_contact(
    house: House, mia: Client, ben: Client, ada: str
) -> None:
    async with house.db.transaction() as session:
        await a_promise(session)
        page = await a_channel(session, house.keys, ChannelKind.MESSENGER)
        line = await a_channel(session, house.keys, ChannelKind.PHONE)
        await receive(session, page, a_messenger_message("p1", "It is Ada", at=NOON + timedelta(days=1)))
        await receive(session, line, a_call_step("1", CallStep.RINGING, at=NOON + timedelta(days=2)))
        first, second, third = await tickets(session)
        team = Team(name="Returns")
        session.add(team)
        await session.flush()
        third.team_id = team.id
        first.change(by=SYSTEM, at=NOON, status=TicketStatus.CLOSED)
        for merged in (second.contact_id, third.contact_id):
            contact = next(one for one in await contacts(session) if one.id == merged)
            contact.canonical_id = first.contact_id

    query = CONTACT
    everything = (await mia.ask(query, id=ada))["contact"]["stats"]
    bens = (await ben.ask(query, id=ada))["contact"]["stats"]

    assert everything == {
        "tickets": 3,
        "openTickets": 2,
        "complaints": 0,
        "messages": 2,
        "calls": 1,
        "firstSeenAt": NOON.isoformat(),
        "lastSeenAt": (NOON + timedelta(days=2)).isoformat(),
    }
    assert (bens["tickets"], bens["openTickets"], bens["calls"]) == (2, 1, 0)
    assert bens["lastSeenAt"] == (NOON + timedelta(days=1)).isoformat()


async def test_a_complaint_is_a_ticket_whose_solution_is_promised_in_days(
    house: House, mia: Client, ada: str
) -> None:
    async with house.db.transaction() as session:
        targets = [Target(Metric.RESOLUTION, days=14), Target(Metric.FIRST_REPLY, 60)]
        await policies.set_default_policy(session, name="Default", hours=ALWAYS, targets=targets)
        for ticket in await tickets(session):
            await reckoning.reckon(session, ticket, by=SYSTEM, at=NOON)

    assert (await mia.ask(CONTACT, id=ada))["contact"]["stats"]["complaints"] == 1


async def test_a_list_asks_no_more_statements_than_one_contact(house: House, mia: Client, ada: str) -> None:
    query = f"query($first: Int!) {{ contacts(first: $first) {{ edges {{ node {{ {PROFILE} stats {{ tickets messages }} identities {{ label }} openTickets {{ number }} }} }} }} }}"
    async with house.db.transaction() as session:
        for number in range(8):
            one = add_contact(session, name=f"{number}", locale=None, by=SYSTEM, at=NOON)
            await session.flush()
            open_ticket(session, one, subject="Hello", by=SYSTEM, at=NOON)

    counts = []
    for first in (1, 9):
        with statements(house.db) as said:
            edges = (await mia.ask(query, first=first))["contacts"]["edges"]
        assert len(edges) == first
        counts.append(len(said))

    assert 0 < counts[0] == counts[1]


async def test_a_merged_contact_shows_the_survivors_profile_and_all_notes(
    house: House, ben: Client, ada: str
) -> None:
    other = (await ben.do(SAVE, name="A. Lovelace", city="Paris"))["contact"]["id"]
    await ben.do(NOTE, contactId=other, text="Hers too")
    await ben.do(SAVE, id=ada, city="London")
    async with house.db.transaction() as session:
        survivor, merged = await contacts(session)
        await merge_contacts(session, survivor, [merged], by=SYSTEM, at=NOON)

    known = (await ben.ask(CONTACT, id=other))["contact"]
    assert (known["id"], known["city"], [note["text"] for note in known["notes"]]) == (
        ada,
        "London",
        ["Hers too"],
    )
    assert (await ben.do(SAVE, id=other, isVip=True))["contact"]["id"] == ada
    listed = (await ben.ask(LIST, search="A. Lovelace"))["contacts"]["edges"]
    assert [edge["node"]["id"] for edge in listed] == [ada]
