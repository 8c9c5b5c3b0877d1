"""The views that every shop begins with, made once: whoever deletes one does not get it back."""

from sqlalchemy import func, update
from sqlalchemy.ext.asyncio import AsyncSession

from domain.db import new_id
from domain.finding.views import STANDARD, View
from domain.operations.installation import Installation, feed_epoch


async def furnish(session: AsyncSession) -> None:
    await feed_epoch(session)  # there is a row from here on
    unfurnished = update(Installation).where(Installation.furnished_at.is_(None))
    at = await session.scalar(
        unfurnished.values(furnished_at=func.now()).returning(Installation.furnished_at)
    )
    if at is None:
        return
    for place, (standard, (_, query, order)) in enumerate(STANDARD.items()):
        made = {"standard": standard, "name": "", "query": query, "order_by": order, "position": place}
        session.add(View(id=new_id(), created_at=at, updated_at=at, **made))
