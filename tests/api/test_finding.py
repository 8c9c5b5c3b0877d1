"""Finding through the API: the inbox by a query and in an order, views, search, and the filter of a webhook."""

import json
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete, select, update

from api.house import House
from domain.actors import SYSTEM
from domain.agents.staff import Agent, Team
from domain.arriving.opening import open_ticket
from domain.audit import AuditEntry, AuditKind
from domain.customers.contacts import add_contact
from domain.db import new_id
from domain.desk.tickets import NEVER, Ticket
from domain.events import Event, EventKind
from domain.finding import indexing
from domain.finding.entries import SearchEntry
from domain.finding.furnishing import furnish
from domain.finding.views import STANDARD, View
from domain.languages import translate
from domain.ways_in.channels import ChannelKind
from domain.webhooks import Post, tell
from tests.client import Client
from tests.factories import NOON, a_channel, a_mail, a_promise, receive
from tests.feed import all_told
from tests.papers import shown
from tests.statements import statements

INBOX = """query($filter: TicketFilter, $orderBy: TicketOrder, $first: Int = 25, $after: String) {
  tickets(filter: $filter, orderBy: $orderBy, first: $first, after: $after) {
    totalCount edges { node { number subject unreadCount } } pageInfo { hasNextPage endCursor } } }"""
VIEWS = "{ views { id name count breached shared query orderBy shortcut } }"
SAVE = """mutation($input: ViewSaveInput!) { viewSave(input: $input) {
  view { id name query count shared } userErrors { code field message word { start end word nearest } } } }"""
DELETE = "mutation($input: ViewInput!) { viewDelete(input: $input) { ok userErrors { code } } }"
SEARCH = "query($text: String!) { search(text: $text) { kind id title snippet marks { start end } channel at ticketId } }"
HOOK = """mutation($input: WebhookSaveInput!) { webhookSave(input: $input) {
  webhook { id filter } userErrors { code field word { word } } } }"""


@pytest.fixture
async def shop(house: House) -> None:
    """Ada's boots, late, and Zofia's mug: both in the index."""
    async with house.db.transaction() as session:
        await furnish(session)
        await a_promise(session, 60)
        mailbox = await a_channel(session, house.keys, ChannelKind.EMAIL)
        for name, about, text in (("ada", "Boots", "My boots leak"), ("zofia", "Mug", "Kubek jest pęknięty")):
            await receive(session, mailbox, a_mail(f"{name}@example.org", text, subject=about))
        await indexing.begin(session)
        while await indexing.fill(session):
            pass


async def numbers(client: Client, **asked: Any) -> list[str]:
    return [edge["node"]["subject"] for edge in (await client.ask(INBOX, **asked))["tickets"]["edges"]]


async def test_the_inbox_takes_a_query_and_a_view_and_names_the_wrong_word(
    house: House, shop: None, ben: Client
) -> None:
    unanswered = next(view for view in (await ben.ask(VIEWS))["views"] if view["query"] == "is:unread")

    by_query = await numbers(ben, filter={"query": "is:open kubki"})
    by_view = await numbers(ben, filter={"viewId": unanswered["id"], "query": "-kubki"})
    by_names = await numbers(
        ben, filter={"clockStates": ["BREACHED"], "hasComplaint": False, "channels": ["EMAIL"]}
    )
    async with house.db.transaction() as session:
        await session.execute(update(Agent).values(locale="pl"))
    (error,) = await ben.errors(INBOX, filter={"query": "is:open asignee:me"})

    assert (by_query, by_view, sorted(by_names)) == (["Mug"], ["Boots"], ["Boots", "Mug"])
    pointed = {"start": 8, "end": 18, "word": "asignee:", "nearest": "assignee:"}
    assert error["extensions"] == {"code": "QUERY_UNKNOWN_TERM", "field": ["filter", "query"], **pointed}
    assert error["message"].startswith("Nie ma warunku asignee:")


async def test_pages_by_due_time_neither_skip_nor_repeat_and_end_with_what_nothing_is_promised(
    house: House, ben: Client
) -> None:
    async with house.db.transaction() as session:
        ada = add_contact(session, name="Ada", locale=None, by=SYSTEM, at=NOON)
        await session.flush()
        due = [NOON, NOON, NOON - timedelta(hours=1), NEVER, NOON + timedelta(hours=1), NEVER, NEVER]
        for place, at in enumerate(due):
            ticket = open_ticket(
                session, ada, subject=str(place), by=SYSTEM, at=NOON + timedelta(minutes=place)
            )
            await session.flush()
            ticket.due_at = at

    read, after = [], None
    while True:
        page = (await ben.ask(INBOX, orderBy="DUE", first=2, after=after))["tickets"]
        read += [edge["node"]["subject"] for edge in page["edges"]]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break

    assert read == ["2", "0", "1", "4", "3", "5", "6"]
    assert await numbers(ben, orderBy="CREATED", first=2) == ["6", "5"]


async def test_a_ticket_is_found_by_what_an_agent_calls_it_and_no_more_by_what_it_was_called(
    house: House, shop: None, ben: Client
) -> None:
    of_mug = '{ tickets(filter: {query: "mug"}) { edges { node { id } } } }'
    rename = "mutation($input: TicketUpdateInput!) { ticketUpdate(input: $input) { userErrors { code } } }"
    (edge,) = (await ben.ask(of_mug))["tickets"]["edges"]

    await ben.do(rename, ids=[edge["node"]["id"]], subject="Teapot")
    await all_told(house)
    async with house.db.transaction() as session:
        while await indexing.step(session):
            pass

    assert await numbers(ben, filter={"query": "teapots"}) == ["Teapot"]
    assert await numbers(ben, filter={"query": "mug"}) == []


ORDERS = ("DUE", "UPDATED", "CREATED")


async def test_a_cursor_is_good_for_its_list_and_order_only(house: House, ben: Client) -> None:
    async with house.db.transaction() as session:
        mailbox = await a_channel(session, house.keys, ChannelKind.EMAIL)
        for name in ("ada", "zofia"):
            await receive(session, mailbox, a_mail(f"{name}@example.org"))
    cursors = {
        order: (await ben.ask(INBOX, orderBy=order, first=1))["tickets"]["pageInfo"]["endCursor"]
        for order in ORDERS
    }
    newest = "{ contacts(first: 1, orderBy: NEWEST) { pageInfo { endCursor } } }"
    cursors["NEWEST"] = (await ben.ask(newest))["contacts"]["pageInfo"]["endCursor"]

    for order in ORDERS:
        for of, cursor in cursors.items():
            if of == order:
                assert len((await ben.ask(INBOX, orderBy=order, after=cursor))["tickets"]["edges"]) == 1
            else:
                (error,) = await ben.errors(INBOX, orderBy=order, after=cursor)
                assert error["extensions"]["code"] == "INVALID"


async def test_everybody_counts_what_they_see_in_one_statement_for_all_views(
    house: House, shop: None, ben: Client, mia: Client
) -> None:
    async with house.db.transaction() as session:
        support = Team(id=new_id(), name="Support")
        session.add(support)
        await session.flush()
        await session.execute(update(Ticket).where(Ticket.subject == "Boots").values(team_id=support.id))
    await ben.do(SAVE, name="Cups", query="kubek")

    with statements(house.db) as sent:
        bens = {view["query"]: (view["count"], view["breached"]) for view in (await ben.ask(VIEWS))["views"]}
    mias = {view["query"]: (view["count"], view["breached"]) for view in (await mia.ask(VIEWS))["views"]}

    assert bens["is:open"] == (1, 1)
    assert mias["is:open"] == (2, 2)
    assert (bens["kubek"], "kubek" in mias) == ((1, 1), False)
    assert len([one for one in sent if "count(*)" in one]) == 2, "of what is unsettled, and of what is not"
    assert len(sent) <= 8


async def test_a_view_that_every_shop_begins_with_is_called_in_the_readers_language_until_it_is_renamed(
    house: House, shop: None, mia: Client
) -> None:
    mine = (await mia.ask(VIEWS))["views"][0]
    async with house.db.transaction() as session:
        await session.execute(update(Agent).values(locale="ca"))

    there = (await mia.ask(VIEWS))["views"]
    renamed = await mia.do(SAVE, id=mine["id"], name="For me")
    async with house.db.transaction() as session:
        await session.execute(update(View).where(View.query == "is:spam").values(query="gone:by"))
        await furnish(session)

    assert mine["name"] == "Mine"
    assert [view["name"] for view in there] == [translate("ca", name) for name, _, _ in STANDARD.values()]
    assert renamed["view"]["name"] == "For me"
    again = (await mia.ask(VIEWS))["views"]
    assert len(again) == len(STANDARD)
    assert [view["count"] for view in again if view["query"] == "gone:by"] == [None]


async def test_the_shops_views_are_for_who_manages_and_ones_own_for_oneself(
    house: House, shop: None, ben: Client, mia: Client
) -> None:
    shared = (await mia.do(SAVE, name="Boots", query="boots", shared=True))["view"]
    own = (await ben.do(SAVE, name="Cups", query="kubek"))["view"]

    assert await ben.refused(SAVE, name="All", query="", shared=True) == ["NOT_ALLOWED"]
    assert await ben.refused(SAVE, id=shared["id"], query="mug") == ["NOT_ALLOWED"]
    assert await ben.refused(SAVE, id=own["id"], shared=True) == ["NOT_ALLOWED"]
    assert await ben.refused(DELETE, id=shared["id"]) == ["NOT_ALLOWED"]
    assert await mia.refused(SAVE, id=own["id"], name="Mugs") == ["NOT_FOUND"]
    assert await mia.refused(DELETE, id=own["id"]) == ["NOT_FOUND"]
    assert await ben.refused(SAVE, name=" ", query="") == ["INVALID"]
    (wrong,) = (await ben.do(SAVE, name="Cups", query="is:opne"))["userErrors"]
    assert (wrong["code"], wrong["field"]) == ("QUERY_UNKNOWN_VALUE", ["query"])
    assert wrong["word"] == {"start": 3, "end": 7, "word": "opne", "nearest": "open"}

    assert (await mia.do(DELETE, id=shared["id"]))["ok"]
    assert (await ben.do(DELETE, id=own["id"]))["ok"]
    async with house.db.transaction() as session:
        told = (AuditKind.VIEW_SAVED, AuditKind.VIEW_DELETED)
        rows = await session.scalars(
            select(AuditEntry.kind).where(AuditEntry.kind.in_(told)).order_by(AuditEntry.seq)
        )
        assert list(rows) == list(told), "one's own is one's own business"


async def test_search_shows_where_in_few_statements(house: House, shop: None, ben: Client) -> None:
    with statements(house.db) as sent:
        hits = (await ben.ask(SEARCH, text="bo"))["search"]

    assert [(hit["kind"], hit["title"].split(" ", 1)[1], hit["channel"]) for hit in hits] == [
        ("TICKET", "Boots", None), ("MESSAGE", "Boots", "EMAIL"),
    ]  # fmt: skip
    assert [[hit["snippet"][mark["start"] : mark["end"]] for mark in hit["marks"]] for hit in hits] == [
        ["Boots"],
        ["boots"],
    ]
    assert {hit["ticketId"] for hit in hits} == {hits[0]["id"]}
    assert len(sent) <= 6
    person, *said = (await ben.ask(SEARCH, text="zofia@exam"))["search"]
    assert (person["kind"], person["title"], person["ticketId"]) == ("CONTACT", "zofia@example.org", None)
    assert [hit["kind"] for hit in said] == ["MESSAGE"], "which she wrote"
    assert [hit["kind"] for hit in (await ben.ask(SEARCH, text="kubek is:open"))["search"]] == ["MESSAGE"]
    assert (await ben.ask(SEARCH, text=""))["search"] == []
    (error,) = await ben.errors(SEARCH, text='"bo')
    assert (error["extensions"]["code"], error["extensions"]["start"]) == ("QUERY_QUOTE_OPEN", 0)


@pytest.mark.parametrize("word", ["priority:>99999999999", "csat:<=3000000000", "number:999999999999999"])
async def test_a_number_that_no_ticket_has_finds_none_and_breaks_no_view(
    shop: None, ben: Client, word: str
) -> None:
    assert (await ben.do(SAVE, name="Odd", query=word))["userErrors"] == []

    found = await ben.ask(
        "query($word: String) { tickets(filter: {query: $word}) { totalCount } }", word=word
    )
    views = (await ben.ask(VIEWS))["views"]

    assert found["tickets"]["totalCount"] == 0
    assert [one["count"] for one in views if one["name"] == "Odd"] == [0]


async def test_a_webhook_hears_of_tickets_that_meet_its_filter(
    house: House, shop: None, admin: Client
) -> None:
    save = {"url": "https://example.org/hook", "events": ["MESSAGE_RECEIVED"]}
    filtered = (await admin.do(HOOK, **save, filter="kubki -tag:spam"))["webhook"]
    await admin.do(HOOK, **save)
    (wrong,) = (await admin.do(HOOK, **save, filter="is:open assignee:me"))["userErrors"]

    async with house.db.transaction() as session:
        await session.execute(delete(SearchEntry))  # as if the index had not come so far
        for event in await session.scalars(select(Event).where(Event.kind == EventKind.MESSAGE_RECEIVED)):
            await tell(session, event)
        posts = [post.payload["data"]["ticketId"] for post in await session.scalars(select(Post))]

    assert (wrong["code"], wrong["field"], wrong["word"]) == (
        "QUERY_NOBODY_IS_ME",
        ["filter"],
        {"word": "me"},
    )
    assert filtered["filter"] == "kubki -tag:spam"
    assert sorted(map(posts.count, set(posts))) == [1, 2]


async def test_the_page_says_what_can_be_sent(house: House, shop: None, admin: Client) -> None:
    view_id = ""

    for one in shown("finding.md"):
        variables = json.loads(json.dumps(one.variables or {}).replace("VIEW_ID", view_id))
        answer = await admin.ask(one.document, **variables)
        (payload,) = answer.values()
        assert isinstance(payload, list) or payload.get("userErrors", []) == [], (one.name, answer)
        if one.name == "SaveView":
            view_id = payload["view"]["id"]

    assert view_id
