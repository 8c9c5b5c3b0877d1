"""A word that says whether somebody wants to be written to: heeded before all else, and shown where a conversation goes on."""

from dataclasses import replace

from sqlalchemy.ext.asyncio import AsyncSession

from domain.actors import customer
from domain.arriving import copies
from domain.arriving.answered import thread_answered
from domain.arriving.inbound import Arrival, InboundMessage
from domain.arriving.writing_down import written
from domain.customers import consents
from domain.customers.consents import ConsentWord
from domain.desk.survivors import held_with
from domain.events import EventKind
from domain.ways_in.channels import Channel


async def heeded(session: AsyncSession, channel: Channel, said: InboundMessage) -> bool:
    """Was it a word that says whether somebody wants to be written to? It holds before anything else is looked at."""
    if said.wish is None or not said.claims:
        return False
    word = ConsentWord(said.wish, said.word, said.external_id, said.at)
    return await consents.heed(session, channel.id, said.claims[0].value, word)


async def shown(
    session: AsyncSession, channel: Channel, arrival: Arrival, said: InboundMessage
) -> str | None:
    """Such a word stands in the conversation that goes on, if one does. Nobody has to answer it: it opens and reopens nothing."""
    thread = await thread_answered(session, channel, said)
    if thread is None:
        return f"a word of consent, and no conversation: {said.wish}"
    ticket = await held_with(session, thread)
    if await copies.unheard(session, channel, said) is None:
        return None
    said = replace(said, automatic=True, particulars={"wish": said.wish})
    message = await written(session, channel, arrival, said, thread, ticket, None)
    message.tell(EventKind.MESSAGE_RECEIVED, by=customer(ticket.contact_id), at=said.at)
    ticket.updated_at = arrival.received_at
    return None
