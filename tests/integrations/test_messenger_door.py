"""Meta's door, and everybody who is not Meta."""

import asyncio

from sqlalchemy import func, select

from api.house import House
from demo.farends import GraphStandIn, messenger_events
from domain.arriving.inbound import Arrival
from domain.ways_in.channels import ChannelKind
from integrations.signatures import messenger_signature
from tests.client import Client
from tests.factories import SETTINGS, a_channel
from tests.forging import forgeries

PAGE = SETTINGS[ChannelKind.MESSENGER]
HOOK = "/hooks/messenger/messenger"
MANY = 200


async def test_two_hundred_forged_webhooks_are_refused_and_two_hundred_replays_change_nothing(
    anybody: Client, house: House
) -> None:
    async with house.db.transaction() as session:
        await a_channel(session, house.keys, ChannelKind.MESSENGER)
    said = [messenger_events.text_message("p1", PAGE["page_id"], "Refund me, please")]
    body, headers = GraphStandIn(page_token="", app_secret=PAGE["app_secret"]).webhook(said, PAGE["page_id"])

    forged = [
        await anybody.http.post(HOOK, content=forgery, headers=forged_headers)
        for forgery, forged_headers in forgeries(
            body, headers, signed_by="X-Hub-Signature-256", count=MANY, seed=7
        )
    ]
    assert len(forged) == MANY
    assert {answer.status_code for answer in forged} == {401}
    assert await kept(house) == 0

    replayed = [await anybody.http.post(HOOK, content=body, headers=headers) for _ in range(MANY + 1)]
    assert {answer.status_code for answer in replayed} == {200}
    assert await kept(house) == 1


async def test_what_was_signed_for_one_page_is_not_believed_at_another(anybody: Client, house: House) -> None:
    async with house.db.transaction() as session:
        await a_channel(session, house.keys, ChannelKind.MESSENGER)
        await a_channel(
            session, house.keys, ChannelKind.MESSENGER, slug="other", page_id="9002", app_secret="another"
        )
    body, headers = GraphStandIn(page_token="", app_secret="another").webhook([], "9002")

    here = await anybody.http.post(HOOK, content=body, headers=headers)
    there = await anybody.http.post("/hooks/messenger/other", content=body, headers=headers)

    assert (here.status_code, there.status_code) == (401, 200)


async def kept(house: House) -> int:
    async with house.db.transaction() as session:
        return await session.scalar(select(func.count()).select_from(Arrival)) or 0


async def test_of_webhooks_that_come_at_once_each_is_answered_for_itself(
    anybody: Client, house: House
) -> None:
    async with house.db.transaction() as session:
        await a_channel(session, house.keys, ChannelKind.MESSENGER)
    meta = GraphStandIn(page_token="", app_secret=PAGE["app_secret"])
    said = [[messenger_events.text_message(f"p{one}", PAGE["page_id"], "Hello")] for one in range(6)]
    good = [meta.webhook(one, PAGE["page_id"]) for one in said]
    (body, headers), no_json = good[0], b"[]"

    answers = await asyncio.gather(
        *(anybody.http.post(HOOK, content=body, headers=headers) for body, headers in good),
        anybody.http.post(HOOK, content=body + b" ", headers=headers),
        anybody.http.post("/hooks/messenger/nobodys", content=body, headers=headers),
        anybody.http.post(
            HOOK,
            content=no_json,
            headers={"x-hub-signature-256": messenger_signature(PAGE["app_secret"], no_json)},
        ),
    )

    assert [answer.status_code for answer in answers] == [200] * 6 + [401, 404, 400]
    assert await kept(house) == 6
