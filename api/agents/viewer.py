"""Who is asking: the agent, their sessions and their devices."""

import uuid
from datetime import datetime
from typing import Any

import strawberry
from sqlalchemy import select

from api.agents.devices import Device, devices_of
from api.agents.duty import AlertPrefs, alert_prefs_of
from api.agents.staff import Agent, agents_by_id
from api.context import Context, Info, Part, Reading, fill, plain
from api.node import Node
from api.permissions import allowed
from api.selection import Selection, wanted
from domain.access import may_see
from domain.actors import Role
from domain.agents import duty, second_factor, sign_in, staff
from domain.agents.sign_in import SessionKind, SignIn
from domain.errors import NotAllowed
from domain.gathering import gathered
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
    permissions: list[str] = strawberry.field(
        description="The queries, mutations and subscriptions that are for this role, by name: what a screen need not offer is not among them. As many as the schema has."
    )
    email: str
    has_second_factor: bool
    sessions: list[Session] = strawberry.field(description="Newest first; at most 100.")
    devices: list[Device] = strawberry.field(
        description="Phones and browsers that are rung, last seen first; at most 100."
    )
    alert_prefs: AlertPrefs
    on_shift: bool
    vapid_public_key: str | None = strawberry.field(
        description="What a browser's `pushManager.subscribe` takes as `applicationServerKey`."
    )
    session_id: strawberry.Private[uuid.UUID | None]
    """By which they ask."""


async def read_viewer(context: Context, selection: Selection) -> Viewer:
    vapid = context.house.vapid
    public_key = vapid.public if vapid else None
    viewer = plain(Viewer, {"vapid_public_key": public_key, "session_id": context.session_id})
    async with context.reading() as reading:
        agent_id = reading.actor.agent_id
        agents, _ = await gathered(
            agents_by_id(reading, [agent_id], selection.below("agent")),
            fill(PARTS, reading, [viewer], selection),
        )
    agent = agents.get(agent_id)
    if agent is None:
        raise NotAllowed
    viewer.agent, viewer.role, viewer.permissions = agent, agent.role, allowed(agent.role)
    return viewer


async def _email(reading: Reading, viewers: list[Viewer], selection: Selection) -> None:
    own = select(staff.Agent.email).where(staff.Agent.id == reading.actor.agent_id)
    viewers[0].email = await reading.connection.scalar(own)


async def _second_factor(reading: Reading, viewers: list[Viewer], selection: Selection) -> None:
    factor = second_factor.SecondFactor
    own = select(factor.confirmed_at.is_not(None)).where(factor.agent_id == reading.actor.agent_id)
    viewers[0].has_second_factor = bool(await reading.connection.scalar(own))


async def _sessions(reading: Reading, viewers: list[Viewer], selection: Selection) -> None:
    rows = await reading.connection.execute(
        select(SignIn.__table__)
        .where(may_see(SignIn, reading.actor), sign_in.lives(reading.at))
        .order_by(SignIn.created_at.desc())
        .limit(100)
    )
    viewers[0].sessions = [_session(row, viewers[0].session_id) for row in rows]


async def _devices(reading: Reading, viewers: list[Viewer], selection: Selection) -> None:
    viewers[0].devices = await devices_of(reading)


async def _alert_prefs(reading: Reading, viewers: list[Viewer], selection: Selection) -> None:
    viewers[0].alert_prefs = await alert_prefs_of(reading)


async def _on_shift(reading: Reading, viewers: list[Viewer], selection: Selection) -> None:
    present = await duty.on_duty(reading.connection, at=reading.at)
    viewers[0].on_shift = reading.actor.agent_id in present


PARTS: dict[str, Part[Viewer]] = {
    "email": _email,
    "hasSecondFactor": _second_factor,
    "sessions": _sessions,
    "devices": _devices,
    "alertPrefs": _alert_prefs,
    "onShift": _on_shift,
}


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
