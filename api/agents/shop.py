"""What holds for the whole shop: who sees what, what is one matter, how long a complaint may stand still."""

from datetime import datetime, timedelta

import strawberry
from sqlalchemy.ext.asyncio import AsyncSession

from api.complaints.complaints import StalledDays, StalledDaysInput
from api.context import Info
from api.errors import UserError
from api.mutations import changed, mutation
from domain import shop
from domain.actors import Actor
from domain.complaints import stalling
from domain.db import Json
from domain.shop import AgentsSee

strawberry.enum(
    AgentsSee, description="Which tickets and contacts agents see: their teams' and those of no team, or all."
)


@strawberry.type(
    description="Hours after the last word of a ticket, by what a new conversation has in common with it."
)
class SameMatter:
    same_channel: int
    other_channel: int
    same_topic: int
    same_subject: int


@strawberry.type(description="What holds for everybody here.")
class Shop:
    agents_see: AgentsSee
    order_numbers: list[str]
    marketplaces: list[str]
    same_matter: SameMatter
    language: str = strawberry.field(
        description="In which Heddle writes what stays in the shop: the tasks of a complaint, its file."
    )
    stalled_days: list[StalledDays] = strawberry.field(description="One for each open stage.")


@strawberry.input(
    description="How many hours after the last word of a ticket a new conversation of the same customer still means it."
)
class SameMatterInput:
    same_channel: int | None = strawberry.field(
        default=None, description="A text that says little; at first 24."
    )
    other_channel: int | None = strawberry.field(
        default=None, description="The same by another channel; at first 72."
    )
    same_topic: int | None = strawberry.field(default=None, description="At first 14 days.")
    same_subject: int | None = strawberry.field(default=None, description="At first 30 days.")


@strawberry.input(description="What is left out stays.")
class ShopUpdateInput:
    agents_see: AgentsSee | None = None
    order_numbers: list[str] | None = strawberry.field(
        default=None,
        description="How the shop's order numbers look, with # for a digit and @ for a letter: `ES-####-#####`. The usual ones are known.",
    )
    marketplaces: list[str] | None = strawberry.field(
        default=None, description="Domains that write on behalf of buyers, beside the known ones."
    )
    same_matter: SameMatterInput | None = None
    language: str | None = strawberry.field(default=None, description="en, pl, es or ca.")
    stalled_days: list[StalledDaysInput] | None = None
    client_mutation_id: strawberry.ID


@strawberry.type
class ShopPayload:
    shop: Shop | None = None
    user_errors: list[UserError] = strawberry.field(default_factory=list)


async def _shop(info: Info) -> Shop:
    async with info.context.reading() as reading:
        rules = await shop.joining(reading.connection)
        return Shop(
            agents_see=await shop.agents_see(reading.connection),
            order_numbers=list(rules.order_numbers),
            marketplaces=list(rules.marketplaces),
            same_matter=SameMatter(
                **{name: getattr(rules.windows, name) // timedelta(hours=1) for name in shop.WINDOWS}
            ),
            language=await shop.language(reading.connection),
            stalled_days=[
                StalledDays(stage=stage, days=days)
                for stage, days in (await shop.stalled_days(reading.connection)).items()
            ],
        )


async def _shop_update(info: Info, input: ShopUpdateInput) -> ShopPayload:
    async def change(session: AsyncSession, actor: Actor, now: datetime) -> Json:
        if input.agents_see:
            await shop.set_agents_see(session, input.agents_see)
        hours = {
            name: given
            for name in shop.WINDOWS
            if input.same_matter and (given := getattr(input.same_matter, name)) is not None
        }
        await shop.set_joining(
            session, order_numbers=input.order_numbers, marketplaces=input.marketplaces, hours=hours
        )
        days = {one.stage: one.days for one in input.stalled_days or ()}
        await shop.set_complaints(session, language=input.language, days=days)
        await stalling.watch_all(session, list(days), by=actor, at=now)
        return {}

    await changed(info, input, change)
    return ShopPayload(shop=await _shop(info))


@strawberry.type
class ShopQueries:
    shop: Shop = strawberry.field(resolver=_shop)


@strawberry.type
class ShopMutations:
    shop_update: ShopPayload = mutation(resolver=_shop_update)
