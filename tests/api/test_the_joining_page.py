"""What docs/joining.md says to paste, pasted."""

import json
from datetime import timedelta
from typing import Any

import pytest

from api.house import House
from domain.ways_in.channels import ChannelKind
from tests.client import Client
from tests.factories import NOON, a_channel, a_chat, a_mail, receive
from tests.papers import shown

TICKETS = """{ tickets(first: 25) { edges { node { id number contact { id } threads { id channel }
  timeline(first: 9, kinds: [MESSAGE]) { edges { node { ... on Message { id text } } } } } } } }"""


@pytest.fixture
async def ids(house: House, ben: Client) -> dict[str, str]:
    """Ada wrote from home, in the chat and from work; somebody says to be Ada, and Eve knows the order's number."""
    async with house.db.transaction() as session:
        mailbox = await a_channel(session, house.keys, ChannelKind.EMAIL)
        chat = await a_channel(session, house.keys, ChannelKind.CHAT)
        ada, soon = "Ada Lovelace", NOON + timedelta(minutes=5)
        parcel = a_mail("ada@example.org", "Where is order 100100?", sender_name=ada)
        await receive(session, mailbox, parcel)
        await receive(session, chat, a_chat("s1", "Any news of 100100?", email="ada@example.org", at=soon))
        answer = a_mail("ada@example.org", "And my mug broke", references=(parcel.external_id,), at=soon)
        await receive(session, mailbox, answer)
        work = a_mail("ada@work.example", "An invoice, please", subject="Invoice", sender_name="A. Lovelace")
        await receive(session, mailbox, work)
        await receive(
            session, mailbox, a_mail("ada@example.org", "A mug broke", verified=False, sender_name=ada)
        )
        await receive(session, mailbox, a_mail("eve@example.net", "About order 100100"))
    found = (await ben.ask(TICKETS))["tickets"]["edges"]
    first, invoice, *_ = sorted((edge["node"] for edge in found), key=lambda ticket: ticket["number"])
    mail, chat_thread = first["threads"]
    assert (mail["channel"], chat_thread["channel"]) == ("EMAIL", "CHAT")
    return {
        "TICKET_ID": first["id"],
        "CONTACT_ID": first["contact"]["id"],
        "OTHER_TICKET_ID": invoice["id"],
        "OTHER_CONTACT_ID": invoice["contact"]["id"],
        "THREAD_ID": chat_thread["id"],
        "MESSAGE_ID": first["timeline"]["edges"][0]["node"]["id"],
    }


async def test_a_shop_joins_and_takes_apart_as_the_page_says(
    ben: Client, admin: Client, ids: dict[str, str]
) -> None:
    answers: dict[str, Any] = {}

    for one in shown("joining.md"):
        variables = json.dumps(one.variables)
        for word, id in ids.items():
            variables = variables.replace(f'"{word}"', f'"{id}"')
        who = admin if one.name == "SetJoining" else ben
        (answer,) = (await who.ask(one.document, **json.loads(variables))).values()
        answers[one.name] = answer
        assert answer.get("userErrors", []) == [], (one.name, answer)
        if answer.get("mergeId"):
            ids["MERGE_ID"] = answer["mergeId"]
        if one.name == "WhyHere":
            ids["SUGGESTION_ID"] = answer["suggestions"][0]["id"]
        if one.name == "MoveThread":
            ids["NEW_TICKET_ID"] = answer["tickets"][0]["id"]
        if one.name == "Candidates":
            ids["CANDIDATE_ID"] = answer["mergeCandidates"][0]["contact"]["id"]

    reasons = [thread["joinedBecause"] for thread in answers["WhyHere"]["threads"]]
    assert [(reason["code"], reason["matter"]) for reason in reasons] == [
        ("OPENED_TICKET", None),
        ("SIGNED_CHAT_IDENTITY", "SAME_NUMBER"),
    ]
    suggested = {one["id"] for one in answers["WhyHere"]["suggestions"]}
    left = {one["id"] for ticket in answers["Dismiss"]["tickets"] for one in ticket["suggestions"]}
    assert ids["SUGGESTION_ID"] in suggested - left
    likely = [one["contact"]["id"] for one in answers["TwoPeople"]["contact"]["mergeCandidates"]]
    assert likely == [one["contact"]["id"] for one in answers["Candidates"]["mergeCandidates"][1:]]
    assert [one["field"] for one in answers["Preview"]["conflicts"]] == ["name"]
    assert answers["MergeContacts"]["contact"]["name"] == "A. Lovelace"
    assert answers["UnmergeContacts"]["contact"]["name"] == "Ada Lovelace"
    assert [len(ticket["threads"]) for ticket in answers["MergeTickets"]["tickets"]] == [3]
    assert [len(ticket["threads"]) for ticket in answers["MoveThread"]["tickets"]] == [1, 2]
    moved, left_over = [
        sorted(thread["messageCount"] for thread in ticket["threads"])
        for ticket in answers["MoveOnwards"]["tickets"]
    ]
    assert (moved, left_over) == ([1, 1], [1, 1])
    assert sorted(len(ticket["threads"]) for ticket in answers["Undo"]["tickets"]) == [1, 2]
