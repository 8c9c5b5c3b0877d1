"""What an operator types, and what is said when it is wrong."""

import asyncio
import json
import socket
import subprocess
import sys
import zipfile
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pyotp
import pytest
from sqlalchemy import func, select, update

from api.cli import main
from api.commands.promising import _hours, _target
from api.commands.setting_up import _place
from api.workers import HEED
from domain import following
from domain.actors import SYSTEM, Role
from domain.agents import passwords, second_factor
from domain.agents.staff import Agent, Team
from domain.answering.uploads import Upload
from domain.arriving.opening import open_ticket
from domain.audit import AuditEntry, AuditKind
from domain.customers import people
from domain.customers.contacts import Claim, Contact, IdentityKind, add_contact, normalised
from domain.db import Database, database_time, ring
from domain.desk.files import Folder
from domain.desk.tickets import Ticket
from domain.events import Event, EventKind, Reader, record
from domain.finding import indexing
from domain.ids import public_id
from domain.keys import Keys
from domain.operations import installation
from domain.reporting import keeping
from domain.settings import DomainSettings, WrongSetting
from domain.sla.hours import ALWAYS
from domain.sla.targets import Metric, Target
from domain.ways_in.channels import Channel, ChannelKind
from integrations.mail.mailbox import Mailbox
from integrations.phone.line import PhoneLine
from integrations.subscribers import posting as subscribers
from tests.conftest import another_database, empty_database
from tests.factories import NOON, a_channel, a_mail, an_agent, receive
from tests.typing_heddle import heddle

SECRET = "a secret of the command line's tests"


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (
            {"HEDDLE_DATABASE_URL": "postgresql://x/y?sslmode=on"},
            "HEDDLE_DATABASE_URL is wrong: has sslmode=on",
        ),
        ({"HEDDLE_DATABASE_URL": "mysql://x"}, "HEDDLE_DATABASE_URL is wrong: should be postgresql://"),
        ({"HEDDLE_DATABASE_URL": "postgresql://x/y"}, "HEDDLE_SECRET_KEY is missing"),
        (
            {"HEDDLE_DATABASE_URL": "postgresql://x/y", "HEDDLE_SECRET_KEY": "short"},
            "HEDDLE_SECRET_KEY is wrong",
        ),
        (
            {"HEDDLE_DATABASE_URL": "postgresql://h@127.0.0.1:9/y", "HEDDLE_SECRET_KEY": SECRET},
            "HEDDLE_DATABASE_URL: no database answers there",
        ),
        ({"HEDDLE_SMTP_IN_PORT": "many"}, "HEDDLE_SMTP_IN_PORT is wrong"),
        ({"HEDDLE_SMTP_URL": "mail.example"}, "HEDDLE_SMTP_URL is wrong"),
        ({"HEDDLE_BASE_URL": "shop.example"}, "HEDDLE_BASE_URL is wrong"),
        ({"HEDDLE_GRAPH_URL": "graph"}, "HEDDLE_GRAPH_URL is wrong"),
        (
            {"HEDDLE_MEDIA_HOSTS": "fbcdn.net, https://media.example"},
            "HEDDLE_MEDIA_HOSTS is wrong: should be hosts such as fbcdn.net, not 'https://media.example'",
        ),
        ({"HEDDLE_FCM_URL": "fcm"}, "HEDDLE_FCM_URL is wrong"),
        ({"HEDDLE_FCM_CREDENTIALS": "/nowhere.json"}, "HEDDLE_FCM_CREDENTIALS is wrong"),
        ({"HEDDLE_DATA": "/dev/null"}, "HEDDLE_DATA is wrong: /dev/null is no folder"),
        ({"HEDDLE_DATA": "/dev/null/heddle"}, "HEDDLE_DATA is wrong: /dev/null/heddle is no folder"),
    ],
)
@pytest.mark.usefixtures("no_settings")
def test_a_wrong_setting_stops_the_start_with_one_sentence_that_names_it(
    settings: dict[str, str],
    sentence: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    for name, value in {"HEDDLE_DATA": str(tmp_path), **settings}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "argv", ["heddle", "serve", "--port", "0"])

    with pytest.raises(SystemExit) as end:
        main()

    assert end.value.code == 2
    (said,) = capsys.readouterr().err.strip().splitlines()
    assert said.startswith(f"heddle: {sentence}")


def test_settings_that_are_no_text_and_a_token_for_ever_are_refused_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"HEDDLE_BASE_URL=http://caf\xe9.example")

    unread = heddle("agent", "list", folder=tmp_path)
    for_ever = heddle(
        "token", "create", "--name", "Till", "--scope", "tickets:read", "--days", "99999999", folder=tmp_path
    )

    assert (unread.returncode, unread.stderr) == (2, "heddle: .env is wrong: it is no text in UTF-8.\n")
    assert (for_ever.returncode, for_ever.stderr.startswith("heddle: --days 99999999: ")) == (2, True)


async def test_the_first_agent_and_channel_come_from_the_command_line(
    database_url: str, tmp_path: Path
) -> None:
    url = await empty_database(database_url, "cli")
    settings = {"HEDDLE_DATABASE_URL": url, "HEDDLE_SECRET_KEY": SECRET, "HEDDLE_DATA": str(tmp_path)}

    added = heddle(
        "agent", "add", "mia@shop.example", "--name", "Mia", "--role", "manager", "--password-stdin",
        folder=tmp_path, stdin="a good password\n", **settings,
    )  # fmt: skip
    again = heddle("agent", "add", "MIA@shop.example", "--name", "Mia", folder=tmp_path, **settings)
    line = heddle(
        "channel",
        "add",
        "phone",
        "--name",
        "Main line",
        "number=+48221234567",
        "key=s3cret",
        folder=tmp_path,
        **settings,
    )
    telephone = heddle("agent", "line", "mia@shop.example", "SIP:7", folder=tmp_path, **settings)
    made = Database(url)
    async with made.transaction() as session:
        session.add(Team(name="Sales"))
    await made.close()
    campaign = ("--campaign", "Spring", "--language", "pl", "--dial", "50", "--team", "Sales")
    number = heddle(
        "channel", "numbers", "set", "main-line", "+48221112233", *campaign, folder=tmp_path, **settings
    )
    numbers = heddle("channel", "numbers", "list", "main-line", folder=tmp_path, **settings)
    forgotten = heddle(
        "channel", "numbers", "remove", "main-line", "+48221112233", folder=tmp_path, **settings
    )
    people = heddle("agent", "list", folder=tmp_path, **settings)
    ways_in = heddle("channel", "list", folder=tmp_path, **settings)
    unknown = [
        heddle(*typed, folder=tmp_path, **settings)
        for typed in (
            ("contact", "export", "ada@exmaple.org", "ada.zip"),
            ("contact", "erase", public_id("Contact", UUID(int=7))),
            ("tag", "remove", "mgu"),
            ("tag", "rename", "mgu", "mug"),
        )
    ]
    wrong = heddle(
        "channel", "add", "email", "--name", "Mail", "adress=help@shop.example", folder=tmp_path, **settings
    )

    assert added.stdout.splitlines() == [
        "Mia <mia@shop.example> is here, as manager.",
        "Kept in the database of HEDDLE_DATABASE_URL.",
    ]
    assert people.stdout == "Mia  mia@shop.example  manager\n"
    assert ways_in.stdout == "main-line  phone  +48221234567  Main line\n"
    assert telephone.stdout == "Mia's telephone is 7.\n"
    assert number.stdout == "+48221112233 leads to 'main-line': Spring.\n"
    assert numbers.stdout == "+48221112233  Spring  -  pl  50  Sales\n"
    assert forgotten.stdout == "+48221112233 is forgotten.\n"
    assert again.returncode == 2
    assert "already" in again.stderr
    assert "'main-line'" in line.stdout
    assert [(one.returncode, one.stderr) for one in unknown] == [
        (2, "heddle: Nobody is known as 'ada@exmaple.org'.\n"),
        (2, f"heddle: Nobody is known as {public_id('Contact', UUID(int=7))!r}.\n"),
        (2, "heddle: There is no tag 'mgu': `heddle tag list` shows them.\n"),
        (2, "heddle: There is no tag 'mgu': `heddle tag list` shows them.\n"),
    ]
    assert wrong.returncode == 2
    assert wrong.stderr == "heddle: adress: there is no such setting\n"
    db = Database(url)
    async with db.transaction() as session:
        (mia,) = await session.scalars(select(Agent))
        assert mia.name == "Mia"
        assert (mia.password_hash or "").startswith("$argon2id$v=19$m=65536,t=3,p=4$")
        (channel,) = await session.scalars(select(Channel))
        assert (channel.kind, channel.address) == (ChannelKind.PHONE, "+48221234567")
        assert "s3cret" not in str(channel.config)
        assert PhoneLine.of(channel, Keys(SECRET)).key.get_secret_value() == "s3cret"
    await db.close()


async def test_whatever_the_api_can_is_typed(database_url: str, tmp_path: Path) -> None:
    url = await another_database(database_url, "cli")
    settings = {"HEDDLE_DATABASE_URL": url, "HEDDLE_SECRET_KEY": SECRET, "HEDDLE_DATA": str(tmp_path)}
    heddle(
        "agent", "add", "mia@shop.example", "--name", "Mia", "--role", "admin", folder=tmp_path, **settings
    )
    save = """mutation($name: String!, $clientMutationId: ID!) {
      teamSave(input: {name: $name, clientMutationId: $clientMutationId}) { team { name } userErrors { code } }
    }"""
    of_the_docs = (
        "mutation($input: TeamSaveInput!) { teamSave(input: $input) { team { name } userErrors { code } } }"
    )

    made = heddle("ask", "-", 'input={"name": "Returns"}', folder=tmp_path, stdin=of_the_docs, **settings)
    refused = heddle("ask", "-", "name=Returns", folder=tmp_path, stdin=save, **settings)
    nobody = heddle(
        "ask", "-", "--as", "eve@shop.example", folder=tmp_path, stdin="{ teams { name } }", **settings
    )

    assert made.returncode == 0, made.stderr
    assert json.loads(made.stdout)["data"]["teamSave"] == {"team": {"name": "Returns"}, "userErrors": []}
    assert refused.returncode == 1
    assert json.loads(refused.stdout)["data"]["teamSave"]["userErrors"] == [{"code": "INVALID"}]
    assert (nobody.returncode, "nobody of this address" in nobody.stderr) == (2, True)


@pytest.mark.parametrize(
    ("document", "options", "sentence"),
    [
        ("", (), "Nothing is asked: give a query or a mutation."),
        ("fragment Name on Team { name }", (), "Nothing is asked: give a query or a mutation."),
        (
            "query Teams { teams { name } }",
            ("--operation", "Team"),
            "--operation Team: what is asked has none of this name.",
        ),
    ],
)
async def test_who_asks_nothing_is_told_so(
    database_url: str, tmp_path: Path, document: str, options: tuple[str, ...], sentence: str
) -> None:
    url = await another_database(database_url, "cli")
    db = Database(url)
    async with db.transaction() as session:
        await an_agent(session, "Admin", Role.ADMIN)
    await db.close()
    settings = {"HEDDLE_DATABASE_URL": url, "HEDDLE_SECRET_KEY": SECRET, "HEDDLE_DATA": str(tmp_path)}

    asked = heddle("ask", "-", *options, folder=tmp_path, stdin=document, **settings)

    assert (asked.returncode, asked.stderr) == (2, f"heddle: {sentence}\n")


async def test_an_older_mailbox_without_mails_is_told(database_url: str, tmp_path: Path) -> None:
    url = await another_database(database_url, "cli")
    db = Database(url)
    async with db.transaction() as session:
        slug = (await a_channel(session, Keys(SECRET), ChannelKind.EMAIL)).slug
    await db.close()
    settings = {"HEDDLE_DATABASE_URL": url, "HEDDLE_SECRET_KEY": SECRET, "HEDDLE_DATA": str(tmp_path)}
    (tmp_path / "mails.csv").write_text("email;name\nada@example.org;Ada\n")
    (tmp_path / "profile").mkdir()

    said = [
        heddle("import", "mail", name, "--channel", slug, folder=tmp_path, **settings)
        for name in ("mails.csv", "profile")
    ]

    assert [one.returncode for one in said] == [2, 2]
    assert "mails.csv: there is no mail in it" in said[0].stderr
    assert "profile: there is no mail in it" in said[1].stderr


async def test_a_mailbox_is_set_up_otherwise_from_the_command_line(database_url: str, tmp_path: Path) -> None:
    url = await another_database(database_url, "cli")
    settings = {"HEDDLE_DATABASE_URL": url, "HEDDLE_SECRET_KEY": SECRET, "HEDDLE_DATA": str(tmp_path)}
    fetched = ("imap_url=imaps://imap.shop.example", "imap_password=mistyped", "imap_since_days=2")
    heddle(
        *("channel", "add", "email", "--name", "Help", "address=help@shop.example", *fetched),
        folder=tmp_path,
        **settings,
    )

    done = heddle(
        *("channel", "set", "help", "imap_password=right", "imap_since_days="), folder=tmp_path, **settings
    )
    wrong = [
        heddle("channel", "set", *order, folder=tmp_path, **settings)
        for order in (
            ("help", "imap_url=nowhere"),
            ("help", "address=x@shop.example"),
            ("sales", "address=x"),
        )
    ]

    assert done.stdout == "The email channel 'help' is set up.\n"
    assert [one.returncode for one in wrong] == [2, 2, 2]
    db = Database(url)
    async with db.transaction() as session:
        (channel,) = await session.scalars(select(Channel))
    mailbox = Mailbox.of(channel, Keys(SECRET))
    assert mailbox.imap_password.get_secret_value() == "right"
    assert (mailbox.imap_url, mailbox.imap_user, mailbox.imap_since_days) == (
        "imaps://imap.shop.example",
        "help@shop.example",
        0,
    )
    await db.close()


async def test_what_is_said_in_several_languages_is_set_one_by_one(database_url: str, tmp_path: Path) -> None:
    url = await another_database(database_url, "cli")
    settings = {"HEDDLE_DATABASE_URL": url, "HEDDLE_SECRET_KEY": SECRET, "HEDDLE_DATA": str(tmp_path)}
    own = ("acknowledgement.es=Número {number}", "acknowledgement.pl=Numer {number}", "relays=192.0.2.1")
    add = ("channel", "add", "email", "--name", "Help", "address=help@shop.example")
    heddle(*add, *own, folder=tmp_path, **settings)

    done = heddle(
        *("channel", "set", "help", "acknowledgement.es=", "acknowledgement.ca=Número {number}", "relays="),
        folder=tmp_path,
        **settings,
    )
    wrong = [
        heddle("channel", "set", "help", said, folder=tmp_path, **settings).stderr
        for said in ("acknowledgement.de=Nummer", "acknowledgement=Number", "signatur=Shop")
    ]

    assert done.stdout == "The email channel 'help' is set up.\n"
    assert wrong == [
        "heddle: acknowledgement.de: it is one of 'en', 'pl', 'es', 'ca'\n",
        "heddle: acknowledgement: it is said by language, as `acknowledgement.es=…`\n",
        "heddle: signatur: there is no such setting\n",
    ]
    db = Database(url)
    async with db.transaction() as session:
        (channel,) = await session.scalars(select(Channel))
    mailbox = Mailbox.of(channel, Keys(SECRET))
    assert mailbox.acknowledgement == {"pl": "Numer {number}", "ca": "Número {number}"}
    assert mailbox.relays == []
    await db.close()


async def test_a_shop_moves_from_one_database_to_another(database_url: str, tmp_path: Path) -> None:
    old, new = [await empty_database(database_url, f"cli_{name}") for name in ("old", "new")]
    settings = {"HEDDLE_SECRET_KEY": SECRET, "HEDDLE_DATA": str(tmp_path)}
    mia = ("agent", "add", "mia@shop.example", "--name", "Mia", "--password-stdin")
    heddle(*mia, folder=tmp_path, stdin="a good password\n", HEDDLE_DATABASE_URL=old, **settings)

    made = heddle("backup", "shop.zip", folder=tmp_path, HEDDLE_DATABASE_URL=old, **settings)
    restored = heddle("restore", "shop.zip", folder=tmp_path, HEDDLE_DATABASE_URL=new, **settings)
    again = heddle("restore", "shop.zip", folder=tmp_path, HEDDLE_DATABASE_URL=new, **settings)
    released = heddle("release", folder=tmp_path, HEDDLE_DATABASE_URL=new, **settings)

    assert "shop.zip: 0 tickets" in made.stdout
    assert "`heddle release`" in restored.stdout
    assert again.returncode == 2
    assert "not empty" in again.stderr
    assert released.stdout.strip() == "Heddle sends again."
    db = Database(new)
    async with db.transaction() as session:
        assert [agent.name for agent in await session.scalars(select(Agent))] == ["Mia"]
    await db.close()


async def test_a_backup_without_the_files_says_that_it_looked_in_another_folder(
    database_url: str, tmp_path: Path
) -> None:
    url = await another_database(database_url, "cli_files")
    settings = {"HEDDLE_DATABASE_URL": url, "HEDDLE_SECRET_KEY": SECRET}
    db, files = Database(url), Folder(tmp_path / "data" / "files")
    async with db.transaction() as session:
        ben = await an_agent(session, "Ben")
        upload = {"name": "a.pdf", "mime": "application/pdf", "bytes": 7, "file": await files.put(b"%PDF-1")}
        session.add(Upload(**upload, agent_id=ben.id, created_at=NOON, finished_at=NOON))
    await db.close()

    whole = heddle("backup", "a.zip", folder=tmp_path, HEDDLE_DATA=str(tmp_path / "data"), **settings)
    elsewhere = heddle("backup", "b.zip", folder=tmp_path, HEDDLE_DATA=str(tmp_path / "other"), **settings)

    assert (whole.returncode, whole.stderr) == (0, "")
    assert elsewhere.returncode == 2
    assert elsewhere.stderr == (
        f"heddle: b.zip holds none of the stored files: none of 1 is in {tmp_path}/other/files. "
        "Is HEDDLE_DATA (or HEDDLE_FILES_URL) that of the server?\n"
    )
    assert (tmp_path / "b.zip").exists(), "the tables are in it"


async def test_what_is_given_up_after_a_restore_is_what_would_leave(
    database_url: str, tmp_path: Path
) -> None:
    url = await another_database(database_url, "cli")
    db = Database(url)
    async with db.transaction() as session:
        record(session, EventKind.AGENT_ADDED, by=SYSTEM, at=NOON, data={})
        for name in (*HEED, subscribers.READER, keeping.READER, indexing.READER):
            await following.begin(session, name, following.FROM_THE_FIRST)
        await installation.restored(await session.connection())
        await session.execute(update(Event).values(recorded_at=func.now() - timedelta(seconds=1)))

    settings = {"HEDDLE_DATABASE_URL": url, "HEDDLE_SECRET_KEY": SECRET, "HEDDLE_DATA": str(tmp_path)}
    heddle("release", "--discard", folder=tmp_path, **settings)

    async with db.transaction() as session:
        at_the_first = select(Reader.name).where(Reader.seq == 0)
        assert set(await session.scalars(at_the_first)) == {
            "promises",
            "assigning",
            "complaints",
            "finding",
            "statistics",
        }
    await db.close()


@pytest.mark.parametrize("tls", ["sslmode=disable", "sslmode=prefer", "ssl=prefer"])
async def test_an_address_says_how_far_to_trust_the_line(database_url: str, tmp_path: Path, tls: str) -> None:
    url = await another_database(database_url, "cli_tls")
    address = f"{url}{'&' if '?' in url else '?'}{tls}"
    settings = {"HEDDLE_DATABASE_URL": address, "HEDDLE_SECRET_KEY": SECRET, "HEDDLE_DATA": str(tmp_path)}

    assert heddle("migrate", folder=tmp_path, **settings).stdout.strip() == "The database is up to date."
    assert "shop.zip" in heddle("backup", "shop.zip", folder=tmp_path, **settings).stdout
    db = Database(address)
    await db.open()
    with db.bell.listening("a topic") as rung:
        async with asyncio.timeout(30):
            while not rung.is_set():
                async with db.transaction() as session:
                    ring(session, "a topic")
                await asyncio.sleep(0.05)
    await db.close()


async def test_a_mistyped_setting_is_told_with_what_it_may_have_meant(
    database_url: str, tmp_path: Path
) -> None:
    url = await another_database(database_url, "cli_doctor")
    settings = {"HEDDLE_DATABASE_URL": url, "HEDDLE_SECRET_KEY": SECRET, "HEDDLE_DATA": str(tmp_path)}

    settings |= {"HEDDLE_URL": "http://localhost:8000", "HEDDLE_TOKEN": "hd_…"}  # as the README sets them

    migrated = heddle("migrate", folder=tmp_path, HEDDLE_SMPT_URL="smtp://x", **settings)
    seen = heddle("doctor", folder=tmp_path, HEDDLE_SMPT_URL="smtp://x", **settings)

    assert '"did_you_mean": "HEDDLE_SMTP_URL"' in migrated.stderr
    assert "HEDDLE_TOKEN" not in migrated.stderr
    assert "no HEDDLE_URL" not in seen.stdout
    assert "there is no HEDDLE_SMPT_URL: did you mean HEDDLE_SMTP_URL?" in seen.stdout
    assert "✓ tables" in seen.stdout
    assert seen.returncode == 1, "no relay answers at localhost:25"


def test_targets_and_opening_hours_are_read_as_people_write_them() -> None:
    assert _target("4h") == Target(Metric.FIRST_REPLY, 14400)
    assert _target("chat=90s") == Target(Metric.FIRST_REPLY, 90, channel=ChannelKind.CHAT)
    assert _hours("UTC", "always", []) == ALWAYS
    week = _hours("Europe/Warsaw", "mon-fri 09:00-13:00,mon-fri 14:00-18:00,sat 10:00-14:00", [])
    assert week.to_json()["weekly"]["fri"] == [["09:00", "13:00"], ["14:00", "18:00"]]
    assert _hours("Europe/Madrid", "always", ["ES-CT"]).holidays == {"ES-CT"}
    with pytest.raises(WrongSetting, match="no holidays are known"):
        _hours("Europe/Madrid", "always", ["XX"])
    for wrong in ("x", "4", "fax=4h", "=4h4", "chat=0s", "email=8785h"):
        with pytest.raises(WrongSetting):
            _target(wrong)
    for wrong in ("mon", "mon 9-5", "mon-fri 18:00-09:00"):
        with pytest.raises(WrongSetting):
            _hours("UTC", wrong, [])
    for wrong in ("someday 09:00-10:00", "sat-mon 09:00-10:00", "", "mon 09:00-10:00,"):
        with pytest.raises(WrongSetting, match="no days of a week"):
            _hours("UTC", wrong, [])


def test_who_is_added_is_told_where_the_data_lies(tmp_path: Path) -> None:
    assert _place(DomainSettings.model_construct(data=tmp_path)) == f"{tmp_path} (HEDDLE_DATA)"


async def test_the_policy_names_the_holidays_that_the_shop_keeps(database_url: str, tmp_path: Path) -> None:
    url = await another_database(database_url, "cli_policy")
    settings = {"HEDDLE_DATABASE_URL": url, "HEDDLE_SECRET_KEY": SECRET, "HEDDLE_DATA": str(tmp_path)}
    policy = ("policy", "--zone", "Europe/Warsaw", "email=4h")

    kept = heddle(*policy, "--holidays", "PL", folder=tmp_path, **settings)
    none = heddle(*policy, "chat=90s", "--name", " Default ", folder=tmp_path, **settings)
    listed = heddle("policy", folder=tmp_path, **settings)

    assert "first reply  email=4h, chat=90s" in listed.stdout
    assert "(always, Europe/Warsaw, holidays of PL)" in kept.stdout
    assert "(always, Europe/Warsaw, no holidays)" in none.stdout
    db = Database(url)
    async with db.reading() as connection:
        noted = (await connection.execute(select(AuditEntry.kind, AuditEntry.data))).all()
    await db.close()
    assert [(kind, len(json.loads(data["targets"]))) for kind, data in noted] == [
        (AuditKind.POLICY_SAVED, 1),
        (AuditKind.POLICY_SAVED, 2),
    ]


@pytest.mark.usefixtures("no_settings")
def test_a_taken_port_stops_the_start_before_anything_begins(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setenv("HEDDLE_DATA", str(tmp_path / "data"))
        monkeypatch.setattr(sys, "argv", ["heddle", "serve", "--port", str(port)])

        with pytest.raises(SystemExit) as end:
            main()

    assert end.value.code == 2
    assert capsys.readouterr().err.startswith(f"heddle: --port {port}: 127.0.0.1 cannot be listened on there")
    assert not (tmp_path / "data").exists()


def test_a_port_that_is_none_stops_it_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["heddle", "serve", "--port", "70000"])

    with pytest.raises(SystemExit) as end:
        main()

    assert end.value.code == 2
    assert capsys.readouterr().err == "heddle: --port 70000: the highest there is, is 65535.\n"


async def test_a_customer_is_exported_erased_and_unsealed_from_the_command_line(
    database_url: str, tmp_path: Path
) -> None:
    url = await another_database(database_url, "contact")
    settings = {"HEDDLE_DATABASE_URL": url, "HEDDLE_SECRET_KEY": SECRET, "HEDDLE_DATA": str(tmp_path)}
    db = Database(url)
    async with db.transaction() as session:
        mailbox = await a_channel(session, Keys(SECRET), ChannelKind.EMAIL)
        await receive(session, mailbox, a_mail("ada@example.org", "Where is it?"))
        ada = (await session.scalars(select(Contact))).one()
        for kind, written in (
            (IdentityKind.EMAIL, "ada@bücher.example"),
            (IdentityKind.PHONE, "+48 600 100 200"),
        ):
            await people.link(session, ada, Claim(kind, normalised(kind, written), None), by=SYSTEM, at=NOON)
        await an_agent(session, "Admin", Role.ADMIN)
        await an_agent(session, "Mia", Role.MANAGER)
        contact = public_id("Contact", ada.id)
    await db.close()

    def typed(*arguments: str) -> subprocess.CompletedProcess[str]:
        return heddle("contact", *arguments, folder=tmp_path, **settings)

    exported = typed("export", "Ada@example.org", "ada.zip")
    again = typed("export", "Ada@Bücher.example", "ada.zip")
    plan = typed("erase", "+48 600-100-200")
    done = typed("erase", contact, "--confirm")
    gone = typed("export", contact, "gone.zip")
    refused = typed("unseal", contact, "no.zip", "--admin", "mia@shop.example", "--reason", "Curious")
    unsealed = typed("unseal", contact, "court.zip", "--admin", "admin@shop.example", "--reason", "Court 7")

    assert exported.returncode == 0, exported.stderr
    with zipfile.ZipFile(tmp_path / "ada.zip") as archive:
        assert b"Where is it?" in archive.read("person.json")
    assert (again.returncode, "cannot be written" in again.stderr) == (2, True)
    assert "Nothing was done." in plan.stdout
    assert "Open tickets, which are closed first: 1." in plan.stdout
    assert "It is kept sealed for 1095 days" in done.stdout, done.stderr
    assert [gone.returncode, refused.returncode] == [2, 2]
    assert sorted(file.name for file in tmp_path.glob("*.zip")) == ["ada.zip", "court.zip"]
    assert "The audit says who read them and why." in unsealed.stdout, unsealed.stderr
    with zipfile.ZipFile(tmp_path / "court.zip") as archive:
        assert b"Where is it?" in archive.read("rows/item.1.jsonl")
    assert (tmp_path / "court.zip").stat().st_mode & 0o777 == 0o600


async def test_tags_are_listed_renamed_and_removed_from_the_command_line(
    database_url: str, tmp_path: Path
) -> None:
    url = await another_database(database_url, "tagged")
    settings = {"HEDDLE_DATABASE_URL": url, "HEDDLE_SECRET_KEY": SECRET, "HEDDLE_DATA": str(tmp_path)}

    def typed(*arguments: str) -> subprocess.CompletedProcess[str]:
        return heddle(*arguments, folder=tmp_path, **settings)

    typed("migrate")
    db = Database(url)
    async with db.transaction() as session:
        ada = add_contact(session, name="Ada", locale=None, by=SYSTEM, at=NOON)
        await session.flush()
        ticket = open_ticket(session, ada, subject="Loom", by=SYSTEM, at=NOON)
        await session.flush()
        ticket.change(by=SYSTEM, at=NOON, add_tags=["loom", "old"])

    renamed = typed("tag", "rename", "Loom", "weaving")
    removed = typed("tag", "remove", "old")
    fixed = typed("tag", "rename", "weaving", "reklamacja")
    told = typed("tag", "list")

    assert renamed.stdout == "'loom' is 'weaving' now, on 1 tickets.\n", renamed.stderr
    assert removed.stdout == "'old' is gone from 1 tickets.\n", removed.stderr
    assert "Complaints are known by the tag reklamacja" in fixed.stderr
    assert told.stdout.split() == ["weaving", "1", "open"]
    async with db.transaction() as session:
        assert await session.scalar(select(Ticket.tags)) == ["weaving"]
    await db.close()


async def test_the_only_admin_who_lost_password_and_authenticator_gets_in_by_the_command_line(
    database_url: str, tmp_path: Path
) -> None:
    url = await another_database(database_url, "locked_out")
    settings = {"HEDDLE_DATABASE_URL": url, "HEDDLE_SECRET_KEY": SECRET, "HEDDLE_DATA": str(tmp_path)}
    mia = ("mia@shop.example", "--password-stdin")

    def typed(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return heddle(*arguments, folder=tmp_path, stdin=stdin, **settings)

    typed("agent", "add", *mia, "--name", "Mia", "--role", "admin", stdin="the one that she forgot\n")
    db = Database(url)
    async with db.transaction() as session:
        agent = (await session.scalars(select(Agent))).one()
        keys = Keys(SECRET)
        code = pyotp.TOTP(await second_factor.begin(session, keys, agent.id)).now()
        await second_factor.confirm(session, keys, agent.id, code, at=await database_time(session))
    nobody = typed("agent", "reset", "ben@shop.example")
    short = typed("agent", "reset", *mia, stdin="short\n")
    let_in = typed("agent", "reset", *mia, stdin="one that she keeps\n")

    assert nobody.stderr.startswith("heddle: Nobody works here as 'ben@shop.example'")
    assert (short.returncode, let_in.returncode) == (2, 0), (short.stderr, let_in.stderr)
    async with db.transaction() as session:
        agent = (await session.scalars(select(Agent))).one()
        await passwords.check("one that she keeps", agent.password_hash)
        await second_factor.prove(session, keys, agent.id, None, at=await database_time(session))
        noted = (await session.scalars(select(AuditEntry.kind).order_by(AuditEntry.seq))).all()
    assert noted[1:] == [AuditKind.PASSWORD_CHANGED, AuditKind.SECOND_FACTOR_REMOVED]
    await db.close()


async def test_teams_and_what_each_person_can_carry_come_from_the_command_line(
    database_url: str, tmp_path: Path
) -> None:
    url = await another_database(database_url, "teams")
    settings = {"HEDDLE_DATABASE_URL": url, "HEDDLE_SECRET_KEY": SECRET, "HEDDLE_DATA": str(tmp_path)}

    def typed(*arguments: str) -> subprocess.CompletedProcess[str]:
        return heddle(*arguments, folder=tmp_path, **settings)

    typed("agent", "add", "ben@shop.example", "--name", "Ben")
    made = typed(
        "team", "set", "Support", "--mode", "round_robin", "--skill", "returns=return", "--capacity", "9"
    )
    wrong = typed("team", "set", "Support", "--skill", "returns")
    ben = typed(
        "agent", "set", "ben@shop.example", "--skill", "returns", "--capacity", "4", "--team", "Support"
    )
    nobody = typed("agent", "set", "ben@shop.example", "--team", "Sales")
    nothing = typed("agent", "set", "ben@shop.example", "--language", "klingon")
    told = typed("team", "list")

    assert made.stdout == "The team 'Support' is here.\n"
    assert "should be like returns=return" in wrong.stderr
    assert ben.stdout == "Ben is set up.\n", ben.stderr
    assert "there is no team 'Sales'" in nobody.stderr
    assert nothing.stderr == "heddle: This is no language, such as pl, ca or en-GB.\n"
    assert told.stdout.split() == ["Support", "round_robin", "capacity", "9", "Ben"]
    db = Database(url)
    async with db.transaction() as session:
        agent = (await session.scalars(select(Agent))).one()
        assert (agent.skills, agent.capacity) == (["returns"], 4)
    await db.close()
