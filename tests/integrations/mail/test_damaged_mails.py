"""Mails as nobody should send them: `./run fuzz --mails 20000` reads more of them."""

from sqlalchemy import func, select

from api.house import House
from domain.arriving.inbound import ARRIVALS, Arrival, ArrivalState, keep
from domain.desk.messages import Message
from domain.ways_in.channels import ChannelKind
from fuzz.mails import mails, read_all
from integrations.children import Limits
from integrations.mailroom import Mailroom
from tests.factories import a_channel


def test_a_sample_of_damaged_mails_is_read_or_shown_raw() -> None:
    readings = read_all(seed=7, count=300, limits=Limits())

    assert readings.ours == []
    assert readings.outcomes.total() == 300
    assert readings.outcomes["none"] > 100
    assert list(mails(7, 5)) == list(mails(7, 5))


async def test_the_original_of_every_damaged_mail_is_kept_whatever_becomes_of_it(house: House) -> None:
    originals = list(mails(11, 25))
    async with house.db.transaction() as session:
        mailbox = await a_channel(session, house.keys, ChannelKind.EMAIL)
        for number, raw in enumerate(originals):
            await keep(session, mailbox, external_id=str(number), raw=raw)

    mailroom = Mailroom(house.db, house.keys, house.files)
    while True:
        async with house.db.transaction() as session:
            claimed = await ARRIVALS.claim(session, 10)
        if not claimed:
            break
        for arrival, lease in claimed:
            await mailroom.open(arrival, lease)

    async with house.db.transaction() as session:
        kept = list(await session.scalars(select(Arrival).order_by(Arrival.received_at, Arrival.external_id)))
        messages = await session.scalar(select(func.count()).select_from(Message))
    assert {int(one.external_id): bytes(one.raw) for one in kept} == dict(enumerate(originals))
    assert ArrivalState.WAITING not in {one.state for one in kept}
    assert messages
    assert messages > 10
