"""The chat for networks that let no socket through: POST up, server-sent events down."""

import asyncio
import random
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import orjson
import pytest
from sqlalchemy import func, select
from websockets.exceptions import ConnectionClosed

from api.house import House
from domain.arriving.inbound import Arrival
from domain.ways_in.channels import ChannelKind
from integrations.chat.frames import LARGEST_FRAME
from integrations.chat.identity import new_ticket, session_id
from integrations.chat.stream import UPLOADS_AT_ONCE
from tests.doors import answering
from tests.factories import a_channel
from tests.integrations.chatting import Poster, answer, messages_of, placed, visiting

SHOP = "https://shop.example"


@pytest.fixture(autouse=True)
async def widget(house: House) -> None:
    async with house.db.transaction() as session:
        await a_channel(session, house.keys, ChannelKind.CHAT, messages_per_minute=5000)
        await a_channel(session, house.keys, ChannelKind.CHAT, slug="strict", origins=[SHOP])


async def test_what_is_posted_stands_in_the_stream_and_what_came_while_it_was_cut_follows(
    door: str, house: House
) -> None:
    async with Poster(door) as ada:
        await ada.greets()
        assert await ada.says("messages", id="m1", text="Anybody there?") == {"type": "ack", "id": "m1"}
        await placed(house)
        async with ada.stream() as frames:
            (mine,) = await messages_of(frames, 1)
        await answer(house, "Yes, how can I help?")

        async with ada.stream(last=mine["last"]) as frames:
            (theirs,) = await messages_of(frames, 1)
            await answer(house, "Still there?")
            (next_one,) = await messages_of(frames, 1)

        assert (mine["from"], mine["id"], mine["last"]) == ("visitor", "m1", str(mine["seq"]))
        assert [theirs["text"], next_one["text"]] == ["Yes, how can I help?", "Still there?"]
        async with ada.stream(seq=str(theirs["seq"])) as frames:
            assert await messages_of(frames, 1) == [next_one]


async def test_a_page_that_cannot_send_headers_opens_the_stream_by_a_ticket_that_only_reads(
    door: str, house: House
) -> None:
    async with Poster(door) as ada:
        greeting = await ada.greets()
        await ada.says("messages", id="m1", text="Hello?")
        await placed(house)
    async with Poster(door) as page:
        async with page.stream(ticket=greeting["ticket"]) as frames:
            assert [frame["text"] for frame in await messages_of(frames, 1)] == ["Hello?"]

        page.http.headers["authorization"] = f"Bearer {greeting['ticket']}"
        assert (await page.says("messages", id="m2", text="Not Ada"))["code"] == "no_session"


async def test_a_ticket_that_is_old_forged_or_another_channels_opens_nothing(door: str, house: House) -> None:
    async with Poster(door) as ada:
        greeting = await ada.greets()
        key = session_id(house.keys, "chat", greeting["session"]) or ""
        tickets = [
            new_ticket(house.keys, "chat", key, now=time.time() - 3600),
            new_ticket(house.keys, "strict", key, now=time.time()),
            greeting["ticket"][:-1],
            greeting["ticket"].replace(key, "0" * 40),
            f"{key}.9999999999.",
            "..",
            "",
        ]
        del ada.http.headers["authorization"]

        for ticket in tickets:
            refused = await ada.http.get("events", params={"ticket": ticket})
            assert (refused.status_code, refused.json()["code"]) == (401, "no_session")


async def test_a_post_that_comes_again_is_answered_alike_and_kept_once(door: str, house: House) -> None:
    async with Poster(door) as ada:
        await ada.greets()
        said = [(await ada.posts("messages", id="m1", text="Hello?")).content for _ in range(3)]
        other = await ada.posts("messages", id="m1", text="Something else")

    assert len(set(said)) == 1
    assert (other.status_code, other.json()["code"], other.json()["id"]) == (409, "id_reused", "m1")
    async with house.db.transaction() as session:
        assert await session.scalar(select(func.count()).select_from(Arrival)) == 1


async def test_the_session_may_stand_in_the_body_and_is_not_kept_with_the_message(
    door: str, house: House
) -> None:
    async with Poster(door) as ada:
        session = (await ada.greets())["session"]
        del ada.http.headers["authorization"]
        body = orjson.dumps({"session": session, "id": "m1", "text": "By a beacon"})
        said = await ada.http.post("messages", content=body, headers={"content-type": "text/plain"})

    assert said.json() == {"type": "ack", "id": "m1"}
    async with house.db.transaction() as database:
        arrival = (await database.scalars(select(Arrival))).one()
        assert session not in arrival.raw.decode() + str(arrival.envelope)


@pytest.mark.parametrize(
    ("path", "frame", "status", "code"),
    [
        ("messages", {"id": "1", "text": " "}, 400, "empty"),
        ("messages", {"text": "no id"}, 400, "bad_id"),
        ("messages", {"id": "1", "text": "a" * 8001}, 400, "too_long"),
        ("messages", {"id": "1", "text": "a" * 66_000}, 413, "too_large"),
        ("read", {"seq": -1}, 400, "bad_number"),
        ("identify", {"identity": {"sub": 7}}, 200, None),
        ("file", {"id": "nonsense"}, 404, "no_file"),
        ("messages", ["no object"], 400, "not_json"),
        ("session", {"seq": "x"}, 400, "bad_number"),
    ],
)
async def test_what_is_wrong_is_named_with_its_status(
    door: str, path: str, frame: Any, status: int, code: str | None
) -> None:
    async with Poster(door) as ada:
        await ada.greets()

        answered = await ada.http.post(path, json=frame)

        assert (answered.status_code, answered.json().get("code")) == (status, code)
        assert answered.headers["access-control-allow-origin"] == "*"


async def test_every_door_asks_for_a_session_and_knows_only_its_channels(door: str) -> None:
    async with Poster(door) as nobody:
        for path in ("messages", "typing", "read", "ack", "identify", "logout", "file", "files"):
            asked = await nobody.posts(path, session="forged.session", seq=1, id="1", text="x")
            assert (asked.status_code, asked.json()["code"]) == (401, "no_session"), path
        assert (await nobody.http.get("events")).status_code == 401
    async with Poster(door, "nowhere") as nobody:
        assert (await nobody.posts("session")).json()["code"] == "no_channel"


async def test_only_pages_of_the_channels_origins_may_ask_and_read(door: str) -> None:
    async with Poster(door, "strict", origin=SHOP) as ours, Poster(door, "strict", origin="null") as foreign:
        preflight = await ours.http.options("messages", headers={"access-control-request-method": "POST"})
        greeting = await ours.posts("session")

        assert preflight.status_code == 204
        assert "authorization" in preflight.headers["access-control-allow-headers"]
        for answered in (preflight, greeting):
            assert answered.headers["access-control-allow-origin"] == SHOP
            assert answered.headers["vary"] == "Origin"
            assert "access-control-allow-credentials" not in answered.headers
        refusals = [
            await foreign.posts("session"),
            await foreign.http.options("messages"),
            await foreign.http.get("events", params={"ticket": greeting.json()["ticket"]}),
        ]
        for refused in refusals:
            assert refused.status_code == 403
            assert "access-control-allow-origin" not in refused.headers


async def test_two_tabs_of_one_session_see_the_same(door: str, house: House) -> None:
    async with Poster(door) as one, visiting(door) as other:
        session = (await one.greets())["session"]
        assert (await other.say(type="hello", session=session))["session"] == session
        async with one.stream() as frames:
            await one.says("messages", id="m1", text="From the first tab")
            await placed(house)
            await answer(house, "Seen in both")

            there = await messages_of(frames, 2)
            here = [await other.hear("message") for _ in range(2)]

        assert [frame["text"] for frame in there] == ["From the first tab", "Seen in both"]
        assert [frame["seq"] for frame in there] == [frame["seq"] for frame in here]


async def test_who_signs_out_in_one_tab_is_heard_of_in_no_other(door: str, house: House) -> None:
    async with Poster(door) as one, visiting(door) as two, Poster(door) as three:
        greeting = await one.greets()
        await one.says("messages", id="m1", text="Mine alone")
        await placed(house)
        await two.say(type="hello", session=greeting["session"])
        await two.hear("message")
        async with three.stream(ticket=greeting["ticket"]) as frames:
            await messages_of(frames, 1)

            anew = await one.says("logout")

            await answer(house, "Not for whoever sits there now")
            assert await messages_of(frames, 1) == []
        with pytest.raises(ConnectionClosed):
            await two.hear("message")
        for old in ({"ticket": greeting["ticket"]}, {}):
            assert (await one.http.get("events", params=old)).json()["code"] == "no_session"
        assert (await one.says("messages", id="m2", text="Mine still?"))["code"] == "no_session"
        assert (await one.greets(session=greeting["session"]))["session"] != greeting["session"]
        assert (await one.greets(session=anew["session"]))["session"] == anew["session"]


async def test_who_comes_back_after_the_server_was_killed_has_lost_nothing(house: House) -> None:
    async with answering(house) as door, Poster(door) as ada:
        session = (await ada.greets())["session"]
        async with ada.stream() as frames:
            await ada.says("messages", id="m1", text="Before")
            await placed(house)
            (before,) = await messages_of(frames, 1)
            await ada.says("messages", id="m2", text="On the edge")
    await placed(house)
    await answer(house, "Meanwhile")
    async with answering(house) as door, Poster(door) as ada:
        ada.http.headers["authorization"] = f"Bearer {session}"
        assert await ada.says("messages", id="m2", text="On the edge") == {"type": "ack", "id": "m2"}

        async with ada.stream(last=before["last"]) as frames:
            told = await messages_of(frames, 2)

    assert [frame["text"] for frame in told] == ["On the edge", "Meanwhile"]


@pytest.mark.parametrize("sends", [60, pytest.param(1000, marks=pytest.mark.slow)])
async def test_shuffled_and_repeated_sends_by_both_ways_are_each_kept_once(
    door: str, house: House, sends: int
) -> None:
    chance = random.Random(7)
    names = [f"m{number}" for number in range(sends // 3)]
    schedule = chance.sample(names * 3, sends // 3 * 3)
    async with Poster(door) as ada, visiting(door) as tab:
        session = (await ada.greets())["session"]
        await tab.say(type="hello", session=session)

        async def post(name: str) -> httpx.Response:
            return await ada.posts("messages", id=name, text=f"Text of {name}")

        for begin in range(0, len(schedule), 10):
            answers = await asyncio.gather(*map(post, schedule[begin : begin + 10]))
            assert {answered.status_code for answered in answers} == {200}
        for name in schedule[:20]:
            await tab.say(type="message", id=name, text=f"Text of {name}")
        await placed(house)

        async with ada.stream() as frames:
            told = await messages_of(frames, len(names))
    assert sorted(frame["id"] for frame in told) == sorted(names)
    assert [frame["seq"] for frame in told] == sorted({frame["seq"] for frame in told})


async def test_uploads_that_never_end_keep_nobody_waiting(door: str) -> None:
    ended = asyncio.Event()

    async def half_of_it() -> AsyncIterator[bytes]:
        yield b"--x\r\nContent-Disposition: form-data; name=message\r\n\r\n"
        await ended.wait()

    async with Poster(door) as eve, Poster(door) as ada:
        await eve.greets()
        await ada.greets()
        kind = {"content-type": "multipart/form-data; boundary=x"}
        halves = [
            asyncio.create_task(eve.http.post("files", content=half_of_it(), headers=kind))
            for _ in range(UPLOADS_AT_ONCE + 1)
        ]
        await asyncio.sleep(0.2)

        sent = await ada.sends("m1", ("mug.png", b"\x89PNG", "image/png"))

        ended.set()
        answers = await asyncio.gather(*halves)
    assert sent.json() == {"type": "ack", "id": "m1"}
    assert {answered.json()["code"] for answered in answers} == {"bad_form"}


async def test_what_is_said_beside_files_is_no_larger_than_a_frame(door: str) -> None:
    async with Poster(door) as eve:
        await eve.greets()
        form = {"message": orjson.dumps({"id": "m1", "page": {"url": "x" * LARGEST_FRAME}}).decode()}

        refused = await eve.http.post("files", data=form, files=[("file", ("a.txt", b"a", "text/plain"))])

    assert (refused.status_code, refused.json()["code"]) == (413, "too_large")
