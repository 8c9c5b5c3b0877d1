"""What a notice says."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import delete, select, update

from domain.agents.staff import Agent
from domain.alerting.alert_preferences import Privacy
from domain.alerting.alerts import Alert, AlertKind
from domain.alerting.devices import Device
from domain.alerting.notices import NoticeKind
from domain.complaints.opening import open_complaint
from domain.complaints.warning import fire_promised
from domain.desk.tickets import Ticket
from domain.sla.calendars import Calendar
from domain.sla.clocks import Clock
from domain.sla.hours import Hours
from domain.sla.targets import Metric
from notifications.wording import Matter, words
from tests.factories import NOON
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
        await session.execute(update(Agent).values(timezone="Pacific/Auckland"))
        await session.execute(update(Device).values(locale=locale))
        await session.execute(
            update(Clock).values(is_legal=True, due_at=datetime(2026, 3, 16, 23, tzinfo=UTC))
        )
        await session.execute(update(Alert).values(kind=AlertKind.COMPLAINT_DUE))

    await shop.ring()

    (push,) = shop.far_end.pushed
    assert push.data["title"].endswith(said)


async def test_a_promise_of_the_shops_own_is_told_with_its_day(shop: Shop) -> None:
    promised = NOON + timedelta(days=7)
    async with shop.db.transaction() as session:
        await session.execute(delete(Alert))
        ticket = (await session.scalars(select(Ticket))).one()
        await open_complaint(session, ticket, promised_at=promised, by=shop.mia.as_actor(), at=NOON)
        assert await fire_promised(session, at=NOON + timedelta(days=4)) == 1
    await shop.told()

    await shop.ring()

    assert {push.data["title"] for push in shop.far_end.pushed} == {
        f"Ticket {ticket.number}: the complaint is to be answered by 9 March"
    }
    assert {push.data["due"] for push in shop.far_end.pushed} == {promised.isoformat()}


@pytest.mark.parametrize(
    ("locale", "left", "said"),
    [
        ("en", timedelta(seconds=61), "Ticket 7: solution due in 2 min"),
        ("en", timedelta(hours=4), "Ticket 7: solution due in 4 h"),
        ("pl", timedelta(hours=2, minutes=5), "Zgłoszenie 7: rozwiązanie za 2 h 5 min"),
        ("pl", timedelta(hours=68, minutes=3), "Zgłoszenie 7: rozwiązanie za 2 d 20 h"),
        ("es", timedelta(hours=24), "Ticket 7: solución en 1 d"),
        ("ca", timedelta(hours=25), "Tiquet 7: solució en 1 d 1 h"),
    ],
)
def test_what_is_far_off_is_told_in_hours_and_days(locale: str, left: timedelta, said: str) -> None:
    matter = Matter(AlertKind.SLA_AT_RISK, number=7, metric=Metric.RESOLUTION, due_at=NOON + left)

    told = words(NoticeKind.ALERT, locale, matter, privacy=Privacy.MINIMAL, now=NOON)

    assert told.title == said
