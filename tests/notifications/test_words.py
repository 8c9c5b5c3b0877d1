"""What a notice says."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import select, update

from domain.alerting.alerts import Alert, AlertKind
from domain.alerting.devices import Device
from domain.sla.clocks import Clock
from domain.sla.hours import Hours
from domain.sla.policies import Calendar
from tests.notifications.shop import Shop


@pytest.mark.parametrize(
    ("locale", "said"),
    [
        ("en", ": the complaint is to be answered by 16 March"),
        ("es", ": la reclamación debe responderse antes de acabar el 16 de marzo"),
    ],
)
async def test_the_last_day_of_a_complaint_is_that_of_the_shops_calendar_wherever_it_is_read(
    shop: Shop, locale: str, said: str
) -> None:
    """Midnight in Warsaw is the next noon in Auckland."""
    warsaw = Hours.from_json({"zone": "Europe/Warsaw", "weekly": {"mon": [["09:00", "17:00"]]}})
    await shop.told()
    async with shop.db.transaction() as session:
        (await session.scalars(select(Calendar))).one().hours = warsaw.to_json()
        await session.execute(update(Device).values(timezone="Pacific/Auckland", locale=locale))
        await session.execute(
            update(Clock).values(is_legal=True, due_at=datetime(2026, 3, 16, 23, tzinfo=UTC))
        )
        await session.execute(update(Alert).values(kind=AlertKind.COMPLAINT_DUE))

    await shop.ring()

    (push,) = shop.far_end.pushed
    assert push.data["title"].endswith(said)
