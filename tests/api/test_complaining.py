"""Complaints through the door, and the case on paper."""

import hashlib
import re
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest
from babel.dates import format_date
from sqlalchemy import func, select, update

from api.house import House
from domain.agents.staff import Team
from domain.complaints.complaints import Complaint
from domain.complaints.stalling import WHEEL, fire_stalled
from domain.db import new_id
from domain.desk.messages import Attachment, DeliveryState, Item, ItemKind, Message
from domain.desk.tickets import Ticket
from domain.ids import row_id
from domain.sla.policies import default_hours
from domain.sla.templates import Template
from domain.ways_in.channels import ChannelKind
from tests.browser import browsing, in_a_browser
from tests.client import Client
from tests.complaining import under_the_law
from tests.factories import a_channel, a_mail, receive
from tests.feed import all_told, cursor_of
from tests.reading import a_token

OPEN = """mutation($input: ComplaintOpenInput!) { complaintOpen(input: $input) {
  complaint { id number template stage dueAt legalDueAt promisedAt ownerName channel following } userErrors { code field } } }"""
CREATE = """mutation($input: TicketCreateInput!) { ticketCreate(input: $input) {
  ticket { number status tags complaint { number template legalDueAt ownerName history { note } } } userErrors { code field } } }"""
UPDATE = """mutation($input: ComplaintUpdateInput!) { complaintUpdate(input: $input) {
  complaint { nextStep nextStepAt ownerName } userErrors { code field } } }"""
ADVANCE = """mutation($input: ComplaintAdvanceInput!) { complaintAdvance(input: $input) {
  complaint { stage outcome remedy amount { amount currency } decision history { stage actor note outcome } }
  userErrors { code field message } } }"""
ALERTS = "{ alerts { kind level ticket { id } } }"
LIST = "{ complaints { number stage isStalled ticket { number contact { name } } } }"
NARROWED = """query($open: Boolean! = true, $stages: [ComplaintStage!], $mine: Boolean, $stalled: Boolean) {
  complaints(open: $open, stages: $stages, mine: $mine, stalled: $stalled) { number } }"""
FILE = """query($id: ID!, $notes: Boolean!, $language: String) {
  ticket(id: $id) { complaint { file(language: $language, notes: $notes) } } }"""
TICKET = "mutation($input: TicketUpdateInput!) { ticketUpdate(input: $input) { userErrors { code field } } }"
SAVE_TEMPLATE = """mutation($input: TaskTemplateSaveInput!) { taskTemplateSave(input: $input) {
  template { id } userErrors { code field } } }"""
APPLY = """mutation($input: TaskTemplateApplyInput!) { taskTemplateApply(input: $input) {
  tasks { title dueAt assignee { name } } userErrors { code } } }"""

TASKS = "{ tasks { id title dueAt } }"
SAVE_TASK = "mutation($input: TaskSaveInput!) { taskSave(input: $input) { userErrors { code } } }"
CHANGES = """query($since: Cursor!) { changes(since: $since) { changes { ... on TaskChanged { task { title } } } } }"""

EVIL = "<script>alert('x')</script> <img src=https://evil.example/p.png> & <b>bold</b>"


def soon(days: float) -> str:
    return (datetime.now(UTC) + timedelta(days=days)).isoformat()


@pytest.fixture
async def ticket_id(house: House, ben: Client) -> str:
    async with house.db.transaction() as session:
        await under_the_law(session, Template.COMPLAINT_PL, Template.COMPLAINT_ES)
        mailbox = await a_channel(session, house.keys, ChannelKind.EMAIL)
        at = datetime.now(UTC) - timedelta(hours=2)
        await receive(session, mailbox, a_mail("ada@example.org", EVIL, sender_name="Ada <i>", at=at))
    (edge,) = (await ben.ask("{ tickets { edges { node { id } } } }"))["tickets"]["edges"]
    id: str = edge["node"]["id"]
    return id


@pytest.fixture
async def complaint_id(ben: Client, ticket_id: str) -> str:
    opened = await ben.do(OPEN, ticketId=ticket_id, template="COMPLAINT_PL", note="By phone, too")
    id: str = opened["complaint"]["id"]
    return id


async def test_a_complaint_is_opened_decided_and_told(ben: Client, ticket_id: str, complaint_id: str) -> None:
    next_at = soon(5)
    updated = await ben.do(
        UPDATE, id=complaint_id, nextStep="Ask the maker", nextStepAt=next_at, ownerId=None
    )
    refused = await ben.refused(ADVANCE, id=complaint_id, stage="REMEDIED")
    money = {"amount": "129.90", "currency": "pln"}
    decided = await ben.do(
        ADVANCE, id=complaint_id, stage="DECIDED", note="Told by mail", outcome="ACCEPTED", remedy="REFUND",
        amount=money, decision="The kettle leaks: the price is paid back.",
    )  # fmt: skip

    assert updated["complaint"]["nextStep"] == "Ask the maker"
    assert updated["complaint"]["ownerName"] is None
    assert refused == ["NOT_FROM_THIS_STAGE"]
    complaint = decided["complaint"]
    assert (complaint["stage"], complaint["amount"]) == ("DECIDED", {"amount": "129.90", "currency": "PLN"})
    assert [(step["stage"], step["actor"]) for step in complaint["history"]] == [
        ("RECEIVED", "Ben"),
        ("RECEIVED", "Ben"),
        ("DECIDED", "Ben"),
    ]
    assert complaint["history"][-1]["note"] == "The kettle leaks: the price is paid back.\n\nTold by mail"


async def test_who_complains_on_the_phone_gets_a_ticket_that_is_a_complaint_at_once(
    ben: Client, mia: Client, ticket_id: str
) -> None:
    contact = "query($id: ID!) { ticket(id: $id) { contact { id } } }"
    ada = (await ben.ask(contact, id=ticket_id))["ticket"]["contact"]["id"]
    once = {"contactId": ada, "subject": "The kettle leaks", "clientMutationId": "kettle"}
    terms = {"template": "COMPLAINT_PL", "note": "By phone"}

    made = await ben.do(CREATE, **once, assigneeId=mia.agent_id, complaint=terms)
    again = await ben.do(CREATE, **once, assigneeId=mia.agent_id, complaint=terms)
    no_law = await ben.do(CREATE, contactId=ada, subject="Tea", complaint={"template": "SHOP"})
    which = await ben.do(CREATE, contactId=ada, subject="Tea", complaint={})

    opened = made["ticket"]["complaint"]
    assert (opened["template"], opened["ownerName"], opened["history"][0]["note"]) == (
        "COMPLAINT_PL", "Mia", "By phone",
    )  # fmt: skip
    assert opened["legalDueAt"]
    assert made["ticket"]["tags"] == ["reklamacja"]
    assert made["ticket"]["status"] == "OPEN"
    assert again["ticket"]["number"] == made["ticket"]["number"] == opened["number"]
    assert no_law["userErrors"] == [{"code": "INVALID", "field": ["complaint", "template"]}]
    assert which["userErrors"] == [{"code": "INVALID", "field": ["complaint", "promisedAt"]}]
    inbox = (await ben.ask("{ tickets { edges { node { id } } } }"))["tickets"]["edges"]
    assert len(inbox) == 2, "nothing is left of what was refused"


async def test_the_list_shows_what_is_open_and_a_ticket_its_complaint(
    ben: Client, ticket_id: str, complaint_id: str
) -> None:
    listed = (await ben.ask(LIST))["complaints"]
    asked = "query($id: ID!) { ticket(id: $id) { tags complaint { number dueAt legalDueAt template } tasks { title } } }"
    ticket = (await ben.ask(asked, id=ticket_id))["ticket"]

    assert [(one["stage"], one["isStalled"]) for one in listed] == [("RECEIVED", False)]
    assert ticket["complaint"]["number"] == listed[0]["ticket"]["number"]
    assert ticket["complaint"]["dueAt"] == ticket["complaint"]["legalDueAt"]
    assert len(ticket["tasks"]) == 3


async def test_the_list_is_narrowed_to_stages_to_ones_own_and_to_what_stalls_or_to_all_others(
    house: House, admin: Client, ben: Client, mia: Client, anybody: Client, ticket_id: str, complaint_id: str
) -> None:
    anybody.token = await a_token(admin)
    (number,) = [one["number"] for one in (await ben.ask(LIST))["complaints"]]

    async def listed(who: Client, **asked: Any) -> list[int]:
        return [one["number"] for one in (await who.ask(NARROWED, **asked))["complaints"]]

    assert await listed(ben, stages=["RECEIVED", "DECIDED"]) == await listed(ben, stages=[]) == [number]
    assert await listed(ben, stages=["DECIDED"]) == []
    await ben.do(UPDATE, id=complaint_id, ownerId=None)
    assert await listed(anybody, mine=True) == []
    await ben.do(UPDATE, id=complaint_id, ownerId=ben.agent_id)
    assert await listed(ben, mine=True) == await listed(mia, mine=False) == [number]
    assert await listed(ben, mine=False) == await listed(mia, mine=True) == []
    assert await listed(anybody, mine=False) == [number]

    assert (await listed(ben, stalled=True), await listed(ben, stalled=False)) == ([], [number])
    async with house.db.transaction() as session:
        assert await fire_stalled(session, at=datetime.now(UTC) + timedelta(days=30)) == 1
    assert (await listed(ben, stalled=True), await listed(ben, stalled=False)) == ([number], [])
    await ben.do(ADVANCE, id=complaint_id, stage="CLOSED", outcome="WITHDRAWN")
    assert await listed(ben, open=False, stalled=False) == [number]
    assert await listed(ben, open=False, stalled=True) == []


async def test_a_ticket_that_waits_for_a_decision_is_not_solved(
    ben: Client, ticket_id: str, complaint_id: str
) -> None:
    assert await ben.refused(TICKET, ids=[ticket_id], status="SOLVED") == ["COMPLAINT_UNDECIDED"]


async def test_who_owns_a_complaint_is_told_before_the_shops_own_promise_is_broken(
    house: House, ben: Client, mia: Client, ticket_id: str
) -> None:
    promised = datetime.now(UTC) + timedelta(days=8)
    opened = await ben.do(OPEN, ticketId=ticket_id, template="COMPLAINT_PL", promisedAt=promised.isoformat())

    async def warned() -> list[Any]:
        for does in WHEEL.does:
            async with house.db.transaction() as session:
                await does(session)
        return list((await mia.ask(ALERTS))["alerts"])

    assert await warned() == []
    async with house.db.transaction() as session:
        await session.execute(
            update(Complaint).where(Complaint.warns_at < promised).values(warns_at=func.now())
        )
    assert await warned() == [{"kind": "COMPLAINT_DUE", "level": 0, "ticket": {"id": ticket_id}}]
    assert await ben.refused(ADVANCE, id=opened["complaint"]["id"], stage="DECIDED", outcome="ACCEPTED") == []
    assert await warned() == []


async def test_what_a_complaint_makes_is_the_shops_to_say(mia: Client, ben: Client, ticket_id: str) -> None:
    own = [{"title": "Write to Ada", "amount": 1, "whose": "MANAGER"}]
    saved = await mia.do(SAVE_TEMPLATE, name="Ours", tasks=own, onComplaint=True)

    await ben.do(OPEN, ticketId=ticket_id, template="COMPLAINT_ES", promisedAt=soon(3))
    again = await ben.do(APPLY, id=saved["template"]["id"], ticketId=ticket_id)

    tasks = (await ben.ask("{ tasks { title assignee { name } } }"))["tasks"]
    assert tasks == [{"title": "Write to Ada", "assignee": {"name": "Mia"}}]
    assert again == {"tasks": [], "userErrors": []}


async def test_the_deciding_tasks_follow_what_the_shop_promises_anew_unless_somebody_has_moved_them(
    house: House, mia: Client, ben: Client, ticket_id: str
) -> None:
    days: dict[str, Any] = {"whose": "OWNER", "unit": "DAYS"}
    own = [days | {"title": title, "amount": 2, "anchor": "DECISION"} for title in ("Look", "Decide", "Call")]
    own.append(days | {"title": "Confirm", "amount": 1})
    await mia.do(SAVE_TEMPLATE, name="Ours", tasks=own, onComplaint=True)
    opened = await ben.do(OPEN, ticketId=ticket_id, template="COMPLAINT_PL", promisedAt=soon(13))
    before = {task["title"]: task for task in (await ben.ask(TASKS))["tasks"]}
    moved = soon(4)
    assert await ben.refused(SAVE_TASK, id=before["Look"]["id"], dueAt=moved) == []
    assert await ben.refused(SAVE_TASK, id=before["Call"]["id"], done=True) == []
    since, promised = await cursor_of(house, ben), soon(5)

    assert await ben.refused(UPDATE, id=opened["complaint"]["id"], promisedAt=promised) == []

    after = {task["title"]: task for task in (await ben.ask(TASKS))["tasks"]}
    assert {title for title in after if after[title] != before[title]} == {"Look", "Decide"}
    assert datetime.fromisoformat(after["Look"]["dueAt"]) == datetime.fromisoformat(moved)
    first, second = (datetime.fromisoformat(tasks["Decide"]["dueAt"]) for tasks in (before, after))
    assert second < datetime.fromisoformat(promised) < first
    await all_told(house)
    told = (await ben.ask(CHANGES, since=since))["changes"]["changes"]
    assert [change["task"] for change in told if change] == [{"title": "Decide"}]


async def test_a_task_of_a_template_is_due_after_hours_of_opening_and_is_whose_the_template_says(
    house: House, mia: Client, ben: Client, ticket_id: str
) -> None:
    call = {"title": "Call", "amount": 8, "whose": "AGENT", "agentId": ben.agent_id}
    tidy = {"title": "Tidy", "amount": 0, "whose": "NOBODY"}
    tasks = [one | {"unit": "OPEN_HOURS"} for one in (tidy, call)]
    saved = await mia.do(SAVE_TEMPLATE, name="Ours", tasks=tasks, onComplaint=False)

    applied = await ben.do(APPLY, id=saved["template"]["id"], ticketId=ticket_id)

    async with house.db.transaction() as session:
        hours = await default_hours(session)
    due = {task["title"]: datetime.fromisoformat(task["dueAt"]) for task in applied["tasks"]}
    assert hours
    assert due["Call"] == hours.add(due["Tidy"], 8 * 3600)
    assert {task["title"]: task["assignee"] for task in applied["tasks"]} == {
        "Tidy": None, "Call": {"name": "Ben"},
    }  # fmt: skip


async def case(
    ben: Client, ticket_id: str, *, notes: bool = False, language: str = "pl"
) -> tuple[str, httpx.Response]:
    asked = await ben.ask(FILE, id=ticket_id, notes=notes, language=language)
    link = asked["ticket"]["complaint"]["file"]
    path = re.sub("^https?://[^/]+", "", link)
    return path, await ben.http.get(path)


async def test_the_case_file_says_all_of_it_and_runs_nothing_that_a_customer_wrote(
    house: House, ben: Client, ticket_id: str, complaint_id: str
) -> None:
    note = "mutation($input: NoteAddInput!) { noteAdd(input: $input) { userErrors { code } } }"
    await ben.do(note, ticketId=ticket_id, text="She is right.")
    await ben.do(UPDATE, id=complaint_id, nextStep="Ask the maker")
    async with house.db.transaction() as session:
        item = (await session.scalars(select(Item.id).where(Item.kind == ItemKind.MESSAGE))).one()
        file = await house.files.put(b"a photo of the kettle")
        session.add(Attachment(item_id=item, name="<kettle>.png", mime="image/png", bytes=21, file=file))

    _, shown = await case(ben, ticket_id)
    _, with_notes = await case(ben, ticket_id, notes=True)

    assert shown.status_code == 200
    assert shown.text.count("<td>przyjęta</td>") == 1, "what the shop plans is no stage"
    assert "<script" not in shown.text
    assert "<img" not in shown.text
    assert "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;" in shown.text
    assert "&lt;kettle&gt;.png" in shown.text
    assert hashlib.sha256(b"a photo of the kettle").hexdigest() in shown.text
    assert 'lang="pl"' in shown.text
    assert ("She is right." in shown.text, "She is right." in with_notes.text) == (False, True)
    policy = shown.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "sandbox" in policy
    assert "unsafe" not in policy


@pytest.mark.parametrize(
    ("language", "said"),
    [("en", "To be decided by"), ("pl", "Termin decyzji"), ("es", "Plazo para decidir"), ("ca", "Termini per decidir")],
)  # fmt: skip
async def test_the_case_file_names_the_last_day_of_the_law_as_one_on_which_it_may_be_decided(
    ben: Client, ticket_id: str, complaint_id: str, language: str, said: str
) -> None:
    due = "query($id: ID!) { ticket(id: $id) { complaint { legalDueAt } } }"
    due_at = datetime.fromisoformat((await ben.ask(due, id=ticket_id))["ticket"]["complaint"]["legalDueAt"])

    _, shown = await case(ben, ticket_id, language=language)

    last_day = (due_at - timedelta(seconds=1)).astimezone(ZoneInfo("Europe/Warsaw")).date()
    day = format_date(last_day, "d MMM y", locale=language)
    assert f'<th>{said}</th><td class="words">{day}</td>' in shown.text


async def test_the_case_file_shows_as_told_to_the_customer_what_reached_the_customer(
    house: House, ben: Client, ticket_id: str, complaint_id: str
) -> None:
    asked = """query($id: ID!) { ticket(id: $id) { seq replyChannels { id }
      timeline(first: 9, kinds: [MESSAGE]) { edges { node { ... on Message { id } } } } } }"""
    send = "mutation($input: MessageSendInput!) { messageSend(input: $input) { message { id } userErrors { code } } }"
    forward = """mutation($input: MessageForwardInput!) { messageForward(input: $input) {
      message { id } userErrors { code } } }"""
    ticket = (await ben.ask(asked, id=ticket_id))["ticket"]
    came, identity = ticket["timeline"]["edges"][0]["node"]["id"], ticket["replyChannels"][0]["id"]
    answer = {"ticketId": ticket_id, "identityId": identity, "force": True, "lastSeenSeq": ticket["seq"]}
    for words in ("We pay it back.", "Never said.", "Lost on the way."):
        sent = await ben.do(send, text=words, **answer)
        state = {"Never said.": DeliveryState.UNDONE, "Lost on the way.": DeliveryState.FAILED}.get(words)
        async with house.db.transaction() as session:
            message = await session.get_one(Message, row_id("Message", sent["message"]["id"]))
            message.delivery, message.due_at = state or DeliveryState.SENT, None
    await ben.do(forward, id=came, to=["maker@example.com"], text="Is it the seal?")

    _, shown = await case(ben, ticket_id)
    _, with_notes = await case(ben, ticket_id, notes=True)

    for file, has_aside in ((shown, False), (with_notes, True)):
        articles = {
            words: re.search(rf"<article[^>]*>(?:(?!</article>).)*{re.escape(words)}", file.text, re.DOTALL)
            for words in ("We pay it back.", "Never said.", "Lost on the way.", "Is it the seal?")
        }
        heads = {words: found.group() for words, found in articles.items() if found}
        assert "do klienta" in heads["We pay it back."]
        assert "nie dotarła" in heads["Lost on the way."]
        assert "Never said." not in heads
        assert ("Is it the seal?" in heads) == has_aside
    assert "do klienta" not in heads["Is it the seal?"]


@in_a_browser
async def test_a_case_is_read_in_the_direction_of_who_wrote_and_stays_on_the_sheet(
    house: House, ben: Client, ticket_id: str, complaint_id: str, browser: str
) -> None:
    async with house.db.transaction() as session:
        letter = {"author": "דוד לוי", "text": "איפה ההזמנה שלי 1042?"}
        await session.execute(update(Item).where(Item.kind == ItemKind.MESSAGE).values(letter))
        await session.execute(update(Ticket).values(subject="m" * 200))
    path, _ = await case(ben, ticket_id)

    async with browsing(browser) as page:
        await page.go(f"{ben.address}{path}")
        await page.until("!!document.querySelector('article .words')")
        day, question, wide = await page.value(DRAWN)

    assert day > 0, "the date begins where the name ends"
    assert question < 1, "the question mark stands at the left end"
    assert wide == 0


@in_a_browser
async def test_a_case_is_read_on_a_phone(
    ben: Client, ticket_id: str, complaint_id: str, browser: str
) -> None:
    path, _ = await case(ben, ticket_id)

    async with browsing(browser) as page:
        await page.go(f"{ben.address}{path}")
        await page.until("!!document.querySelector('article .words')")
        wide = await page.value("document.documentElement.scrollWidth")

    assert wide == 390


DRAWN = r"""(() => {
  const box = (node, from, to) => {
    const range = new Range();
    range.setStart(node, from);
    range.setEnd(node, to);
    return range.getBoundingClientRect();
  };
  const name = document.querySelector("article.in header b");
  const rest = name.nextSibling;
  const day = rest.data.search(/\d/);
  const words = document.querySelector("article.in .words").firstChild;
  const end = words.data.indexOf("?");
  return [
    box(rest, day, day + 1).left - name.getBoundingClientRect().right,
    box(words, end, end + 1).right - box(words, 0, end).left,
    document.documentElement.scrollWidth - innerWidth,
  ];
})()"""


async def test_a_link_is_for_who_asked_for_what_was_asked_and_dies_with_the_permission(
    house: House, ben: Client, eve: Client, ticket_id: str, complaint_id: str
) -> None:
    path, shown = await case(ben, ticket_id)
    assert shown.status_code == 200

    tampered = [
        path.replace("n=0", "n=1"),
        re.sub(r"u=\d+", "u=9999999999", path),
        re.sub(r"a=[^&]+", "a=01890000-0000-7000-8000-000000000000", path),
    ]
    assert [(await ben.http.get(one)).status_code for one in tampered] == [404, 404, 404]

    async with house.db.transaction() as session:
        team = Team(id=new_id(), name="Returns")
        session.add(team)
        await session.flush()
        await session.execute(update(Ticket).values(team_id=team.id))
    assert (await ben.http.get(path)).status_code == 404
    assert (await eve.ask(LIST))["complaints"] == []


async def test_what_was_not_asked_well_is_refused_by_name(
    ben: Client, ticket_id: str, complaint_id: str
) -> None:
    def decide(**values: Any) -> dict[str, Any]:
        return {"id": complaint_id, "stage": "DECIDED", **values}

    assert await ben.refused(OPEN, ticketId=ticket_id) == ["ALREADY_COMPLAINT"]
    assert await ben.refused(ADVANCE, **decide()) == ["INVALID"]
    assert await ben.refused(ADVANCE, **decide(outcome="DEEMED_ACCEPTED")) == ["INVALID"]
    for amount in ("1.999", "NaN", "1e30", "-1", "twelve"):
        money = {"amount": amount, "currency": "EUR"}
        assert await ben.refused(ADVANCE, **decide(outcome="ACCEPTED", amount=money)) == ["INVALID"]
    assert await ben.refused(UPDATE, id=complaint_id, nextStepAt=soon(1)) == ["INVALID"]
    assert await ben.refused(UPDATE, id=complaint_id, promisedAt=soon(90)) == ["INVALID"]
