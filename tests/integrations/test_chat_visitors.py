"""What a visitor tells besides words, what it is told, and what it may not."""

import asyncio
import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from sqlalchemy import func, select, update
from websockets.exceptions import ConnectionClosed

from api.house import House
from domain.agents.sign_in import actor_by_id
from domain.answering.replies import Extras
from domain.arriving.inbound import Arrival, ArrivalState
from domain.customers.contacts import Contact, Identity, IdentityKind
from domain.customers.visitors import Visitor
from domain.db import new_id
from domain.desk.messages import Attachment, DeliveryState, Message
from domain.desk.tickets import Ticket
from domain.errors import InvalidInput
from domain.ids import public_id, row_id
from domain.privacy.holdings import HOLDINGS
from domain.sla.calendars import Calendar
from domain.sla.hours import Hours
from domain.ways_in.blocking import BlockedSender
from domain.ways_in.channels import Channel, ChannelKind
from integrations.channel_settings import read_settings
from integrations.chat import reception
from integrations.chat.links import link
from integrations.chat.pages import page_of
from tests.client import Client
from tests.factories import a_channel, set_channel
from tests.integrations.chatting import KEY, Poster, answer, messages_of, placed, signed, visiting

PHOTO = b"\x89PNG\r\n\x1a\n" + b"the bytes of a photo" * 50
FIELDS = [
    {"name": "name", "label": {"en": "Your name", "pl": "Imię"}, "type": "name"},
    {"name": "email", "label": {"en": "Your e-mail", "pl": "E-mail"}, "type": "email", "required": True},
    {"name": "phone", "label": {"en": "Phone"}, "type": "phone"},
    {"name": "about", "label": {"en": "About"}, "type": "select", "options": ["order", "other"]},
]
TYPING = "subscription Typing($ticket: ID!) { visitorTyping(ticketId: $ticket) { until } }"
TYPES = "mutation Types($input: ChatTypingInput!) { chatTyping(input: $input) { ok userErrors { code } } }"
READS = "mutation Reads($input: ChatReadInput!) { chatRead(input: $input) { ok userErrors { code } } }"
SAID = """query Said($id: ID!) { ticket(id: $id) { timeline(first: 5) { edges { node { ... on Message {
  text page { url title referrer } answers { name label value } attachments { name mime } } } } } } }"""

WROTE = """query Wrote($id: ID!) { ticket(id: $id) { contact { name } timeline(first: 5) { edges { node { ... on Message {
  author senderVerified answers { value } } } } } } }"""


@pytest.fixture(autouse=True)
async def widget(house: House) -> None:
    async with house.db.transaction() as session:
        await a_channel(session, house.keys, ChannelKind.CHAT)
        await a_channel(session, house.keys, ChannelKind.CHAT, slug="other")


async def sets(house: House, **settings: Any) -> None:
    async with house.db.transaction() as session:
        await set_channel(session, "chat", **settings)


async def ticket_id(house: House) -> str:
    async with house.db.transaction() as session:
        return public_id("Ticket", (await session.scalars(select(Ticket.id))).one())


async def test_typing_is_told_both_ways_at_most_every_three_seconds(
    door: str, house: House, ben: Client
) -> None:
    async with visiting(door) as visitor:
        await visitor.say(type="hello")
        await visitor.say(type="message", id="m1", text="Hello?")
        await placed(house)
        id = await ticket_id(house)
        async with ben.listening(TYPING, ticket=id) as told:
            assert (await told.hear())["payload"]["data"]["visitorTyping"]["until"] is None
            for _ in range(3):
                await visitor.socket.send('{"type": "typing"}')
            until = (await told.hear())["payload"]["data"]["visitorTyping"]["until"]
            assert datetime.fromisoformat(until) > datetime.now(UTC)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.5):
                    await told.hear()

        for _ in range(3):
            await ben.ask(TYPES, input={"ticketId": id})
        assert await visitor.hear("typing") == {"type": "typing", "from": "agent"}
        await ben.ask(READS, input={"ticketId": id, "seq": 2**40})
        assert (await visitor.hear())["type"] == "read"


async def test_what_the_visitor_has_and_has_read_is_the_answers_state(door: str, house: House) -> None:
    async with visiting(door) as visitor:
        await visitor.say(type="hello")
        await visitor.say(type="message", id="m1", text="Hello?")
        await placed(house)
        await answer(house, "Yes?")
        seq = [await visitor.hear("message") for _ in range(2)][-1]["seq"]
        states: list[DeliveryState | None] = []
        for type in ("ack", "read", "ack"):
            await visitor.socket.send(f'{{"type": "{type}", "seq": {seq}}}')
            await visitor.say(type="dance")
            async with house.db.transaction() as session:
                states += await session.scalars(select(Message.delivery).where(Message.delivery.is_not(None)))

    assert states == [DeliveryState.DELIVERED, DeliveryState.READ, DeliveryState.READ]


async def test_the_visitor_sees_what_an_agent_has_read_without_an_answer(
    door: str, house: House, ben: Client
) -> None:
    async with Poster(door) as ada:
        await ada.greets()
        await ada.says("messages", id="m1", text="Hello?")
        await placed(house)
        async with ada.stream() as frames:
            (mine,) = await messages_of(frames, 1)
            await ben.ask(READS, input={"ticketId": await ticket_id(house), "seq": mine["seq"]})
            async with asyncio.timeout(30):
                read = await anext(frames)

        assert (read["type"], read["seq"]) == ("read", mine["seq"])


async def test_files_are_an_attachment_of_the_message_once_and_are_what_their_bytes_say(
    door: str, house: House, ben: Client
) -> None:
    async with Poster(door) as ada:
        await ada.greets()
        files = (("../a photo.exe", PHOTO, "text/html"), ("note.txt", b"MZ", "text/plain"))
        said = [await ada.sends("f1", *files, text="Look") for _ in range(2)]
        other = await ada.sends("f1", files[0], text="Look")
        await placed(house)
        async with ada.stream() as frames:
            (shown,) = await messages_of(frames, 1)
        got = await ada.http.get(shown["files"][0]["url"].replace("http://heddle.test", door))

    assert {answered.json()["type"] for answered in said} == {"ack"}
    assert other.json()["code"] == "id_reused"
    assert [(file["name"], file["mime"]) for file in shown["files"]] == [
        ("a photo.exe", "image/png"),
        ("note.txt", "text/plain"),
    ]
    assert got.content == PHOTO
    assert got.headers["x-content-type-options"] == "nosniff"
    found = await ben.ask(SAID, id=await ticket_id(house))
    (edge, *_) = [one for one in found["ticket"]["timeline"]["edges"] if "text" in one["node"]]
    assert edge["node"]["attachments"][0] == {"name": "a photo.exe", "mime": "image/png"}


@pytest.mark.parametrize(
    ("files", "code"),
    [
        ([("a", b"", "text/plain")], "empty_file"),
        ([("a", b"x", "text/plain")] * 6, "bad_form"),
        ([("a", b"x" * (10 * 1024 * 1024 + 1), "text/plain")], "too_large"),
        ([], "bad_form"),
    ],
    ids=["empty", "six", "large", "none"],
)
async def test_files_that_may_not_come_are_refused_and_nothing_is_kept(
    door: str, house: House, files: list[Any], code: str
) -> None:
    async with Poster(door) as ada:
        await ada.greets()

        assert (await ada.sends("f1", *files)).json()["code"] == code

    async with house.db.transaction() as session:
        assert await session.scalar(select(func.count()).select_from(Arrival)) == 0


async def test_only_so_many_files_come_in_an_hour(door: str, house: House) -> None:
    await sets(house, files_per_hour=2)
    async with Poster(door) as ada:
        await ada.greets()
        codes = [(await ada.sends(f"f{n}", ("a", b"x", "text/plain"))).status_code for n in range(3)]

        refused = await ada.sends("f9", ("a", b"x", "text/plain"))

    assert codes == [200, 200, 429]
    assert refused.json()["code"] == "too_many_files"
    assert int(refused.headers["retry-after"]) > 0


async def test_many_visitors_of_one_address_leave_no_more_than_it_may_and_others_are_heard(
    door: str, house: House
) -> None:
    await sets(house, megabytes_per_hour=25)
    photo = ("a.png", PHOTO + bytes(2 * 1024 * 1024), "image/png")
    said = []
    for _ in range(13):
        async with Poster(door) as eve:
            await eve.greets()
            said.append(await eve.sends("f1", photo))

    async with Poster(door) as neighbour, Poster(door, **{"x-forwarded-for": "198.51.100.7"}) as ada:
        await neighbour.greets()
        words = await neighbour.says("messages", id="m1", text="Where is my parcel?")
        await ada.greets()
        elsewhere = await ada.sends("f1", photo)

    assert [one.status_code for one in said] == [200] * 12 + [429]
    assert said[-1].json()["code"] == "too_many_bytes"
    assert 0 < int(said[-1].headers["retry-after"]) < 3600
    assert words == {"type": "ack", "id": "m1"}
    assert elsewhere.status_code == 200
    async with house.db.transaction() as session:
        assert await session.scalar(select(func.count()).select_from(Arrival)) == 14


async def test_a_link_to_an_agents_file_is_the_visitors_alone_and_is_given_anew(
    door: str, house: House, ben: Client
) -> None:
    async with visiting(door) as visitor:
        await visitor.say(type="hello")
        await visitor.say(type="message", id="m1", text="Sizes?")
        await placed(house)
        upload = await ben.http.post(
            "/files?name=sizes.pdf", content=b"%PDF-1", headers={"authorization": f"Bearer {ben.token}"}
        )
        async with house.db.transaction() as session:
            by = await actor_by_id(session, row_id("Agent", ben.agent_id))
        extras = Extras(files=[row_id("Attachment", upload.json()["id"])])
        await answer(house, "Here.", extras, by)
        shown = [await visitor.hear("message") for _ in range(2)][-1]["files"][0]

        anew = await visitor.say(type="file", id=shown["id"])

        here = anew["url"].replace("http://heddle.test", door)
        answered = await ben.http.get(here)
        assert (answered.content, answered.headers["content-disposition"][:10]) == (b"%PDF-1", "attachment")
        async with house.db.transaction() as session:
            attachment = (await session.scalars(select(Attachment))).one()
        stranger = link(door, house.keys, "chat", "0" * 40, attachment.id)
        elsewhere = link(door, house.keys, "other", "0" * 40, attachment.id)
        for wrong in (stranger, elsewhere, here[:-1], here.replace("u=", "u=9"), here.partition("?")[0]):
            assert (await ben.http.get(wrong)).status_code == 404
    async with Poster(door) as eve:
        await eve.greets()
        assert (await eve.says("file", id=shown["id"]))["code"] == "no_file"


async def test_what_is_asked_before_is_answered_once_and_proves_nothing(
    door: str, house: House, ben: Client
) -> None:
    await sets(house, fields=FIELDS)
    async with Poster(door) as ada:
        greeting = await ada.greets(locale="pl")
        assert [(field["name"], field["label"]) for field in greeting["fields"]][:2] == [
            ("name", "Imię"),
            ("email", "E-mail"),
        ]
        missing = await ada.says("messages", id="m1", text="Hello?")
        wrong = await ada.says(
            "messages", id="m1", text="Hello?", answers={"email": "none", "about": "x", "odd": "x"}
        )
        named = await ada.greets(session=greeting["session"], answers={"name": "\u202eAda"})
        answers = {"email": "Ada@example.org", "phone": "+48 600 100 200", "about": "order"}
        assert (await ada.says("messages", id="m1", text="Hello?", answers=answers))["type"] == "ack"
        assert (await ada.greets(session=greeting["session"]))["fields"] == []
    await placed(house)

    assert [field["name"] for field in named["fields"]] == ["email", "phone", "about"]
    assert (missing["code"], missing["fields"], missing["id"]) == ("answers_needed", ["email"], "m1")
    assert (wrong["code"], sorted(wrong["fields"])) == ("bad_answer", ["about", "email", "odd"])
    assert wrong["id"] == "m1"
    async with house.db.transaction() as session:
        assert (await session.scalars(select(Contact.name))).one() == "Ada"
        proven = {one.kind: one.verified_at for one in await session.scalars(select(Identity))}
    assert proven[IdentityKind.EMAIL] is None
    assert proven[IdentityKind.PHONE] is None
    found = await ben.ask(SAID, id=await ticket_id(house))
    (node,) = [one["node"] for one in found["ticket"]["timeline"]["edges"] if "text" in one["node"]]
    assert {"name": "about", "label": "About", "value": "order"} in node["answers"]


async def test_a_visitor_who_is_called_by_somebody_elses_address_is_not_shown_by_it(
    door: str, house: House, ben: Client
) -> None:
    """The session proves that the same visitor writes on; the name beside the mark would say that it was Zofia."""
    await sets(house, fields=[FIELDS[0]])
    async with Poster(door) as eve:
        await eve.greets()
        answers = {"name": "Zofia <zofia@example.com>"}
        await eve.says("messages", id="m1", text="Send my parcel elsewhere.", answers=answers)
    await placed(house)

    found = await ben.ask(WROTE, id=await ticket_id(house))
    (node,) = [one["node"] for one in found["ticket"]["timeline"]["edges"] if "author" in one["node"]]
    assert node["author"].startswith("Chat ")
    assert node["senderVerified"] is True
    assert node["answers"] == [{"value": "Zofia <zofia@example.com>"}]
    assert found["ticket"]["contact"]["name"] == ""


async def test_what_the_shop_has_signed_is_not_asked(door: str, house: House) -> None:
    await sets(house, fields=FIELDS)
    async with Poster(door) as ada:
        greeting = await ada.greets(identity=signed(name="Ada"))

        assert [field["name"] for field in greeting["fields"]] == ["phone", "about"]
        assert (await ada.says("messages", id="m1", text="Hello?"))["type"] == "ack"


async def test_the_page_goes_along_with_the_message_that_is_written_there(
    door: str, house: House, ben: Client
) -> None:
    async with visiting(door) as visitor:
        first = {
            "url": "https://ada:pw@shop.example/dress?size=m&access_token=abc#x",
            "title": "A\n\u202edress",
        }
        await visitor.say(type="hello", page=first)
        await visitor.say(type="message", id="m1", text="One")
        await visitor.say(type="message", id="m2", text="Two")
        await visitor.socket.send('{"type": "page", "url": "https://shop.example/cart"}')
        await visitor.say(type="message", id="m3", text="Three")
    await placed(house)

    found = await ben.ask(SAID, id=await ticket_id(house))
    pages = {
        edge["node"]["text"]: edge["node"]["page"]
        for edge in found["ticket"]["timeline"]["edges"]
        if "text" in edge["node"] and edge["node"]["text"] in ("One", "Two", "Three")
    }
    assert pages["One"] == {
        "url": "https://shop.example/dress?size=m&access_token=",
        "title": "A dress",
        "referrer": "",
    }
    assert pages["Two"] is None
    assert pages["Three"]["url"] == "https://shop.example/cart"


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "file:///etc/passwd", "https://", "http://[", "//shop.example", 7, None]
)
def test_what_is_no_address_of_the_web_is_no_page(url: Any) -> None:
    assert page_of({"url": url, "title": "A page"}) is None
    assert page_of({"url": "https://shop.example/", "referrer": url}) == {"url": "https://shop.example/"}


async def test_who_fills_in_the_field_that_no_person_sees_is_acknowledged_and_shown_to_nobody(
    door: str, house: House
) -> None:
    async with Poster(door) as robot:
        await robot.greets()
        said = await robot.says("messages", id="m1", text="Buy!", website="https://spam.example")
    await placed(house)

    assert said["type"] == "ack"
    async with house.db.transaction() as session:
        assert (await session.scalars(select(Arrival.state))).all() == [ArrivalState.IGNORED]
        assert (await session.scalars(select(Ticket))).all() == []


async def test_hello_says_when_somebody_will_be_there(door: str, house: House) -> None:
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    day = tomorrow.strftime("%a").lower()
    hours = Hours.from_json({"zone": "UTC", "weekly": {day: [["09:00", "17:00"]]}})
    async with Poster(door) as ada:
        always = await ada.greets()
        async with house.db.transaction() as session:
            calendar = Calendar(id=new_id(), name="Office", hours=hours.to_json())
            session.add(calendar)
            await session.flush()
            await session.execute(update(Channel).values(calendar_id=calendar.id))
        closed = await ada.greets()

    assert (always["open"], "opensAt" in always) == (True, False)
    assert closed["open"] is False
    assert datetime.fromisoformat(closed["opensAt"]).date() == tomorrow.date()


async def test_where_visitors_have_to_be_identified_nobody_else_writes(door: str, house: House) -> None:
    await sets(house, anonymous=False)
    async with visiting(door) as visitor:
        greeting = await visitor.say(type="hello")
        assert (greeting["mayWrite"], greeting["identified"]) == (False, False)
        assert (await visitor.say(type="message", id="m1", text="Hello?"))["code"] == "identify_first"

        greeting = await visitor.say(type="identify", identity=signed())

        assert (greeting["mayWrite"], greeting["identified"]) == (True, True)
        assert (await visitor.say(type="message", id="m1", text="Hello?"))["type"] == "ack"


async def test_who_signs_in_keeps_the_conversation_and_who_signs_out_or_is_another_begins_anew(
    door: str, house: House
) -> None:
    async with visiting(door) as visitor:
        session = (await visitor.say(type="hello"))["session"]
        await visitor.say(type="message", id="m1", text="Before I signed in")
        assert (await visitor.say(type="identify", identity=signed()))["session"] == session
        assert (await visitor.say(type="identify", identity="forged"))["refused"]

        zofias = await visitor.say(type="identify", identity=signed(sub="8", email="zofia@example.org"))
        nobodys = await visitor.say(type="logout")

        assert len({session, zofias["session"], nobodys["session"]}) == 3
        assert nobodys["identified"] is False
        await visitor.say(type="message", id="m2", text="After")
        await placed(house)
        assert (await visitor.hear("message"))["text"] == "After"
    async with Poster(door) as ada:
        greeting = await ada.greets(session=session)
        assert greeting["identified"] is True
        out = await ada.says("logout")
        assert out["session"] not in (session, nobodys["session"])


async def test_who_signs_out_is_signed_out_though_others_at_their_address_began_all_sessions_that_may(
    door: str, house: House
) -> None:
    await sets(house, sessions_per_minute=1)
    async with Poster(door) as ada:
        await ada.greets()
        await ada.says("messages", id="m1", text="Mine alone")

        out = await ada.says("logout")

        assert out["code"] == "too_many_sessions"
        assert (await ada.says("messages", id="m2", text="Mine still?"))["code"] == "no_session"


async def test_who_signs_out_leaves_no_link_to_a_file_that_opens(door: str, house: House) -> None:
    async with Poster(door) as ada:
        await ada.greets()
        await ada.sends("m1", ("photo.png", PHOTO, "image/png"), text="Look")
        await placed(house)
        async with ada.stream() as frames:
            (shown,) = await messages_of(frames, 1)
        here = shown["files"][0]["url"].replace("http://heddle.test", door)
        assert (await ada.http.get(here)).content == PHOTO

        await ada.says("logout")

        assert (await ada.http.get(here)).json()["code"] == "no_file"


def otherwise_signed(token: str) -> str:
    said, _, signature = token.rpartition(".")
    return f"{said}.{'B' if signature.startswith('A') else 'A'}{signature[1:]}"


async def test_two_hundred_forged_identities_and_sessions_are_nobodys(door: str, house: House) -> None:
    def exp(days: int = 1) -> datetime:
        return datetime.now(UTC) + timedelta(days=days)

    kinds = [
        lambda n: signed(key=secrets.token_hex(32), sub=str(n)),
        lambda n: signed(exp=exp(-n), sub=str(n)),
        lambda n: signed(aud="other", sub=str(n)),
        lambda n: jwt.encode({"sub": str(n), "aud": "chat", "exp": exp()}, "", algorithm="none"),
        lambda n: jwt.encode({"sub": str(n), "aud": "chat"}, KEY),
        lambda n: jwt.encode({"sub": str(n), "aud": "chat", "exp": exp()}, KEY * 2, algorithm="HS512"),
        lambda n: otherwise_signed(signed(sub=str(n))),
        lambda n: signed(sub=n),
    ]
    await sets(house, sessions_per_minute=1000)
    async with Poster(door) as ada, Poster(door) as eve:
        real = (await ada.greets())["session"]
        for n in range(1, 201):
            forged = real[:-4] + secrets.token_hex(2) if n % 2 else f"{secrets.token_urlsafe(32)}.{n}"
            said = await eve.greets(identity=kinds[n % len(kinds)](n), session=forged)
            assert said["identified"] is False
            assert said["refused"]
            assert said["session"] not in (real, forged)
    async with house.db.transaction() as session:
        assert (await session.scalars(select(Identity))).all() == []


async def test_whom_the_shop_has_blocked_is_told_nothing_and_reaches_nobody(door: str, house: House) -> None:
    async with Poster(door) as ada:
        await ada.greets()
        await ada.says("messages", id="m1", text="Hello?")
        await placed(house)
        async with house.db.transaction() as session:
            handle = (await session.scalars(select(Identity))).one()
            session.add(
                BlockedSender(
                    id=new_id(),
                    kind=handle.kind,
                    scope=handle.scope,
                    sender=handle.value,
                    created_at=datetime.now(UTC),
                )
            )

        assert (await ada.says("messages", id="m2", text="Again"))["type"] == "ack"

    await placed(house)
    async with house.db.transaction() as session:
        assert (await session.scalars(select(Message.text))).all() == ["Hello?"]
        states = await session.scalars(select(Arrival.state).order_by(Arrival.received_at))
        assert states.all() == [ArrivalState.PLACED, ArrivalState.IGNORED]


async def test_a_session_an_address_and_a_channel_have_only_so_much(door: str, house: House) -> None:
    await sets(house, messages_per_minute=2, sessions_per_minute=2, streams_per_session=1)
    async with Poster(door) as ada, Poster(door) as bo:
        await ada.greets()
        said = [await ada.says("messages", id=f"m{n}", text="Hello?") for n in range(3)]
        again = await ada.says("messages", id="m1", text="Hello?")
        await bo.greets()
        full = await bo.posts("session")
        async with ada.stream():
            second = await ada.http.get("events")
            async with visiting(door) as tab:
                refused = await tab.say(type="hello", session=ada.greeting["session"])
                refused = await tab.hear("error") if refused["type"] == "hello" else refused
                with pytest.raises(ConnectionClosed) as closed:
                    await tab.hear()

    assert [one.get("code") for one in (*said, again)] == [None, None, "too_many_messages", None]
    assert (full.status_code, full.json()["code"]) == (429, "too_many_sessions")
    assert (second.status_code, second.json()["code"]) == (429, "too_many_streams")
    assert refused["code"] == "too_many_streams"
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1013
    async with house.db.transaction() as session:
        assert await session.scalar(select(func.count()).select_from(Arrival)) == 2


async def test_one_address_does_not_take_all_the_seats_there_are(door: str, house: House) -> None:
    await sets(house, streams=2, streams_per_session=1)
    eves = {"x-forwarded-for": "203.0.113.66"}
    async with (
        visiting(door, **eves) as eve,
        visiting(door, **eves) as eve_again,
        Poster(door, **{"x-forwarded-for": "198.51.100.7"}) as ada,
    ):
        await eve.say(type="hello")
        await eve_again.say(type="hello")
        refused = await eve_again.hear("error")

        await ada.greets()
        async with ada.stream():
            pass

    assert refused["code"] == "too_many_streams"


async def test_frames_that_come_too_fast_are_named_and_not_taken(
    door: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("integrations.chat.socket.FRAMES_PER_MINUTE", 3.0)
    async with visiting(door) as visitor:
        await visitor.say(type="hello")
        codes = [(await visitor.say(type="dance"))["code"] for _ in range(4)]

    assert codes == ["unknown_type", "unknown_type", "too_fast", "too_fast"]


def test_typing_is_forgotten_by_who_remembers_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reception, "REMEMBERED", 2)
    desk = reception.Reception(None, None, "")  # type: ignore[arg-type]

    assert [desk.types(key) for key in ("a", "a", "b", "c", "a")] == [True, False, True, True, True]


async def test_whose_a_silent_session_is_nobody_decides_who_only_names_an_address(
    door: str, house: House
) -> None:
    """An export of somebody's data, or its erasure, takes no other visitor's along."""
    await sets(house, fields=FIELDS)
    ada = signed(sub="ada", email="ada@example.org")
    async with Poster(door) as eve, Poster(door, "other") as eves_other, Poster(door) as hers:
        await eve.greets(identity=signed(sub="eve", email="ada@example.org", email_verified=False))
        answers = {"email": "ada@example.org"}
        assert (await eve.says("messages", id="m1", text="Hi", answers=answers))["type"] == "ack"
        await placed(house)
        await hers.greets(identity=ada)
        await eves_other.greets(identity=signed(sub="eve", email="zofia@example.org", aud="other"))

    visitors = next(holding for holding in HOLDINGS if holding.model is Visitor)
    async with house.db.transaction() as session:
        contact = (await session.scalars(select(Contact))).one()
        theirs = (await session.scalars(select(Visitor).where(visitors.theirs(contact.id)))).all()

    assert [visitor.identity["sub"] for visitor in theirs] == ["eve"]


async def test_a_silent_session_is_of_who_was_signed_in_there_however_the_domain_name_is_written(
    door: str, house: House
) -> None:
    async with Poster(door) as at_home, Poster(door) as at_work:
        await at_home.greets(identity=signed(email="Ada@bücher.example"))
        assert (await at_home.says("messages", id="m1", text="Hi"))["type"] == "ack"
        await placed(house)
        await at_work.greets(identity=signed(sub="8", email="ada@BÜCHER.example"))

    visitors = next(holding for holding in HOLDINGS if holding.model is Visitor)
    async with house.db.transaction() as session:
        contact = (await session.scalars(select(Contact))).one()
        theirs = await session.scalars(select(Visitor).where(visitors.theirs(contact.id)))

    assert {visitor.identity["sub"] for visitor in theirs} == {"7", "8"}


@pytest.mark.parametrize(
    "origin",
    [
        "shop.example",
        "https://shop.example/cart",
        "ftp://shop.example",
        "*",
        "https://*.shop.example",
        "https://",
    ],
)
def test_a_page_that_no_browser_says_is_no_origin(origin: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        read_settings(ChannelKind.CHAT, {"origins": ["https://www.shop.example/", origin]})

    assert refused.value.values["problem"] == "an origin is like https://shop.example, without a path"
