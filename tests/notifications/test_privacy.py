"""Lock screens and push services read along: whatever is told, at the default privacy it names no customer and quotes no word."""

import asyncio
import json
from datetime import timedelta
from itertools import product

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from demo.farends import FcmStandIn, WebPushStandIn
from domain.actors import Role
from domain.agents.staff import Agent
from domain.agents.system_mail import SystemMail
from domain.alerting.alert_preferences import AlertPreferences, Privacy
from domain.alerting.alerts import OF_CHANNELS, Alert, AlertKind, AlertState
from domain.alerting.devices import Device, Transport, register_device
from domain.alerting.notices import Notice, NoticeKind, NoticeState, deliver
from domain.arriving.inbound import CallStep
from domain.customers.contacts import Contact
from domain.db import Database, database_time, new_id
from domain.desk.messages import Call
from domain.desk.tasks import Task
from domain.keys import Keys
from domain.sla.clocks import Clock
from domain.ways_in.channels import ChannelKind
from notifications.deliver import Pusher
from notifications.fcm import Fcm
from notifications.settings import NotificationSettings
from notifications.vapid import vapid_key
from notifications.web_push import WebPush
from tests.factories import NOON, a_call_step, a_channel, a_mail, a_promise, an_agent, receive, tickets

CANARY = "canary"
TOLD = [
    (kind, about)
    for kind, about in product(NoticeKind, AlertKind)
    if kind in (NoticeKind.ALERT, NoticeKind.CLEARED) or about == AlertKind.SLA_BREACHED
]


@pytest.mark.parametrize(("privacy", "tells"), [(None, False), (Privacy.NONE, False), (Privacy.FULL, True)])
async def test_a_notice_of_no_kind_names_a_customer_or_quotes_a_word_unless_one_wants_it(
    clean: Database, keys: Keys, privacy: Privacy | None, tells: bool
) -> None:
    async with FcmStandIn() as google, WebPushStandIn() as browsers:
        settings = NotificationSettings(
            fcm_url=google.url, fcm_credentials=json.dumps(google.credentials), web_push_hosts=browsers.host
        )
        fcm = Fcm(settings)
        async with clean.transaction() as session:
            vapid = await vapid_key(session, keys)
            browser = browsers.subscribe(vapid.public)
            mia = await an_agent(session, "Mia", Role.MANAGER)
            if privacy:
                session.add(AlertPreferences(agent_id=mia.id, privacy=privacy))
            for transport, handle in ((Transport.FCM, "phone"), (Transport.WEB_PUSH, browser.endpoint)):
                await register_device(
                    session, owner=mia.as_actor(), transport=transport, handle=handle, label=handle,
                    locale="en", at=NOON,
                    p256dh=browser.p256dh if transport == Transport.WEB_PUSH else None,
                    auth=browser.auth if transport == Transport.WEB_PUSH else None,
                )  # fmt: skip
            await a_promise(session, 60)
            await _ada_writes(session, keys)
            await _tell_everything(session, keys, mia)
        pusher = Pusher(
            clean, keys, "http://heddle.test",
            {Transport.FCM: fcm, Transport.WEB_PUSH: WebPush(settings, vapid, subject="https://heddle.test")},
        )  # fmt: skip
        working = asyncio.create_task(pusher.run())
        async with asyncio.timeout(60):
            while len(google.pushed) < len(TOLD) or len(browsers.pushed) < len(TOLD):
                await asyncio.sleep(0.01)
            while await _mailed(clean) < len(TOLD):
                await asyncio.sleep(0.01)
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
        await fcm.close()
    async with clean.transaction() as session:
        mails = [
            keys.decrypt(mail.sealed) for mail in await session.scalars(select(SystemMail)) if mail.sealed
        ]

    said = json.dumps([google.seen()["pushed"], [push.body for push in browsers.pushed], mails], default=str)
    assert len(mails) == len(TOLD)
    assert (CANARY in said) == tells


async def _mailed(db: Database) -> int:
    async with db.reading() as connection:
        return await connection.scalar(select(func.count()).select_from(SystemMail)) or 0


async def _ada_writes(session: AsyncSession, keys: Keys) -> None:
    """Twice: of one ticket no alert rings."""
    channel = await a_channel(session, keys, ChannelKind.EMAIL)
    for home in ("example.org", "example.net"):
        mail = a_mail(f"{CANARY}@{home}", f"My {CANARY}", subject=f"A {CANARY}")
        await receive(session, channel, mail)
    channel.name = channel.last_error = CANARY
    await session.execute(update(Contact).values(name=CANARY))
    await session.execute(update(Clock).values(is_legal=True))


async def _tell_everything(session: AsyncSession, keys: Keys, mia: Agent) -> None:
    ticket, silent = await tickets(session)
    clock = (await session.scalars(select(Clock).where(Clock.ticket_id == ticket.id))).one()
    ticket.assignee_id = silent.assignee_id = mia.id
    now = await database_time(session)
    devices = (await session.scalars(select(Device).order_by(Device.transport))).all()
    task = Task(id=new_id(), title=CANARY, ticket_id=ticket.id, created_at=NOON, updated_at=NOON)
    session.add(task)
    line = await a_channel(session, keys, ChannelKind.PHONE)
    await receive(session, line, a_call_step("c1", CallStep.RINGING, CANARY, at=now))
    call = (await session.scalars(select(Call))).one()
    for number, (kind, about) in enumerate(TOLD):
        is_of_ticket = about not in (*OF_CHANNELS, AlertKind.NO_AGENT_ON_SHIFT)
        is_of_promise = is_of_ticket and about != AlertKind.CALL_MISSED
        alert = Alert(
            id=new_id(), kind=about, state=AlertState.FIRING, level=1,
            fired_at=NOON + timedelta(minutes=number), ticket_id=ticket.id if is_of_ticket else None,
            clock_id=clock.id if is_of_promise else None, about_id=None if is_of_promise else new_id(),
        )  # fmt: skip
        is_reply = kind == NoticeKind.REPLY
        notice = Notice(
            id=new_id(), agent_id=mia.id, kind=kind, alert_id=None if is_reply else alert.id, count=7,
            ticket_id=silent.id if is_reply else alert.ticket_id, created_at=now,
            task_id=task.id if kind == NoticeKind.TASK_DUE else None,
            call_id=call.id if kind == NoticeKind.CALL_RINGING else None,
        )  # fmt: skip
        session.add(alert)
        await session.flush()
        session.add(notice)
        await session.flush()
        if kind == NoticeKind.STORM:
            folded = Notice(
                id=new_id(), agent_id=mia.id, alert_id=alert.id, folded_into_id=notice.id, created_at=now
            )  # fmt: skip
            folded.end(NoticeState.FOLDED)
            session.add(folded)
        for device in devices:
            deliver(session, notice, device.id, device.transport, at=NOON)
        deliver(session, notice, None, Transport.EMAIL, at=NOON)
