"""What Meta posts, opened by a worker: what an agent sees afterwards, in whatever order it came."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from api.house import House
from demo.farends import messenger_events as meta
from domain.arriving.inbound import Arrival, ArrivalState
from domain.customers.contacts import Contact
from domain.customers.name_lookups import NAME_LOOKUPS, NameLookup
from domain.desk.files import Folder
from domain.desk.messages import FETCHES, Attachment, DeliveryState, Message
from domain.desk.revisions import AwaitedMessage, edited_at, reactions_of, unsent_at
from domain.desk.threads import Thread
from domain.events import Event, EventKind
from domain.work import Lease
from integrations.media import Media
from integrations.messenger.profiles import Profiles
from tests.fetching import running
from tests.integrations.messaging import ADA, PAGE_ID, Messaging, at_work, lately
from tests.locks import cut_off_who_waits, who_waits

SECOND = timedelta(seconds=1)


@pytest.fixture
async def page(house: House) -> AsyncIterator[Messaging]:
    async with at_work(house) as messaging:
        yield messaging


async def told(page: Messaging, *kinds: EventKind) -> list[EventKind]:
    async with page.house.db.transaction() as session:
        found = await session.scalars(select(Event.kind).where(Event.kind.in_(kinds)).order_by(Event.seq))
        return list(found)


async def test_an_edit_changes_the_text_and_the_subject_made_of_it_and_says_so(page: Messaging) -> None:
    at = lately(minutes=5)
    await page.comes(meta.text_message(ADA, PAGE_ID, "Order 10422", mid="m1", at=at))

    await page.comes(meta.edit(ADA, PAGE_ID, "m1", "Order 10423", at=at + SECOND))
    await page.comes(meta.edit(ADA, PAGE_ID, "m1", "Order 10423", at=at + SECOND))

    (message,) = await page.messages()
    assert message.text == "Order 10423"
    edited = edited_at(message.particulars)
    assert edited
    assert abs(edited - at - SECOND) < timedelta(milliseconds=2)
    assert (await page.ticket()).subject == "Order 10423"
    assert await told(page, EventKind.MESSAGE_EDITED) == [EventKind.MESSAGE_EDITED]


async def test_nobody_but_who_wrote_a_message_changes_it_or_takes_it_back(page: Messaging) -> None:
    at = lately(minutes=5)
    await page.comes(meta.text_message(ADA, PAGE_ID, "Mine", mid="m1", at=at))
    await page.comes(meta.echo(ADA, PAGE_ID, "Ours", mid="m2", at=at + SECOND))
    by_page = meta.unsent(ADA, PAGE_ID, "m1") | {"sender": {"id": PAGE_ID}, "recipient": {"id": ADA}}

    await page.comes(meta.edit("7770666", PAGE_ID, "m1", "Eve's"), meta.unsent("7770666", PAGE_ID, "m1"))
    await page.comes(meta.reaction("7770666", PAGE_ID, "m1"), by_page)
    await page.comes(meta.edit(ADA, PAGE_ID, "m2", "Free of charge"), meta.unsent(ADA, PAGE_ID, "m2"))

    messages = await page.messages()
    assert [message.text for message in messages] == ["Mine", "Ours"]
    assert all(not reactions_of(message.particulars) for message in messages)


async def test_what_is_taken_back_is_emptied_and_its_row_stays(page: Messaging) -> None:
    photo = meta.photo_message(ADA, PAGE_ID, page.graph.media_url("card.png"), mid="m1", at=lately(minutes=5))
    photo["message"]["text"] = "My card: 4111"
    await page.comes(photo)
    await fetch(page)
    (kept,) = await page.attachments()

    await page.comes(meta.unsent(ADA, PAGE_ID, "m1"))

    (message,) = await page.messages()
    assert (message.text, (await page.ticket()).subject) == ("", "")
    assert unsent_at(message.particulars)
    assert await page.attachments() == []
    assert kept.file
    assert not await page.house.files.has(kept.file)
    assert await told(page, EventKind.MESSAGE_UNSENT) == [EventKind.MESSAGE_UNSENT]


async def test_who_did_not_write_a_message_takes_none_of_its_files_with_them(page: Messaging) -> None:
    photo = page.graph.media_url("card.png")
    await page.comes(meta.photo_message(ADA, PAGE_ID, photo, mid="m1", at=lately(minutes=5)))
    await fetch(page)
    by_page = meta.unsent(ADA, PAGE_ID, "m1") | {"sender": {"id": PAGE_ID}, "recipient": {"id": ADA}}

    await page.comes(by_page, meta.unsent("7770666", PAGE_ID, "m1"))

    (kept,) = await page.attachments()
    assert await page.house.files.has(str(kept.file))


async def test_a_heart_for_an_answer_stands_at_it_until_it_is_taken_away(page: Messaging) -> None:
    await page.comes(meta.text_message(ADA, PAGE_ID, "Hi", at=lately(minutes=5)))
    await page.answers("Look:", files=[("mug.png", "image/png", b"\x89PNG")])
    await page.carried()
    ours = await page.carried()
    photo = page.graph.sent[1].message_id  # the part that she likes

    await page.comes(meta.reaction(ADA, PAGE_ID, photo, "❤", at=lately(minutes=1)))
    liked = await page.message(ours.id)
    await page.comes(meta.reaction(ADA, PAGE_ID, photo, taken_away=True))

    assert [one.emoji for one in reactions_of(liked.particulars)] == ["❤"]
    assert reactions_of((await page.message(ours.id)).particulars) == []


async def test_what_comes_before_its_message_waits_for_it(page: Messaging) -> None:
    early = [
        meta.edit(ADA, PAGE_ID, "m1", "Two mugs", at=lately(minutes=1)),
        meta.reaction(ADA, PAGE_ID, "m1"),
    ]
    await page.comes(*early)
    async with page.house.db.transaction() as session:
        waiting = (await session.scalars(select(Arrival))).one()
    assert waiting.state == ArrivalState.IGNORED
    assert "not here yet" in (waiting.last_error or "")

    await page.comes(meta.text_message(ADA, PAGE_ID, "One mug", mid="m1", at=lately(minutes=2)))

    (message,) = await page.messages()
    assert message.text == "Two mugs"
    assert len(reactions_of(message.particulars)) == 1
    async with page.house.db.transaction() as session:
        assert (await session.scalars(select(AwaitedMessage))).all() == []


async def test_in_one_batch_an_edit_may_stand_before_its_message(page: Messaging) -> None:
    at = lately(minutes=2)
    await page.comes(
        meta.edit(ADA, PAGE_ID, "m1", "Two mugs", at=at),
        meta.text_message(ADA, PAGE_ID, "One mug", mid="m1", at=at),
    )

    (message,) = await page.messages()
    assert message.text == "Two mugs"


async def test_a_message_that_another_app_answers_is_shown_too(page: Messaging) -> None:
    said = meta.text_message(ADA, PAGE_ID, "To the robot")
    body, _ = page.graph.signed({"object": "page", "entry": [{"id": PAGE_ID, "standby": [said]}]})

    await page.is_posted(body)

    assert [message.text for message in await page.messages()] == ["To the robot"]


async def test_a_receipt_that_comes_before_we_know_that_an_answer_has_left_holds_for_it(
    page: Messaging,
) -> None:
    await page.comes(meta.text_message(ADA, PAGE_ID, "Hi", at=lately(minutes=5)))
    queued = await page.answers()
    mid, left = meta.new_mid(), lately(seconds=30)

    await page.comes(meta.read(ADA, PAGE_ID, watermark=left + SECOND))
    before = await page.message(queued.id)
    mark = f"heddle:{queued.id}:0"
    await page.comes(meta.echo(ADA, PAGE_ID, "On its way.", mid=mid, metadata=mark, at=left))

    assert before.delivery == DeliveryState.QUEUED
    assert (await page.message(queued.id)).delivery == DeliveryState.READ


async def fetch(page: Messaging) -> None:
    async with running(Media(page.house.db, page.house.keys, page.house.files, page.settings).run()):
        while True:
            async with page.house.db.transaction() as session:
                waiting = select(Attachment).where(Attachment.due_at.is_not(None), Attachment.failures == 0)
                if (await session.scalars(waiting)).first() is None:
                    return


async def test_stickers_and_photos_are_fetched_and_an_address_that_has_expired_says_so(
    page: Messaging,
) -> None:
    sticker = meta.photo_message(ADA, PAGE_ID, page.graph.media_url("thumb.png"))
    sticker["message"]["attachments"][0]["payload"]["sticker_id"] = 369239
    gone = meta.photo_message(ADA, PAGE_ID, f"{page.graph.url}/media/expired")
    foreign = meta.photo_message(ADA, PAGE_ID, "http://192.0.2.1/photo.png")
    await page.comes(sticker, gone, foreign)

    await fetch(page)

    here, expired, refused = await page.attachments()
    assert (here.name, here.mime) == ("sticker-369239.png", "image/png")
    assert here.file
    assert (await page.house.files.get(here.file)).startswith(b"\x89PNG")
    assert (expired.file, expired.last_error) == (None, "The provider does not give this file out.\nHTTP 403")
    assert (refused.file, refused.last_error) == (None, "Files are not fetched from this address.\n192.0.2.1")
    assert await told(page, EventKind.ATTACHMENT_LOST) == [EventKind.ATTACHMENT_LOST] * 2
    assert FETCHES.topic == "attachments"


async def claimed_photo(page: Messaging) -> tuple[Media, Attachment, Lease[Attachment]]:
    await page.comes(meta.photo_message(ADA, PAGE_ID, page.graph.media_url("mug.png")))
    async with page.house.db.transaction() as session:
        ((photo, lease),) = await FETCHES.claim(session, 1)
    return Media(page.house.db, page.house.keys, page.house.files, page.settings), photo, lease


def stored(page: Messaging) -> int:
    assert isinstance(page.house.files, Folder)
    return sum(one.is_file() for one in page.house.files.folder.rglob("*"))


async def test_of_a_photo_that_could_not_be_written_down_nothing_stays(page: Messaging) -> None:
    media, photo, lease = await claimed_photo(page)

    async with page.house.db.transaction() as session, httpx.AsyncClient() as media._http:
        await session.get_one(Attachment, photo.id, with_for_update=True)
        fetching = asyncio.create_task(media.fetch(photo, lease))
        await cut_off_who_waits(page.house)
        with pytest.raises(DBAPIError):
            await fetching

    assert stored(page) == 0


async def test_a_photo_that_a_row_names_stays_though_nobody_heard_of_the_commit(
    page: Messaging, monkeypatch: pytest.MonkeyPatch
) -> None:
    media, photo, lease = await claimed_photo(page)
    transaction = page.house.db.transaction

    @asynccontextmanager
    async def loses_its_answer() -> AsyncIterator[AsyncSession]:
        async with transaction() as session:
            yield session
            tells = bool(session.info.get("rings"))
        if tells:
            raise ConnectionError

    monkeypatch.setattr(page.house.db, "transaction", loses_its_answer)
    async with httpx.AsyncClient() as media._http:
        with pytest.raises(ConnectionError):
            await media.fetch(photo, lease)

    assert stored(page) == 1


async def names(page: Messaging) -> list[str]:
    """Looks up what waits; then what contacts are called."""
    profiles = Profiles(page.house.db, page.house.keys, page.settings)
    async with page.house.db.transaction() as session:
        claimed = await NAME_LOOKUPS.claim(session, 10)
    for lookup, lease in claimed:
        await profiles.look_up(lookup, lease)
    async with page.house.db.transaction() as session:
        return list(await session.scalars(select(Contact.name).order_by(Contact.created_at)))


async def test_a_name_is_asked_for_once_and_fills_in_only_what_is_empty(page: Messaging) -> None:
    page.graph.people = {ADA: "Ada Lovelace"}
    await page.comes(meta.text_message(ADA, PAGE_ID, "Hi", at=lately(minutes=2)))
    nameless = (await page.messages())[0].author

    assert await names(page) == ["Ada Lovelace"]
    await page.comes(meta.text_message(ADA, PAGE_ID, "Hi again"))
    assert (nameless, (await page.messages())[1].author) == ("Messenger 0001", "Ada Lovelace")
    await page.set(Contact, name="Countess")
    await page.set(NameLookup, due_at=lately())
    assert await names(page) == ["Countess"]


async def test_a_name_that_an_agent_writes_down_while_meta_is_asked_stays(page: Messaging) -> None:
    page.graph.people = {ADA: "Ada Lovelace"}
    await page.comes(meta.text_message(ADA, PAGE_ID, "Hi", at=lately(minutes=2)))

    async with page.house.db.transaction() as session:
        ada = (await session.scalars(select(Contact).with_for_update())).one()
        ada.name = "Countess"
        await session.flush()
        looking_up = asyncio.create_task(names(page))
        await who_waits(page.house)

    assert await looking_up == ["Countess"]


async def test_a_name_that_meta_refuses_is_not_asked_for_again(page: Messaging) -> None:
    await page.comes(meta.text_message(ADA, PAGE_ID, "Hi", at=lately(minutes=2)))
    assert await names(page) == [""]

    await page.comes(meta.text_message(ADA, PAGE_ID, "Hi again"))

    async with page.house.db.transaction() as session:
        (asked,) = await session.scalars(select(NameLookup))
    assert (asked.due_at, asked.attempts) == (None, 1)
    assert (asked.last_error or "").startswith("100/33")


def happens(page: Messaging, person: str, ours: Message, dice: random.Random) -> list[meta.Event]:
    """Half an hour of one conversation, as it happened."""
    start = lately(minutes=30)
    clock = (start + n * SECOND for n in range(100))
    mids = [f"{person}-{n}" for n in range(3)]
    sent = next(one for one in page.graph.sent if one.to == person)
    mark = sent.payload["message"]["metadata"]
    told = [meta.echo(person, PAGE_ID, "Ours", mid=sent.message_id, metadata=mark, at=next(clock))]
    for mid in mids:
        told.append(meta.text_message(person, PAGE_ID, "One", mid=mid, at=next(clock)))
    told.append(meta.echo(person, PAGE_ID, "From the inbox", mid=f"{person}-inbox", at=next(clock)))
    edits = 0
    for _ in range(5):
        mid, at = dice.choice([*mids, sent.message_id]), next(clock)
        match dice.choice(("edit", "react", "unreact", "unsend")):
            case "edit" if mid in mids:
                edits += 1
                told.append(meta.edit(person, PAGE_ID, mid, f"Edit {edits}", number=edits, at=at))
            case "unsend" if mid in mids:
                told.append(meta.unsent(person, PAGE_ID, mid, at=at))
            case what:
                told.append(meta.reaction(person, PAGE_ID, mid, taken_away=what == "unreact", at=at))
    told.append(meta.delivery(person, PAGE_ID, [sent.message_id], watermark=next(clock)))
    if dice.random() < 0.5:
        told.append(meta.read(person, PAGE_ID, watermark=next(clock), at=next(clock)))
    return told


async def state(page: Messaging, person: str) -> list[Any]:
    """What an agent sees of this person's messages."""
    async with page.house.db.transaction() as session:
        theirs = select(Message).join(Thread, Thread.id == Message.thread_id).where(Thread.key == person)
        found = (await session.scalars(theirs)).all()
    return sorted(
        (
            "ours" if "parts" in (one.particulars or {}) else (one.external_id or "").replace(person, ""),
            one.text,
            str(one.delivery),
            [(given.emoji, given.from_shop) for given in reactions_of(one.particulars)],
            edited_at(one.particulars) is not None,
            unsent_at(one.particulars) is not None,
        )
        for one in found
    )


async def schedules(page: Messaging, seeds: range) -> None:
    """Each seed's conversation twice, with two people: in order, and shuffled with repeats."""
    for seed in seeds:
        ends = []
        for shuffles in (False, True):
            dice = random.Random(seed)
            person = f"8{seed:05}{shuffles:d}"
            await page.comes(
                meta.text_message(person, PAGE_ID, "Hi", mid=f"{person}-hi", at=lately(minutes=40))
            )
            await page.answers("Ours", to=person)
            ours = await page.carried()
            told = happens(page, person, ours, dice)
            if shuffles:
                told += dice.choices(told, k=4)
                dice.shuffle(told)
            for event in told:
                await page.comes(event)
            ends.append(await state(page, person))
        assert ends[0] == ends[1], f"seed {seed}"


async def test_shuffled_and_repeated_events_end_as_the_ordered_ones(page: Messaging) -> None:
    await schedules(page, range(2))


@pytest.mark.slow
async def test_many_shuffled_and_repeated_events_end_as_the_ordered_ones(page: Messaging) -> None:
    await schedules(page, range(100, 130))
