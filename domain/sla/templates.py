"""Policies to begin with: what shops promise, and what the law does.

Poland: a complaint that is not answered within 14 days counts as accepted (Consumer Rights Act, art. 7a).
Spain: complaints are answered within 15 working days (Ley 10/2025, for large firms from 28 December 2026).
"""

from dataclasses import dataclass
from enum import StrEnum

from domain.languages import N_
from domain.sla.policies import Conditions
from domain.sla.targets import Metric, Target
from domain.ways_in.channels import ChannelKind

MINUTE, HOUR = 60, 3600
WORKDAY = 8 * HOUR


class Template(StrEnum):
    SHOP = "shop"
    COMPLAINT_PL = "complaint_pl"
    COMPLAINT_ES = "complaint_es"


def _replies() -> tuple[Target, ...]:
    soon = {ChannelKind.CHAT: MINUTE, ChannelKind.MESSENGER: 15 * MINUTE, ChannelKind.PHONE: 15 * MINUTE}
    return tuple(
        target
        for metric in (Metric.FIRST_REPLY, Metric.NEXT_REPLY)
        for target in (
            Target(metric, 4 * HOUR),
            *(Target(metric, seconds, channel=channel) for channel, seconds in soon.items()),
        )
    )


ALWAYS = Conditions()


@dataclass(frozen=True)
class Suggested:
    name: str
    about: str
    targets: tuple[Target, ...]
    conditions: Conditions = ALWAYS


SUGGESTED = {
    Template.SHOP: Suggested(
        N_("What shops promise"),
        N_(
            "Chat within a minute, Messenger and calls back within 15, mail within four open hours; solved within two "
            "working days."
        ),
        (*_replies(), Target(Metric.RESOLUTION, 2 * WORKDAY)),
    ),
    Template.COMPLAINT_PL: Suggested(
        N_("Complaints, Poland"),
        N_(
            "A complaint is answered within 14 calendar days, or counts as accepted (Consumer Rights Act, art. 7a). Warnings "
            "come 7, 3 and 1 days before."
        ),
        (*_replies(), Target(Metric.RESOLUTION, days=14, warn_days=(7, 3, 1))),
        Conditions(tags=("reklamacja",)),
    ),
    Template.COMPLAINT_ES: Suggested(
        N_("Complaints, Spain"),
        N_(
            "A complaint is answered within 15 working days (Ley 10/2025). Warnings come 7, 3 and 1 days before."
        ),
        (*_replies(), Target(Metric.RESOLUTION, days=15, working=True, warn_days=(7, 3, 1))),
        Conditions(tags=("reclamación", "reclamació")),
    ),
}
