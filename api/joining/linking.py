"""Saying who is who: an agent's word, and the link that proves a Messenger person."""

from datetime import datetime

import strawberry
from sqlalchemy.ext.asyncio import AsyncSession

from api.context import Info
from api.customers.contacts import Contact, read_contact
from api.errors import UserError
from api.mutations import changed, mutation
from domain import access
from domain.actors import Actor
from domain.customers import contacts, people
from domain.customers.contacts import Claim, IdentityKind, lock_identities, normalised
from domain.db import Json
from domain.errors import InvalidInput, NotFound
from domain.ids import row_id
from domain.joining import moves
from domain.languages import N_
from domain.ways_in import channels
from domain.ways_in.channels import ChannelKind
from integrations.messenger.links import link


@strawberry.input(
    description="Either an identity that is here already (an anonymous Messenger person's), or an address or a number."
)
class IdentityLinkInput:
    contact_id: strawberry.ID
    identity_id: strawberry.ID | None = None
    channel: ChannelKind | None = None
    value: str | None = None
    client_mutation_id: strawberry.ID


@strawberry.input(description="A link that opens a Messenger conversation and proves whose it is.")
class MessengerLinkInput:
    contact_id: strawberry.ID
    channel_id: strawberry.ID
    client_mutation_id: strawberry.ID


@strawberry.type
class ContactPayload:
    contact: Contact | None = None
    user_errors: list[UserError] = strawberry.field(default_factory=list)


@strawberry.type
class LinkPayload:
    url: str | None = None
    user_errors: list[UserError] = strawberry.field(default_factory=list)


async def _identity_link(info: Info, input: IdentityLinkInput) -> ContactPayload:
    async def change(session: AsyncSession, actor: Actor, now: datetime) -> Json:
        claim = await _claim(session, actor, input)
        await lock_identities(session, claim)  # before the moves, as what arrives does
        await moves.hold(session)
        contact = await access.contact(
            session, row_id("Contact", input.contact_id, field="contactId"), to=actor, lock=True
        )
        await people.link(session, contact, claim, by=actor, at=now)
        return {"contact": str(contact.id)}

    done = await changed(info, input, change)
    return ContactPayload(contact=await read_contact(info, done["contact"]))


async def _claim(session: AsyncSession, actor: Actor, input: IdentityLinkInput) -> Claim:
    if input.identity_id:
        asked = row_id("Identity", input.identity_id, field="identityId")
        named = await session.get(contacts.Identity, asked)
        if named is None:
            raise NotFound(field=["identityId"])
        await access.contact(session, named.contact_id, to=actor)
        return Claim(named.kind, named.value, None, named.scope, named.label)
    kinds = {ChannelKind.EMAIL: IdentityKind.EMAIL, ChannelKind.PHONE: IdentityKind.PHONE}
    if input.channel not in kinds or not input.value:
        raise InvalidInput(N_("Give an identityId, or an email address or phone number."), field=["value"])
    kind = kinds[input.channel]
    return Claim(kind, normalised(kind, input.value), None, label=input.value.strip())


async def _messenger_link(info: Info, input: MessengerLinkInput) -> LinkPayload:
    async def change(session: AsyncSession, actor: Actor, now: datetime) -> Json:
        contact = await access.contact(
            session, row_id("Contact", input.contact_id, field="contactId"), to=actor
        )
        channel = await access.one(
            session, channels.Channel, row_id("Channel", input.channel_id, field="channelId"), to=actor
        )
        if channel.kind != ChannelKind.MESSENGER:
            raise InvalidInput(N_("This channel is not a Messenger page."), field=["channelId"])
        return {"url": link(info.context.house.keys, channel, contact, at=now)}

    done = await changed(info, input, change)
    return LinkPayload(url=done["url"])


@strawberry.type
class LinkMutations:
    identity_link: ContactPayload = mutation(
        resolver=_identity_link,
        description="An agent's word that an address, a number or an anonymous person is this contact.",
    )
    messenger_link: LinkPayload = mutation(resolver=_messenger_link)
