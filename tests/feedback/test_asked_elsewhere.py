"""In Messenger inside its window, by text message where the shop pays for that, in the chat as buttons."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from api.house import House
from demo.farends import messenger_events
from domain.actors import Actor
from domain.answering.segments import segments_of
from domain.customers import consents
from domain.customers.consents import ConsentWord, Wish
from domain.customers.visitors import Visitor
from domain.db import database_time
from domain.desk.messages import Message
from domain.desk.threads import Thread
from domain.feedback.requests import AnsweredBy, Unasked
from domain.feedback.scales import Scale, SurveyKind
from domain.ways_in.channels import Channel, ChannelKind
from integrations.courier import Courier
from integrations.settings import IntegrationSettings
from tests.client import Client
from tests.factories import a_channel, a_text_message, receive
from tests.feedback.afterwards import Afterwards, link_in
from tests.integrations import chatting
from tests.integrations.chatting import Poster, placed, signed, visiting
from tests.integrations.messaging import ADA, PAGE_ID, Messaging, at_work
from tests.integrations.sms.provider import SmsStandIn


@pytest.fixture
async def messaging(house: House) -> AsyncIterator[Messaging]:
    async with at_work(house) as messaging:
        yield messaging


async def now(house: House) -> datetime:
    async with house.db.transaction() as session:
        return await database_time(session)


@pytest.mark.parametrize("is_open", [True, False])
async def test_in_messenger_only_while_its_window_is_open(
    messaging: Messaging, anybody: Client, is_open: bool
) -> None:
    house = messaging.house
    after = await Afterwards.at(house)
    await messaging.comes(messenger_events.text_message(ADA, PAGE_ID, "Where is it?"))
    ticket = await messaging.ticket()
    await after.answers(ticket)
    await after.solves(ticket)
    if not is_open:
        long_ago = await now(house) - timedelta(hours=25)
        await messaging.set(Thread, last_inbound_at=long_ago)

    (request,) = await after.asks()

    if not is_open:
        assert request.unasked == Unasked.NO_WAY
        return
    courier = Courier(house.db, house.keys, house.files, messaging.settings, base_url=house.base_url)
    await after.carried(courier)
    await messaging.graph.next_sent()
    asked = await messaging.graph.next_sent()
    path = link_in(asked.text)
    assert (asked.to, asked.messaging_type) == (ADA, "RESPONSE")
    assert (await anybody.http.post(path, data={"score": "5"})).status_code == 303
    assert (await after.requests())[0].score == 5


@pytest.mark.parametrize("because", ["", "the shop's survey alone", "she said stop"])
async def test_by_text_message_only_where_the_shop_says_so_and_never_to_who_said_stop(
    house: House, anybody: Client, because: str
) -> None:
    after = await Afterwards.at(house)
    async with house.db.transaction() as session:
        channel = await a_channel(session, house.keys, ChannelKind.SMS)
        at = await database_time(session)
        await receive(session, channel, a_text_message("+34600100200", "Where is it?", at=at))
    (ticket,) = await after.tickets()
    await after.answers(ticket)
    if because != "the shop's survey alone":
        await after.survey(SurveyKind.CSAT, channel.id, questions={"en": "Were we of help?"})
    if because == "she said stop":
        async with house.db.transaction() as session:
            no = ConsentWord(Wish.STOP, "STOP", "1", at)
            await consents.heed(session, channel.id, "+34600100200", no)
    await after.solves(ticket)

    requests = await after.asks()

    if because:
        assert [one.unasked for one in requests] == ([Unasked.NO_WAY] if "stop" in because else [])
        return
    async with SmsStandIn() as provider:
        settings = IntegrationSettings(twilio_url=provider.url)
        await after.carried(Courier(house.db, house.keys, house.files, settings, base_url=house.base_url))
        _, asked = provider.sent
    assert asked.text.startswith(f"Your request #{ticket.number}: Were we of help?")
    assert segments_of(asked.text).count == 1
    assert (await anybody.http.post(link_in(asked.text), data={"score": "1"})).status_code == 303
    assert (await after.requests())[0].score == 1


@pytest.fixture
async def chat(house: House) -> Channel:
    async with house.db.transaction() as session:
        await a_channel(session, house.keys, ChannelKind.EMAIL)
        return await a_channel(session, house.keys, ChannelKind.CHAT)


async def asks(house: House, door: str, ben: Actor, **hello: Any) -> str:
    """Ada's question in the chat, answered by Ben; her session."""
    async with Poster(door) as ada:
        greeting = await ada.greets(**hello)
        await ada.says("messages", id="m1", text="Is it in stock?", locale="es")
    await placed(house)
    await chatting.answer(house, "Yes, in M.", by=ben)
    return str(greeting["session"])


async def test_who_is_in_the_chat_is_asked_there_and_answers_by_a_button(
    house: House, door: str, chat: Channel
) -> None:
    after = await Afterwards.at(house, scale=Scale.THUMBS)
    session_of_ada = await asks(house, door, after.ben)
    async with visiting(door) as ada, visiting(door) as eve:
        await ada.say(type="hello", session=session_of_ada)
        await eve.say(type="hello")
        await ada.hear("message")
        await ada.hear("message")
        (ticket,) = await after.tickets()

        await after.solves(ticket)
        await after.asks()
        asked = await ada.hear("message")
        survey = asked["survey"]
        await ada.socket.send('{"type": "rating", "survey": "nonsense", "score": 5}')
        unknown = await ada.hear("error")
        stolen = await eve.say(type="rating", survey=survey["id"], score=1)
        odd = await ada.say(type="rating", survey=survey["id"], score=3)
        taken = await ada.say(type="rating", survey=survey["id"], score=5, text="¡Gracias!")

    assert asked["text"] == "¿Cómo de satisfecho está con nuestra ayuda?"
    assert [(one["score"], one["label"]) for one in survey["answers"]] == [(1, "👎"), (5, "👍")]
    assert (unknown["code"], stolen["code"], odd["code"]) == ("no_survey", "no_survey", "bad_score")
    assert taken == {"type": "rating", "survey": survey["id"], "score": 5}
    (request,) = await after.requests()
    assert (request.score, request.words, request.answered_by) == (5, "¡Gracias!", AnsweredBy.CHAT)
    async with visiting(door) as again:
        await again.say(type="hello", session=session_of_ada, seq=asked["seq"] - 1)
        assert (await again.hear("message"))["survey"]["score"] == 5


async def test_who_has_left_the_chat_is_asked_by_mail_if_their_address_is_proven(
    house: House, door: str, chat: Channel
) -> None:
    after = await Afterwards.at(house)
    await asks(house, door, after.ben, identity=signed())
    await asks(house, door, after.ben)
    async with house.db.transaction() as session:
        await session.execute(update(Visitor).values(here_until=None))
    for ticket in await after.tickets():
        await after.solves(ticket)

    first, second = await after.asks()

    assert second.unasked == Unasked.NO_WAY
    async with house.db.transaction() as session:
        message = await session.get_one(Message, first.item_id)
        kind = await session.scalar(select(Channel.kind).where(Channel.id == message.channel_id))
    assert (kind, first.channel_id) == (ChannelKind.EMAIL, chat.id)
    assert message.mail is not None
    assert message.mail["to"] == [["", "ada@example.org"]]


async def test_ratings_have_a_limit(house: House, door: str, chat: Channel) -> None:
    async with Poster(door) as ada:
        await ada.greets()

        codes = [(await ada.says("rating", survey="x", score=1))["code"] for _ in range(12)]

    assert codes.count("too_many_ratings") == 2
