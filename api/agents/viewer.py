"""Who is asking: the agent, their sessions and their devices."""

import uuid
from datetime import datetime
from typing import Any

import strawberry
from sqlalchemy import select

from api.agents.devices import Device, devices_of
from api.agents.duty import AlertPrefs, alert_prefs_of
from api.agents.staff import Agent, agents_by_id
from api.context import Context, Info, plain
from api.node import Node
from api.permissions import roots
from api.selection import Selection, wanted
from domain.access import may_see
from domain.actors import Role
from domain.agents import duty, second_factor, sign_in, staff
from domain.agents.sign_in import SessionKind, SignIn
from domain.errors import NotAllowed
from domain.ids import public_id

strawberry.enum(
    SessionKind, description="A phone's, with access and refresh tokens, or a browser's, with a cookie."
)


@strawberry.type(description="One sign-in on one device, while it lasts.")
class Session(Node):
    kind: SessionKind
    device_label: str | None
    address: str | None = strawberry.field(description="Of the network, when it was last seen.")
    created_at: datetime
    seen_at: datetime
    is_current: bool


@strawberry.type(description="Who is asking.")
class Viewer:
    agent: Agent
    role: Role
    email: str
    has_second_factor: bool
    sessions: list[Session] = strawberry.field(description="Newest first; at most 100.")
    devices: list[Device] = strawberry.field(
        description="Phones and browsers that are rung, last seen first; at most 100."
    )
    alert_prefs: AlertPrefs
    on_shift: bool
    permissions: list[str] = strawberry.field(
        description="Names of the queries, mutations and subscriptions that this person may ask, in alphabetical order; some 150."
    )
    vapid_public_key: str | None = strawberry.field(
        description="What a browser's `pushManager.subscribe` takes as `applicationServerKey`."
    )


async def read_viewer(context: Context, selection: Selection) -> Viewer:
    async with context.reading() as reading:
        agent_id = reading.actor.agent_id
        agent = (await agents_by_id(reading, [agent_id])).get(agent_id)
        if agent is None:
            raise NotAllowed
        vapid = context.house.vapid
        values: dict[str, Any] = {
            "agent": agent,
            "role": agent.role,
            "permissions": sorted({name for name, rule in roots() if rule.roles[agent.role]}),
            "vapid_public_key": vapid.public if vapid else None,
        }
        if "email" in selection:
            values["email"] = await reading.connection.scalar(
                select(staff.Agent.email).where(staff.Agent.id == agent_id)
            )
        if "hasSecondFactor" in selection:
            factor = second_factor.SecondFactor
            values["has_second_factor"] = bool(
                await reading.connection.scalar(
                    select(factor.confirmed_at.is_not(None)).where(factor.agent_id == agent_id)
                )
            )
        if "sessions" in selection:
            rows = await reading.connection.execute(
                select(SignIn.__table__)
                .where(may_see(SignIn, reading.actor), sign_in.lives(reading.at))
                .order_by(SignIn.created_at.desc())
                .limit(100)
            )
            values["sessions"] = [_session(row, context.session_id) for row in rows]
        if "devices" in selection:
            values["devices"] = await devices_of(reading)
        if "alertPrefs" in selection:
            values["alert_prefs"] = await alert_prefs_of(reading)
        if "onShift" in selection:
            values["on_shift"] = agent_id in await duty.on_duty(reading.connection, at=reading.at)
    return plain(Viewer, values)


def _session(row: Any, current: uuid.UUID | None) -> Session:
    return plain(
        Session,
        {
            "id": public_id("Session", row.id),
            "kind": row.kind,
            "device_label": row.device_label,
            "address": row.address,
            "created_at": row.created_at,
            "seen_at": row.seen_at,
            "is_current": row.id == current,
        },
    )


async def _viewer(info: Info) -> Viewer:
    return await read_viewer(info.context, wanted(info))


@strawberry.type
class ViewerQueries:
    viewer: Viewer = strawberry.field(resolver=_viewer)
