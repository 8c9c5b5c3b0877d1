"""A page is connected: its token is looked at, and the page told which events to hand over. What is so is read back, for
Meta takes fields it does not know, and leaves out those for which a permission is missing, without a word."""

from dataclasses import dataclass

from domain.errors import Refused
from domain.languages import N_
from integrations.messenger.graph import Graph
from integrations.messenger.refusals import GraphError, Unclear, Unreached
from integrations.settings import IntegrationSettings

FIELDS = (
    "messages",
    "messaging_postbacks",
    "messaging_referrals",
    "messaging_optins",
    "messaging_account_linking",
    "messaging_handovers",
    "messaging_policy_enforcement",
    "message_deliveries",
    "message_reads",
    "message_echoes",
    "message_edits",
    "message_reactions",
    "standby",
)
"""What a page tells its app of."""

NEEDED = frozenset(FIELDS) - {"messaging_optins", "messaging_account_linking", "messaging_policy_enforcement"}
"""Without these something is missing here; the others are kept and not acted on."""


class MetaRefused(Refused):
    code = "PROVIDER_REFUSED"
    sentence = N_("Meta refused: {said}")


class MetaSilent(Refused):
    code = "PROVIDER_SILENT"
    sentence = N_("Meta did not answer: try again.")


@dataclass(frozen=True)
class Connection:
    page_id: str
    name: str
    subscribed: tuple[str, ...]
    """Fields, as Meta has them."""

    @property
    def missing(self) -> tuple[str, ...]:
        return tuple(field for field in FIELDS if field in NEEDED and field not in self.subscribed)


async def look(graph: Graph) -> Connection:
    """Whose token it is, and what that page tells us. Raises MetaRefused or MetaSilent."""
    try:
        me = await graph.get("me", fields="id,name")
        apps = await graph.get("me/subscribed_apps", fields="subscribed_fields")
    except GraphError as refusal:
        raise _refused(refusal) from refusal
    except (Unreached, Unclear) as failure:
        raise MetaSilent(field=["pageToken"]) from failure
    fields = {str(field) for app in apps.get("data") or () for field in app.get("subscribed_fields") or ()}
    if not me.get("id"):
        raise MetaSilent(field=["pageToken"])
    return Connection(str(me["id"]), str(me.get("name") or ""), tuple(sorted(fields)))


async def connect(settings: IntegrationSettings, *, page_token: str, app_secret: str) -> Connection:
    """The library's own `subscribe_app_to_page` names no fields, which Meta has long demanded."""
    graph = Graph.at(settings, page_token=page_token, app_secret=app_secret)
    try:
        await graph.post("me/subscribed_apps", params={"subscribed_fields": ",".join(FIELDS)})
    except GraphError as refusal:
        raise _refused(refusal) from refusal
    except (Unreached, Unclear) as failure:
        raise MetaSilent(field=["pageToken"]) from failure
    return await look(graph)


def _refused(refusal: GraphError) -> MetaRefused:
    return MetaRefused(field=["pageToken"], said=refusal.words)
