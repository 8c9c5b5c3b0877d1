"""What a browser gets, where pushes may go, and what each answer of a push service means: through the real library."""

import asyncio
import base64
import logging
import socket
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy.ext.asyncio import AsyncSession

from demo.farends import Subscription, WebPushStandIn
from demo.farends.web_push import Fault
from domain.db import Database
from domain.errors import InvalidInput
from domain.keys import Keys
from domain.operations.installation import feed_epoch
from domain.settings import WrongSetting, load
from notifications import web_push
from notifications.push import Accepted, Action, Failed, Push, Urgency
from notifications.settings import NotificationSettings
from notifications.vapid import VapidKey, vapid_key, vapid_subject
from notifications.web_push import WebPush, check_endpoint, check_keys
from notifications.wording import Words

KEY = VapidKey(ec.generate_private_key(ec.SECP256R1()))
SUBJECT = "https://help.shop.example:8443/desk"
PUSH = Push(
    "",
    Words("Ticket 7: first reply overdue", "Email, 3 min past the promised time."),
    {"v": "1", "k": "sla_breached", "a": "alert", "t": "ticket", "n": "7", "lvl": "1"},
    link="https://help.shop.example/m/a/alert#d=delivery.receipt",
    locale="pl",
    replaces="ticket-7_abcdefghijklmnopqrstuvw",
    actions=(Action("ack", "Widzę"), Action("take", "Biorę")),
    badge=4,
)
FCM = "https://fcm.googleapis.com/fcm/send/x:APA91b"


@pytest.fixture
async def service() -> AsyncIterator[WebPushStandIn]:
    async with WebPushStandIn() as service:
        yield service


@pytest.fixture
def browser(service: WebPushStandIn) -> Subscription:
    return service.subscribe(KEY.public)


def sender(*hosts: str) -> WebPush:
    return WebPush(NotificationSettings(web_push_hosts=",".join(hosts)), KEY, subject=SUBJECT)


def to(browser: Subscription, push: Push = PUSH) -> Push:
    return replace(push, handle=browser.endpoint, p256dh=browser.p256dh, auth=browser.auth)


async def test_a_browser_reads_one_json_that_is_declarative_and_for_its_service_worker(
    service: WebPushStandIn, browser: Subscription
) -> None:
    answer = await sender(service.host).send(to(browser))

    arrived = await service.next_push()
    assert isinstance(answer, Accepted)
    assert answer.provider_id.startswith(f"{service.url}/m/")
    assert arrived.endpoint == browser.endpoint
    assert arrived.body == {
        "web_push": 8030,
        "mutable": True,
        "app_badge": 4,
        "notification": {
            "title": PUSH.words.title,
            "body": PUSH.words.body,
            "lang": "pl",
            "tag": PUSH.replaces,
            "navigate": PUSH.link,
            "actions": [
                {
                    "action": "ack",
                    "title": "Widzę",
                    "navigate": "https://help.shop.example/m/a/alert?do=ack#d=delivery.receipt",
                },
                {
                    "action": "take",
                    "title": "Biorę",
                    "navigate": "https://help.shop.example/m/a/alert?do=take#d=delivery.receipt",
                },
            ],
            "data": PUSH.data,
        },
    }


async def test_the_headers_say_how_long_how_urgently_and_who_asks(
    service: WebPushStandIn, browser: Subscription
) -> None:
    push = replace(PUSH, urgency=Urgency.LOW, time_to_live=timedelta(hours=12))

    await sender(service.host).send(to(browser, push))

    arrived = await service.next_push()
    assert arrived.headers["ttl"] == "43200"
    assert arrived.headers["urgency"] == "low"
    assert arrived.headers["topic"] == PUSH.replaces
    assert arrived.headers["content-encoding"] == "aes128gcm"
    assert arrived.claims["aud"] == service.url
    assert arrived.claims["sub"] == SUBJECT
    assert time.time() < arrived.claims["exp"] < time.time() + 24 * 3600


async def test_what_replaces_nothing_has_neither_topic_nor_tag(
    service: WebPushStandIn, browser: Subscription
) -> None:
    bare = replace(PUSH, replaces="", actions=(), time_to_live=timedelta())

    await sender(service.host).send(to(browser, bare))

    arrived = await service.next_push()
    assert "topic" not in arrived.headers
    assert "tag" not in arrived.body["notification"]
    assert arrived.headers["ttl"] == "0"


async def test_a_later_push_replaces_the_one_before(service: WebPushStandIn, browser: Subscription) -> None:
    web = sender(service.host)

    await web.send(to(browser))
    await web.send(to(browser))
    await web.send(to(browser, replace(PUSH, replaces="another")))

    assert [push.replaced for push in service.pushed] == [False, True, False]


@pytest.mark.parametrize(
    "body",
    [
        "a" * 10_000,
        "Zażółć gęślą jaźń. " * 600,
        "🧵" * 3000,
        '"' * 5000,
        "\\\n\t" * 3000,
        "\x01" * 3000,
        "a" + "ż" * 5000,
        "Dear shop,\n\n" * 9000,
    ],
)
async def test_a_text_that_is_too_long_arrives_shortened(
    service: WebPushStandIn, browser: Subscription, body: str
) -> None:
    push = replace(PUSH, words=Words(PUSH.words.title, body))

    answer = await sender(service.host).send(to(browser, push))

    arrived = await service.next_push()
    shown = arrived.body["notification"]["body"]
    assert isinstance(answer, Accepted)
    assert arrived.size <= 4096
    assert shown.endswith("…")
    assert body.startswith(shown[:-1])
    assert len(shown) > 100
    assert arrived.body["notification"]["title"] == PUSH.words.title


async def test_the_longest_text_that_fits_is_left_whole(
    service: WebPushStandIn, browser: Subscription
) -> None:
    empty = len(web_push._message(PUSH, ""))
    fits = "x" * (web_push.ROOM - empty)

    for body in (fits, fits + "x"):
        await sender(service.host).send(to(browser, replace(PUSH, words=Words(PUSH.words.title, body))))

    whole, cut = [await service.next_push() for _ in range(2)]
    assert (whole.size, whole.body["notification"]["body"]) == (4096, fits)
    assert (cut.size, cut.body["notification"]["body"]) == (4096, fits[:-3] + "…")


@pytest.mark.parametrize(
    ("fault", "meaning"),
    [
        ("gone", Failed("UNREGISTERED", again=False, device_gone=True)),
        ("unknown", Failed("UNREGISTERED", again=False, device_gone=True)),
        ("too_large", Failed("PAYLOAD_TOO_LARGE", again=False)),
        ("quota", Failed("HTTP_429", again=True, after=1.0)),
        ("quota_silent", Failed("HTTP_429", again=True)),
        ("bad", Failed("HTTP_400", again=False)),
        ("unauthorized", Failed("HTTP_401", again=False)),
        ("forbidden", Failed("HTTP_403", again=False)),
        ("unavailable", Failed("HTTP_503", again=True)),
        ("internal", Failed("HTTP_500", again=True)),
        ("redirect", Failed("HTTP_302", again=False)),
        ("hang", Failed("UNREACHABLE: TimeoutError", again=True)),
        ("reset", Failed("UNREACHABLE: ClientOSError", again=True)),
    ],
)
async def test_a_refusal_says_whether_to_try_again_and_whether_the_device_is_gone(
    service: WebPushStandIn,
    browser: Subscription,
    fault: Fault,
    meaning: Failed,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(web_push, "TIMEOUT", 0.5)
    service.misbehave(fault)

    assert await sender(service.host).send(to(browser)) == meaning
    assert service.misbehave.done == [fault]
    assert service.strayed == []


async def test_a_wait_may_be_asked_for_by_date(service: WebPushStandIn, browser: Subscription) -> None:
    service.misbehave("busy")

    answer = await sender(service.host).send(to(browser))

    assert isinstance(answer, Failed)
    assert (answer.code, answer.again) == ("HTTP_503", True)
    assert answer.after == pytest.approx(60, abs=5)


async def test_who_has_unsubscribed_is_gone(service: WebPushStandIn, browser: Subscription) -> None:
    service.unsubscribed.add(browser.endpoint)

    assert await sender(service.host).send(to(browser)) == Failed(
        "UNREGISTERED", again=False, device_gone=True
    )


async def test_a_browser_that_subscribed_for_another_key_does_not_take_our_pushes(
    service: WebPushStandIn,
) -> None:
    another = VapidKey(ec.generate_private_key(ec.SECP256R1()))

    answer = await sender(service.host).send(to(service.subscribe(another.public)))

    assert answer == Failed("HTTP_403", again=False)


async def test_a_service_that_is_not_there_is_asked_again(browser: Subscription) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        host = f"127.0.0.1:{closed.getsockname()[1]}"

    answer = await sender(host).send(to(replace(browser, endpoint=f"http://{host}/push/1")))

    assert answer == Failed("UNREACHABLE: ClientConnectorError", again=True)


async def test_an_endpoint_stands_in_no_log_and_no_error(
    service: WebPushStandIn,
    browser: Subscription,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(web_push, "TIMEOUT", 0.3)
    caplog.set_level(logging.DEBUG)
    secret = browser.endpoint.removeprefix(service.url)
    faults: list[Fault] = ["gone", "bad", "forbidden", "internal", "redirect", "reset", "hang"]
    for fault in faults:
        service.misbehave(fault)

    said = [repr(await sender(service.host).send(to(browser))) for _ in [*faults, "none"]]
    said.append(repr(await sender("another.example").send(to(browser))))

    assert service.misbehave.done == faults
    assert len(service.pushed) == 2
    printed = capfd.readouterr()
    assert secret[6:30] not in "".join([*said, caplog.text, printed.out, printed.err])


REFUSED = [
    "",
    " ",
    "fcm.googleapis.com/fcm/send/x",
    "//fcm.googleapis.com/fcm/send/x",
    "http://fcm.googleapis.com/fcm/send/x",
    "ftp://fcm.googleapis.com/fcm/send/x",
    "HTTPS://fcm.googleapis.com/fcm/send/x",
    "https://FCM.googleapis.com/fcm/send/x",
    "https:fcm.googleapis.com/fcm/send/x",
    "https:/fcm.googleapis.com/fcm/send/x",
    "https:///fcm.googleapis.com/fcm/send/x",
    "https:\\\\fcm.googleapis.com\\fcm\\send\\x",
    "https://fcm.googleapis.com",
    "https://fcm.googleapis.com?/fcm/send/x",
    "https://fcm.googleapis.com#/fcm/send/x",
    "https://fcm.googleapis.com./fcm/send/x",
    "https://.fcm.googleapis.com/fcm/send/x",
    "https://fcm..googleapis.com/fcm/send/x",
    "https://fcm.googleapis.com:443/fcm/send/x",
    "https://fcm.googleapis.com:8443/fcm/send/x",
    "https://fcm.googleapis.com:/fcm/send/x",
    "https://fcm.googleapis.com:0443/fcm/send/x",
    "https://fcm.googleapis.com@evil.example/",
    "https://fcm.googleapis.com:x@evil.example/",
    "https://evil@fcm.googleapis.com/fcm/send/x",
    "https://@fcm.googleapis.com/fcm/send/x",
    "https://fcm.googleapis.com.evil.example/",
    "https://evil.example/fcm.googleapis.com/",
    "https://evil.example/?https://fcm.googleapis.com/",
    "https://evil.example#https://fcm.googleapis.com/",
    "https://evil.example\\@fcm.googleapis.com/",
    "https://evil.example\\.fcm.googleapis.com/",
    "https://fcm.googleapis.com\\@evil.example/",
    "https://fcm.googleapis.com%2eevil.example/",
    "https://fcm.googleapis.com%00.evil.example/",
    "https://fcm.googleapis.com%40evil.example/",
    "https://fcm.googleapis.com\x00.evil.example/",
    "https://fcm.googleapis.com/fcm/send/x\n",
    "https://fcm.googleapis.com/fcm/send/x\r\nX: y",
    "https://fcm.googleapis.com/fcm send",
    "\thttps://fcm.googleapis.com/fcm/send/x",
    " https://fcm.googleapis.com/fcm/send/x",
    "https://fcm.google\tapis.com/fcm/send/x",
    "https://fcm.googleapis。com/fcm/send/x",
    "https://fcm.googleapis.com/fcm/send/ż",
    "https://ｆcm.googleapis.com/fcm/send/x",
    "https://fcm.googleapıs.com/fcm/send/x",
    "https://xfcm.googleapis.com/fcm/send/x",
    "https://fcm.googleapis.co/fcm/send/x",
    "https://googleapis.com/fcm/send/x",
    "https://updates.push.services.mozilla.com.evil.example/",
    "https://push.services.mozilla.com/wpush/v2/x",
    "https://x.web.push.apple.com/x",
    "https://notify.windows.com/w/?token=x",
    "https://.notify.windows.com/w/?token=x",
    "https://evilnotify.windows.com/w/?token=x",
    "https://x.notify.windows.com.evil.example/w/",
    "https://evil.example/.notify.windows.com/",
    "https://evil.example?.notify.windows.com/",
    "https://evil.example#.notify.windows.com/",
    "https://evil.example:443.notify.windows.com/",
    "https://a@b.notify.windows.com/w/",
    f"https://{'a' * 64}.notify.windows.com/w/",
    "https://localhost/",
    "https://127.0.0.1/",
    "https://2130706433/",
    "https://0x7f.1/",
    "https://[::1]/",
    "https://[::ffff:127.0.0.1]/",
    "https://169.254.169.254/latest/meta-data/",
    # trusted are push.shop.example, desk.example:8123 and web.example:443
    "http://push.shop.example:8123/x",
    "https://push.shop.example:8443/x",
    "https://desk.example/x",
    "https://desk.example:8124/x",
    "https://desk.example:81230/x",
    "https://x.push.shop.example/x",
    "https://push.shop.example.evil.example/x",
    "https://push.shop.example@evil.example/x",
    "https://user@push.shop.example/x",
    "https://push.shop.example./x",
    "http://web.example/x",
    "gopher://push.shop.example/x",
    "file:///etc/passwd",
]
ALLOWED = [
    FCM,
    "https://fcm.googleapis.com/wp/dQw4w9WgXcQ:APA91b-_x",
    "https://updates.push.services.mozilla.com/wpush/v2/gAAAAABn_x-y=",
    "https://web.push.apple.com/QGuQyavXutnMH-_x",
    "https://wns2-par02p.notify.windows.com/w/?token=BQYAAAD%2bx%2f9w%3d%3d",
    "https://db5p.a.notify.windows.com/w/?token=x",
    "https://push.shop.example/UP?id=1",
    "http://push.shop.example/UP",
    "http://desk.example:8123/UP",
    "https://desk.example:8123/UP",
    "https://web.example/UP",
]
TRUSTING = NotificationSettings(web_push_hosts=" Push.Shop.example, desk.example:8123,web.example:443,")


@pytest.mark.parametrize("endpoint", REFUSED)
async def test_an_endpoint_that_is_not_spelt_as_one_of_a_known_service_is_refused(
    browser: Subscription, endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nobody_asks(*_: Any, **__: Any) -> list[Any]:
        raise AssertionError("a name was looked up")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", nobody_asks)

    with pytest.raises(InvalidInput) as refusal:
        check_endpoint(endpoint, TRUSTING)

    assert refusal.value.field == ["handle"]
    stored = to(replace(browser, endpoint=endpoint))
    assert await WebPush(TRUSTING, KEY, subject=SUBJECT).send(stored) == Failed(
        "ENDPOINT_NOT_ALLOWED", again=False
    )


@pytest.mark.parametrize("endpoint", ALLOWED)
def test_an_endpoint_of_a_known_service_is_taken(endpoint: str) -> None:
    check_endpoint(endpoint, TRUSTING)


async def test_a_host_that_is_no_longer_trusted_gets_nothing(
    service: WebPushStandIn, browser: Subscription
) -> None:
    assert await sender().send(to(browser)) == Failed("ENDPOINT_NOT_ALLOWED", again=False)
    assert service.pushed == []


@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.1"],
        ["10.0.0.1"],
        ["192.168.1.1"],
        ["169.254.169.254"],
        ["100.64.0.1"],
        ["0.0.0.0"],
        ["224.0.0.1"],
        ["::1"],
        ["fe80::1%eth0"],
        ["fd00::1"],
        ["::ffff:127.0.0.1"],
        ["64:ff9b::7f00:1"],
        ["1.1.1.1", "127.0.0.1"],
    ],
)
async def test_a_known_host_that_leads_into_our_own_network_is_not_connected_to(
    browser: Subscription, addresses: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def lying(host: str, port: int, **_: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in addresses]

    async def connecting(*_: Any) -> None:
        raise AssertionError("somebody connected")

    loop = asyncio.get_running_loop()
    monkeypatch.setattr(loop, "getaddrinfo", lying)
    monkeypatch.setattr(loop, "sock_connect", connecting)

    answer = await sender().send(to(replace(browser, endpoint=FCM)))

    assert answer == Failed("ENDPOINT_NOT_PUBLIC", again=True)


async def test_the_address_that_was_checked_is_the_one_connected_to(
    browser: Subscription, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    connected: list[Any] = []

    async def rebinding(host: str, port: int, **_: Any) -> list[Any]:
        asked.append(host)
        address = "1.1.1.1" if len(asked) == 1 else "127.0.0.1"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    async def connecting(_: Any, address: Any) -> None:
        connected.append(address)
        raise ConnectionRefusedError(111, "refused")

    loop = asyncio.get_running_loop()
    monkeypatch.setattr(loop, "getaddrinfo", rebinding)
    monkeypatch.setattr(loop, "sock_connect", connecting)

    answer = await sender().send(to(replace(browser, endpoint=FCM)))

    assert answer == Failed("UNREACHABLE: ClientConnectorError", again=True)
    assert (asked, connected) == (["fcm.googleapis.com"], [("1.1.1.1", 443)])


async def test_a_trusted_name_may_lie_in_our_own_network(
    service: WebPushStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = service.url.rpartition(":")[2]
    service.url = f"http://push.shop.example:{port}"
    browser = service.subscribe(KEY.public)

    async def ours(host: str, port: int, **_: Any) -> list[Any]:
        assert host == "push.shop.example"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", ours)

    assert isinstance(await sender(service.host).send(to(browser)), Accepted)
    assert (await service.next_push()).headers["host"] == f"push.shop.example:{port}"


async def test_a_name_that_nobody_knows_is_asked_again(
    browser: Subscription, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nothing(*_: Any, **__: Any) -> list[Any]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", nothing)

    answer = await sender().send(to(replace(browser, endpoint=FCM)))

    assert answer == Failed("UNREACHABLE: ClientConnectorDNSError", again=True)


def coded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


POINT = base64.urlsafe_b64decode(KEY.public + "=")


@pytest.mark.parametrize(
    "p256dh",
    [
        "",
        "=",
        "short",
        KEY.public[:-1],
        KEY.public + "A",
        KEY.public + "AAAA",
        KEY.public + "===",
        KEY.public[:40] + "!" + KEY.public[40:],
        KEY.public[:40] + "\n" + KEY.public[40:],
        KEY.public[:40] + "ż" + KEY.public[41:],
        KEY.public + "\n",
        "+" + KEY.public[1:],
        coded(b"\x04" + bytes(64)),
        coded(b"\x04" + b"\xff" * 64),
        coded(b"\x05" + POINT[1:]),
        coded(bytes([6 + POINT[-1] % 2]) + POINT[1:]),
        coded(bytes([2 + POINT[-1] % 2]) + POINT[1:33]),
        coded(bytes(65)),
        coded(POINT[1:]),
    ],
    ids=range(19),  # the keys are others in each process
)
def test_a_key_that_is_no_point_on_the_curve_is_refused(p256dh: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        check_keys(p256dh, coded(bytes(16)))

    assert refusal.value.field == ["p256dh"]


@pytest.mark.parametrize(
    "auth", ["", "A", coded(bytes(15)), coded(bytes(17)), coded(bytes(16)) + "\n", "!" * 22, "/" * 22]
)
def test_a_secret_that_is_not_of_16_bytes_is_refused(auth: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        check_keys(KEY.public, auth)

    assert refusal.value.field == ["auth"]


async def test_keys_are_taken_with_and_without_padding(
    service: WebPushStandIn, browser: Subscription
) -> None:
    padded = replace(browser, p256dh=browser.p256dh + "=", auth=browser.auth + "==")

    for subscription in (browser, padded):
        check_keys(subscription.p256dh, subscription.auth)
        assert isinstance(await sender(service.host).send(to(subscription)), Accepted)


async def test_the_key_stays_the_same_from_start_to_start(clean: Database, keys: Keys) -> None:
    starts = []
    for _ in range(2):
        async with clean.transaction() as session:
            starts.append(await vapid_key(session, keys))

    first, second = starts
    assert first.public == second.public
    assert first.private.private_numbers() == second.private.private_numbers()
    assert len(base64.urlsafe_b64decode(first.public + "=")) == 65


async def test_a_key_made_later_leaves_the_feed_alone(session: AsyncSession, keys: Keys) -> None:
    before = await feed_epoch(session)

    await vapid_key(session, keys)

    assert await feed_epoch(session) == before


@pytest.mark.parametrize("installed", [False, True])
async def test_two_processes_that_start_at_once_end_with_the_same_key(
    clean: Database, database_url: str, keys: Keys, installed: bool
) -> None:
    if installed:
        async with clean.transaction() as session:
            await feed_epoch(session)
    another = Database(database_url)

    async def start() -> str:
        async with another.transaction() as session:
            return (await vapid_key(session, keys)).public

    async with clean.transaction() as session:
        first = (await vapid_key(session, keys)).public
        starting = asyncio.gather(*(start() for _ in range(4)))
        done, _ = await asyncio.wait([starting], timeout=0.5)
        assert not done
    others = await starting

    await another.close()
    assert set(others) == {first}


async def test_a_key_sealed_with_a_lost_secret_is_one_sentence_that_names_the_variable(
    session: AsyncSession, keys: Keys
) -> None:
    made = await vapid_key(session, keys)
    new = "another secret that is also long enough"

    with pytest.raises(WrongSetting, match=r"^HEDDLE_SECRET_KEY is wrong: .*[.]$"):
        await vapid_key(session, Keys(new))

    both = Keys(f"{new}, a secret for tests that is long enough")
    assert (await vapid_key(session, both)).public == made.public


def test_push_services_reach_the_operator_by_the_setting_the_address_or_by_mail() -> None:
    places = {"base_url": "https://help.shop.example", "mail_from": "heddle@shop.example"}

    def subject(given: str | None = None, **changed: str) -> str:
        return vapid_subject(NotificationSettings(vapid_subject=given), **(places | changed))

    assert subject("mailto:mia@shop.example") == "mailto:mia@shop.example"
    assert subject() == subject("") == "https://help.shop.example"
    assert subject(base_url="http://localhost:8000") == "mailto:heddle@shop.example"


@pytest.mark.parametrize(
    ("variable", "given"),
    [
        ("HEDDLE_WEB_PUSH_HOSTS", "https://push.shop.example"),
        ("HEDDLE_WEB_PUSH_HOSTS", "push.shop.example/up"),
        ("HEDDLE_WEB_PUSH_HOSTS", "push.shop.example:65536"),
        ("HEDDLE_WEB_PUSH_HOSTS", "push.shop.example,*.shop.example"),
        ("HEDDLE_VAPID_SUBJECT", "mia@shop.example"),
        ("HEDDLE_VAPID_SUBJECT", "mailto:mia"),
        ("HEDDLE_VAPID_SUBJECT", "http://shop.example"),
    ],
)
def test_a_mistyped_setting_is_one_sentence_that_names_the_variable(
    no_settings: None, monkeypatch: pytest.MonkeyPatch, variable: str, given: str
) -> None:
    monkeypatch.setenv(variable, given)

    with pytest.raises(WrongSetting, match=f"^{variable} is wrong: should .*[.]$"):
        load(NotificationSettings)
