"""What the ledger says after each answer of FCM, whom it rings next, and when it rings nobody any more."""

import asyncio
import threading
from datetime import timedelta
from typing import Any

import pytest
from firebase_admin._http_client import DEFAULT_HTTPX_RETRY_CONFIG
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from demo.farends.fcm import Fault
from demo.farends.server import Answer, Request
from domain.actors import SYSTEM
from domain.agents import sign_in
from domain.agents.sign_in import Ended, SessionKind, SignIn
from domain.agents.staff import Agent
from domain.alerting import devices, ledger, notices
from domain.alerting.alert_preferences import AlertPreferences, Privacy, Silence
from domain.alerting.alerts import Alert, AlertKind, AlertState
from domain.alerting.devices import Device, Fitness, fitness
from domain.alerting.ladders import DEFAULT, Step, Told, Way
from domain.alerting.notices import Delivery, DeliveryStage, Notice, NoticeKind, NoticeState
from domain.arriving import sides
from domain.db import database_time
from domain.desk.threads import Thread
from domain.keys import Keys
from domain.operations import installation
from domain.sla.deadlines import climb_due
from domain.ways_in.channels import ChannelKind
from notifications import fcm
from notifications.pursuit import WHEEL, pursue
from tests.factories import NOON, a_channel, a_chat, messages, receive, tickets
from tests.notifications.shop import A_MINUTE, Shop, register

FAILED, SENT, ACCEPTED = DeliveryStage.FAILED, DeliveryStage.SENT, DeliveryStage.ACCEPTED


Seconds = tuple[float, float]

AT_ONCE, SOON = (1.0, 1.0), (1.5, 2.0)
"""Seconds until the same device is tried again: what Google asked for; our own back-off."""


@pytest.mark.parametrize(
    ("fault", "times", "stage", "error", "again", "gone"),
    [
        # Answered yes; the tablet's turn comes if the phone does not say that it showed it.
        (None,            0, ACCEPTED, None,                        None,    None),
        # Final: it is the tablet's turn at once.
        ("invalid",       1, FAILED,   "INVALID_ARGUMENT",          None,    None),
        ("unauthorized",  9, FAILED,   "UNAUTHENTICATED",           None,    None),
        ("forbidden",     1, FAILED,   "PERMISSION_DENIED",         None,    None),
        ("wrong_sender",  1, FAILED,   "SENDER_ID_MISMATCH",        None,    "SENDER_ID_MISMATCH"),
        ("unregistered",  1, FAILED,   "UNREGISTERED",              None,    "UNREGISTERED"),
        # Tried again, and after a minute it is the tablet's turn as well.
        ("quota",         1, SENT,     "RESOURCE_EXHAUSTED",        AT_ONCE, None),
        ("quota_silent",  1, SENT,     "RESOURCE_EXHAUSTED",        SOON,    None),
        ("internal",      9, SENT,     "INTERNAL",                  SOON,    None),
        ("unavailable",   9, SENT,     "UNAVAILABLE",               SOON,    None),
        ("hang",          9, SENT,     "DEADLINE_EXCEEDED",         SOON,    None),
        ("reset",         9, SENT,     "UNKNOWN",                   SOON,    None),
        ("truncated",     9, SENT,     "UNREACHABLE: UnknownError", SOON,    None),
        ("token_down",    9, SENT,     "UNREACHABLE: RefreshError", SOON,    None),
    ],
)  # fmt: skip
async def test_the_ledger_says_what_became_of_a_push_and_who_is_next(
    shop: Shop,
    fault: Fault | None,
    times: int,
    stage: DeliveryStage,
    error: str | None,
    again: Seconds | None,
    gone: str | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fcm, "TIMEOUT", 0.3 if fault == "hang" else 5)
    monkeypatch.setattr(DEFAULT_HTTPX_RETRY_CONFIG, "backoff_factor", 0)  # the library's own tries
    await shop.told()
    if fault:
        shop.far_end.misbehave(fault, times)

    await shop.ring()

    row = await shop.delivery()
    assert (row.stage, row.error or row.last_error, row.attempts) == (stage, error, 1)
    if again and row.due_at and row.failing_since:
        assert again[0] <= (row.due_at - row.failing_since).total_seconds() <= again[1]
    else:
        assert (again, row.due_at) == (None, None)
    async with shop.db.transaction() as session:
        phone = (await session.scalars(select(Device).where(Device.id == row.device_id))).one()
        notice = await session.get_one(Notice, row.notice_id)
    assert phone.removed_because == gone
    waits = A_MINUTE if stage != FAILED else timedelta(0)
    assert notice.next_at is not None
    assert (notice.next_at - notice.created_at >= A_MINUTE) == bool(waits)
    for step in range(3):
        await shop.pursued(notice.next_at + step * A_MINUTE)
    assert await shop.deliveries() == [
        ("Mia", "phone:1"), ("Mia", "tablet:1"), ("Mia", "mail"), ("Admin", "admin:1"),
    ]  # fmt: skip


async def test_a_dead_token_is_used_zero_times_after_its_first_unregistered(shop: Shop) -> None:
    await shop.told()
    shop.far_end.uninstalled.add("phone:1")
    await shop.ring()

    await shop.another_breach()
    await shop.told()
    await shop.ring()

    assert await shop.deliveries() == [("Mia", "phone:1"), ("Mia", "tablet:1")]
    assert [push.handle for push in shop.far_end.pushed] == ["tablet:1"]


async def test_a_device_that_somebody_else_has_by_now_is_not_rung_for_its_former_owner(shop: Shop) -> None:
    await shop.told()
    async with shop.db.transaction() as session:
        await register(session, shop.admin, "phone:1")

    await shop.ring()

    assert ((await shop.delivery()).error, shop.far_end.pushed) == ("DEVICE_REMOVED", [])


async def test_signing_out_silences_the_device_in_the_same_moment(shop: Shop) -> None:
    async with shop.db.transaction() as session:
        here, _ = sign_in.begin(
            session, shop.mia.id, SessionKind.APP, device_label=None, address=None, at=NOON
        )
        await session.flush()
        await register(session, shop.mia, "phone:1", at=NOON + A_MINUTE, session_id=here.id)
    await shop.told()
    async with shop.db.transaction() as session:
        (await session.get_one(SignIn, here.id)).end(Ended.SIGNED_OUT, at=NOON)

    await shop.ring()

    assert ((await shop.delivery()).error, shop.far_end.pushed) == ("DEVICE_REMOVED", [])


@pytest.mark.parametrize("ended", [False, True])
async def test_a_phone_whose_session_ran_out_long_ago_rings_on_until_it_is_ended(
    shop: Shop, ended: bool
) -> None:
    async with shop.db.transaction() as session:
        here, _ = sign_in.begin(
            session, shop.mia.id, SessionKind.APP, device_label=None, address=None, at=NOON
        )
        sign_in.begin(session, shop.mia.id, SessionKind.WEB, device_label=None, address=None, at=NOON)
        await session.flush()
        await register(session, shop.mia, "phone:1", at=NOON + A_MINUTE, session_id=here.id)
        if ended:
            here.end(Ended.ENDED, at=NOON)

    async with shop.db.transaction() as session:
        await devices.forget_sign_ins(session, before=NOON + timedelta(days=1))
    await shop.told()

    rings = "tablet:1" if ended else "phone:1"
    assert await shop.deliveries() == [("Mia", rings)]
    async with shop.db.transaction() as session:
        assert list(await session.scalars(select(SignIn.id))) == ([] if ended else [here.id])


async def test_an_acknowledged_alert_is_delivered_no_more(shop: Shop) -> None:
    await shop.told()
    async with shop.db.transaction() as session:
        alert = (await session.scalars(select(Alert))).one()
        assert alert.acknowledge(by=shop.admin.as_actor(), at=NOON)

    await shop.ring()

    assert ((await shop.delivery()).error, shop.far_end.pushed) == ("OVER", [])


async def test_after_a_receipt_nothing_further_is_tried(shop: Shop) -> None:
    await shop.told()
    await shop.ring()

    async with shop.db.transaction() as session:
        now = await database_time(session)
        assert await ledger.receive_receipt(session, (await shop.delivery()).id, DeliveryStage.SHOWN, at=now)
    await shop.pursued(now + 60 * A_MINUTE)

    assert await shop.notices() == [("Mia", NoticeState.SEEN, None)]
    assert await shop.deliveries() == [("Mia", "phone:1")]


async def test_the_next_person_who_hears_this_level_in_quiet_hours_is_rung(shop: Shop) -> None:
    async with shop.db.transaction() as session:
        quiet = AlertPreferences(agent_id=shop.admin.id, muted=[], quiet_from="00:00", quiet_to="24:00")
        quiet.min_level_in_quiet = 1
        session.add(quiet)
        now = await database_time(session)
    await shop.told()

    for minute in (2, 4, 6):
        await shop.pursued(now + minute * A_MINUTE)

    assert (await shop.deliveries())[-1] == ("Admin", "admin:1")


async def test_a_receipt_that_comes_as_the_minute_ends_rings_no_other_device(shop: Shop) -> None:
    await shop.told()
    await shop.ring()

    async with shop.db.transaction() as session:
        now = await database_time(session)
        await ledger.receive_receipt(session, (await shop.delivery()).id, DeliveryStage.SHOWN, at=now)
        await session.flush()
        pursuing = asyncio.create_task(shop.pursued(now + 2 * A_MINUTE))
        await asyncio.wait({pursuing}, timeout=2)
    await pursuing

    assert await shop.notices() == [("Mia", NoticeState.SEEN, None)]
    assert await shop.deliveries() == [("Mia", "phone:1")]


async def test_a_phone_whose_clock_is_slow_is_well_all_the_same(shop: Shop) -> None:
    await shop.told()
    await shop.ring()

    async with shop.db.transaction() as session:
        delivery = await shop.delivery()
        await ledger.receive_receipt(session, delivery.id, DeliveryStage.SHOWN, at=NOON)

    async with shop.db.transaction() as session:
        phone = (await session.scalars(select(Device).where(Device.id == delivery.device_id))).one()
    assert phone.last_push_at
    assert phone.last_receipt_at
    assert phone.last_receipt_at > phone.last_push_at > NOON


async def test_a_phone_whose_receipt_is_quicker_than_googles_answer_is_well_all_the_same(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    await shop.told()
    answer, may_answer = shop.far_end.answer, threading.Event()

    def answers_late(request: Request) -> Answer:
        answered = answer(request)
        if request.path.endswith(":send"):
            may_answer.wait(10)
        return answered

    monkeypatch.setattr(shop.far_end, "answer", answers_late)
    ringing = asyncio.create_task(shop.ring())
    await shop.far_end.next_push()
    async with shop.db.transaction() as session:
        delivery = await shop.delivery()
        await ledger.receive_receipt(session, delivery.id, DeliveryStage.SHOWN, at=NOON)
    may_answer.set()
    await ringing

    async with shop.db.transaction() as session:
        phone = (await session.scalars(select(Device).where(Device.id == delivery.device_id))).one()
        later = await database_time(session) + 2 * A_MINUTE
    assert phone.last_push_at
    assert (
        fitness(last_push_at=phone.last_push_at, last_receipt_at=phone.last_receipt_at, at=later)
        == Fitness.WELL
    )


async def test_a_push_that_was_shown_is_not_sent_again_because_google_did_not_answer(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(DEFAULT_HTTPX_RETRY_CONFIG, "backoff_factor", 0)  # the library's own tries
    await shop.told()
    shop.far_end.misbehave("truncated", 9)
    await shop.ring()
    rung = len(shop.far_end.pushed)
    async with shop.db.transaction() as session:
        delivery = await shop.delivery()
        await ledger.receive_receipt(session, delivery.id, DeliveryStage.SHOWN, at=NOON)
        again = update(Delivery).where(Delivery.due_at.is_not(None))
        await session.execute(again.values(due_at=func.now(), attempts=0))

    await shop.ring()

    row = await shop.delivery()
    assert (row.stage, row.due_at, row.error) == (DeliveryStage.SHOWN, None, None)
    assert len(shop.far_end.pushed) == rung


async def test_a_push_that_was_shown_has_not_failed_whatever_google_says_later(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    await shop.told()
    answer, may_answer = shop.far_end.answer, threading.Event()

    def answers_late(request: Request) -> Answer:
        if request.path.endswith(":send"):
            may_answer.wait(10)
        return answer(request)

    monkeypatch.setattr(shop.far_end, "answer", answers_late)
    shop.far_end.misbehave("invalid", 1)
    ringing = asyncio.create_task(shop.ring())
    async with asyncio.timeout(30):
        while (await shop.delivery()).stage != SENT:
            await asyncio.sleep(0.01)
    async with shop.db.transaction() as session:
        await ledger.receive_receipt(session, (await shop.delivery()).id, DeliveryStage.SHOWN, at=NOON)
    may_answer.set()
    await ringing

    row = await shop.delivery()
    assert (row.stage, row.error) == (DeliveryStage.SHOWN, "INVALID_ARGUMENT")
    assert await shop.notices() == [("Mia", NoticeState.SEEN, None)]


async def test_receipts_only_go_forward_and_may_come_twice(shop: Shop) -> None:
    await shop.told()
    await shop.ring()
    id = (await shop.delivery()).id

    stages = (DeliveryStage.OPENED, DeliveryStage.SHOWN, DeliveryStage.OPENED)
    for minute, stage in enumerate(stages):
        async with shop.db.transaction() as session:
            assert await ledger.receive_receipt(session, id, stage, at=NOON + minute * A_MINUTE)

    row = await shop.delivery()
    assert (row.stage, row.opened_at, row.shown_at) == (DeliveryStage.OPENED, NOON, NOON + A_MINUTE)


async def test_more_than_five_alerts_in_two_minutes_are_one_storm_that_counts_them(shop: Shop) -> None:
    await shop.another_breach(times=8)

    await shop.told()

    async with shop.db.transaction() as session:
        storm = (await session.scalars(select(Notice).where(Notice.kind == NoticeKind.STORM))).one()
    states = [state for _, state, _ in await shop.notices()]
    assert states == [NoticeState.TRYING] * 5 + [NoticeState.FOLDED] * 4
    assert storm.count == 4
    assert len(await shop.deliveries()) == 6


SILENCES: dict[Silence, dict[str, Any]] = {
    Silence.MUTED: {"muted": [AlertKind.SLA_BREACHED]},
    Silence.QUIET: {"muted": [], "quiet_from": "00:00", "quiet_to": "24:00"},
}


async def silenced(session: AsyncSession, agent: Agent, why: Silence) -> None:
    session.add(
        AlertPreferences(
            agent_id=agent.id,
            privacy=Privacy.MINIMAL,
            min_level_in_quiet=3,
            group_storms=True,
            **SILENCES[why],
        )
    )


@pytest.mark.parametrize("why", list(Silence))
async def test_who_is_silent_is_not_rung_and_the_next_person_is_told(shop: Shop, why: Silence) -> None:
    async with shop.db.transaction() as session:
        await silenced(session, shop.mia, why)

    await shop.told()

    assert await shop.notices() == [("Mia", NoticeState.SILENCED, why), ("Admin", NoticeState.TRYING, None)]
    assert await shop.deliveries() == [("Admin", "admin:1")]


@pytest.mark.parametrize("why", list(Silence))
async def test_the_last_level_rings_whoever_is_silent(shop: Shop, why: Silence) -> None:
    async with shop.db.transaction() as session:
        await silenced(session, shop.admin, why)
    await shop.told()
    async with shop.db.transaction() as session:
        alert = (await session.scalars(select(Alert))).one()
        for _ in range(2):
            alert.look(DEFAULT, at=NOON)

    await shop.told()

    assert ("Admin", NoticeState.TRYING, None) in await shop.notices()
    assert {("Admin", "admin:1"), ("Admin", "mail")} <= set(await shop.deliveries())


async def test_nobody_else_is_rung_while_a_restore_is_held_and_each_has_a_minute_from_the_release(
    shop: Shop,
) -> None:
    await shop.told()
    async with shop.db.transaction() as session:
        await installation.restored(await session.connection())
        later = await database_time(session) + 2 * A_MINUTE
    await shop.pursued(later)
    async with shop.db.transaction() as session:
        assert await WHEEL.seconds_to_next(session) is None

    async with shop.db.transaction() as session:
        await installation.release(session)
        await notices.wait_again(session)
    async with shop.db.transaction() as session:
        await pursue(session)

    assert await shop.deliveries() == [("Mia", "phone:1")]
    async with shop.db.transaction() as session:
        assert 50 < (await WHEEL.seconds_to_next(session) or 0) <= 60
    await shop.pursued(later)
    assert await shop.deliveries() == [("Mia", "phone:1"), ("Mia", "tablet:1")]


async def test_a_device_that_comes_later_is_rung_for_what_rings_still_and_was_not_seen(shop: Shop) -> None:
    await shop.told()
    async with shop.db.transaction() as session:
        await session.execute(update(Notice).values(state=NoticeState.UNSEEN, next_at=None))
        watch = await register(session, shop.mia, "watch:1", at=NOON + 2 * A_MINUTE)
        await notices.try_again(session, shop.mia.id, watch)
        await pursue(session)

    assert await shop.deliveries() == [("Mia", "phone:1"), ("Mia", "watch:1")]


async def test_a_device_that_comes_later_changes_nothing_about_what_goes_by_mail_only(shop: Shop) -> None:
    await shop.ladder(Step(1, 0, (Told.MANAGER_ON_SHIFT,), ways=(Way.EMAIL,)))
    await shop.told()
    async with shop.db.transaction() as session:
        await session.execute(update(Notice).values(state=NoticeState.UNSEEN, next_at=None))
        watch = await register(session, shop.mia, "watch:1", at=NOON + 2 * A_MINUTE)
        await notices.try_again(session, shop.mia.id, watch)
        await pursue(session)

    assert await shop.deliveries() == [("Mia", "mail")]


async def test_an_acknowledgement_that_ends_is_told_though_the_ladder_has_become_shorter(shop: Shop) -> None:
    async with shop.db.transaction() as session:
        alert = (await session.scalars(select(Alert))).one()
        now = await database_time(session)
        while alert.next_at:
            alert.look(DEFAULT, at=now)
        alert.acknowledge(by=shop.mia.as_actor(), at=now, minutes=1)
    await shop.told()
    assert await shop.notices() == []
    await shop.ladder(Step(1, 0, (Told.MANAGER_ON_SHIFT,)))

    async with shop.db.transaction() as session:
        await climb_due(session, at=now + A_MINUTE)
    await shop.told()

    assert await shop.notices() == [("Mia", NoticeState.TRYING, None)]


async def test_a_warning_that_wakes_is_told_though_its_ladder_warns_fewer_times(shop: Shop) -> None:
    told = (Told.MANAGER_ON_SHIFT,)
    await shop.ladder(Step(0, 0, told), Step(1, 0, told))
    async with shop.db.transaction() as session:
        asleep = {"state": AlertState.SNOOZED, "next_at": func.now()}
        await session.execute(update(Alert).values(kind=AlertKind.SLA_AT_RISK, level=0, rung=1, **asleep))
    await shop.told()

    async with shop.db.transaction() as session:
        await climb_due(session)
    await shop.told()

    assert await shop.notices() == [("Mia", NoticeState.TRYING, None)]


async def test_a_push_names_the_channel_of_the_customer_and_not_that_by_which_a_carrier_answered(
    shop: Shop, keys: Keys
) -> None:
    async with shop.db.transaction() as session:
        await receive(session, await a_channel(session, keys, ChannelKind.CHAT), a_chat("zofia"))
        ticket = (await tickets(session))[-1]
        (said,) = await messages(session, ticket)
        await sides.pass_on(
            session, keys, ticket, said, to=["carrier@example.net"], text="Where is it?", with_files=False,
            by=shop.mia.as_actor(), at=NOON,
        )  # fmt: skip
        answered = update(Thread).where(Thread.side).values(last_inbound_at=NOON + A_MINUTE)
        await session.execute(answered)
        ticket.assign(to=shop.mia, by=SYSTEM, at=NOON)
    await shop.told()

    await shop.ring()

    assert [push.data["body"] for push in shop.far_end.pushed if push.data["k"] == "assigned"] == ["Chat"]
