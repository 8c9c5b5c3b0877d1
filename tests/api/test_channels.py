"""Channels as admins set them up by the API: through the doors that they open and shut."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import orjson
import pytest
from sqlalchemy import select, update
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from api.house import House
from domain.agents.staff import Agent, Team
from domain.alerting import outages
from domain.alerting.alerts import Alert, AlertState
from domain.arriving.inbound import ARRIVALS, ArrivalState
from domain.audit import AuditEntry
from domain.db import database_time
from domain.desk.messages import OUTBOX, DeliveryState, Message
from domain.desk.tickets import Ticket
from domain.events import Event, EventKind
from domain.ids import public_id
from domain.keys import Keys
from domain.sla.calendars import Calendar
from domain.ways_in.channels import Channel, forget_retired
from integrations.mailroom import Mailroom
from integrations.signatures import messenger_signature, phone_signature
from tests.client import Client
from tests.integrations.mailing import ADA, HELP, Mailing

SHOWN = """id slug address language disabledAt isOpen opensAt isHealthy team { name } calendar { name }
  settings { name value } secrets { name isSet setAt previousUntil } webhookUrls { name url }
  health { failingSince lastError lastErrorAt lastInboundAt lastTurnedAwayAt waitingArrivals queuedMessages failedMessages }"""
PAYLOAD = f"channel {{ {SHOWN} }} newSecrets {{ name value }} userErrors {{ code field message }}"
CREATE = f"mutation($input: ChannelCreateInput!) {{ channelCreate(input: $input) {{ {PAYLOAD} }} }}"
UPDATE = f"mutation($input: ChannelUpdateInput!) {{ channelUpdate(input: $input) {{ {PAYLOAD} }} }}"
ROTATE = (
    f"mutation($input: ChannelRotateSecretInput!) {{ channelRotateSecret(input: $input) {{ {PAYLOAD} }} }}"
)
DISABLE = f"mutation($input: ChannelInput!) {{ channelDisable(input: $input) {{ {PAYLOAD} }} }}"
ENABLE = f"mutation($input: ChannelInput!) {{ channelEnable(input: $input) {{ {PAYLOAD} }} }}"
TEST = "mutation($input: ChannelInput!) { channelTest(input: $input) { findings { name ok message } userErrors { code } } }"
CHANNELS = f"{{ channels {{ {SHOWN} }} }}"
SEND = "mutation($input: MessageSendInput!) { messageSend(input: $input) { userErrors { code message } } }"
CALL = {"event": "newCall", "direction": "in", "from": "48600100200", "to": "48221234567"}

MAIL = {"kind": "EMAIL", "name": "Help desk"}
ADDRESS = {"name": "address", "value": HELP}


async def a_line(admin: Client, **others: Any) -> tuple[str, str]:
    """Its id, and the key that was made for it."""
    number = {"name": "number", "value": "22 123 45 67"}
    settings = [number, {"name": "region", "value": "PL"}]
    made = await admin.do(CREATE, kind="PHONE", name="Main line", settings=settings, **others)
    assert made["userErrors"] == []
    (key,) = made["newSecrets"]
    assert key["name"] == "key"
    return made["channel"]["id"], key["value"]


async def rings(anybody: Client, key: str, call: str = "c1") -> int:
    body = orjson.dumps({**CALL, "call_id": call})
    signature = {"x-signature": phone_signature(key, body, at=int(time.time()))}
    return (await anybody.http.post("/hooks/phone/main-line", content=body, headers=signature)).status_code


async def placed(house: House) -> list[ArrivalState]:
    mailroom = Mailroom(house.db, house.keys, house.files)
    async with house.db.transaction() as session:
        claimed = await ARRIVALS.claim(session, 100)
    for arrival, lease in claimed:
        await mailroom.open(arrival, lease)
    async with house.db.transaction() as session:
        found = [await session.get_one(type(arrival), arrival.id) for arrival, _ in claimed]
    return [arrival.state for arrival in found]


async def test_a_channel_is_made_with_a_key_that_is_shown_once_and_opens_its_door(
    house: House, admin: Client, anybody: Client
) -> None:
    _, key = await a_line(admin)

    status = await rings(anybody, key)
    (shown,) = (await admin.ask(CHANNELS))["channels"]

    assert status == 200
    assert (shown["slug"], shown["address"], shown["isOpen"]) == ("main-line", "+48221234567", True)
    assert {one["name"]: one["value"] for one in shown["settings"]}["region"] == "PL"
    (secret,) = [one for one in shown["secrets"] if one["isSet"]]
    assert (secret["name"], secret["previousUntil"]) == ("key", None)
    assert datetime.fromisoformat(secret["setAt"]) > datetime.now(UTC) - timedelta(minutes=5)
    assert shown["webhookUrls"][0]["url"] == "http://heddle.test/hooks/phone/main-line"
    assert shown["health"]["waitingArrivals"] == 1
    assert shown["health"]["lastInboundAt"]


async def test_of_two_who_make_the_same_channel_one_does_and_the_other_is_told(admin: Client) -> None:
    """Each looks whether it is there before either has written it."""
    made = await asyncio.gather(*(admin.do(CREATE, kind="CHAT", name="Widget") for _ in range(4)))

    assert sorted([error["code"] for error in one["userErrors"]] for one in made) == [[], *[["INVALID"]] * 3]


@pytest.mark.parametrize(
    ("settings", "field", "said"),
    [
        ([], "address", "address: it is needed"),
        ([ADDRESS, {"name": "adress", "value": "x"}], "adress", "adress: there is no such setting"),
        ([ADDRESS, {"name": "relays", "value": "x"}], "relays", "relays: it is a list"),
        (
            [ADDRESS, {"name": "acknowledge", "value": "often"}],
            "acknowledge",
            "acknowledge: it is true or false",
        ),
        (
            [ADDRESS, {"name": "imap_since_days", "value": "few"}],
            "imap_since_days",
            "imap_since_days: it is a number",
        ),
        (
            [ADDRESS, {"name": "language", "value": "de"}],
            "language",
            "language: it is one of 'en', 'pl', 'es', 'ca'",
        ),
        ([ADDRESS, {"name": "adress"}], "adress", "adress: there is no such setting"),
        (
            [ADDRESS, {"name": "webhook_token", "value": "short"}],
            "webhook_token",
            "webhook_token: the token needs at least 16 characters",
        ),
        (
            [{"name": "address", "value": HELP, "values": [HELP]}],
            "address",
            "address: say one of value, values and byLanguage",
        ),
        (
            [
                ADDRESS,
                {"name": "acknowledgement", "byLanguage": [{"language": "de", "text": "Nummer {number}"}]},
            ],
            "acknowledgement",
            "acknowledgement.de: it is one of 'en', 'pl', 'es', 'ca'",
        ),
    ],
)
async def test_a_wrong_setting_is_named(admin: Client, settings: list[Any], field: str, said: str) -> None:
    (error,) = (await admin.do(CREATE, **MAIL, settings=settings))["userErrors"]

    assert (error["code"], error["field"]) == ("INVALID", ["settings", field])
    assert error["message"].startswith(said)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ([], "address: hace falta"),
        ([ADDRESS, {"name": "language", "value": "de"}], "language: es uno de 'en', 'pl', 'es', 'ca'"),
        ([ADDRESS, {"name": "inbound_per_minute", "value": "-1"}], "inbound_per_minute: es al menos 0"),
        (
            [ADDRESS, {"name": "webhook_token", "value": "short"}],
            "webhook_token: el token necesita al menos 16 caracteres",
        ),
        ([ADDRESS, {"name": "adress", "value": "x"}], "adress: no hay tal ajuste"),
    ],
)
async def test_what_is_wrong_with_a_setting_is_said_in_the_admins_language(
    house: House, admin: Client, settings: list[Any], said: str
) -> None:
    async with house.db.transaction() as session:
        await session.execute(update(Agent).values(locale="es"))

    (error,) = (await admin.do(CREATE, **MAIL, settings=settings))["userErrors"]

    assert error["message"] == said


async def test_what_is_named_changes_and_the_rest_stays_but_for_the_address(
    house: House, admin: Client
) -> None:
    async with house.db.transaction() as session:
        hours = {"zone": "Europe/Warsaw", "weekly": {"mon": [["09:00", "09:01"]]}}
        session.add(Calendar(name="Shop", hours=hours))
        session.add(Team(name="Support"))
    async with house.db.transaction() as session:
        calendar = public_id("Calendar", (await session.scalars(select(Calendar.id))).one())
        team = public_id("Team", (await session.scalars(select(Team.id))).one())
    texts = [{"language": "es", "text": "Número {number}"}, {"language": "pl", "text": "Numer {number}"}]
    settings = [
        ADDRESS,
        {"name": "acknowledgement", "byLanguage": texts},
        {"name": "relays", "values": ["::1"]},
    ]
    made = await admin.do(CREATE, **MAIL, slug="help", settings=settings)

    changed = await admin.do(
        UPDATE,
        id=made["channel"]["id"],
        name="Help",
        teamId=team,
        calendarId=calendar,
        settings=[
            {"name": "language", "value": "es"},
            {"name": "acknowledgement", "byLanguage": [{"language": "pl", "text": ""}]},
            {"name": "relays"},
            {"name": "inbound_per_minute", "value": "30"},
        ],
    )
    moved = await admin.do(
        UPDATE, id=made["channel"]["id"], settings=[{"name": "address", "value": "other@shop.example"}]
    )
    back = await admin.do(UPDATE, id=made["channel"]["id"], teamId=None, calendarId=None)

    assert changed["userErrors"] == []
    shown = changed["channel"]
    said = {one["name"]: one["value"] for one in shown["settings"]}
    assert said["acknowledgement"] == {"es": "Número {number}"}
    assert (said["relays"], said["inbound_per_minute"], shown["language"]) == ([], 30, "es")
    assert (shown["team"], shown["calendar"]) == ({"name": "Support"}, {"name": "Shop"})
    assert shown["isOpen"] == (shown["opensAt"] is None)
    assert [error["code"] for error in moved["userErrors"]] == ["INVALID"]
    assert (back["channel"]["team"], back["channel"]["calendar"], back["channel"]["isOpen"]) == (
        None,
        None,
        True,
    )


async def test_what_each_kind_can_be_told_is_in_the_schema(admin: Client) -> None:
    kinds = (
        await admin.ask(
            "{ channelKinds { kind settings { name shape description required secret ours default choices } } }"
        )
    )["channelKinds"]

    found = {one["kind"]: {setting["name"]: setting for setting in one["settings"]} for one in kinds}
    address, token = found["EMAIL"]["address"], found["EMAIL"]["webhook_token"]
    assert (address["shape"], address["required"], address["secret"]) == ("TEXT", True, False)
    assert (token["shape"], token["ours"], token["default"]) == ("SECRET", True, None)
    assert found["CHAT"]["language"]["choices"] == ["", "en", "pl", "es", "ca"]
    assert found["MESSENGER"]["verify_token"]["required"] is False
    assert "`{opens}`" in found["CHAT"]["acknowledgement_closed"]["description"]
    unsaid = [name for settings in found.values() for name, one in settings.items() if not one["description"]]
    assert unsaid == []


async def test_an_old_key_is_accepted_until_its_grace_is_over_and_at_once_no_more_where_there_is_none(
    house: House, admin: Client, anybody: Client
) -> None:
    id, first = await a_line(admin)

    rotated = await admin.do(ROTATE, id=id, secret="key", graceSeconds=3600)
    second = rotated["newSecrets"][0]["value"]
    while_typing = [await rings(anybody, key, call) for key, call in ((first, "c1"), (second, "c2"))]
    async with house.db.transaction() as session:  # an hour later
        (row,) = await session.scalars(select(Channel))
        assert first.encode() not in (row.retired or b"")
        sooner = [house.keys.decrypt(row.retired or b"")["key"][0][0], "2026-01-01T00:00:00+00:00"]
        row.retired = house.keys.encrypt({"key": [sooner]})
        row.retired_until = datetime(2026, 1, 1, tzinfo=UTC)
    afterwards = [await rings(anybody, key, call) for key, call in ((first, "c3"), (second, "c4"))]
    async with house.db.transaction() as session:
        await forget_retired(session)
        kept = await session.scalar(select(Channel.retired))
    third = (await admin.do(ROTATE, id=id, secret="key", graceSeconds=3600))["newSecrets"][0]["value"]
    fourth = (await admin.do(ROTATE, id=id, secret="key", graceSeconds=0))["newSecrets"][0]["value"]
    at_once = [await rings(anybody, key, key) for key in (second, third, fourth)]

    until = {one["name"]: one["previousUntil"] for one in rotated["channel"]["secrets"]}
    assert [name for name, moment in until.items() if moment] == ["key"]
    assert while_typing == [200, 200]
    assert (afterwards, kept) == ([401, 200], None)
    assert at_once == [401, 401, 200]


async def test_metas_webhook_and_the_widget_take_the_secret_before_as_well(
    door: str, admin: Client, anybody: Client
) -> None:
    told = {"page_id": "9001", "page_token": "t", "app_secret": "first", "verify_token": "first"}
    settings = [{"name": name, "value": value} for name, value in told.items()]
    page = (await admin.do(CREATE, kind="MESSENGER", name="Page", settings=settings))["channel"]["id"]
    widget = await admin.do(CREATE, kind="CHAT", name="Widget")
    for name in ("app_secret", "verify_token"):
        await admin.do(ROTATE, id=page, secret=name, value="second")
    key = (await admin.do(ROTATE, id=widget["channel"]["id"], secret="identity_key"))["newSecrets"][0][
        "value"
    ]

    taken: dict[str, list[Any]] = {"verify_token": [], "app_secret": [], "identity_key": []}
    for secret in ("first", "second", "third"):
        asked = {"hub.mode": "subscribe", "hub.challenge": "1", "hub.verify_token": secret}
        taken["verify_token"].append(
            (await anybody.http.get("/hooks/messenger/page", params=asked)).status_code
        )
        signed = {"x-hub-signature-256": messenger_signature(secret, b"{}")}
        posted = await anybody.http.post("/hooks/messenger/page", content=b"{}", headers=signed)
        taken["app_secret"].append(posted.status_code)
    for signing in (widget["newSecrets"][0]["value"], key, "a key that nobody was given, ever"):
        person = jwt.encode({"sub": "7", "aud": "widget", "exp": time.time() + 60}, signing)
        async with connect(f"{door.replace('http', 'ws')}/chat/widget") as socket:
            await socket.send(orjson.dumps({"type": "hello", "identity": person}).decode())
            taken["identity_key"].append("refused" not in orjson.loads(await socket.recv()))

    assert taken == {
        "verify_token": [200, 200, 403],
        "app_secret": [200, 200, 401],
        "identity_key": [True, True, False],
    }


NUMBER = {"number": "+48732100200"}
AT_TWILIO = {"provider": "twilio", "account_sid": f"AC{'0' * 32}", "auth_token": "a" * 32}
AT_VONAGE = {"provider": "vonage", "api_key": "k", "api_secret": "s"}


@pytest.mark.parametrize(
    ("kind", "settings", "made", "doors"),
    [
        ("PHONE", {"region": "pl"}, ["key"], ["signed", "with the key"]),
        ("PHONE", AT_TWILIO, [], ["a call comes in", "call status changes"]),
        ("SMS", AT_TWILIO, [], ["messages"]),
        ("SMS", AT_VONAGE, ["token"], ["with the token"]),
        ("SMS", AT_VONAGE | {"signature_secret": "a signature's secret"}, [], ["signed"]),
    ],
)
async def test_only_the_secrets_that_open_a_door_are_made(
    admin: Client, kind: str, settings: dict[str, str], made: list[str], doors: list[str]
) -> None:
    said = [{"name": name, "value": value} for name, value in (NUMBER | settings).items()]

    added = await admin.do(CREATE, kind=kind, name="Number", settings=said)

    assert added["userErrors"] == []
    assert [one["name"] for one in added["newSecrets"]] == made
    assert [one["name"] for one in added["channel"]["webhookUrls"]] == doors


async def test_a_line_at_twilio_is_told_nothing_by_a_generic_exchange(admin: Client, anybody: Client) -> None:
    key = "the key of a line that was a generic one before"
    said = [{"name": name, "value": value} for name, value in (NUMBER | AT_TWILIO | {"key": key}).items()]
    await admin.do(CREATE, kind="PHONE", name="Main line", settings=said)

    assert await rings(anybody, key) == 401


async def test_a_providers_secret_is_given_and_no_other_is_made_for_it(admin: Client) -> None:
    settings = [ADDRESS, {"name": "imap_url", "value": "imaps://imap.shop.example"}]
    made = await admin.do(CREATE, **MAIL, settings=[*settings, {"name": "imap_password", "value": "first"}])
    id = made["channel"]["id"]

    given = await admin.do(ROTATE, id=id, secret="imap_password", value="second")
    refused = [
        (await admin.do(ROTATE, id=id, **asked))["userErrors"][0]["field"]
        for asked in ({"secret": "imap_password"}, {"secret": "address"}, {"secret": "nothing", "value": "x"})
    ]
    too_long = await admin.refused(ROTATE, id=id, secret="webhook_token", graceSeconds=40 * 86_400)

    assert (given["newSecrets"], given["userErrors"]) == ([], [])
    assert refused == [["value"], ["secret"], ["secret"]]
    assert too_long == ["INVALID"]


async def sealed_with_another_key(house: House) -> None:
    another = Keys("a key that was lost a long time ago")
    async with house.db.transaction() as session:
        sealed = another.encrypt({"key": [["first", "2126-01-01T00:00:00+00:00"]]})
        await session.execute(update(Channel).values(secrets=another.encrypt({"key": "x"}), retired=sealed))


async def test_a_channel_that_was_sealed_with_another_key_works_again_with_a_new_one(
    house: House, admin: Client, anybody: Client
) -> None:
    id, _ = await a_line(admin)
    await sealed_with_another_key(house)

    rotated = await admin.do(ROTATE, id=id, secret="key", graceSeconds=3600)

    assert rotated["userErrors"] == []
    assert await rings(anybody, rotated["newSecrets"][0]["value"]) == 200
    assert await rings(anybody, "first") == 401


async def test_of_a_channel_that_was_sealed_with_another_key_every_secret_is_said_anew(
    house: House, admin: Client
) -> None:
    given = [{"name": "imap_password", "value": "second"}, {"name": "webhook_token", "value": "a" * 32}]
    settings = [ADDRESS, {"name": "imap_url", "value": "imaps://imap.shop.example"}, *given]
    id = (await admin.do(CREATE, **MAIL, settings=settings))["channel"]["id"]
    await sealed_with_another_key(house)

    half = await admin.do(UPDATE, id=id, settings=given[:1])
    whole = await admin.do(UPDATE, id=id, settings=given)

    (error,) = half["userErrors"]
    assert (error["code"], error["field"]) == ("INVALID", ["settings"])
    assert "give them anew" in error["message"]
    assert whole["userErrors"] == []
    assert {one["name"] for one in whole["channel"]["secrets"] if one["isSet"]} == {
        "imap_password",
        "webhook_token",
    }


async def test_a_lost_answer_shows_the_same_new_secret_again(admin: Client) -> None:
    id, _ = await a_line(admin)

    twice = [await admin.do(ROTATE, id=id, secret="key", clientMutationId="once") for _ in range(2)]

    assert twice[0]["newSecrets"] == twice[1]["newSecrets"] != []


async def test_a_channel_that_is_off_takes_nothing_in_and_places_what_came_before(
    house: House, admin: Client, anybody: Client
) -> None:
    id, key = await a_line(admin)
    assert await rings(anybody, key) == 200

    off = await admin.do(DISABLE, id=id)
    refused = await rings(anybody, key, "c2")
    states = await placed(house)
    on = await admin.do(ENABLE, id=id)
    again = await rings(anybody, key, "c3")

    assert off["channel"]["disabledAt"]
    assert off["channel"]["isHealthy"] is False
    assert (refused, states) == (404, [ArrivalState.PLACED])
    assert (on["channel"]["disabledAt"], again) == (None, 200)


async def test_the_shops_mailbox_is_off_for_relays_and_agents_and_what_waits_leaves_when_it_is_on(
    house: House, mailing: Mailing, admin: Client, ben: Client
) -> None:
    await mailing.comes(ADA, "It came broken.")
    (ticket,) = await mailing.tickets()
    waiting = await mailing.answered(ticket, by="Bo")
    async with house.db.transaction() as session:
        ids = {row.slug: public_id("Channel", row.id) for row in await session.scalars(select(Channel))}
        at = await database_time(session)
        failed = {"failures": 5, "failing_since": at - timedelta(hours=30), "due_at": at + timedelta(hours=1)}
        await session.execute(update(Message).where(Message.id == waiting.id).values(failed))
        await session.execute(update(Channel).values(failing_since=at - timedelta(hours=30)))
    async with house.db.transaction() as session:
        await outages.look(session, at=await database_time(session))
    for id in ids.values():
        await admin.do(DISABLE, id=id)

    with pytest.raises(Exception, match=r"550|5\.1\.1|recipients"):
        await mailing.comes(ADA, "Hello?")
    async with house.db.transaction() as session:
        claimed = await OUTBOX.claim(session, 5)
        alerts = set(await session.scalars(select(Alert.state)))
    identity = public_id("Identity", (await mailing.thread(ticket)).identity_id)  # type: ignore[arg-type]
    asked = {
        "ticketId": public_id("Ticket", ticket.id),
        "identityId": identity,
        "text": "Soon.",
        "lastSeenSeq": 10**15,
    }
    (refusal,) = (await ben.do(SEND, **asked))["userErrors"]
    shown = await admin.do(ENABLE, id=ids["email"])
    async with house.db.transaction() as session:
        (row, _), *others = await OUTBOX.claim(session, 5)

    assert (claimed, alerts) == ([], {AlertState.RESOLVED})
    assert (refusal["code"], refusal["message"]) == (
        "CHANNEL_OFF",
        "The channel Email is switched off: nothing leaves by it.",
    )
    assert shown["channel"]["health"]["queuedMessages"] == 1
    assert (row.id, row.failures, row.failing_since, row.delivery) == (
        waiting.id,
        0,
        None,
        DeliveryState.QUEUED,
    )
    assert others == []


async def test_an_open_chat_is_ended_when_its_channel_is_switched_off(
    house: House, door: str, admin: Client
) -> None:
    made = await admin.do(CREATE, kind="CHAT", name="Widget")
    async with connect(f"{door.replace('http', 'ws')}/chat/widget") as socket:
        await socket.send('{"type": "hello"}')
        await socket.recv()

        await admin.do(DISABLE, id=made["channel"]["id"])

        with pytest.raises(ConnectionClosed):
            await asyncio.wait_for(socket.recv(), 30)


async def test_what_opens_a_ticket_in_a_channel_goes_to_its_team(
    house: House, admin: Client, anybody: Client
) -> None:
    async with house.db.transaction() as session:
        session.add(Team(name="Support"))
    async with house.db.transaction() as session:
        team = (await session.scalars(select(Team.id))).one()
    _, key = await a_line(admin, teamId=public_id("Team", team))

    await rings(anybody, key)
    await placed(house)

    async with house.db.transaction() as session:
        assert (await session.scalars(select(Ticket.team_id))).all() == [team]


async def test_more_calls_than_a_line_takes_in_wait_their_turn(
    house: House, admin: Client, anybody: Client
) -> None:
    id, key = await a_line(admin)
    await admin.do(UPDATE, id=id, settings=[{"name": "inbound_per_minute", "value": "2"}])
    for number in range(3):
        assert await rings(anybody, key, f"c{number}") == 200

    states = await placed(house)

    assert sorted(states) == [ArrivalState.PLACED, ArrivalState.PLACED, ArrivalState.WAITING]


async def test_who_shows_a_wrong_key_is_noted_once_a_minute_and_the_test_tells_of_it(
    house: House, admin: Client, anybody: Client
) -> None:
    id, key = await a_line(admin)

    silent = (await admin.do(TEST, id=id))["findings"]
    assert await rings(anybody, key) == 200
    fine = (await admin.do(TEST, id=id))["findings"]
    assert {await rings(anybody, "x" * 43) for _ in range(3)} == {401}
    async with house.db.transaction() as session:
        await session.execute(update(Agent).values(locale="es"))
    wrong = (await admin.do(TEST, id=id))["findings"]

    assert [(one["name"], one["ok"], one["message"]) for one in silent] == [
        ("webhook", False, "Nothing has come yet.")
    ]
    assert [one["ok"] for one in fine] == [True]
    assert wrong[0]["ok"] is False
    assert wrong[0]["message"].startswith("Lo último que llegó (")


EXCHANGE = {
    "number": "+48221234567",
    "provider": "asterisk",
    "ami_host": "pbx.shop.example",
    "ami_user": "heddle",
    "ami_secret": "known to the exchange",
}
CANARY = "c4n4ry-s3cret-that-nobody-may-see-again-0123456789"


async def test_a_secret_is_shown_at_another_place_only_where_it_is_said_anew(admin: Client) -> None:
    boxes = [{"name": name, "value": CANARY} for name in ("imap_password", "smtp_password")]
    places = [
        {"name": "imap_url", "value": "imaps://imap.shop.example"},
        {"name": "smtp_url", "value": "smtps://smtp.shop.example"},
    ]
    made = await admin.do(CREATE, **MAIL, settings=[ADDRESS, *places, *boxes])
    id = made["channel"]["id"]
    line = [{"name": name, "value": value} for name, value in EXCHANGE.items()]
    phone = (await admin.do(CREATE, kind="PHONE", name="Line", settings=line))["channel"]["id"]

    for channel, name, value, secret in (
        (id, "imap_url", "imaps://imap.eve.example", "imap_password"),
        (id, "smtp_url", "smtps://smtp.eve.example", "smtp_password"),
        (phone, "ami_host", "pbx.eve.example", "ami_secret"),
    ):
        elsewhere = {"name": name, "value": value}
        refused = await admin.do(UPDATE, id=channel, settings=[elsewhere])
        assert [(error["code"], error["field"]) for error in refused["userErrors"]] == [
            ("INVALID", ["settings", secret])
        ]
        said = await admin.do(UPDATE, id=channel, settings=[elsewhere, {"name": secret, "value": "anew"}])
        assert said["userErrors"] == []
    for settings in ([places[0] | {"value": "imaps://imap.eve.example"}], [places[1] | {"value": ""}]):
        assert (await admin.do(UPDATE, id=id, settings=settings))["userErrors"] == []


async def test_a_secret_is_never_seen_again_through_any_door(
    house: House, admin: Client, anybody: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = [
        ADDRESS,
        {"name": "imap_url", "value": "imap://127.0.0.1:9"},
        {"name": "smtp_url", "value": "smtp://127.0.0.1:9"},
        *(
            {"name": name, "value": CANARY}
            for name in ("imap_password", "smtp_password", "webhook_token", "mailgun_key")
        ),
    ]
    page = [
        {"name": "page_id", "value": "9001"},
        *({"name": name, "value": CANARY} for name in ("page_token", "app_secret", "verify_token")),
    ]
    made = await admin.do(CREATE, **MAIL, settings=settings)
    answers: list[Any] = [
        made,
        await admin.do(CREATE, kind="MESSENGER", name="Page", settings=page),
        await admin.do(CREATE, **MAIL, slug="again", settings=settings),
        await admin.do(CREATE, kind="CHAT", name="Chat", settings=[{"name": "origins", "value": CANARY}]),
        await admin.do(ROTATE, id=made["channel"]["id"], secret="webhook_token", value=CANARY + "2"),
        await admin.do(ROTATE, id=made["channel"]["id"], secret="imap_password", value=CANARY + "ż"),
        await admin.do(
            UPDATE, id=made["channel"]["id"], settings=[{"name": "smtp_password", "value": CANARY}]
        ),
        await admin.do(
            UPDATE, id=made["channel"]["id"], settings=[{"name": "imap_folder", "value": CANARY[:0]}]
        ),
        await admin.do(TEST, id=made["channel"]["id"]),
        await admin.ask(CHANNELS),
        await admin.ask("{ audit { edges { node { kind data } } } }"),
    ]
    door = "/hooks/mail/help-desk"
    posted = [
        await anybody.http.post(door, content=b"x", headers={"authorization": f"Bearer {token}"})
        for token in (CANARY, CANARY + "2", "wrong")
    ]
    answers += [answer.text for answer in posted]
    async with house.db.transaction() as session:
        answers += [str(event.data) for event in await session.scalars(select(Event))]
        answers += [
            str((row.config, row.secrets, row.retired, row.secrets_set_at))
            for row in await session.scalars(select(Channel))
        ]
        audited = (await session.scalars(select(AuditEntry.kind))).all()
    logged = capsys.readouterr()

    assert [answer.status_code for answer in posted] == [415, 415, 401], "both tokens are let in"
    assert CANARY not in repr(answers)
    assert CANARY not in logged.err + logged.out
    assert {"channel_added", "channel_changed", "channel_secret_rotated"} <= set(audited)
    changed = [
        one["node"]["data"]
        for one in answers[10]["audit"]["edges"]
        if one["node"]["kind"] == "CHANNEL_CHANGED"
    ]
    assert changed[-1]["settings"] == "smtp_password"


async def test_agents_see_what_they_saw_and_managers_only_look(
    house: House, admin: Client, ben: Client, mia: Client
) -> None:
    id, _ = await a_line(admin)

    assert (await ben.ask("{ channels { id kind slug name isHealthy } }"))["channels"][0]["id"] == id
    for field in ("address", "settings { name }", "secrets { name }", "health { queuedMessages }"):
        (error,) = await ben.errors(f"{{ channels {{ {field} }} }}")
        assert error["extensions"]["code"] == "NOT_ALLOWED"
    assert (await mia.ask(CHANNELS))["channels"][0]["id"] == id
    assert await mia.refused(DISABLE, id=id) == ["NOT_ALLOWED"]


async def test_the_history_says_who_switched_a_channel_off(house: House, admin: Client) -> None:
    id, _ = await a_line(admin)
    for _ in range(2):
        await admin.do(DISABLE, id=id)
    await admin.do(ENABLE, id=id)

    async with house.db.transaction() as session:
        told = await session.scalars(
            select(Event).where(Event.kind == EventKind.CHANNEL_CHANGED).order_by(Event.seq)
        )
        rows = told.all()

    assert [row.data["changed"] for row in rows] == [["added"], ["disabled"], ["enabled"]]
    assert {public_id("Agent", row.actor_id) for row in rows if row.actor_id} == {admin.agent_id}
