"""Channels as an operator types them."""

import re
import subprocess
from pathlib import Path

from sqlalchemy import select

from domain.agents.staff import Team
from domain.audit import AuditEntry
from domain.db import Database
from domain.keys import Keys
from domain.sla.calendars import Calendar
from domain.ways_in.channels import Channel
from integrations.phone.line import PhoneLine
from tests.conftest import another_database
from tests.typing_heddle import heddle

OLD, NEW = "the old secret key of the command line", "the new secret key of the command line"


async def test_a_line_is_added_shown_tested_rotated_and_switched_off_and_on(
    database_url: str, tmp_path: Path
) -> None:
    url = await another_database(database_url, "cli_channels")
    db = Database(url)
    async with db.transaction() as session:
        session.add(Team(name="Support"))
        session.add(Calendar(name="Shop", hours={"zone": "Europe/Warsaw", "weekly": {}}))
    (tmp_path / "key").write_text("the key that the PBX was given\n")

    def typed(
        *arguments: str, stdin: str = "", keys: str = OLD, command: str = "channel"
    ) -> subprocess.CompletedProcess[str]:
        settings = {"HEDDLE_DATABASE_URL": url, "HEDDLE_SECRET_KEY": keys, "HEDDLE_DATA": str(tmp_path)}
        base = {"HEDDLE_BASE_URL": "https://desk.shop.example"}
        return heddle(command, *arguments, folder=tmp_path, stdin=stdin, **settings, **base)

    line = ("add", "phone", "--name", "Main line", "number=+48221234567", "--team", "Support")
    added = typed(*line, "--hours", "Shop")
    wrong = [
        typed(*arguments)
        for arguments in (
            ("add", "phone", "--name", "B", "number=+48221234568", "--team", "Sales"),
            ("show", "nothing"),
            ("rotate", "main-line", "number"),
            ("rotate", "main-line", "key=@nowhere"),
            ("set", "main-line", "number=+48221234599"),
        )
    ]
    given = typed("rotate", "main-line", "key=@key", "--grace-hours", "0")
    made = typed("rotate", "main-line", "key")
    tested = typed("test", "main-line")
    off = typed("disable", "main-line")
    typed("set", "main-line", "language=pl", "acknowledgement.pl=-", "--hours", "", stdin="Numer {number}\n")
    shown = typed("show", "main-line")
    listed = typed("list")
    doctor = typed(command="doctor")
    on = typed("enable", "main-line")
    resealed = typed(command="reseal", keys=f"{NEW},{OLD}")

    assert added.stdout.splitlines()[0] == "The phone channel 'Main line' is here as 'main-line'."
    (key,) = re.findall(r"^key: (\S{43})$", added.stdout, re.MULTILINE)
    assert [one.returncode for one in wrong] == [2] * 5
    assert [one.stderr.splitlines()[-1] for one in wrong] == [
        "heddle: There is no team 'Sales'; there is Support.",
        "heddle: There is no channel 'nothing': `heddle channel list` shows them.",
        "heddle: There is no secret number.",
        "heddle: @nowhere: No such file or directory.",
        "heddle: A channel keeps its address: another address is another channel.",
    ]
    assert given.stdout == "The channel 'main-line' has a new key.\n"
    assert "The one before is accepted until 20" in made.stdout
    assert (tested.returncode, tested.stdout) == (1, "✗  webhook  Nothing has come yet.\n")
    assert (
        off.stdout
        == "The phone channel 'main-line' is off. `heddle channel enable main-line` switches it on.\n"
    )
    assert listed.stdout == "main-line  phone  +48221234567  Main line  off\n"
    assert re.search(r"^! channel main-line +switched off since", doctor.stdout, re.MULTILINE)
    assert on.stdout == "The phone channel 'main-line' is on.\n"
    for row in (
        r"team +Support",
        r"office hours +always",
        r"webhook, signed +https://desk\.shop\.example/hooks/phone/main-line",
        r"acknowledgement\.pl +Numer \{number\}",
        r"key +set since 20.+; the one before until 20.+",
        r"off +since 20.+",
        r"last came in +never",
    ):
        assert re.search(f"^{row}$", shown.stdout, re.MULTILINE), (row, shown.stdout)
    everything = "".join(one.stdout + one.stderr for one in (given, tested, off, shown, listed, doctor, on))
    assert key not in everything
    assert "the PBX was given" not in everything
    assert resealed.stdout == "3 sealed values are sealed with the first key.\n", "with the key of Web Push"
    async with db.transaction() as session:
        (channel,) = await session.scalars(select(Channel))
        audited = (await session.scalars(select(AuditEntry.kind).order_by(AuditEntry.seq))).all()
    last = re.search(r"key: (\S+)", made.stdout)
    assert last
    assert PhoneLine.of(channel, Keys(NEW)).accepted("key") == (last[1], "the key that the PBX was given")
    assert audited == [
        "channel_added",
        "channel_secret_rotated",
        "channel_secret_rotated",
        "channel_disabled",
        "channel_changed",
        "channel_enabled",
    ]
    await db.close()


async def test_what_no_key_opens_is_named_and_nothing_is_sealed_anew(
    database_url: str, tmp_path: Path
) -> None:
    url = await another_database(database_url, "cli_reseal")
    settings = {"HEDDLE_DATABASE_URL": url, "HEDDLE_DATA": str(tmp_path)}
    line = ("channel", "add", "phone", "--name", "Line", "number=+48221234567")
    heddle(*line, folder=tmp_path, HEDDLE_SECRET_KEY=OLD, **settings)
    db = Database(url)
    async with db.transaction() as session:
        (channel,) = await session.scalars(select(Channel))
        channel.secrets = sealed = Keys("a key that was lost a long time ago").encrypt({"key": "x"})

    refused = heddle("reseal", folder=tmp_path, HEDDLE_SECRET_KEY=f"{NEW},{OLD}", **settings)

    assert refused.returncode == 2
    assert "does not open everything" in refused.stderr
    async with db.transaction() as session:
        assert (await session.scalars(select(Channel.secrets))).all() == [sealed]
    await db.close()
