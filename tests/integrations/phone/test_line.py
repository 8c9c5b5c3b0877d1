"""What a line is told, and what it is refused; and the orders that a machine knows of."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from domain.errors import InvalidInput
from domain.keys import Keys
from domain.settings import WrongSetting
from domain.ways_in.channels import Channel, ChannelKind
from integrations.channel_settings import read_settings
from integrations.orders import OrderStatus, Stage, orders_in
from integrations.phone.asterisk.exchange import Exchange
from integrations.phone.line import PhoneLine
from integrations.phone.twilio.account import target

TWILIO = {"provider": "twilio", "account_sid": "AC" + "0" * 32, "auth_token": "t"}
ASTERISK = {"provider": "asterisk", "ami_host": "pbx", "ami_user": "heddle", "ami_secret": "s"}


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({}, "generic needs key"),
        ({"key": "k", "region": "Poland"}, "region: it is a country's two letters"),
        ({**TWILIO, "account_sid": "AC1"}, "account_sid: it is AC and 32 letters"),
        ({"provider": "twilio"}, "twilio needs account_sid, auth_token"),
        ({"provider": "asterisk", "ami_host": "pbx"}, "asterisk needs ami_user, ami_secret"),
        ({**TWILIO, "ring": "+48600100200,101"}, "'101' is no number"),
        ({**TWILIO, "consent_notice": {"es": "a" * 301}}, "at most 300 letters"),
        ({**ASTERISK, "context": "out", "trunk": "PJSIP/{number}@trunk"}, "say one of them"),
        ({**ASTERISK, "trunk": "PJSIP/@trunk"}, "should hold {number}"),
        ({**ASTERISK, "agent_channel": "PJSIP/"}, "should hold {line}"),
        ({**ASTERISK, "context": "out\r\nAction: Command"}, "visible letters"),
        ({"key": "k", "dial_url": "ftp://pbx"}, "should begin with http:// or https://"),
    ],
)
def test_a_line_that_cannot_work_is_refused_with_what_is_missing(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        read_settings(ChannelKind.PHONE, {"number": "+48221234567", **settings})

    assert says in str(refused.value)


@pytest.mark.parametrize(
    ("channel", "pattern", "line"),
    [
        ("PJSIP/101-0000002a", "PJSIP/{line}", "101"),
        ("Local/101@from-queue-00000003;1", "Local/{line}@from-queue", "101"),
        ("SIP/ben-desk-0000002a", "SIP/{line}", "ben-desk"),
        ("DAHDI/1-1", "PJSIP/{line}", None),
    ],
)
def test_a_channel_of_the_exchange_is_somebodys_telephone(
    channel: str, pattern: str, line: str | None
) -> None:
    assert Exchange(agent_channel=pattern).line_of(channel) == line


@pytest.mark.parametrize(
    ("telephone", "told"),
    [
        ("+48600100200", "+48600100200"),
        ("ben@pbx.example", "sip:ben@pbx.example"),
        ("sip:ben@pbx.example", "sip:ben@pbx.example"),
        ("client:ben", "client:ben"),
        ("101", None),
        ("600100200", None),
        ("+48600100200\n", None),
    ],
)
def test_twilio_rings_numbers_and_addresses_and_no_extensions(telephone: str, told: str | None) -> None:
    assert target(telephone) == told


def test_a_region_that_was_kept_before_it_was_looked_at_breaks_no_line() -> None:
    kept = Channel(config={"number": "+48221234567", "region": "Poland"} | ASTERISK)

    assert PhoneLine.of(kept, Keys("the secret key of a line that is kept")).region is None


async def test_orders_stand_in_a_file_until_somebody_connects_the_shop(tmp_path: Path) -> None:
    listed = tmp_path / "orders.toml"
    listed.write_text('[orders.A-1042]\nstage = "shipped"\non = 2026-11-20\n\n[orders.7]\nstage = "ready"\n')
    orders = orders_in(listed)

    assert await orders.order_status("a 1042.") == OrderStatus(Stage.SHIPPED, date(2026, 11, 20))
    assert await orders.order_status("7") == OrderStatus(Stage.READY)
    assert await orders.order_status("8") is None
    assert await orders_in(None).order_status("7") is None


@pytest.mark.parametrize("written", ["[orders.1]\nstage = 'lost'", "[orders.1]\naddress = 'Ada'", "{", None])
def test_a_list_of_orders_that_cannot_be_read_is_said_at_the_start(
    tmp_path: Path, written: str | None
) -> None:
    listed = tmp_path / "orders.toml"
    if written is not None:
        listed.write_text(written)

    with pytest.raises(WrongSetting, match="HEDDLE_ORDERS"):
        orders_in(listed)
