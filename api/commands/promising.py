"""What is promised, typed: `heddle policy`."""

import re
from typing import Annotated
from zoneinfo import available_timezones

import orjson
from cyclopts import Parameter

from api.commands.columns import print_table
from api.running import house_here
from domain import audit
from domain.actors import SYSTEM
from domain.audit import AuditKind
from domain.db import database_time
from domain.settings import WrongSetting
from domain.sla import policies, public_holidays, recounts
from domain.sla.hours import Hours
from domain.sla.targets import MOST_SECONDS, Metric, Target
from domain.ways_in.channels import ChannelKind


async def policy(
    *targets: Annotated[str, Parameter(help="CHANNEL=TIME, such as email=4h chat=60s; or just TIME for all")],
    name: Annotated[str, Parameter(help="Of the policy, which becomes the default.")] = "Default",
    zone: str = "Europe/Madrid",
    open: Annotated[
        str, Parameter(help='"mon-fri 09:00-17:00", more separated by commas; or "always"')
    ] = "always",
    holidays: Annotated[
        list[str] | None, Parameter(help="Whose the shop keeps, such as PL or ES-CT; given once for each.")
    ] = None,
) -> None:
    if not targets:
        await _list_policies()
        return
    hours = _hours(zone, open, holidays or [])
    read = [_target(target) for target in targets]
    async with house_here() as (house, _), house.db.transaction() as session:
        saved = await policies.set_default_policy(session, name=name, hours=hours, targets=read)
        now = await database_time(session)
        told = {"id": str(saved.id), "name": saved.name}
        told |= {
            "targets": orjson.dumps(saved.targets).decode(),
            "hours": orjson.dumps(hours.to_json()).decode(),
        }
        audit.note(session, AuditKind.POLICY_SAVED, by=SYSTEM, at=now, data=told)
        await recounts.recount(session, at=now)
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
    if not 1 <= seconds <= MOST_SECONDS:
        raise WrongSetting(f"{written!r}: a target lies between a second and a year.")
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
            days, _, span = part.strip().partition(" ")
            for day in _days(days):
                weekly.setdefault(day, []).append(span.strip().split("-"))
        return Hours.from_json(stored)
    except ValueError as problem:
        raise WrongSetting(f'--open {written!r} should be like "mon-fri 09:00-17:00": {problem}') from None


def _days(written: str) -> tuple[str, ...]:
    first, _, last = written.partition("-")
    if first in DAYS and (last or first) in DAYS[DAYS.index(first) :]:
        return DAYS[DAYS.index(first) : DAYS.index(last or first) + 1]
    raise ValueError(f"{written!r} are no days of a week: write mon, or mon-fri, from mon to sun")
