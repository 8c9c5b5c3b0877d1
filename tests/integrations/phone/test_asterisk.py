"""An Asterisk that is listened to, by panoramisk's own client over a real line."""

import random
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from api.house import House
from domain.actors import SYSTEM
from domain.agents.staff import Agent
from domain.alerting.outages import PATIENCE, look
from domain.arriving.inbound import Arrival
from domain.desk.messages import Call, CallState
from domain.ways_in.channels import Channel
from domain.ways_in.fetching import Box
from integrations.holding import Pace
from integrations.mailroom import Mailroom
from integrations.phone.asterisk.connection import Connection, connected
from integrations.phone.asterisk.listening import Listener
from integrations.phone.line import PhoneLine
from tests.client import Client
from tests.exchange import Exchange, a_call, a_line, an_exchange
from tests.factories import NOON
from tests.fetching import running, until

QUICK = Pace(lease=timedelta(seconds=2), again=0.05, longest=0.3, refused=5, look=0.1)


def listening(house: House) -> Listener:
    return Listener(house.db, house.keys, QUICK)


async def calls(house: House) -> list[Call]:
    async with house.db.transaction() as session:
        return list(await session.scalars(select(Call).order_by(Call.external_id)))


async def over(house: House, many: int = 1) -> list[Call]:
    async def ended() -> list[Call] | None:
        found = await calls(house)
        return found if len(found) == many and all(one.ended_at for one in found) else None

    return list(await until(ended, 30))


async def the_box(house: House) -> Box | None:
    async with house.db.transaction() as session:
        return (await session.scalars(select(Box))).one_or_none()


async def caught_up(exchange: Exchange) -> bool:
    return bool(exchange.listening) and exchange.asked[-1]["Action"] in ("CoreShowChannels", "Ping")


async def bens_telephone(house: House) -> None:
    async with house.db.transaction() as session:
        await session.execute(update(Agent).where(Agent.name == "Ben").values(line="101"))


@pytest.mark.parametrize("seed", range(2))
async def test_a_call_is_followed_from_its_first_ring_to_its_end_once_by_whomever_it_is_heard(
    house: House, ben: Client, seed: int
) -> None:
    await bens_telephone(house)
    events = a_call() + a_call("1764172800.7", caller="anonymous")
    random.Random(seed).shuffle(events)
    async with an_exchange() as exchange:
        await a_line(house, exchange)
        # One takes up what a call's first channel says before any other event of it: so Asterisk tells it.
        events.sort(
            key=lambda event: event["Event"] != "Newchannel" or event["Uniqueid"] != event["Linkedid"]
        )
        events.sort(key=lambda event: event["Event"] == "Hangup" and event["Uniqueid"] == event["Linkedid"])
        async with (
            running(listening(house).run()),
            running(Mailroom(house.db, house.keys, house.files).run()),
        ):
            await until(lambda: caught_up(exchange), 30)
            await exchange.says(*events, *events[:-2])
            known, withheld = await over(house, 2)

    assert (known.call_state, known.number, known.dialled) == (
        CallState.ENDED,
        "+48600100200",
        "+48221234567",
    )
    assert known.cause == "Normal Clearing"
    assert known.agent_id is not None
    assert (withheld.call_state, withheld.number) == (CallState.ENDED, "anonymous")


async def test_what_goes_on_between_the_desks_of_the_house_is_nobodys_to_keep(house: House) -> None:
    desk = {"Channel": "PJSIP/101-00000009", "Uniqueid": "9.1", "Linkedid": "9.1", "CallerIDNum": "101"}
    async with an_exchange() as exchange:
        await a_line(house, exchange, outbound_context="from-internal")
        async with (
            running(listening(house).run()),
            running(Mailroom(house.db, house.keys, house.files).run()),
        ):
            await until(lambda: caught_up(exchange), 30)
            await exchange.says(
                {"Event": "Newchannel", **desk, "Context": "from-internal", "Exten": "102"},
                {"Event": "Hangup", **desk, "Cause": "16"},
                {"Event": "Newchannel", **desk | {"Uniqueid": "9.2", "Linkedid": "9.2"}, "Context": "from-internal",
                 "Exten": "+48600100200"},
                {"Event": "Hangup", **desk | {"Uniqueid": "9.2", "Linkedid": "9.2"}, "Cause": "16"},
            )  # fmt: skip
            (dialled,) = await over(house)

    assert (dialled.external_id, dialled.direction, dialled.number) == ("9.2", "out", "+48600100200")
    async with house.db.transaction() as session:
        assert len(list(await session.scalars(select(Arrival)))) == 2


async def test_after_a_cut_calls_that_ended_meanwhile_are_over_and_those_that_go_on_go_on(
    house: House,
) -> None:
    first, second = a_call("1.1")[0], a_call("2.1", caller="+48600100201")[0]
    async with an_exchange() as exchange:
        await a_line(house, exchange)
        async with (
            running(listening(house).run()),
            running(Mailroom(house.db, house.keys, house.files).run()),
        ):
            await until(lambda: caught_up(exchange), 30)
            await exchange.says(first, second)

            async def both() -> bool:
                return len(await calls(house)) == 2

            await until(both, 30)
            exchange.channels = [
                {**second, "Event": "CoreShowChannel", "BridgeId": "b2", "Context": "macro-dial"}
            ]
            exchange.cut()

            async def one_is_over() -> bool:
                return any(one.ended_at for one in await calls(house))

            await until(one_is_over, 30)

            async def the_other_is_answered() -> bool:
                return any(one.answered_at for one in await calls(house))

            await until(the_other_is_answered, 30)

    gone, on = await calls(house)
    assert (gone.call_state, gone.cause) == (CallState.MISSED, "gone")
    assert (on.call_state, on.ended_at) == (CallState.ANSWERED, None)
    assert sum(packet["Action"] == "Login" for packet in exchange.asked) >= 2


async def test_a_wrong_secret_and_a_dead_line_are_seen_and_told_and_forgotten_once_it_works(
    house: House,
) -> None:
    async def fails() -> Box | None:
        box = await the_box(house)
        return box if box and box.failing_since else None

    async def works() -> bool:
        box = await the_box(house)
        return bool(box and box.signed_in_at and not box.failing_since)

    async with an_exchange() as exchange:
        line = await a_line(house, exchange, ami_secret="a wrong one")
        async with running(listening(house).run()):
            refused = await until(fails, 30)
            async with house.db.transaction() as session:
                await session.execute(update(Box).values(failing_since=NOON))
                await look(session, at=NOON + 2 * PATIENCE)
                kept = await session.get_one(Channel, line.id)
                right = PhoneLine.of(kept, house.keys).model_copy(update={})
                secrets = {**right.secrets(), "ami_secret": "the secret of the manager"}
                kept.set_up(session, house.keys, config=kept.config, secrets=secrets, by=SYSTEM, at=NOON)
            await until(works, 30)

    assert "the sign-in is refused: Authentication failed" in str(refused.last_error)


async def test_what_would_be_another_command_is_not_said(house: House) -> None:
    async with an_exchange() as exchange:
        line = await a_line(house, exchange)
        async with connected(PhoneLine.of(line, house.keys)) as manager:
            with pytest.raises(ValueError, match="another command"):
                await manager.ask({"Action": "Ping", "Variable": "x\r\nAction: Command"})

    assert isinstance(manager, Connection)
    assert [packet["Action"] for packet in exchange.asked] == ["Login"]
