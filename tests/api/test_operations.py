"""What the web inbox and the phone ask: each operation of docs/operations, in one round trip, by whom it is for."""

import asyncio
import json
import re
import sys
import uuid
from datetime import timedelta
from typing import Any

import pytest
from graphql import OperationDefinitionNode, OperationType, parse, validate
from sqlalchemy import select, update

from api.explorer.samples import Sample, samples
from api.house import House
from api.limits import size_of
from api.schema import schema
from api.settings import ApiSettings
from domain.agents.staff import Agent
from domain.alerting.devices import Transport, register_device
from domain.alerting.notices import Notice, NoticeKind, deliver
from domain.db import database_time, new_id
from domain.ids import public_id, row_id
from domain.ways_in.channels import Channel, ChannelKind
from tests.client import PASSWORD, Client
from tests.factories import a_mail, receive, tickets
from tests.statements import statements
from tests.two_teams import TwoTeams

GRAPHQL = schema._schema
MOST_STATEMENTS = 8
"""To read for a screen. A mutation says as many as it changes things, a subscription as many as things change."""

MORE_STATEMENTS = {"Timeline": 9}
"""Queries that still say more: a number here may only become smaller."""

LINK = "mutation($input: IdentityLinkInput!) { identityLink(input: $input) { contact { identities { id channel } } } }"
WORD = r'"([A-Z]+(?:_[A-Z]+)*)"'

NOT_YET = {"AShell", "AInbox", "ATicket", "AOlder", "ASearch", "ABulk", "AMacro", "ADraft", "APresence", "AViewers", "ACallLink", "ATicketMerge", "MToday", "MAlert", "MTickets", "MTicket", "MTeam", "MStats", "MComplaints", "MContact", "MTasks", "Sync", "Live", "Assign", "Send", "TaskSave", "ComplaintAdvance", "MoveThread", "UndoJoin", "SignIn"}  # fmt: skip
"""Wait for elements that the schema does not have yet. Who adds the last of them takes the operation out here."""

FIRST = {"AUndoSend": "Send", "AUnmerge": "AMerge", "UndoJoin": "MoveThread"}
"""What has to be done before an operation makes sense."""


@pytest.mark.parametrize("one", samples(), ids=lambda one: one.name)
def test_an_operation_is_valid_and_within_the_limits(one: Sample) -> None:
    document = parse(one.query)
    errors = validate(GRAPHQL, document)

    if one.name in NOT_YET:
        assert errors, "it is valid now: take it out of NOT_YET"
        return
    assert errors == []
    size_of(GRAPHQL, document, _operation(one), one.variables).check()


async def test_every_operation_is_answered_in_few_statements(
    house: House, two_teams: TwoTeams, capsys: pytest.CaptureFixture[str]
) -> None:
    object.__setattr__(house, "settings", ApiSettings.model_construct(undo_seconds=10))
    people = {"inbox": two_teams.ben, "phone": two_teams.mia, "start": two_teams.mia}
    waiting = NOT_YET | {name for name, first in FIRST.items() if first in NOT_YET}
    ready = {one.name: one for one in samples() if one.name not in waiting}
    values = await _values(house, two_teams)

    told: list[tuple[Sample, int, list[Any]]] = []
    for one in sorted(ready.values(), key=lambda one: _kind(one) == OperationType.MUTATION):
        client = people[one.subject]
        if before := FIRST.get(one.name):
            values |= _learned(await _answer(client, ready[before], values))
        with statements(house.db) as said:
            answer = await _answer(client, one, values)
        told.append((one, len(said), _refusals(answer)))
        values |= _learned(answer)

    with capsys.disabled():
        sys.stdout.write("\n" + "".join(f"{one.name:20} {count:3} statements\n" for one, count, _ in told))
    assert [(one.name, wrong) for one, _, wrong in told if wrong] == []
    queries = [(one.name, count) for one, count, _ in told if _kind(one) == OperationType.QUERY]
    assert [one for one in queries if one[1] > MORE_STATEMENTS.get(one[0], MOST_STATEMENTS)] == []


async def _answer(client: Client, one: Sample, values: dict[str, str]) -> dict[str, Any]:
    variables = _filled(one.variables, values | {"UUID": str(uuid.uuid4())})
    if _kind(one) == OperationType.SUBSCRIPTION:
        async with asyncio.timeout(10), client.listening(one.query, **variables) as stream:
            return {"data": await stream.next()}
    return dict((await client.post(one.query, variables)).json())


def _operation(one: Sample) -> OperationDefinitionNode:
    operation = parse(one.query).definitions[0]
    assert isinstance(operation, OperationDefinitionNode)
    return operation


def _kind(one: Sample) -> OperationType:
    return _operation(one).operation


def _filled(variables: dict[str, Any], values: dict[str, str]) -> dict[str, Any]:
    """What we know takes the place of the words in capitals."""
    text = re.sub(WORD, lambda word: json.dumps(values.get(word[1], word[1])), json.dumps(variables))
    return dict(json.loads(text))


def _refusals(answer: dict[str, Any]) -> list[Any]:
    payloads = (answer.get("data") or {}).values()
    return [
        *answer.get("errors", []),
        *(error for one in payloads if isinstance(one, dict) for error in one.get("userErrors", [])),
    ]


def _learned(answer: dict[str, Any]) -> dict[str, str]:
    """Ids that a mutation's answer gives for the next."""
    found = {}
    for payload in (answer.get("data") or {}).values():
        if isinstance(payload, dict):
            if payload.get("mergeId"):
                found["MERGE_ID"] = payload["mergeId"]
            if isinstance(payload.get("message"), dict):
                found["MESSAGE_ID"] = payload["message"]["id"]
    return found


async def _values(house: House, shop: TwoTeams) -> dict[str, str]:
    """What the words in capitals stand for: ids by the names of their types, and what else is asked with."""
    where = await shop.mia.ask(
        "query($id: ID!) { changeCursor ticket(id: $id) { timeline(first: 1) { edges { cursor } } } }",
        id=shop.ids["Ticket"],
    )
    async with house.db.transaction() as session:
        now = await database_time(session)
        line = (await session.scalars(select(Channel).where(Channel.kind == ChannelKind.PHONE))).one()
        line.config = {**line.config, "dial_url": "https://pbx.example/dial"}
        await session.execute(update(Agent).values(line=Agent.email))
        mailbox = (await session.scalars(select(Channel).where(Channel.kind == ChannelKind.EMAIL))).one()
        await receive(session, mailbox, a_mail("zofia@example.org", "Do you sell looms?", subject="Looms"))
        others = [one for one in await tickets(session) if public_id("Ticket", one.id) != shop.ids["Ticket"]]
        zofias = others[-1]
        mia = await session.get_one(Agent, row_id("Agent", shop.mia.agent_id))
        device_id = await register_device(
            session, owner=mia.as_actor(), transport=Transport.FCM, handle="mias-phone", label="Mia's phone",
            locale="en", timezone="Europe/Madrid", at=now,
        )  # fmt: skip
        notice = Notice(id=new_id(), agent_id=mia.id, kind=NoticeKind.TEST, created_at=now)
        session.add(notice)
        await session.flush()
        delivery = deliver(session, notice, device_id, Transport.FCM, at=now)
    linked = await shop.mia.do(LINK, contactId=shop.ids["Contact"], channel="PHONE", value="+34600100200")
    (number,) = [one for one in linked["contact"]["identities"] if one["channel"] == "PHONE"]
    by_type = {f"{name.upper()}_ID": id for name, id in shop.ids.items()}
    return by_type | {
        "AGENT_ID": shop.ids["Bo"],
        "OTHER_TICKET_ID": public_id("Ticket", zofias.id),
        "OTHER_CONTACT_ID": public_id("Contact", zofias.contact_id),
        "PHONE_IDENTITY_ID": number["id"],
        "DEVICE_ID": public_id("Device", device_id),
        "DELIVERY_ID": public_id("Delivery", delivery.id),
        "TIMELINE_CURSOR": where["ticket"]["timeline"]["edges"][0]["cursor"],
        "CURSOR": where["changeCursor"],
        "NOW": now.isoformat(),
        "TOMORROW": (now + timedelta(days=1)).isoformat(),
        "PASSWORD": PASSWORD,
    }
