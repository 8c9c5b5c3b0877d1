"""`heddle`, the command line."""

import asyncio
import re
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated
from zoneinfo import available_timezones

from cyclopts import App, Parameter

from api.commands import phone_commands, setting_up, tag_commands, team_commands
from api.commands.asking import ask
from api.commands.caretaking import commands
from api.commands.channel_commands import channel
from api.commands.columns import print_table
from api.commands.contact_commands import contact
from api.commands.import_commands import imports
from api.commands.mail_commands import mail
from api.commands.statistics_commands import statistics
from api.commands.ways_in import announce
from api.house import House
from api.logs import log_to_stderr
from api.running import Settings, house_here, load_settings, mail_door
from api.workers import working
from domain.db import database_time
from domain.errors import Refused
from domain.operations.postgres_programs import CannotStart
from domain.settings import WrongSetting
from domain.sla import policies, public_holidays, recounts
from domain.sla.hours import Hours
from domain.sla.targets import Metric, Target
from domain.ways_in.channels import ChannelKind

app = App(name="heddle", help="A helpdesk for online shops.", version_flags=[])
app.command(channel)
app.command(contact)
app.command(mail, name="mail")
app.command(imports)
app.command(ask)
app.command(statistics)
app.update(commands)
app.command(team_commands.team)
app.command(tag_commands.tag)
setting_up.agent.command(phone_commands.line_of, name="line")
setting_up.agent.command(team_commands.set_agent, name="set")
channel.command(phone_commands.numbers)
app.update(setting_up.commands)


@app.command
async def serve(
    *, host: str = "127.0.0.1", port: int = 8000, data: Path | None = None, workers: bool = True
) -> None:
    """Answers on HTTP and, with HEDDLE_SMTP_IN_PORT, on SMTP.

    Parameters
    ----------
    data
        The folder of the embedded database and the stored files; otherwise HEDDLE_DATA.
    workers
        With --no-workers only the doors; run `heddle worker` beside it.
    """
    settings = _settings(data)
    with _bound(host, port) as door:
        async with house_here(settings) as (house, _), mail_door(house, settings):
            async for line in announce(house.db, doors=True, workers=workers):
                print(line, flush=True)
            if workers:
                async with working(house, settings):
                    await _answer(house, door)
            else:
                await _answer(house, door)


def _bound(host: str, port: int) -> socket.socket:
    """The address is ours before anything else begins."""
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as failure:
        raise WrongSetting(
            f"--port {port}: {host} cannot be listened on there: {failure.strerror}."
        ) from None


async def _answer(house: House, door: socket.socket) -> None:
    from api.app import application  # a second's import that no other command needs
    from api.memory import settled
    from api.server import Patience
    from api.server import server as serving

    server = serving(application(house), Patience(), timeout_graceful_shutdown=3)
    server.capture_signals = nullcontext  # type: ignore[assignment]  # it would raise them again while we leave
    _when_told(lambda: setattr(server, "should_exit", True))
    host, port, *_ = door.getsockname()
    print(f"Heddle answers at http://{host}:{port}", flush=True)
    settled()
    await server.serve(sockets=[door])


def _when_told(stop: Callable[[], None]) -> None:
    for sign in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(sign, stop)


@app.command
async def worker(*, data: Path | None = None) -> None:
    """Works behind the doors, without answering itself: any number of them, on any machine."""
    async with house_here(_settings(data)) as (house, settings), working(house, settings):
        async for line in announce(house.db, doors=False, workers=True):
            print(line, flush=True)
        stop = asyncio.Event()
        _when_told(stop.set)
        print("Heddle works.", flush=True)
        await stop.wait()


def _settings(data: Path | None) -> Settings:
    settings = load_settings()
    if data:
        settings.domain.data = data
    return settings


@app.command
async def policy(
    *targets: Annotated[str, Parameter(help="CHANNEL=TIME, such as email=4h chat=60s; or just TIME for all")],
    name: str = "Default",
    zone: str = "Europe/Madrid",
    open: Annotated[
        str, Parameter(help='"mon-fri 09:00-17:00", more separated by commas; or "always"')
    ] = "always",
    holidays: Annotated[
        list[str] | None, Parameter(help="Whose the shop keeps, such as PL or ES-CT; given once for each.")
    ] = None,
) -> None:
    """Sets how soon a customer gets a first reply, counted in the hours in which the shop is open; without a target, lists
    the policies."""
    if not targets:
        await _list_policies()
        return
    hours = _hours(zone, open, holidays or [])
    read = [_target(target) for target in targets]
    async with house_here() as (house, _), house.db.transaction() as session:
        await policies.set_default_policy(session, name=name, hours=hours, targets=read)
        await recounts.recount(session, at=await database_time(session))
    kept = f", holidays of {', '.join(sorted(hours.holidays))}" if hours.holidays else ", no holidays"
    print(f"The policy {name!r} promises: {', '.join(targets)} ({open}, {zone}{kept}).")


async def _list_policies() -> None:
    async with house_here() as (house, _), house.db.transaction() as session:
        kept = await policies.policies_in_order(session)
    for policy, calendar in kept:
        print(f"{policy.name}{' (default)' if policy.is_default else ''}, in the hours of {calendar.name}")
        promised: dict[Metric, list[str]] = {}
        for target in map(Target.from_json, policy.targets):
            promised.setdefault(target.metric, []).append(_told(target))
        print_table(("", metric.replace("_", " "), ", ".join(told)) for metric, told in promised.items())
    if not kept:
        print("There is no policy: nothing is promised. `heddle policy email=4h` makes one.")


def _told(target: Target) -> str:
    where = f"{target.channel}=" if target.channel else ""
    which = f" (priority {target.priority})" if target.priority else ""
    if target.days:
        return f"{where}{target.days} {'working days' if target.working else 'days'}{which}"
    unit = next(unit for unit in ("h", "m", "s") if target.seconds % UNITS[unit] == 0)
    return f"{where}{target.seconds // UNITS[unit]}{unit}{which}"


UNITS = {"s": 1, "m": 60, "h": 3600}


def _target(written: str) -> Target:
    kind, _, length = written.rpartition("=")
    match = re.fullmatch(r"(\d{1,7})([smh])", length)
    if not match or (kind and kind not in set(ChannelKind)):
        raise WrongSetting(f"{written!r} should be like 4h, email=4h or chat=60s")
    seconds = int(match[1]) * UNITS[match[2]]
    return Target(Metric.FIRST_REPLY, seconds, channel=ChannelKind(kind) if kind else None)


DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def _hours(zone: str, written: str, holidays: list[str]) -> Hours:
    weekly: dict[str, list[list[str]]] = {}
    if zone not in available_timezones():
        raise WrongSetting(f"--zone {zone!r} is no time zone; one is Europe/Warsaw.")
    try:
        for code in holidays:
            public_holidays.check(code)
    except ValueError as problem:
        raise WrongSetting(f"--holidays: {problem}.") from None
    stored = {"zone": zone, "weekly": weekly, "holidays": holidays}
    try:
        if written == "always":
            weekly |= {day: [["00:00", "24:00"]] for day in DAYS}
            return Hours.from_json(stored)
        for part in written.split(","):
            days, span = part.split()
            first, _, last = days.partition("-")
            for day in DAYS[DAYS.index(first) : DAYS.index(last or first) + 1]:
                weekly.setdefault(day, []).append(span.split("-"))
        return Hours.from_json(stored)
    except ValueError as problem:
        raise WrongSetting(f'--open {written!r} should be like "mon-fri 09:00-17:00": {problem}') from None


@app.command
async def demo(*, once: bool = False, port: int = 8000) -> None:
    """Plays the story on this machine: four channels, one ticket, a manager's phone. Stays up afterwards.

    Parameters
    ----------
    once
        Ends after the story; exit status 0 only if every step was seen.
    """
    from demo.story import play

    raise SystemExit(await play(once=once, port=port))


def main() -> None:
    log_to_stderr()
    # Whatever runs then leaves by the door, and the embedded database is stopped.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        app(sys.argv[1:])
    except (WrongSetting, CannotStart, Refused) as problem:
        print(f"heddle: {problem}", file=sys.stderr)
        raise SystemExit(2) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None


if __name__ == "__main__":
    main()
