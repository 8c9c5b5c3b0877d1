"""Does a page work? Graph says whose token it is, and of what the page tells us."""

from domain.languages import N_
from domain.ways_in.channels import Channel
from integrations.findings import Finding, heard, in_time
from integrations.messenger.connecting import MetaRefused, MetaSilent, look
from integrations.messenger.graph import Graph
from integrations.messenger.page import MessengerPage
from integrations.outbound import Means


async def check(channel: Channel, means: Means) -> list[Finding]:
    page = MessengerPage.of(channel, means.keys)
    return [await in_time("token", _token(page, means)), await heard(channel, means)]


async def _token(page: MessengerPage, means: Means) -> Finding:
    try:
        connection = await look(Graph.of(page, means.settings))
    except MetaRefused as refusal:
        return Finding("token", False, MetaRefused.sentence, refusal.values)
    except MetaSilent:
        return Finding("token", False, MetaSilent.sentence)
    name = {"name": connection.name[:100]}
    if connection.page_id != page.page_id:
        return Finding("token", False, N_("The token is another page's: {name}."), name)
    if connection.missing:
        missing = N_("The page does not tell us of: {fields}.")
        return Finding("token", False, missing, {"fields": ", ".join(connection.missing)})
    return Finding("token", True, N_("The token is that of {name}."), name)
