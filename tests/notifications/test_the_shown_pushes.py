"""The pushes that docs/phone-client.md shows are those that are sent."""

import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from demo.farends import FcmStandIn
from domain.actors import Role
from domain.agents.staff import Agent
from domain.alerting.alerts import Alert, AlertKind
from domain.alerting.devices import Device, Transport
from domain.alerting.notices import NoticeKind
from domain.desk.tickets import Ticket
from domain.keys import Keys
from domain.sla.targets import Metric
from domain.ways_in.channels import ChannelKind
from notifications.composing import Told, push_of
from notifications.fcm import Fcm
from notifications.push import Push
from notifications.settings import NotificationSettings
from notifications.web_push import _payload
from notifications.wording import Matter, Words
from tests.papers import payloads

DUE = datetime(2026, 11, 26, 9, tzinfo=UTC)
NOW = DUE + timedelta(minutes=3)
SHOP = "https://help.shop.example"


def _id(number: int) -> uuid.UUID:
    return uuid.UUID(int=0x01A21749_2593_7412_8097_000000000000 + number)


def _a_push(transport: Transport, handle: str) -> Push:
    """A first reply to ticket 7 is three minutes late, and Mia's device is rung."""
    mia = Agent(id=_id(1), name="Mia", role=Role.MANAGER, locale="en")
    device = Device(id=_id(2), agent_id=mia.id, transport=transport, handle=handle, locale="en")
    matter = Matter(
        AlertKind.SLA_BREACHED, number=7, channel=ChannelKind.EMAIL, metric=Metric.FIRST_REPLY, due_at=DUE
    )
    told = Told(
        delivery_id=_id(3),
        kind=NoticeKind.ALERT,
        level=1,
        count=1,
        agent=mia,
        device=device,
        alert=Alert(id=_id(4), kind=AlertKind.SLA_BREACHED),
        ticket=Ticket(id=_id(5), number=7),
        matter=matter,
        words=Words("Ticket 7: first reply overdue", "Email, 3 min past the promised time"),
        ringing=1,
        now=NOW,
    )
    return push_of(told, Keys("the secret key of the papers' sample"), SHOP)


async def test_the_message_that_the_page_shows_is_the_one_that_firebase_gets() -> None:
    (shown,) = [one for one in payloads("phone-client.md") if "message" in one]

    async with FcmStandIn() as stand_in:
        credentials = json.dumps(stand_in.credentials)
        fcm = Fcm(NotificationSettings(fcm_url=stand_in.url, fcm_credentials=credentials))
        await fcm.send(_a_push(Transport.FCM, shown["message"]["token"]))
        await fcm.close()
        sent = await stand_in.next_push()

    headers: dict[str, Any] = sent.apns["headers"]
    headers["apns-expiration"] = str(int((NOW + timedelta(minutes=15)).timestamp()))
    message = {"token": sent.handle, "data": sent.data, "android": sent.android, "apns": sent.apns}
    assert shown == {"message": message}, json.dumps({"message": message}, indent=2, ensure_ascii=False)


def test_the_push_that_the_page_shows_is_the_one_that_a_browser_gets() -> None:
    (shown,) = [one for one in payloads("phone-client.md") if "web_push" in one]

    sent = json.loads(_payload(_a_push(Transport.WEB_PUSH, "https://updates.push.services.mozilla.com/x")))

    assert shown == sent, json.dumps(sent, indent=2, ensure_ascii=False)
