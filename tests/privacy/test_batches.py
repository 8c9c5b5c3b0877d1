"""Meta posts events of several people together: an export shows one's own, an erasure takes one's own, and the rest stays."""

import io
import json
import uuid
import zipfile
from typing import Any

import pytest
from sqlalchemy import select, update

from api.house import House
from demo.farends import GraphStandIn, messenger_events
from domain.arriving.inbound import ARRIVALS, Arrival, ArrivalState
from domain.customers.contacts import Identity
from domain.desk.messages import Item
from domain.ids import public_id
from domain.privacy import dossier
from domain.privacy.batches import parted
from domain.ways_in.channels import ChannelKind
from integrations.mailroom import Mailroom
from tests.client import Client
from tests.factories import SETTINGS, a_channel
from tests.privacy.erasing import erased, tables_that_say
from tests.working_off import worked_off

PAGE = SETTINGS[ChannelKind.MESSENGER]
ADA, PIOTR = "100001", "100002"
RETRY = "mutation($input: ArrivalRetryInput!) { arrivalRetry(input: $input) { ok userErrors { code } } }"


def says(psid: str, text: str, mid: str) -> dict[str, Any]:
    return messenger_events.text_message(psid, PAGE["page_id"], text, mid=mid)


UNREADABLE = {"sender": {"id": PIOTR}, "recipient": {"id": PAGE["page_id"]}, "message": "Piotr, oddly"}


@pytest.fixture
async def page(house: House) -> None:
    async with house.db.transaction() as session:
        await a_channel(session, house.keys, ChannelKind.MESSENGER)


async def opened(house: House) -> None:
    await worked_off(house, ARRIVALS, Mailroom(house.db, house.keys, house.files).open)


async def posted(house: House, client: Client, *events: dict[str, Any]) -> None:
    meta = GraphStandIn(PAGE["page_token"], PAGE["app_secret"])
    body, headers = meta.webhook(list(events), PAGE["page_id"])
    answer = await client.http.post("/hooks/messenger/messenger", content=body, headers=headers)
    assert answer.status_code == 200
    await opened(house)


async def who(house: House, psid: str) -> uuid.UUID:
    async with house.db.transaction() as session:
        return (await session.scalars(select(Identity.contact_id).where(Identity.value == psid))).one()


async def the_original(house: House) -> Arrival:
    async with house.db.transaction() as session:
        return (await session.scalars(select(Arrival))).one()


async def exported(house: House, contact_id: uuid.UUID) -> list[bytes]:
    """The originals."""
    out = io.BytesIO()
    await dossier.write(house.db, house.files, contact_id, out)
    with zipfile.ZipFile(out) as archive:
        return [archive.read(name) for name in archive.namelist() if name.startswith("originals/")]


@pytest.mark.usefixtures("page")
async def test_an_export_shows_nothing_of_who_was_in_the_same_batch(house: House, anybody: Client) -> None:
    await posted(house, anybody, says(ADA, "I am Ada", "m_1"), says(PIOTR, "I am Piotr", "m_2"))
    await posted(house, anybody, says(ADA, "Ada alone", "m_3"))

    together, alone = await exported(house, await who(house, ADA))

    assert b"I am Ada" in together
    assert not any(word.encode() in together for word in ("Piotr", PIOTR, "m_2"))
    async with house.db.transaction() as session:
        newest = select(Arrival.raw).order_by(Arrival.id.desc()).limit(1)
        assert alone == await session.scalar(newest), "byte by byte, where it is all of one person"


@pytest.mark.usefixtures("page")
async def test_an_erasure_leaves_what_others_sent_in_the_same_batch(
    house: House, anybody: Client, admin: Client
) -> None:
    await posted(house, anybody, says(ADA, "I am Ada", "m_1"), says(PIOTR, "I am Piotr", "m_2"))

    await erased(house, admin, await who(house, ADA))

    assert not any([await tables_that_say(house, word) for word in ("I am Ada", ADA, "m_1")])
    original = await the_original(house)
    assert (original.state, original.emptied_at) == (ArrivalState.PLACED, None)
    (left,) = await exported(house, await who(house, PIOTR))
    assert b"I am Piotr" in left


@pytest.mark.usefixtures("page")
@pytest.mark.parametrize("adas", [says(ADA, "I am Ada", "m_1"), messenger_events.read(ADA, PAGE["page_id"])])
async def test_what_another_sent_and_nobody_could_read_yet_is_kept_to_be_tried_again(
    house: House, anybody: Client, mia: Client, admin: Client, adas: dict[str, Any]
) -> None:
    await posted(house, anybody, says(ADA, "Hello", "m_0"))
    contact_id = await who(house, ADA)
    async with house.db.transaction() as session:
        await session.execute(update(Arrival).values(raw=b""))
    await posted(house, anybody, adas, UNREADABLE)

    await erased(house, admin, contact_id)

    assert not any([await tables_that_say(house, word) for word in ("I am Ada", ADA)])
    async with house.db.transaction() as session:
        original = (await session.scalars(select(Arrival).where(Arrival.raw != b""))).one()
    assert original.state == ArrivalState.FAILED
    assert [entry["messaging"] for entry in json.loads(original.raw)["entry"]] == [[UNREADABLE]]
    tried = await mia.do(RETRY, id=public_id("Arrival", original.id))
    assert tried["ok"] is True


@pytest.mark.usefixtures("page")
async def test_what_waits_to_be_read_again_waits_on_without_who_was_erased(
    house: House, anybody: Client, admin: Client
) -> None:
    await posted(house, anybody, says(ADA, "I am Ada", "m_1"), UNREADABLE)
    contact_id = await who(house, ADA)
    odd, plain = b'"Piotr, oddly"', b'{"mid": "m_2", "text": "Piotr"}'
    async with house.db.transaction() as session:  # as if what could not be read then were understood today
        original = (await session.scalars(select(Arrival))).one()
        original.raw = original.raw.replace(odd, plain)
        original.state, original.due_at = ArrivalState.WAITING, original.received_at

    await erased(house, admin, contact_id)
    await opened(house)

    async with house.db.transaction() as session:
        assert sorted(await session.scalars(select(Item.text))) == ["", "Piotr"]


@pytest.mark.usefixtures("page")
async def test_what_became_no_message_of_who_was_erased_goes_from_beside_anothers_message(
    house: House, anybody: Client, admin: Client
) -> None:
    await posted(house, anybody, says(ADA, "Hello", "m_0"))
    correction = messenger_events.edit(ADA, PAGE["page_id"], "m_0", "I am Ada")
    await posted(house, anybody, correction, says(PIOTR, "I am Piotr", "m_1"))

    await erased(house, admin, await who(house, ADA))

    assert not any([await tables_that_say(house, word) for word in ("I am Ada", ADA)])
    assert "arrival" in await tables_that_say(house, "I am Piotr")


BY_ADA, BY_PIOTR, BY_NOBODY = {"sender": {"id": int(ADA)}}, {"sender": {"id": PIOTR}}, {"text": "Hi"}


@pytest.mark.parametrize(
    ("body", "theirs", "rest"),
    [
        (
            {"entry": [{"id": "9", "messaging": [BY_ADA, BY_NOBODY]}, {"standby": [BY_PIOTR]}]},
            {"entry": [{"id": "9", "messaging": [BY_ADA]}]},
            {"entry": [{"id": "9", "messaging": [BY_NOBODY]}, {"standby": [BY_PIOTR]}]},
        ),
        (
            {"entry": [{"messaging": BY_PIOTR, "standby": [BY_ADA]}, ADA, "odd"]},
            {"entry": [{"messaging": [], "standby": [BY_ADA]}, ADA]},
            {"entry": [{"messaging": [BY_PIOTR], "standby": []}, "odd"]},
        ),
        ({"entry": [{"messaging": [BY_ADA]}]}, {"entry": [{"messaging": [BY_ADA]}]}, None),
        ({"entry": [{"messaging": [BY_PIOTR]}]}, None, {"entry": [{"messaging": [BY_PIOTR]}]}),
        ({"messaging": BY_ADA}, {"messaging": BY_ADA}, None),
        ([BY_PIOTR], None, [BY_PIOTR]),
    ],
)
def test_each_event_is_of_whom_it_names(body: Any, theirs: Any, rest: Any) -> None:
    both = parted(json.dumps(body).encode(), {ADA})

    assert [json.loads(part) if part else None for part in both] == [theirs, rest]
