"""Spam, blocked senders and participants, as agents and managers deal with them."""

import pytest
from sqlalchemy import select

from domain.ids import public_id
from domain.threads import Thread
from tests.client import Client
from tests.integrations.mailing import EVE, ZOFIA, Mailing

TICKETS = "query($filter: TicketFilter) { tickets(filter: $filter, first: 5) { edges { node { id isSpam preview threads { participants { id address acceptedAt acceptedBy { name } } } } } } }"
MARK = "mutation($input: TicketMarkSpamInput!) { ticketMarkSpam(input: $input) { tickets { isSpam } userErrors { code } } }"
UNMARK = "mutation($input: TicketUnmarkSpamInput!) { ticketUnmarkSpam(input: $input) { tickets { isSpam } userErrors { code } } }"
BLOCKED = "{ blockedSenders { id sender reason createdBy { name } } }"
BLOCK = "mutation($input: SenderBlockInput!) { senderBlock(input: $input) { blockedSender { id sender } userErrors { code field } } }"
UNBLOCK = "mutation($input: SenderUnblockInput!) { senderUnblock(input: $input) { ok userErrors { code } } }"
IGNORED = "{ arrivals(states: [IGNORED]) { id reason } }"
RETRY = "mutation($input: ArrivalRetryInput!) { arrivalRetry(input: $input) { ok userErrors { code } } }"
ACCEPT = "mutation($input: ParticipantAcceptInput!) { participantAccept(input: $input) { ticket { id } userErrors { code field } } }"
REMOVE = "mutation($input: ParticipantRemoveInput!) { participantRemove(input: $input) { ticket { id } userErrors { code } } }"


async def listed(client: Client, **filter: bool) -> list[dict]:  # type: ignore[type-arg]
    return [edge["node"] for edge in (await client.ask(TICKETS, filter=filter))["tickets"]["edges"]]


async def test_spam_leaves_the_lists_and_its_sender_is_blocked_until_a_manager_says_otherwise(
    mailing: Mailing, ben: Client, mia: Client
) -> None:
    await mailing.comes(EVE, "Buy my watches.")
    (ticket,) = await listed(ben)

    marked = await ben.do(MARK, ids=[ticket["id"]], blockSender=True)
    await mailing.comes(EVE, "Only today.", subject="Watches")

    assert marked["tickets"] == [{"isSpam": True}]
    assert await listed(ben) == []
    assert [one["isSpam"] for one in await listed(ben, spam=True)] == [True]
    (blocked,) = (await mia.ask(BLOCKED))["blockedSenders"]
    assert (blocked["sender"], blocked["createdBy"]) == ("eve@example.net", {"name": "Ben"})
    (ignored,) = (await mia.ask(IGNORED))["arrivals"]
    assert ignored["reason"] == "blocked sender: eve@example.net"

    assert (await mia.do(UNBLOCK, id=blocked["id"]))["ok"] is True
    assert (await mia.do(RETRY, id=ignored["id"]))["ok"] is True
    await mailing.opened()
    assert [one["preview"] for one in await listed(ben)] == ["Only today."]
    assert (await ben.do(UNMARK, ids=[ticket["id"]]))["tickets"] == [{"isSpam": False}]
    assert len(await listed(ben)) == 2


@pytest.mark.parametrize(
    "sender", ["help@shop.example", "shop.example", "example", "not an address", "a@b@c", ""]
)
async def test_what_is_no_sender_or_the_shops_own_is_not_blocked(
    mailing: Mailing, mia: Client, sender: str
) -> None:
    assert await mia.refused(BLOCK, sender=sender) == ["INVALID"]


async def test_an_agent_accepts_who_was_noted_and_removes_them_again(mailing: Mailing, ben: Client) -> None:
    await mailing.comes("Ada <ada@example.org>", "It came broken.", Cc=ZOFIA)
    async with mailing.house.db.transaction() as session:
        thread = public_id("Thread", (await session.scalars(select(Thread.id))).one())

    assert (await ben.do(ACCEPT, threadId=thread, address="Zofia@Example.com"))["userErrors"] == []
    for wrong in ("help@shop.example", "not an address"):
        (error,) = (await ben.do(ACCEPT, threadId=thread, address=wrong))["userErrors"]
        assert (error["code"], error["field"]) == ("INVALID", ["address"])

    ((zofia,),) = [thread["participants"] for thread in (await listed(ben))[0]["threads"]]
    assert (zofia["address"], zofia["acceptedBy"]) == ("zofia@example.com", {"name": "Ben"})
    assert (await ben.do(REMOVE, id=zofia["id"]))["userErrors"] == []
    assert [thread["participants"] for thread in (await listed(ben))[0]["threads"]] == [[]]
