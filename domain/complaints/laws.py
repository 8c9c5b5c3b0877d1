"""Which law a complaint is under, and what that says beside the date."""

from collections.abc import Collection, Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from domain.complaints.complaints import complaint_of
from domain.customers.contacts import Contact
from domain.desk.tickets import Ticket
from domain.sla.policies import Policy, policies_in_order
from domain.sla.targets import Metric, Target
from domain.sla.templates import SUGGESTED, Template

LAWS = (Template.COMPLAINT_PL, Template.COMPLAINT_ES)
SPOKEN = {"pl": Template.COMPLAINT_PL, "es": Template.COMPLAINT_ES, "ca": Template.COMPLAINT_ES}
SILENCE_ACCEPTS = frozenset({Template.COMPLAINT_PL})
"""Where nobody answers in time, the complaint counts as accepted."""


def tags_of(law: Template | None) -> tuple[str, ...]:
    return SUGGESTED[law].conditions.tags if law else ()


async def law_tags(session: AsyncSession, ticket: Ticket) -> Collection[str]:
    """By which policies know a ticket whose complaint is under a law, whatever became of the tag itself."""
    complaint = await complaint_of(session, ticket.id)
    return tags_of(complaint.template) if complaint else ()


def tagged_law(ticket: Ticket) -> Template | None:
    return next((law for law in LAWS if not set(tags_of(law)).isdisjoint(ticket.tags)), None)


async def likely_law(session: AsyncSession, ticket: Ticket) -> Template | None:
    """By the ticket's tags; otherwise the one that the shop has set up, and of several that of the customer's language."""
    if law := tagged_law(ticket):
        return law
    set_up = _set_up([policy for policy, _ in await policies_in_order(session)])
    if len(set_up) < 2:
        return next(iter(set_up), None)
    contact = await session.get_one(Contact, ticket.contact_id)
    spoken = SPOKEN.get((contact.locale or "").replace("_", "-").split("-")[0].lower())
    return spoken if spoken in set_up else None


def _set_up(policies: Sequence[Policy]) -> list[Template]:
    named = [set(policy.conditions.get("tags", ())) for policy in policies if _is_legal(policy)]
    return [law for law in LAWS if any(not tags.isdisjoint(tags_of(law)) for tags in named)]


def _is_legal(policy: Policy) -> bool:
    targets = [Target.from_json(one) for one in policy.targets]
    return any(target.legal and target.metric == Metric.RESOLUTION for target in targets)
