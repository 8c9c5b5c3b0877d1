"""Does a widget work? There is no far end: its settings are looked at."""

from domain.languages import N_
from domain.ways_in.channels import Channel
from integrations.chat.widget import ChatWidget, is_origin
from integrations.findings import Finding
from integrations.outbound import Means


async def check(channel: Channel, means: Means) -> list[Finding]:
    widget = ChatWidget.of(channel, means.keys)
    signs = bool(widget.accepted("identity_key"))
    key = (
        N_("The shop can sign who its visitors are.")
        if signs
        else N_("There is no identity key: every visitor is anonymous.")
    )
    return [Finding("identity_key", True, key), _origins(widget)]


def _origins(widget: ChatWidget) -> Finding:
    if not widget.origins:
        return Finding("origins", True, N_("The widget may stand on any page: name the shop's own."))
    wrong = [origin for origin in widget.origins if not is_origin(origin)]
    if wrong:
        sentence = N_("No browser says {origin}: an origin is like https://shop.example, without a path.")
        return Finding("origins", False, sentence, {"origin": wrong[0]})
    return Finding(
        "origins", True, N_("The widget may stand on {origins}."), {"origins": ", ".join(widget.origins)}
    )
