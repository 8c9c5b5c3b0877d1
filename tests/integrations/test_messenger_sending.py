"""Answers on their way to Messenger, through the real library, to a Graph API in all moods: what the agent sees each time."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
import requests
from sqlalchemy import select

from api.house import House
from demo.farends import graph, messenger_events
from domain.actors import SYSTEM
from domain.alerting.alerts import Alert, AlertKind
from domain.alerting.outages import look
from domain.answering.delivery_problems import Problem, told
from domain.customers.contacts import Claim, Contact, IdentityKind, add_identity
from domain.db import database_time
from domain.desk.messages import OUTBOX, DeliveryState, Direction, Message
from domain.desk.threads import Thread
from domain.errors import TextTooLong, WindowClosed
from domain.events import Event, EventKind
from domain.hands import work
from domain.ways_in import channels
from domain.ways_in.channels import Channel, ChannelKind
from integrations.courier import try_anew
from integrations.messenger import client
from integrations.messenger.refusals import TRIES
from tests.factories import a_channel, a_promise
from tests.integrations.messaging import ADA, PAGE, PAGE_ID, Messaging, at_work, lately
from tests.locks import cut_off_who_waits, who_waits


@pytest.fixture
async def page(house: House) -> AsyncIterator[Messaging]:
    async with at_work(house) as messaging:
        await messaging.comes(messenger_events.text_message(ADA, PAGE_ID, "Hi", at=lately(hours=1)))
        yield messaging


def problem_of(message: Message) -> Problem | None:
    said = (message.particulars or {}).get("problem")
    return Problem(said) if said else None


async def test_an_answer_leaves_once_with_graphs_id_and_without_the_token_in_an_address(
    page: Messaging,
) -> None:
    await page.answers()

    message = await page.carried()

    (sent,) = page.graph.sent
    assert (sent.to, sent.text, sent.messaging_type) == (ADA, "On its way.", "RESPONSE")
    assert sent.payload["message"]["metadata"] == f"heddle:{message.id}:0"
    assert (message.external_id, message.delivery) == (sent.message_id, DeliveryState.SENT)


async def test_words_and_files_leave_one_after_the_other_and_none_of_them_twice(page: Messaging) -> None:
    photo, invoice = ("mug.png", "image/png", b"\x89PNG-mug"), ("invoice.pdf", "application/pdf", b"%PDF-1")
    await page.answers("Look:", files=[photo, invoice])

    await page.carried()
    page.graph.misbehave("rate_limited")
    halfway = await page.carried()
    await page.set(Message, due_at=lately())
    await page.carried()
    message = await page.carried()

    assert halfway.delivery == DeliveryState.QUEUED
    assert problem_of(halfway) == Problem.BUSY
    assert message.delivery == DeliveryState.SENT
    said = [one.payload["message"] for one in page.graph.sent]
    kinds = [page.graph.attachments[one["attachment"]["payload"]["attachment_id"]] for one in said[1:]]
    assert (said[0]["text"], kinds) == ("Look:", ["image", "file"])
    assert b"\x89PNG-mug" in page.graph.uploads[0]
    assert message.external_id == page.graph.sent[0].message_id


async def test_files_leave_without_words(page: Messaging) -> None:
    files = [("mug.png", "image/png", b"\x89PNG-mug"), ("invoice.pdf", "application/pdf", b"%PDF-1")]
    await page.answers("", files=files)

    halfway, message = await page.carried(), await page.carried()

    assert (halfway.delivery, message.delivery) == (DeliveryState.QUEUED, DeliveryState.SENT)
    said = [one.payload["message"] for one in page.graph.sent]
    kinds = [page.graph.attachments[one["attachment"]["payload"]["attachment_id"]] for one in said]
    assert kinds == ["image", "file"]
    assert message.external_id == page.graph.sent[0].message_id


@pytest.mark.parametrize("times", [1, 2])
async def test_an_echo_proves_files_without_words_sent_once_it_was_said_of_each(
    page: Messaging, times: int
) -> None:
    await page.answers("", files=[("mug.png", "image/png", b"\x89PNG-mug")] * 2)
    for part in range(times):
        page.graph.misbehave("timeout_after_success")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("integrations.messenger.graph.TIMEOUT", (3.0, 0.3))
            await page.carried()
        await page.comes(echo_of(page, part))

    (message,) = [one for one in await page.messages() if one.direction == Direction.OUT]
    assert message.delivery == (DeliveryState.QUEUED, DeliveryState.SENT)[times - 1]


@pytest.mark.parametrize(
    ("mood", "problem", "said"),
    [
        ("window_closed", Problem.WINDOW_CLOSED, "10/2018278"),
        ("held_elsewhere", Problem.HELD_ELSEWHERE, "10/2018300"),
        ("gone", Problem.RECIPIENT_GONE, "100/2018001"),
        ("unavailable", Problem.UNREACHABLE, "551/1545041"),
    ],
)
async def test_graphs_final_no_is_failed_and_says_why_in_the_agents_language(
    page: Messaging, mood: graph.Fault, problem: Problem, said: str
) -> None:
    await page.answers()
    page.graph.misbehave(mood)

    message = await page.carried()

    assert (message.delivery, problem_of(message)) == (DeliveryState.FAILED, problem)
    assert (message.last_error or "").startswith(said)
    assert (message.last_error or "").endswith("]")  # its trace
    in_polish = told(message.particulars, message.last_error, "pl") or ""
    assert in_polish.splitlines()[0] != told(message.particulars, "", "en")
    assert in_polish.splitlines()[1] == message.last_error
    assert PAGE["page_token"] not in in_polish


@pytest.mark.parametrize(
    ("mood", "problem", "after"),
    [("rate_limited", Problem.BUSY, graph.RETRY_AFTER), ("server_error", Problem.DOWN, 0), ("restricted", Problem.RESTRICTED, 900)],
)  # fmt: skip
async def test_what_passes_is_tried_again_when_graph_says_so(
    page: Messaging, mood: graph.Fault, problem: Problem, after: int
) -> None:
    await page.answers()
    page.graph.misbehave(mood)

    message = await page.carried()

    assert (message.delivery, problem_of(message)) == (DeliveryState.QUEUED, problem)
    assert message.due_at
    async with page.house.db.transaction() as session:
        waits = message.due_at - await database_time(session)
    assert waits <= timedelta(seconds=after)
    assert waits > timedelta(seconds=after - 5)
    await page.set(Message, due_at=lately())
    assert (await page.carried()).delivery == DeliveryState.SENT
    assert len(page.graph.sent) == 1


async def test_who_has_blocked_the_page_is_not_tried_for_ever(page: Messaging) -> None:
    await page.answers()
    await page.set(Message, failures=TRIES)
    page.graph.misbehave("server_error")

    message = await page.carried()

    assert (message.delivery, problem_of(message)) == (DeliveryState.FAILED, Problem.UNREACHABLE)


async def test_a_dead_token_holds_the_answer_rings_at_once_and_lets_go_when_there_is_another(
    page: Messaging,
) -> None:
    async with page.house.db.transaction() as session:
        await a_promise(session)
    await page.answers()
    page.graph.pages["new-token"] = page.graph.pages.pop(PAGE["page_token"])

    waiting = await page.carried()
    channel = await page.channel()
    async with page.house.db.transaction() as session:
        await look(session, at=await database_time(session))
        fired = list(await session.scalars(select(Alert.kind)))
    async with page.house.db.transaction() as session:
        renewed = await session.get_one(Channel, channel.id)
        secrets = page.house.keys.decrypt(renewed.secrets or b"") | {"page_token": "new-token"}
        now = await database_time(session)
        renewed.set_up(session, page.house.keys, config=renewed.config, secrets=secrets, by=SYSTEM, at=now)
        await try_anew(session)
    sent = await page.carried()

    assert (waiting.delivery, problem_of(waiting)) == (DeliveryState.QUEUED, Problem.SIGN_IN_NEEDED)
    assert channel.refused_at
    assert channel.last_error
    assert channel.last_error.startswith("190/")
    assert fired == [AlertKind.CHANNEL_DOWN]
    assert sent.delivery == DeliveryState.SENT
    assert (await page.channel()).refused_at is None


@pytest.mark.parametrize("mood", ["timeout_after_success", "reset_after_success", "html_after_success"])
async def test_what_arrived_although_nobody_said_so_is_found_in_the_conversation_and_not_sent_again(
    page: Messaging, mood: graph.Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("integrations.messenger.graph.TIMEOUT", (3.0, 0.3))
    await page.answers("On its way.")
    await page.carried()
    second = await page.answers("On its way.")  # the very same words
    page.graph.misbehave(mood)

    unsure = await page.carried()
    await page.time_passes(second, seconds=1)
    message = await page.carried()

    assert unsure.delivery == DeliveryState.QUEUED
    assert (message.delivery, message.external_id) == (DeliveryState.SENT, page.graph.sent[1].message_id)
    assert len(page.graph.sent) == 2


@pytest.mark.parametrize("mood", ["html", "hang"])
async def test_what_did_not_arrive_is_sent_again_once_the_conversation_says_so(
    page: Messaging, mood: graph.Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("integrations.messenger.graph.TIMEOUT", (3.0, 0.3))
    queued = await page.answers()
    page.graph.misbehave(mood)

    await page.carried()
    await page.time_passes(queued, seconds=1)
    early = await page.carried()
    await page.time_passes(queued, seconds=client.SETTLES.total_seconds())
    message = await page.carried()

    assert early.delivery == DeliveryState.QUEUED  # the list may lag behind
    assert message.delivery == DeliveryState.SENT
    assert len(page.graph.sent) == 1


async def test_a_worker_that_died_over_an_answer_may_have_sent_it(page: Messaging) -> None:
    await page.answers()
    await page.carried()
    await page.set(
        Message,
        due_at=lately(minutes=2),
        deaths=1,
        delivery=DeliveryState.QUEUED,
        external_id=None,
        particulars=None,
    )

    message = await page.carried()

    assert (message.delivery, message.external_id) == (DeliveryState.SENT, page.graph.sent[0].message_id)
    assert len(page.graph.sent) == 1


async def test_where_graph_does_not_let_us_look_the_echo_tells(
    page: Messaging, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("integrations.messenger.graph.TIMEOUT", (3.0, 0.3))
    page.graph.tells_conversations = False
    queued = await page.answers()
    page.graph.misbehave("timeout_after_success")

    await page.carried()
    await page.time_passes(queued, seconds=60)
    waits = await page.carried()
    await page.comes(echo_of(page, 0))

    message = await page.message(queued.id)
    assert waits.delivery == DeliveryState.QUEUED
    assert (message.delivery, message.external_id) == (DeliveryState.SENT, page.graph.sent[0].message_id)
    assert message.due_at is None
    assert message.last_error is None


async def test_without_any_word_the_agent_decides_and_a_late_echo_still_puts_it_right(
    page: Messaging, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("integrations.messenger.graph.TIMEOUT", (3.0, 0.3))
    page.graph.tells_conversations = False
    queued = await page.answers()
    page.graph.misbehave("timeout_after_success")

    await page.carried()
    await page.time_passes(queued, seconds=client.ECHO_COMES.total_seconds())
    given_up = await page.carried()
    await page.comes(echo_of(page, 0))

    assert (given_up.delivery, problem_of(given_up)) == (DeliveryState.FAILED, Problem.MAY_HAVE_ARRIVED)
    assert "may have arrived" in (told(given_up.particulars, given_up.last_error, "en") or "")
    assert (await page.message(queued.id)).delivery == DeliveryState.SENT
    assert len(page.graph.sent) == 1


async def test_an_echo_may_be_quicker_than_the_answer_to_the_call(page: Messaging) -> None:
    await page.answers()
    async with page.house.db.transaction() as session:
        ((message, lease),) = await OUTBOX.claim(session, 5)
    mid = messenger_events.new_mid()
    await page.comes(
        messenger_events.echo(ADA, PAGE_ID, "On its way.", mid=mid, metadata=f"heddle:{message.id}:0")
    )

    await page.courier.carry(message, lease)

    (_, ours) = await page.messages()
    assert (ours.delivery, ours.external_id) == (DeliveryState.SENT, mid)
    async with page.house.db.transaction() as session:
        told = await session.scalars(select(Event.kind).where(Event.kind == EventKind.MESSAGE_SENT))
        assert len(told.all()) == 1


async def test_a_silence_does_not_undo_what_the_echo_told_meanwhile(
    page: Messaging, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("integrations.messenger.graph.TIMEOUT", (3.0, 1.0))
    await page.answers("Look:", files=[("mug.png", "image/png", b"\x89PNG-mug")])
    page.graph.misbehave("timeout_after_success")

    async with asyncio.TaskGroup() as both:
        trying = both.create_task(page.carried())
        await page.graph.next_sent()
        await page.comes(echo_of(page, 0))
    message = await page.carried()

    assert trying.result().delivery == DeliveryState.QUEUED
    assert [one.text for one in page.graph.sent] == ["Look:", None]
    assert message.delivery == DeliveryState.SENT
    assert message.external_id == page.graph.sent[0].message_id


async def test_an_echo_may_come_just_before_the_conversation_is_looked_at(
    page: Messaging, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("integrations.messenger.graph.TIMEOUT", (3.0, 0.3))
    queued = await page.answers()
    page.graph.misbehave("timeout_after_success")
    await page.carried()
    await page.time_passes(queued, seconds=60)
    async with page.house.db.transaction() as session:
        ((message, lease),) = await OUTBOX.claim(session, 5)
    await page.comes(echo_of(page, 0))

    await page.courier.carry(message, lease)

    assert len(page.graph.sent) == 1
    assert (await page.message(queued.id)).delivery == DeliveryState.SENT


async def test_what_left_and_could_not_be_written_down_is_not_sent_again(
    page: Messaging, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("domain.hands.back_off", lambda attempt: 0.01)
    queued = await page.answers()

    async with page.house.db.transaction() as session:
        await session.execute(select(Thread).with_for_update(key_share=True))
        working = asyncio.create_task(work(page.house.db, OUTBOX, page.courier.carry, poll=0.02))
        await cut_off_who_waits(page.house)
    async with asyncio.timeout(30):
        while (message := await page.message(queued.id)).due_at:
            await asyncio.sleep(0.02)
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)

    (sent,) = page.graph.sent
    assert (message.delivery, message.external_id) == (DeliveryState.SENT, sent.message_id)


async def test_who_waits_too_long_to_write_down_what_left_asks_before_sending_it_again(
    page: Messaging,
) -> None:
    queued = await page.answers()

    async with page.house.db.transaction() as session:
        ((message, lease),) = await OUTBOX.claim(session, 5)
    async with page.house.db.transaction() as session:
        await session.execute(select(Thread).with_for_update(key_share=True))
        carrying = asyncio.create_task(page.courier.carry(message, lease))
        await who_waits(page.house)
        carrying.cancel()
        with pytest.raises(asyncio.CancelledError):
            await carrying
    await page.set(Message, due_at=lately(), deaths=0)
    await page.carried()

    assert len(page.graph.sent) == 1
    assert (await page.message(queued.id)).delivery == DeliveryState.SENT


async def test_an_answer_and_its_echo_do_not_wait_for_each_other(page: Messaging) -> None:
    """Both say that a channel carries again."""
    await page.answers()
    await page.set(Channel, failing_since=lately(), last_error="500")

    async with page.house.db.transaction() as echo:
        await echo.execute(select(Thread).with_for_update(key_share=True))
        carrying = asyncio.create_task(page.carried())
        await who_waits(page.house)
        await channels.sends(echo, (await page.channel()).id)
    message = await carrying

    assert message.delivery == DeliveryState.SENT
    assert (await page.channel()).failing_since is None


def echo_of(page: Messaging, place: int) -> messenger_events.Event:
    sent = page.graph.sent[place]
    metadata = sent.payload["message"]["metadata"]
    return messenger_events.echo(ADA, PAGE_ID, sent.text or "", mid=sent.message_id, metadata=metadata)


async def test_the_echo_of_an_answer_to_somebody_else_proves_nothing(page: Messaging) -> None:
    queued = await page.answers()

    for metadata in (f"heddle:{queued.id}:0", "heddle:1", f"heddle:{queued.ticket_id}:0"):
        await page.comes(messenger_events.echo("another", PAGE_ID, "On its way.", metadata=metadata))

    assert (await page.message(queued.id)).delivery == DeliveryState.QUEUED
    assert len(await page.messages()) == 2


async def said_before(page: Messaging, **ago: float) -> None:
    await page.set(Thread, last_inbound_at=lately(**ago))


async def test_after_a_day_only_a_person_who_says_so_may_answer_and_after_a_week_nobody(
    page: Messaging,
) -> None:
    await said_before(page, hours=25)
    with pytest.raises(WindowClosed) as unticked:
        await page.answers()
    await page.answers(human_agent=True)
    sent = await page.carried()
    await said_before(page, days=7)
    with pytest.raises(WindowClosed) as too_late:
        await page.answers(human_agent=True)

    assert sent.delivery == DeliveryState.SENT
    (at_graph,) = page.graph.sent
    assert (at_graph.messaging_type, at_graph.tag) == ("MESSAGE_TAG", "HUMAN_AGENT")
    assert "7 days" in str(unticked.value)
    assert "7 days" not in str(too_late.value)


async def test_who_may_not_answer_any_more_is_told_what_would_work(page: Messaging) -> None:
    async with page.house.db.transaction() as session:
        await a_channel(session, page.house.keys, ChannelKind.EMAIL)
        ada = (await session.scalars(select(Contact))).one()
        mail = Claim(IdentityKind.EMAIL, "ada@example.org", None, label="ada@example.org")
        add_identity(session, ada, mail, by=page.bo.as_actor(), at=lately())
    await said_before(page, days=8)

    with pytest.raises(WindowClosed) as refused:
        await page.answers()

    assert "ada@example.org" in refused.value.in_language("ca")


@pytest.mark.parametrize(("ticked", "state"), [(False, DeliveryState.FAILED), (True, DeliveryState.SENT)])
async def test_the_window_is_looked_at_again_when_the_answer_leaves(
    page: Messaging, ticked: bool, state: DeliveryState
) -> None:
    await page.answers(human_agent=ticked)
    await said_before(page, hours=24, minutes=1)

    message = await page.carried()

    assert message.delivery == state
    assert problem_of(message) == (None if ticked else Problem.WINDOW_CLOSED)
    assert [sent.tag for sent in page.graph.sent] == (["HUMAN_AGENT"] if ticked else [])


async def test_what_no_person_wrote_never_goes_as_a_persons(page: Messaging) -> None:
    await page.answers(human_agent=True)
    await page.set(Message, automatic=True)
    await said_before(page, hours=25)

    message = await page.carried()

    assert problem_of(message) == Problem.WINDOW_CLOSED
    assert page.graph.sent == []


async def test_a_text_that_meta_would_not_take_is_refused_before_it_is_sent(page: Messaging) -> None:
    await page.answers("x" * 2000)
    with pytest.raises(TextTooLong):
        await page.answers("x" * 1999 + "👍")  # two of Meta's characters


@pytest.mark.parametrize("headers", [{"Retry-After": "30"}, {"X-Business-Use-Case-Usage": '{"1": [{"estimated_time_to_regain_access": 2}]}'}])  # fmt: skip
def test_a_pause_is_read_from_whichever_header_names_it(headers: dict[str, str]) -> None:
    from integrations.messenger.refusals import GraphError, check

    answer = requests.Response()
    answer.status_code, answer._content = 400, b'{"error": {"code": 4, "message": "Slower"}}'
    answer.headers.update(headers)

    with pytest.raises(GraphError) as refused:
        check(answer)

    sending: Any = refused.value.for_sending(0)
    assert sending.after in (30, 120)
