"""Nothing of who was erased stays behind, and nothing comes to it afterwards."""

import asyncio

import pytest
from sqlalchemy import select, update

from api.house import House
from domain.actors import SYSTEM
from domain.customers.contacts import Contact, Identity
from domain.desk.messages import Item
from domain.desk.threads import Thread
from domain.ids import public_id
from domain.joining.merging import merge_contacts
from domain.joining.moves import hold
from domain.privacy.erasure import Erasure
from domain.ways_in.blocking import block
from domain.ways_in.channels import ChannelKind
from tests.client import Client
from tests.factories import NOON, a_channel, a_mail, a_messenger_message, receive
from tests.integrations.mailing import Mailing, written
from tests.privacy.erasing import confirmed, erased, sealed, tables_that_say

MERGE = "mutation($input: ContactMergeInput!) { contactMerge(input: $input) { mergeId userErrors { code } } }"
LINK = "mutation($input: IdentityLinkInput!) { identityLink(input: $input) { userErrors { code } } }"
UNMERGE = "mutation($input: ContactUnmergeInput!) { contactUnmerge(input: $input) { userErrors { code } } }"
MOVE = "mutation($input: ThreadMoveInput!) { threadMove(input: $input) { userErrors { code } } }"


@pytest.fixture
async def ada(house: House) -> Contact:
    """She has written twice of one order: a rule has joined what she said."""
    async with house.db.transaction() as session:
        mailbox = await a_channel(session, house.keys, ChannelKind.EMAIL)
        for subject in ("Parcel", "Still no parcel"):
            said = a_mail("ada@example.org", "Where is order 7788991?", subject=subject, at=NOON)
            await receive(session, mailbox, said)
        return (await session.scalars(select(Contact))).one()


async def test_why_a_conversation_was_joined_goes_even_where_it_was_moved_since(
    house: House, ben: Client, admin: Client, ada: Contact
) -> None:
    async with house.db.transaction() as session:
        joined = (await session.scalars(select(Thread).order_by(Thread.number.desc()))).first()
    assert joined
    assert "7788991" in str(joined.joined_evidence)
    moved = await ben.do(MOVE, threadId=public_id("Thread", joined.id))
    assert moved["userErrors"] == []
    assert "move_step" in await tables_that_say(house, "7788991")

    await erased(house, admin, ada.id)

    assert await tables_that_say(house, "7788991") == set()


@pytest.fixture
async def at_work(house: House, ada: Contact) -> Contact:
    """Who may be Ada too."""
    async with house.db.transaction() as session:
        mailbox = await a_channel(
            session, house.keys, ChannelKind.EMAIL, slug="work", address="work@shop.example"
        )
        said = a_mail("ada@work.example", "The invoice, please", subject="Invoice", at=NOON)
        await receive(session, mailbox, said)
        return (await session.scalars(select(Contact).where(Contact.id != ada.id))).one()


async def test_who_is_being_erased_becomes_nobody_else(
    house: House, ben: Client, admin: Client, ada: Contact, at_work: Contact
) -> None:
    await confirmed(admin, ada.id)
    one, other = public_id("Contact", ada.id), public_id("Contact", at_work.id)

    assert await ben.refused(MERGE, primaryId=other, otherIds=[one]) == ["BEING_ERASED"]
    assert await ben.refused(MERGE, primaryId=one, otherIds=[other]) == ["BEING_ERASED"]
    await sealed(house)

    async with house.db.transaction() as session:
        said = {item.contact_id: item.text for item in await session.scalars(select(Item))}
    assert said == {ada.id: "", at_work.id: "The invoice, please"}


async def test_an_erasure_that_was_given_up_is_taken_up_when_it_is_confirmed_again(
    house: House, admin: Client, ada: Contact
) -> None:
    await confirmed(admin, ada.id)
    async with house.db.transaction() as session:
        await session.execute(update(Erasure).values(due_at=None))

    await confirmed(admin, ada.id)
    await sealed(house)

    assert await tables_that_say(house, "7788991") == set()


async def test_nobody_is_taken_out_of_who_is_being_erased(
    house: House, ben: Client, admin: Client, ada: Contact, at_work: Contact
) -> None:
    one, other = public_id("Contact", ada.id), public_id("Contact", at_work.id)
    merged = await ben.do(MERGE, primaryId=one, otherIds=[other])
    await confirmed(admin, ada.id)

    assert await ben.refused(UNMERGE, mergeId=merged["mergeId"]) == ["BEING_ERASED"]
    await sealed(house)

    assert await tables_that_say(house, "invoice") == set()
    assert await ben.refused(UNMERGE, mergeId=merged["mergeId"]) == ["NOT_FOUND"]


async def test_who_becomes_somebody_else_while_it_is_confirmed_is_erased_as_that_one(
    house: House, admin: Client, ada: Contact, at_work: Contact
) -> None:
    async with house.db.transaction() as session:
        await hold(session)
        confirming = asyncio.create_task(confirmed(admin, ada.id))
        await asyncio.sleep(0.3)
        primary, other = [await session.get_one(Contact, id) for id in (at_work.id, ada.id)]
        await merge_contacts(session, primary, [other], by=SYSTEM, at=NOON)
    await confirming

    async with house.db.transaction() as session:
        assert list(await session.scalars(select(Erasure.contact_id))) == [at_work.id]
    await sealed(house)
    assert await tables_that_say(house, "7788991") == set()


async def test_who_is_left_without_an_identity_while_being_erased_stays_who_they_are(
    house: House, ben: Client, admin: Client, ada: Contact
) -> None:
    async with house.db.transaction() as session:
        page = await a_channel(session, house.keys, ChannelKind.MESSENGER)
        await receive(session, page, a_messenger_message("100001"))
        other = (await session.scalars(select(Contact).where(Contact.id != ada.id))).one()
        identity = (await session.scalars(select(Identity).where(Identity.value == "100001"))).one()
    await confirmed(admin, other.id)

    linked = {"contactId": public_id("Contact", ada.id), "identityId": public_id("Identity", identity.id)}
    assert (await ben.do(LINK, **linked))["userErrors"] == []
    await sealed(house)

    async with house.db.transaction() as session:
        left = await session.get_one(Contact, other.id)
    assert (left.canonical_id, left.erased_at is None) == (None, False)


async def test_what_was_ignored_goes_however_its_sender_wrote_a_domain_name_that_is_not_ascii(
    mailing: Mailing, admin: Client
) -> None:
    await mailing.comes("Ada <ada@xn--bcher-kva.example>", "Where is my parcel?")
    async with mailing.house.db.transaction() as session:
        ada = (await session.scalars(select(Contact))).one()
        await block(session, "xn--bcher-kva.example", by=SYSTEM, at=NOON)
    raw = written("Ada <ada@example.org>", "My order is 7788991.")
    await mailing.brought(raw.replace(b"ada@example.org", "Ada@bücher.example".encode()))
    assert "arrival" in await tables_that_say(mailing.house, "7788991")

    await erased(mailing.house, admin, ada.id)

    assert await tables_that_say(mailing.house, "7788991") == set()
