"""A word planted wherever Support's texts are kept is found by nobody of Returns, whatever they ask."""

import asyncio
import json
import re
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from unittest.mock import patch

import pytest
from graphql import (
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    get_named_type,
    is_composite_type,
    is_required_argument,
)
from sqlalchemy import Table, Text, delete, func, literal, select, update
from sqlalchemy.dialects.postgresql import JSONB

from api import limits
from api.desk.files import PURPOSE
from api.house import House
from api.permissions import RULES
from api.schema import schema
from domain.actors import Role
from domain.agents.sign_in import SignIn
from domain.agents.system_mail import SystemMail
from domain.alerting.alerts import Alert, AlertNote
from domain.alerting.devices import Device
from domain.alerting.ladders import Way
from domain.alerting.notices import Delivery, Notice
from domain.arriving.inbound import Arrival
from domain.complaints.complaints import Complaint, ComplaintStep
from domain.customers.companies import Company
from domain.customers.contact_notes import ContactNote
from domain.customers.contacts import Contact, Identity
from domain.db import Base
from domain.desk.messages import Attachment, Item
from domain.desk.tasks import Task
from domain.desk.threads import Thread
from domain.desk.tickets import Ticket
from domain.events import Event
from domain.fields import CustomField, FieldSubject
from domain.ids import row_id, typed
from domain.macros.macros import Macro
from domain.privacy.erasure import Erasure
from domain.privacy.exports import ContactExport
from domain.webhooks import Post, tell
from domain.working.drafts import Draft
from domain.working.edits import EditedTicket
from notifications.alerting import tell_next
from notifications.dispatch import dispatch
from tests.api.test_permissions import MUTATIONS, Asking, Principal, _mutation
from tests.client import Client
from tests.two_teams import TwoTeams

GRAPHQL = schema._schema
START = "MC4xLjE"
"""0.1.1: of the first epoch, the first transaction there is."""
LEVELS = pytest.mark.parametrize("levels", [2, pytest.param(4, marks=pytest.mark.slow)])
"""How deep below each field it is asked."""
TURNS = 24
"""As many as an interface has members, and more."""
MEMBERS = 4
"""Of a union."""
MUCH = 10**9
YEAR = f'{{ from: "{datetime.now(UTC) - timedelta(days=365):%Y-%m-%d}T00:00:00Z", to: "{datetime.now(UTC):%Y-%m-%d}T00:00:00Z" }}'

KEPT: list[type[Base]] = [
    Ticket, Item, Attachment, Thread, Contact, ContactNote, Company, Identity, Task, Arrival, Delivery, Device, SignIn, AlertNote,
    Erasure, ContactExport, Draft, EditedTicket, Macro, Complaint, ComplaintStep,
]  # fmt: skip
LISTS = {"tags", "domains", "cc", "bcc", "files", "kept"}
WORK_FOR_FILES = {("attachment", "file"), ("contact_export", "file")}
"""The key of stored bytes: it would not be found any more."""
RECKONED = {
    ("erasure", "emptied"),
    ("item", "steps"),
    ("item", "ringing"),
    ("item", "handled_by"),
    ("macro", "channels"),
    ("macro", "actions"),
    ("task", "repeats"),
}
"""What is reckoned with: it has to be what it is."""


async def _plant(house: House) -> None:
    """Every text column, and every JSON, of what belongs to Support says where it stands."""
    async with house.db.transaction() as session:
        fields = {field.subject: str(field.id) for field in await session.scalars(select(CustomField))}
        for model in KEPT:
            table = cast(Table, model.__table__)
            values: dict[str, Any] = {}
            for column in table.columns:
                word = f"canary:{table.name}.{column.name}"
                if (table.name, column.name) in WORK_FOR_FILES | RECKONED:
                    continue
                if isinstance(column.type, Text):
                    values[column.name] = func.concat(word, literal(" "), table.c.id)
                elif isinstance(column.type, JSONB):
                    field_id = fields[FieldSubject.TICKET if model is Ticket else FieldSubject.CONTACT]
                    values[column.name] = {field_id: word, "said": word}
                    if column.name in LISTS:
                        values[column.name] = [word]
                elif column.name == "raw":
                    values[column.name] = word.encode()
            owner = "agent_id" if "agent_id" in table.c and model in (Device, SignIn) else None
            theirs = table.c[owner] == await _ben(session) if owner else True
            await session.execute(update(table).where(theirs).values(values))  # type: ignore[arg-type]


async def _ben(session: Any) -> uuid.UUID:
    from domain.agents.staff import Agent

    return uuid.UUID(str(await session.scalar(select(Agent.id).where(Agent.name == "Ben"))))


def _selection(type: Any, turn: int, role: Role, levels: int, above: tuple[str, ...] = ()) -> str:
    """Everything below a field; of a union or an interface, one member at each turn. Without fields for which the role is
    refused all of an answer that it gets otherwise."""
    members = [type] if isinstance(type, GraphQLObjectType) else GRAPHQL.get_possible_types(type)
    member = members[turn % len(members)]
    said = ["__typename"]
    for name, field in member.fields.items():
        own = RULES.get(f"{member.name}.{name}")
        if own and not own.roles[role]:
            continue
        below = get_named_type(field.type)
        if not is_composite_type(below):
            said.append(name)
        elif levels and below.name not in above:
            selection = _selection(below, turn, role, levels - 1, (*above, member.name))
            said.append(f"{name}{_arguments(field, {})} {{ {selection} }}")
    all_of_it = " ".join(said)
    return all_of_it if member is type else f"... on {member.name} {{ {all_of_it} }}"


def _arguments(field: GraphQLField, ids: dict[str, str]) -> str:
    given = dict(ids) | ({"first": "5"} if "first" in field.args else {})
    return f"({', '.join(f'{name}: {value}' for name, value in given.items())})" if given else ""


def _questions(ids: dict[str, str], role: Role, levels: int) -> Iterator[str]:
    """Every query, with each of the foreign ids wherever an id can be said."""
    quoted = {name: json.dumps(id) for name, id in ids.items()}
    for root in (GRAPHQL.query_type, GRAPHQL.subscription_type):
        assert isinstance(root, GraphQLObjectType)
        kind = "subscription" if root is GRAPHQL.subscription_type else "query"
        for name, field in root.fields.items():
            for arguments in _ways(field, quoted):
                type = get_named_type(field.type)
                called = f"{name}{_arguments(field, arguments)}"
                if not is_composite_type(type):
                    yield f"{kind} {{ {called} }}"
                    continue
                misses = "id" in arguments and name != "node" and _type_of(arguments["id"]) != type.name
                yield from dict.fromkeys(
                    f"{kind} {{ {called} {{ {selection} }} }}"
                    for selection in (
                        _of_one_node(arguments["id"], role, levels)
                        if name == "node"
                        else (_selection(type, turn, role, levels) for turn in range(1 if misses else TURNS))
                    )
                )


def _of_one_node(id: str, role: Role, levels: int) -> Iterator[str]:
    """Nothing but what the id is of can come."""
    named = _type_of(id)
    for turn in range(MEMBERS if _is_node(named) else 0):
        yield f"... on {named} {{ {_selection(GRAPHQL.get_type(named), turn, role, levels)} }}"


def _is_node(named: str) -> bool:
    member = cast(GraphQLObjectType, GRAPHQL.get_type(named))
    return GRAPHQL.is_sub_type(cast(GraphQLInterfaceType, GRAPHQL.get_type("Node")), member)


def _type_of(quoted: str) -> str:
    named, _ = typed(json.loads(quoted)) or ("", None)
    return named


def _ways(field: GraphQLField, quoted: dict[str, str]) -> list[dict[str, str]]:
    found, names = list(_said(field, quoted)), set(field.args)
    if "filter" in names and "contactId" in _fields_of(field.args["filter"]):
        found.append({"filter": f"{{ contactId: {quoted['Contact']} }}"})
    if "alertId" in names:
        found.append({"alertId": quoted["Alert"]})
    if "states" in names:
        states = cast(GraphQLEnumType, get_named_type(field.args["states"].type)).values
        found += [way | {"states": f"[{', '.join(states)}]"} for way in found]
    return found


def _fields_of(argument: GraphQLArgument) -> set[str]:
    return set(cast(GraphQLInputObjectType, get_named_type(argument.type)).fields)


def _said(field: GraphQLField, quoted: dict[str, str]) -> Iterator[dict[str, str]]:
    names = set(field.args)
    if "since" in names:
        yield {"since": f'"{START}"'}
    elif "ids" in names:
        yield {"ids": f"[{', '.join(quoted.values())}]"}
    elif field.args.get("id") and is_required_argument(field.args["id"]):
        for id in quoted.values():
            yield {"id": id}
    elif "contactId" in names and is_required_argument(field.args["contactId"]):
        yield {"contactId": quoted["Contact"]}
    elif "primaryId" in names:
        yield {"primaryId": quoted["Caller"], "otherIds": f"[{quoted['Contact']}]"}
    elif "macroId" in names:
        yield {"macroId": quoted["Macro"], "ticketId": quoted["Ticket"]}
    elif "channelId" in names:
        yield {"channelId": quoted["Channel"]}
    elif "text" in names:
        yield {"text": '"parcel"'}
    elif "webhookId" in names:
        yield {"webhookId": quoted["Webhook"]}
    elif "groupBy" in names:
        figure = {"key": '"total"', "figure": "OPENED"} if "figure" in names else {}
        yield {"range": YEAR, "groupBy": "AGENT"} | figure
    else:
        yield {}


async def everything(client: Client, ids: dict[str, str], role: Role, levels: int) -> tuple[str, int]:
    """All that anybody answers, in one text: however much is asked for at once, and nothing refused but what may not be seen."""
    heard, asked = [], 0
    with patch.multiple(limits, TOKENS=MUCH, DEPTH=MUCH, NODES=MUCH, SECONDS=60.0):
        for question in _questions(ids, role, levels):
            asked += 1
            if question.startswith("subscription"):
                async with client.listening(question) as stream:
                    try:
                        async with asyncio.timeout(0.2):
                            heard.append(json.dumps(await stream.hear()))
                    except TimeoutError:
                        pass
            else:
                heard.append((await client.post(question)).text)
                assert _refusals(heard[-1]) <= {"NOT_FOUND", "NOT_ALLOWED"}, (question, heard[-1])
    return "\n".join(heard), asked


def _refusals(answer: str) -> set[str]:
    return {
        error.get("extensions", {}).get("code", "INVALID") for error in json.loads(answer).get("errors", ())
    }


@LEVELS
async def test_no_question_of_another_teams_agent_finds_a_canary(
    house: House, two_teams: TwoTeams, levels: int
) -> None:
    snooze = "mutation($input: AlertSnoozeInput!) { alertSnooze(input: $input) { userErrors { code } } }"
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    await two_teams.mia.do(snooze, id=two_teams.ids["Alert"], until=tomorrow, reason="Ada calls again")
    await _plant(house)

    manager, asked = await everything(two_teams.mia, two_teams.ids, Role.MANAGER, levels)
    stranger, _ = await everything(two_teams.eve, two_teams.ids, Role.AGENT, levels)

    found = set(re.findall(r"canary:([a-z_.]+)", manager))
    assert asked > 200
    assert not re.search(r'"resetRequired": ?true', manager), "the feed told all of it"
    assert {"ticket.subject", "ticket.tags", "item.text", "item.author", "contact.name"} <= found
    assert "alert_note.text" in found
    assert {"contact.city", "contact.tags", "contact.fields", "contact_note.text"} <= found
    assert "ticket.fields" in found
    assert not {name for name in found if name.startswith("draft.")}, "Ben's own"
    assert re.search(r'"search": ?\[\{', manager)
    assert {"macro.name", "macro.bodies"} <= found
    assert {"company.name", "company.domains", "company.note"} <= found
    assert {"identity.label", "task.title", "thread.subject", "attachment.name", "arrival.raw"} <= found
    assert set(re.findall(r"canary:([a-z_.]+)", stranger)) == set()
    assert '"totalCount":0' in stranger


async def test_no_refusal_of_a_change_holds_a_canary(
    house: House, two_teams: TwoTeams, anybody: Client
) -> None:
    await _plant(house)
    asking = Asking(house, anybody, two_teams, START)
    eve = Principal("eve", two_teams.eve.token)

    heard = []
    for name in (
        "ticketAssign",
        "ticketUpdate",
        "noteAdd",
        "messageSend",
        "messageForward",
        "taskSave",
        "alertAck",
        "contactSave",
    ):
        heard.append(await asking.ask(eve.token, *_mutation(name, MUTATIONS[name](asking, eve))))
    for name in (
        "ticketCreate",
        "conversationStart",
        "identityLink",
        "messengerLink",
        "arrivalRetry",
        "companySave",
        "contactNoteAdd",
    ):
        heard.append(await asking.ask(eve.token, *_mutation(name, MUTATIONS[name](asking, eve))))

    assert "canary" not in json.dumps(heard)
    assert all(answer["data"] for answer in heard)


async def test_a_files_link_opens_for_nobody_of_another_team(
    house: House, two_teams: TwoTeams, anybody: Client
) -> None:
    attachment = row_id("Attachment", two_teams.ids["Attachment"])
    until = int(time.time()) + 60

    async def status(name: str) -> int:
        agent = row_id("Agent", two_teams.ids[name])
        signature = house.keys.sign(PURPOSE, attachment, agent, until)
        return (await anybody.http.get(f"/files/{attachment}?a={agent}&u={until}&s={signature}")).status_code

    assert [await status(name) for name in ("Ben", "Mia", "Eve")] == [200, 200, 404]


async def test_no_push_and_no_mail_tells_another_team(house: House, two_teams: TwoTeams) -> None:
    """Neither at once nor when nobody answers and everybody's turn comes."""
    async with house.db.transaction() as session:
        await session.execute(delete(Delivery))
        await session.execute(delete(Notice))
        for event in (await session.scalars(select(Event))).all():
            await dispatch(session, event)
        for alert in (await session.scalars(select(Alert))).all():
            while await tell_next(
                session, alert, (Way.PUSH,), rung=0, level=3, event_seq=None, at=alert.fired_at
            ):
                pass
        told = set(await session.scalars(select(Notice.agent_id)))
        mails = (await session.scalars(select(SystemMail))).all()

    assert row_id("Agent", two_teams.ids["Eve"]) not in told
    assert row_id("Agent", two_teams.ids["Mia"]) in told
    assert not mails


async def test_no_webhook_holds_a_canary(house: House, two_teams: TwoTeams) -> None:
    await _plant(house)
    async with house.db.transaction() as session:
        await session.execute(delete(Post))
        for event in (await session.scalars(select(Event))).all():
            await tell(session, event)
    async with house.db.transaction() as session:
        bodies = [post.payload for post in await session.scalars(select(Post))]

    assert {"ticket_opened", "message_received", "note_added", "alert_fired"} <= {
        body["type"] for body in bodies
    }
    assert "canary" not in json.dumps(bodies)


@pytest.mark.parametrize(("agents_see", "sees"), [("ALL", True), ("TEAMS", False)])
async def test_the_shop_decides_whether_agents_see_other_teams(
    two_teams: TwoTeams, agents_see: str, sees: bool
) -> None:
    update = "mutation($input: ShopUpdateInput!) { shopUpdate(input: $input) { shop { agentsSee } } }"
    await two_teams.admin.do(update, agentsSee=agents_see)

    found = await two_teams.eve.ask(
        "query($t: ID!, $c: ID!) { ticket(id: $t) { subject } contact(id: $c) { name } tickets { totalCount } }",
        t=two_teams.ids["Ticket"],
        c=two_teams.ids["Contact"],
    )

    assert [bool(found["ticket"]), bool(found["contact"]), found["tickets"]["totalCount"] > 0] == [sees] * 3


async def test_who_leaves_a_team_sees_its_tickets_no_longer_not_even_on_an_open_socket(
    house: House, two_teams: TwoTeams
) -> None:
    question = "query($t: ID!) { ticket(id: $t) { subject } }"
    change = "mutation($input: AgentUpdateInput!) { agentUpdate(input: $input) { userErrors { code } } }"
    async with asyncio.timeout(30), two_teams.ben.connected() as stream:
        await stream.ask("1", question, t=two_teams.ids["Ticket"])
        assert (await stream.next())["ticket"]
        assert (await stream.hear())["type"] == "complete"

        await two_teams.admin.do(change, id=two_teams.ids["Ben"], teamIds=[])

        await stream.ask("2", question, t=two_teams.ids["Ticket"])
        assert await stream.next() == {"ticket": None}
