"""Each of Meta's events, as documented, is one known kind, or kept and named."""

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from domain.arriving.afterwards import (
    InboundEcho,
    InboundEdit,
    InboundReaction,
    InboundReceipt,
    InboundUnsent,
)
from domain.arriving.inbound import Arrival, ArrivalState, Inbound, InboundMessage, Unread
from domain.keys import Keys
from domain.ways_in.channels import Channel, ChannelKind
from integrations.messenger.payloads import read

PAGE, ADA = "9001", "7770001"
SAID_AT = datetime(2026, 3, 2, 12, tzinfo=UTC)
STAMP = int(SAID_AT.timestamp() * 1000)
FROM_ADA = {"sender": {"id": ADA}, "recipient": {"id": PAGE}, "timestamp": STAMP}
FROM_PAGE = {"sender": {"id": PAGE}, "recipient": {"id": ADA}, "timestamp": STAMP}


def entries(keys: Keys, *entries: Any) -> list[Inbound | Unread]:
    page = Channel(kind=ChannelKind.MESSENGER, slug="page", name="Page", address=PAGE, config={})
    arrival = Arrival(
        raw=orjson.dumps({"object": "page", "entry": entries}),
        received_at=datetime(2026, 3, 2, 13, tzinfo=UTC),
        state=ArrivalState.WAITING,
    )
    return list(read(page, keys, arrival))


def one(keys: Keys, event: dict[str, Any], *, listed: str = "messaging") -> Any:
    (found,) = entries(keys, {"id": PAGE, "time": STAMP, listed: [event]})
    return found


def message(**said: Any) -> dict[str, Any]:
    return FROM_ADA | {"message": {"mid": "m_1", **said}}


def attached(kind: str, **payload: Any) -> dict[str, Any]:
    return message(attachments=[{"type": kind, "payload": payload}])


@pytest.mark.parametrize(
    ("event", "text", "files"),
    [
        (message(text="Zażółć\x00"), "Zażółć", []),
        (message(text="Yes", quick_reply={"payload": "YES"}), "Yes", []),
        (attached("image", url="https://scontent.xx.fbcdn.net/v/mug%20one.jpg?x=1"), "", [("mug one.jpg", "image/jpeg")]),
        (attached("audio", url="https://cdn.fbsbx.com/v/clip.mp4"), "", [("clip.mp4", "audio/mpeg")]),
        (attached("video", url="https://video.xx.fbcdn.net/v/film.mp4"), "", [("film.mp4", "video/mp4")]),
        (attached("file", url="https://cdn.fbsbx.com/v/invoice.pdf"), "", [("invoice.pdf", "application/octet-stream")]),
        (attached("file", url="https://cdn.fbsbx.com/v/..%2Fin%0Avoice.%E2%80%AEfdp.exe"), "", [("invoice.fdp.exe", "application/octet-stream")]),
        (attached("image", url="https://scontent.xx.fbcdn.net/v/3/a.png", sticker_id=369239), "", [("sticker-369239.png", "image/png")]),
        (attached("sticker", url="https://scontent.xx.fbcdn.net/v/3/b.png", sticker_id=369240), "", [("sticker-369240.png", "image/png")]),
        (message(attachments=[{"type": "location", "title": "Ada's place", "url": "https://maps.example/1",
                               "payload": {"coordinates": {"lat": 41.38, "long": 2.17}}}]),
         "Ada's place\n41.38, 2.17\nhttps://maps.example/1", []),
        (message(text="Look https://shop.example/mug", attachments=[
            {"type": "fallback", "title": "Mug", "payload": {"url": "https://shop.example/mug"}}]),
         "Look https://shop.example/mug\nMug", []),
        (message(attachments=[{"type": "template", "payload": {"product": {"elements": [
            {"id": "1", "title": "Blue mug", "subtitle": "12 EUR"}]}}}]), "Blue mug\n12 EUR", []),
        (message(attachments=[{"type": "hologram", "payload": None}]), "[hologram]", []),
        (message(is_unsupported=True), "(Messenger does not hand this message over: open it in the page's inbox.)", []),
        (FROM_ADA | {"postback": {"mid": "m_1", "title": "Track", "payload": "TRACK"}}, "Track", []),
        (FROM_ADA | {"postback": {"payload": "TRACK"}}, "TRACK", []),
    ],
)  # fmt: skip
def test_what_a_customer_says_is_a_message(
    keys: Keys, event: dict[str, Any], text: str, files: list[tuple[str, str]]
) -> None:
    for listed in ("messaging", "standby"):  # also while another app has the conversation
        said = one(keys, event, listed=listed)

        assert isinstance(said, InboundMessage)
        assert (said.text, said.at, said.from_shop) == (text, SAID_AT, False)
        assert [(file.name, file.mime) for file in said.attachments] == files


def test_a_reply_keeps_what_it_answers_and_a_quick_reply_what_it_means(keys: Keys) -> None:
    said = one(keys, message(text="Yes", quick_reply={"payload": "YES"}, reply_to={"mid": "m_0"}))

    assert said.particulars == {"payload": "YES", "reply_to": "m_0"}


def test_what_becomes_of_a_message_names_it(keys: Keys) -> None:
    edit = one(keys, FROM_ADA | {"message_edit": {"mid": "m_1", "text": "Two", "num_edit": "2"}})
    unsent = one(keys, message(is_deleted=True))
    heart = one(
        keys, FROM_ADA | {"reaction": {"mid": "m_1", "action": "react", "reaction": "love", "emoji": "❤"}}
    )
    gone = one(keys, FROM_ADA | {"reaction": {"mid": "m_1", "action": "unreact"}})
    ours = one(keys, FROM_PAGE | {"reaction": {"mid": "m_1", "action": "react", "reaction": "like"}})

    assert edit == InboundEdit("m_1", ADA, SAID_AT, "Two", 2)
    assert unsent == InboundUnsent("m_1", ADA, SAID_AT)
    assert heart == InboundReaction("m_1", ADA, SAID_AT, "❤")
    assert gone == InboundReaction("m_1", ADA, SAID_AT, "")
    assert ours == InboundReaction("m_1", ADA, SAID_AT, "like", from_shop=True)


def test_an_echo_is_of_ours_or_an_answer_from_the_pages_inbox(keys: Keys) -> None:
    id = "01890a5d-ac96-774b-bcce-b302099a8057"
    echo = {"mid": "m_1", "is_echo": True, "text": "On its way", "app_id": 1}

    ours = one(keys, FROM_PAGE | {"message": {**echo, "metadata": f"heddle:{id}:2"}})
    theirs = one(keys, FROM_PAGE | {"message": {**echo, "metadata": "another app's"}})

    assert isinstance(ours, InboundEcho)
    assert (str(ours.message_id), ours.part, ours.thread_key) == (id, 2, ADA)
    assert isinstance(theirs, InboundMessage)
    assert (theirs.from_shop, theirs.thread_key) == (True, ADA)


def test_receipts_reach_up_to_their_watermark(keys: Keys) -> None:
    parties = {"sender": {"id": ADA}, "recipient": {"id": PAGE}}
    delivered = one(keys, parties | {"delivery": {"mids": ["m_1"], "watermark": STAMP}})
    read = one(keys, FROM_ADA | {"read": {"watermark": STAMP}})

    assert isinstance(delivered, InboundReceipt)
    assert (delivered.until, delivered.external_ids, delivered.read) == (SAID_AT, ("m_1",), False)
    assert isinstance(read, InboundReceipt)
    assert (read.until, read.read) == (SAID_AT, True)


@pytest.mark.parametrize(
    "name",
    [
        "optin", "account_linking", "policy_enforcement", "pass_thread_control", "take_thread_control",
        "request_thread_control", "app_roles", "game_play", "messaging_feedback", "referral", "hologram",
    ],
)  # fmt: skip
def test_any_other_event_is_kept_and_named(keys: Keys, name: str) -> None:
    found = one(keys, FROM_ADA | {name: {"x": 1}})

    assert found == Unread(f"not acted on: {name}")


def test_an_optin_of_somebody_without_an_id_is_no_failure(keys: Keys) -> None:
    assert one(keys, {"recipient": {"id": PAGE}, "timestamp": STAMP, "optin": {"ref": "x"}}) == Unread(
        "not acted on: optin"
    )


def test_changes_are_kept_and_named_beside_the_messages_of_the_same_batch(keys: Keys) -> None:
    found = entries(
        keys,
        {"id": PAGE, "changes": [{"field": "feed", "value": {}}]},
        {"id": PAGE, "messaging": [message(text="Hi")], "standby": [FROM_ADA | {"read": {"watermark": STAMP}}]},
        "nonsense",
        {"id": PAGE},
        {"id": PAGE, "messaging": [FROM_ADA | {"sender": {"id": "1"}, "recipient": {"id": "2"}, "message": {"mid": "m"}}]},
    )  # fmt: skip

    assert [part.reason for part in found if isinstance(part, Unread)] == [
        "not acted on: changes of feed",
        "an entry of another shape: 'nonsense'",
        "no messaging in the entry",
        "an event of another page",
    ]
    assert [type(part) for part in found if not isinstance(part, Unread)] == [InboundMessage, InboundReceipt]


def test_a_batch_is_read_in_the_order_in_which_it_happened(keys: Keys) -> None:
    later = message(text="Second") | {"timestamp": STAMP + 5}

    found = entries(
        keys, {"id": PAGE, "messaging": [later]}, {"id": PAGE, "messaging": [message(text="First")]}
    )

    assert [part.text for part in found if isinstance(part, InboundMessage)] == ["First", "Second"]
