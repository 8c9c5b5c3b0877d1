"""The stand-ins, each reached by the real client library over a real socket."""

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from typing import Any

import aiosmtplib
import pytest
import requests
from fbmessenger import MessengerClient

from demo.farends import FcmStandIn, GraphStandIn, SmtpSink, messenger_events

ADA, PAGE = "24680000000000001", "10200000000000002"
MAIL = b"From: ben@shop.test\r\nTo: ada@mail.test\r\nSubject: Your vase\r\n\r\nIt is on its way.\r\n"


@pytest.fixture
async def fcm() -> AsyncIterator[FcmStandIn]:
    async with FcmStandIn() as fcm:
        yield fcm


@pytest.fixture
async def phones(fcm: FcmStandIn, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Any]:
    """A Firebase app that believes the stand-in to be Google."""
    import firebase_admin
    from firebase_admin import credentials, messaging

    monkeypatch.setattr(messaging._MessagingService, "FCM_URL", fcm.url + "/v1/projects/{0}/messages:send")
    app = firebase_admin.initialize_app(credentials.Certificate(fcm.credentials), name=fcm.url)
    yield app
    await messaging._get_messaging_service(app)._async_client.aclose()
    await asyncio.to_thread(firebase_admin.delete_app, app)  # it calls asyncio.run


async def push(app: Any, handle: str) -> Any:
    from firebase_admin import messaging

    message = messaging.Message(
        fid=handle, data={"ticket": "7"}, notification=messaging.Notification("Ada", "Broken vase")
    )
    batch = await messaging.send_each_async([message], app=app)
    return batch.responses[0]


async def test_a_push_reaches_the_phone_and_other_processes_can_see_it(fcm: FcmStandIn, phones: Any) -> None:
    answer = await push(phones, "bens-phone")

    pushed = await fcm.next_push()
    assert (pushed.handle, pushed.data, pushed.name) == ("bens-phone", {"ticket": "7"}, answer.message_id)
    assert pushed.notification == {"title": "Ada", "body": "Broken vase"}
    seen = await asyncio.to_thread(requests.get, f"{fcm.url}/_seen")
    assert seen.json()["pushed"][0]["handle"] == "bens-phone"


async def test_an_uninstalled_phone_is_unregistered(fcm: FcmStandIn, phones: Any) -> None:
    from firebase_admin.messaging import UnregisteredError

    fcm.misbehave("unregistered")
    fcm.uninstalled.add("bos-old-phone")

    answers = [await push(phones, handle) for handle in ("bens-phone", "bos-old-phone", "bens-phone")]

    assert [type(answer.exception) for answer in answers] == [
        UnregisteredError,
        UnregisteredError,
        type(None),
    ]
    assert len(fcm.pushed) == 1


async def test_a_quota_says_when_to_come_back(fcm: FcmStandIn, phones: Any) -> None:
    from firebase_admin.messaging import QuotaExceededError

    fcm.misbehave("quota")

    answer = await push(phones, "bens-phone")

    assert isinstance(answer.exception, QuotaExceededError)
    assert answer.exception.http_response.headers["Retry-After"] == "1"
    assert fcm.misbehave.done == ["quota"]
    assert not fcm.pushed


async def test_a_lost_answer_does_not_unsend_the_push(fcm: FcmStandIn, phones: Any) -> None:
    fcm.misbehave("reset")

    answer = await push(phones, "bens-phone")

    assert not answer.success
    assert (await fcm.next_push()).handle == "bens-phone"


async def test_only_its_own_key_gets_an_access_token(fcm: FcmStandIn) -> None:
    forged = {"assertion": "eyJhbGciOiJub25lIn0.e30."}

    refused = await asyncio.to_thread(requests.post, f"{fcm.url}/token", data=forged)

    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant")


@pytest.fixture
async def graph() -> AsyncIterator[GraphStandIn]:
    async with GraphStandIn(page_token="page-token", app_secret="app-secret") as graph:
        yield graph


async def send(graph: GraphStandIn, text: str, *, token: str = "page-token", wait: float = 5) -> Any:
    with requests.Session() as session:
        client = MessengerClient(token, app_secret=graph.app_secret, session=session)
        client.graph_url = f"{graph.url}/v26.0"
        return await asyncio.to_thread(client.send, {"text": text}, ADA, timeout=wait)


async def test_an_answer_reaches_messenger(graph: GraphStandIn) -> None:
    answer = await send(graph, "It is on its way, Ada.")

    sent = await graph.next_sent()
    assert (sent.to, sent.text, sent.messaging_type) == (ADA, "It is on its way, Ada.", "RESPONSE")
    assert answer == {"recipient_id": ADA, "message_id": sent.message_id}


async def test_a_dead_token_is_error_190(graph: GraphStandIn) -> None:
    graph.misbehave("code_190")

    expired, wrong, right = [
        await send(graph, "Hello", token=t) for t in ("page-token", "stolen", "page-token")
    ]

    assert (expired["error"]["code"], expired["error"]["error_subcode"]) == (190, 463)
    assert wrong["error"]["code"] == 190
    assert right["message_id"] == graph.sent[0].message_id


async def test_a_time_out_after_success_leaves_the_message_with_the_customer(graph: GraphStandIn) -> None:
    graph.misbehave("timeout_after_success")

    with pytest.raises(requests.ReadTimeout):
        await send(graph, "Hello", wait=0.2)

    assert (await graph.next_sent()).text == "Hello"


async def test_a_webhook_is_signed_over_its_bytes(graph: GraphStandIn) -> None:
    photo = messenger_events.photo_message(ADA, PAGE, graph.media_url("vase.png"))

    body, headers = graph.webhook([messenger_events.text_message(ADA, PAGE, "Dzień dobry"), photo], PAGE)

    signature = hmac.new(b"app-secret", body, hashlib.sha256).hexdigest()
    assert headers["X-Hub-Signature-256"] == f"sha256={signature}"
    text, photo = json.loads(body)["entry"][0]["messaging"]
    assert text["message"]["text"] == "Dzień dobry"
    image = await asyncio.to_thread(requests.get, photo["message"]["attachments"][0]["payload"]["url"])
    assert image.content.startswith(b"\x89PNG")


@pytest.fixture
async def sink() -> AsyncIterator[SmtpSink]:
    async with SmtpSink() as sink:
        yield sink


@pytest.fixture
async def relay(sink: SmtpSink) -> AsyncIterator[aiosmtplib.SMTP]:
    async with aiosmtplib.SMTP(hostname=sink.host, port=sink.port, timeout=5) as relay:
        yield relay


async def test_a_mail_arrives_as_it_was_sent(sink: SmtpSink, relay: aiosmtplib.SMTP) -> None:
    await relay.sendmail("bounce+7@shop.test", ["ada@mail.test"], MAIL)

    mail = await sink.next_mail()
    assert (mail.envelope_from, mail.recipients, mail.raw) == ("bounce+7@shop.test", ["ada@mail.test"], MAIL)
    assert mail.message["Subject"] == "Your vase"


async def test_a_refused_recipient_gets_no_mail(sink: SmtpSink, relay: aiosmtplib.SMTP) -> None:
    sink.misbehave("refuse")
    with pytest.raises(aiosmtplib.SMTPRecipientsRefused) as refused:
        await relay.sendmail("bounce+7@shop.test", ["ada@mail.test"], MAIL)
    sink.misbehave("refuse")
    partly, _ = await relay.sendmail("bounce+7@shop.test", ["eve@mail.test", "zofia@mail.test"], MAIL)

    assert refused.value.recipients[0].code == partly["eve@mail.test"].code == 550
    assert [mail.recipients for mail in sink.mails] == [["zofia@mail.test"]]


async def test_a_connection_reset_after_the_dot_leaves_the_mail_delivered(
    sink: SmtpSink, relay: aiosmtplib.SMTP
) -> None:
    sink.misbehave("reset_after_dot")

    with pytest.raises(aiosmtplib.SMTPServerDisconnected):
        await relay.sendmail("bounce+7@shop.test", ["ada@mail.test"], MAIL)

    assert (await sink.next_mail()).raw == MAIL
