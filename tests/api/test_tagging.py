"""The tags of tickets, listed, renamed and removed by an admin."""

import uuid
from typing import Any

import pytest
from sqlalchemy import select, update

from api.house import House
from domain.actors import SYSTEM
from domain.agents.staff import Team, TeamMember
from domain.arriving.opening import open_ticket
from domain.assigning import policies
from domain.assigning.policies import SkillRule, Terms
from domain.audit import AuditEntry, AuditKind
from domain.customers.contacts import add_contact
from domain.db import database_time, new_id
from domain.desk.tickets import Ticket, TicketStatus
from domain.events import Event, EventKind
from domain.finding.views import View
from domain.ids import public_id, row_id
from domain.joining import merging, undoing
from domain.macros.macros import Macro
from domain.sla.policies import Conditions, Policy, policies_in_order, save_policy
from domain.tagging import renaming
from domain.tagging.changes import TAG_CHANGES
from domain.tagging.tags import Tag
from domain.webhooks import Webhook, add_webhook
from domain.working import bulk
from domain.working.edits import Edit
from tests.client import Client
from tests.factories import NOON, a_promise
from tests.papers import shown
from tests.two_teams import TwoTeams

TAGS = """query($search: String, $first: Int!, $after: String) { tags(search: $search, first: $first, after: $after) {
  edges { node { name openTickets } } pageInfo { hasNextPage endCursor } } }"""
FOUND = "query($asked: String) { tickets(filter: {query: $asked}) { totalCount } }"
CHANGE = "tagChange { id tag into state total done } userErrors { code field message }"
RENAME = f"mutation($input: TagRenameInput!) {{ tagRename(input: $input) {{ {CHANGE} }} }}"
REMOVE = f"mutation($input: TagRemoveInput!) {{ tagRemove(input: $input) {{ {CHANGE} }} }}"
BULK = "mutation($input: BulkChangeInput!) { bulkChange(input: $input) { bulkChange { id } } }"
BULK_UNDO = "mutation($input: BulkUndoInput!) { bulkUndo(input: $input) { userErrors { code } } }"
CHANGES = "{ tagChanges { tag into state total done finishedAt } }"
MACRO = "mutation($input: MacroSaveInput!) { macroSave(input: $input) { userErrors { code } } }"
VIEW = "mutation($input: ViewSaveInput!) { viewSave(input: $input) { userErrors { code } } }"


@pytest.fixture
async def tagged(house: House, ben: Client, eve: Client) -> None:
    """Three mugs and a plate in Ben's team, of which one mug is solved; a secret in Eve's; a bowl of no team."""
    async with house.db.transaction() as session:
        await a_promise(session)
        ada = add_contact(session, name="Ada", locale=None, by=SYSTEM, at=NOON)
        ids: dict[str | None, uuid.UUID] = {}
        for of, member in (("Support", ben), ("Returns", eve)):
            team = Team(id=new_id(), name=of)
            session.add(team)
            await session.flush()
            ids[of] = team.id
            session.add(TeamMember(team_id=team.id, agent_id=row_id("Agent", member.agent_id)))
        await session.flush()
        for name, tags, status in (
            ("Support", ["mug"], None),
            ("Support", ["mug", "Plate"], None),
            ("Support", ["mug"], TicketStatus.SOLVED),
            ("Returns", ["secret", "mug"], None),
            (None, ["bowl"], None),
        ):
            ticket = open_ticket(session, ada, subject="Pots", by=SYSTEM, at=NOON, team_id=ids.get(name))
            await session.flush()
            ticket.change(by=SYSTEM, at=NOON, add_tags=tags, status=status)


async def works(house: House) -> None:
    """As the worker does."""
    for _ in range(10):
        async with house.db.transaction() as session:
            claimed = await TAG_CHANGES.claim(session, 1)
        for change, lease in claimed:
            await renaming.go_on(house.db, change, lease)


async def listed(client: Client, **asked: Any) -> dict[str, int]:
    page = (await client.ask(TAGS, **{"first": 50, **asked}))["tags"]
    return {edge["node"]["name"]: edge["node"]["openTickets"] for edge in page["edges"]}


@pytest.mark.usefixtures("tagged")
async def test_each_sees_the_tags_of_their_teams_and_each_number_is_that_of_its_list(
    ben: Client, eve: Client, mia: Client
) -> None:
    assert await listed(ben) == {"bowl": 1, "mug": 2, "plate": 1}
    assert await listed(eve) == {"bowl": 1, "mug": 1, "secret": 1}
    assert await listed(mia) == {"bowl": 1, "mug": 3, "plate": 1, "secret": 1}
    assert await listed(mia, search="LA") == {"plate": 1}

    for name, number in (await listed(ben)).items():
        found = await ben.ask(FOUND, asked=f"tag:{name} is:open")
        assert found["tickets"]["totalCount"] == number
    page = (await mia.ask(TAGS, first=3))["tags"]
    assert page["pageInfo"]["hasNextPage"]
    assert await listed(mia, after=page["pageInfo"]["endCursor"]) == {"secret": 1}


@pytest.mark.usefixtures("tagged")
async def test_a_tag_is_renamed_on_all_tickets_and_in_all_that_names_it(
    house: House, admin: Client, ben: Client
) -> None:
    await _named_everywhere(house, admin, ben)
    async with house.db.transaction() as session:
        before = {one.id: one.updated_at for one in await session.scalars(select(Ticket))}

    begun = await admin.do(RENAME, tag=" MUG", into="Cup")

    assert (begun["tagChange"]["state"], begun["userErrors"]) == ("RUNNING", [])
    assert await admin.refused(REMOVE, tag="plate") == ["TAGS_CHANGING"]
    again = await admin.do(RENAME, tag="mug", into="cup")
    assert again["tagChange"]["id"] == begun["tagChange"]["id"]
    assert await _rules(house) == {
        "policy": ["mug", "cup"],
        "team": ["mug", "cup"],
        "macro": [{"add_tags": ["cup"]}, {"remove_tags": ["mug", "cup", "plate"]}],
        "view": "is:open -tag:mug,cup",
        "webhook": "tag:mug,cup",
    }

    await works(house)

    (told,) = (await admin.ask(CHANGES))["tagChanges"]
    assert (told["state"], told["total"], told["done"]) == ("FINISHED", 4, 4)
    assert await _rules(house) == {
        "policy": ["cup"],
        "team": ["cup"],
        "macro": [{"add_tags": ["cup"]}, {"remove_tags": ["cup", "plate"]}],
        "view": "is:open -tag:cup",
        "webhook": "tag:cup",
    }
    assert await listed(admin) == {"bowl": 1, "cup": 3, "plate": 1, "secret": 1}
    async with house.db.transaction() as session:
        assert {one.id: one.updated_at for one in await session.scalars(select(Ticket))} == before
        changed = select(Event).where(
            Event.kind == EventKind.TICKET_CHANGED, Event.data.has_key("all_tickets")
        )
        assert {str(one.actor_id) for one in await session.scalars(changed)} == {
            str(row_id("Agent", admin.agent_id))
        }
        renamed = AuditEntry.kind == AuditKind.TAG_RENAMED
        audited = select(AuditEntry.agent_id).where(renamed)
        assert list(await session.scalars(audited)) == [row_id("Agent", admin.agent_id)] * 2


@pytest.mark.usefixtures("tagged")
async def test_a_tag_that_becomes_another_joins_it_and_is_promised_what_that_one_is(
    house: House, admin: Client
) -> None:
    async with house.db.transaction() as session:
        ((default, calendar), *_) = await policies_in_order(session)
        cups = await save_policy(
            session,
            None,
            name="Cups",
            calendar_id=calendar.id,
            conditions=Conditions(tags=("mug",)),
            targets=(),
        )
        assert default.id != cups.id

    await admin.do(RENAME, tag="plate", into="mug")
    await works(house)

    assert await listed(admin) == {"bowl": 1, "mug": 3, "secret": 1}
    async with house.db.transaction() as session:
        both = [tags for tags in await session.scalars(select(Ticket.tags)) if "mug" in tags]
        assert sorted(both) == [["mug"], ["mug"], ["mug"], ["secret", "mug"]]


@pytest.mark.usefixtures("tagged")
async def test_a_tag_that_shared_rules_name_is_not_removed_and_says_which(
    house: House, admin: Client, ben: Client
) -> None:
    async with house.db.transaction() as session:
        await add_webhook_for(house, session, "tag:mug")
    await ben.do(VIEW, name="My plates", query="tag:plate")

    refused = await admin.do(REMOVE, tag="mug")
    assert [one["code"] for one in refused["userErrors"]] == ["TAG_IN_USE"]
    assert "https://example.org/hook" in refused["userErrors"][0]["message"]
    assert await admin.refused(REMOVE, tag="vase") == ["NOT_FOUND"]
    await admin.do(REMOVE, tag="plate")
    await works(house)

    assert await listed(admin) == {"bowl": 1, "mug": 3, "secret": 1}
    assert [
        one["extensions"]["code"]
        for one in await ben.errors(REMOVE, input={"tag": "bowl", "clientMutationId": "b"})
    ] == ["NOT_ALLOWED"]


@pytest.mark.usefixtures("tagged")
async def test_what_makes_a_ticket_a_complaint_keeps_its_name(house: House, admin: Client) -> None:
    async with house.db.transaction() as session:
        ticket = (await session.scalars(select(Ticket).order_by(Ticket.number))).first()
        assert ticket
        ticket.change(by=SYSTEM, at=NOON, add_tags=["reklamacja"])

    assert await admin.refused(RENAME, tag="reklamacja", into="claim") == ["TAG_FIXED"]
    assert await admin.refused(RENAME, tag="mug", into="Reklamacja") == ["TAG_FIXED"]
    assert await admin.refused(REMOVE, tag="reklamacja") == ["TAG_FIXED"]
    assert await admin.refused(RENAME, tag="mug", into="MUG ") == ["INVALID"]
    assert await admin.refused(RENAME, tag="mug", into=" ") == ["INVALID"]


@pytest.mark.usefixtures("tagged")
async def test_a_merge_taken_back_after_a_renaming_gives_each_its_tags_by_their_new_name(
    house: House, admin: Client
) -> None:
    async with house.db.transaction() as session:
        one, other, *_ = (await session.scalars(select(Ticket).order_by(Ticket.number))).all()
        now = await database_time(session)
        move = await merging.merge_tickets(session, one, [other], by=SYSTEM, at=now)

    await admin.do(RENAME, tag="mug", into="cup")
    await works(house)
    async with house.db.transaction() as session:
        await undoing.undo(session, move.id, by=SYSTEM, at=now)

    async with house.db.transaction() as session:
        first, second, *_ = (await session.scalars(select(Ticket.tags).order_by(Ticket.number))).all()
        assert (first, second) == (["cup"], ["cup", "plate"])
        assert not (await session.scalars(select(Tag).where(Tag.name == "mug"))).all()


@pytest.mark.parametrize(
    ("mutation", "asked", "back"), [(RENAME, {"into": "cup"}, ["cup"]), (REMOVE, {}, [])]
)
async def test_what_was_taken_off_before_a_renaming_comes_back_by_its_new_name(
    house: House, admin: Client, tagged: None, mutation: str, asked: dict[str, str], back: list[str]
) -> None:
    async with house.db.transaction() as session:
        ids = (await session.scalars(select(Ticket.id).order_by(Ticket.number).limit(1))).all()
    begun = await admin.do(BULK, ids=[public_id("Ticket", id) for id in ids], removeTags=["mug"])
    await bulks_work(house)

    await admin.do(mutation, tag="mug", **asked)
    await works(house)
    await admin.do(BULK_UNDO, id=begun["bulkChange"]["id"])
    await bulks_work(house)

    async with house.db.transaction() as session:
        assert (await session.get_one(Ticket, ids[0])).tags == back
        assert not (await session.scalars(select(Tag).where(Tag.name == "mug"))).all()


async def bulks_work(house: House) -> None:
    async with house.db.transaction() as session:
        for edit in await session.scalars(select(Edit).where(Edit.due_at.is_not(None))):
            await bulk.step(session, edit.id)
            edit.due_at = None


async def add_webhook_for(house: House, session: Any, filter: str) -> None:
    await add_webhook(
        session, house.keys, url="https://example.org/hook", description="", kinds=[], filter=filter, at=NOON
    )


async def _named_everywhere(house: House, admin: Client, ben: Client) -> None:
    async with house.db.transaction() as session:
        ((_, calendar), *_) = await policies_in_order(session)
        await save_policy(
            session,
            None,
            name="Mugs",
            calendar_id=calendar.id,
            conditions=Conditions(tags=("Mug",)),
            targets=(),
        )
        team = (await session.scalars(select(Team).where(Team.name == "Support"))).one()
        await policies.save(session, team, Terms(skills=(SkillRule("pottery", ("mug",)),)))
        await add_webhook_for(house, session, "tag:mug")
    actions = [{"addTags": ["mug", "cup"]}, {"removeTags": ["MUG", "plate"]}]
    await admin.do(MACRO, name="Mugs", actions=actions, visibility="EVERYONE")
    await ben.do(VIEW, name="No mugs", query="is:open -tag:Mug")


async def _rules(house: House) -> dict[str, Any]:
    async with house.db.transaction() as session:
        policy = (await session.scalars(select(Policy).where(Policy.name == "Mugs"))).one()
        team = (await session.scalars(select(policies.AssignmentPolicy))).one()
        macro = (await session.scalars(select(Macro).where(Macro.name == "Mugs"))).one()
        view = (await session.scalars(select(View).where(View.name == "No mugs"))).one()
        webhook = (await session.scalars(select(Webhook))).one()
        return {
            "policy": policy.conditions["tags"],
            "team": team.terms["skills"][0]["tags"],
            "macro": macro.actions,
            "view": view.query,
            "webhook": webhook.filter,
        }


async def test_what_the_page_says_to_paste_can_be_pasted(house: House, two_teams: TwoTeams) -> None:
    async with house.db.transaction() as session:
        await session.execute(update(Ticket).values(tags=["loom"]))

    for one in shown("tags.md"):
        answer = await two_teams.admin.ask(one.document, **(one.variables or {}))
        (said,) = answer.values()
        assert not isinstance(said, dict) or not said.get("userErrors"), (one.name, said)
        await works(house)

    assert await listed(two_teams.admin) == {}
