"""A shop with two teams: what Ada wrote belongs to Support, where Ben is; Eve is in Returns and must not see it."""

import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from api.house import House
from domain import webhooks
from domain.actors import Actor, Role
from domain.agents.sign_in import SignIn, actor_by_id
from domain.agents.staff import Agent, Team, TeamMember
from domain.alerting import devices, notices
from domain.alerting.alerts import Alert
from domain.alerting.devices import Device, Transport
from domain.alerting.ladders import Way
from domain.alerting.notices import Notice
from domain.arriving import participants
from domain.arriving.inbound import Arrival, ArrivalState, CallStep, keep
from domain.arriving.participants import Participant
from domain.calling.dialled_numbers import DialledNumber, save_number
from domain.complaints.complaints import Complaint
from domain.complaints.opening import open_complaint
from domain.customers.companies import Company
from domain.customers.contact_notes import ContactNote, add_note
from domain.customers.contacts import Contact, Identity
from domain.db import database_time, new_id
from domain.desk.messages import Attachment, Item, ItemKind
from domain.desk.tasks import Task
from domain.desk.threads import Thread
from domain.desk.tickets import Ticket
from domain.events import Event
from domain.feedback import surveys
from domain.feedback.requests import AnsweredBy, SurveyRequest
from domain.feedback.scales import SurveyKind
from domain.feedback.surveys import Survey
from domain.fields import CustomField, FieldKind, FieldSubject, save_field
from domain.finding import indexing
from domain.finding.furnishing import furnish
from domain.finding.views import View
from domain.ids import public_id, row_id
from domain.importing.imports import Import
from domain.importing.sheets import ImportKind
from domain.macros import macros
from domain.macros.actions import AddTask, Assignee, Whom
from domain.macros.macros import Macro, Visibility
from domain.planning import templates
from domain.planning.recurrence import Every, Recurrence
from domain.planning.templates import TaskTemplate
from domain.privacy.erasure import Erasure, SealedPart
from domain.privacy.exports import ContactExport
from domain.privacy.retention import Retention
from domain.reporting import keeping
from domain.sla import deadlines, recounts
from domain.sla.calendars import Calendar
from domain.sla.policies import Policy
from domain.tagging import renaming
from domain.ways_in import blocking
from domain.ways_in.blocking import BlockedSender
from domain.ways_in.channels import Channel, ChannelKind
from domain.webhooks import Attempt, Post, Webhook, add_webhook
from domain.working import bulk, drafts, links, viewing
from domain.working.changing import Change
from domain.working.drafts import Written
from domain.working.edits import Edit
from domain.working.links import LinkRole, TicketLink
from domain.working.noting import add_note as add_ticket_note
from domain.working.viewing import Intent
from tests.client import PASSWORD_HASH, Client
from tests.factories import NOON, a_call_step, a_channel, a_mail, a_promise, an_agent, receive

PHOTO = b"the bytes of Ada's photo"


@dataclass
class TwoTeams:
    ben: Client
    eve: Client
    mia: Client
    admin: Client
    ids: dict[str, str]
    """Public ids of what belongs to Support, by type."""


@pytest.fixture
async def two_teams(house: House, door: str) -> AsyncIterator[TwoTeams]:
    people = {"Ben": Role.AGENT, "Eve": Role.AGENT, "Mia": Role.MANAGER, "Admin": Role.ADMIN}
    async with AsyncExitStack() as stack:
        clients = {
            name: await stack.enter_async_context(Client(door, house.db, name, role))
            for name, role in people.items()
        }
        async with house.db.transaction() as session:
            await _written(session, house, clients)
        async with house.db.transaction() as session:
            assert await deadlines.fire_due(session) > 0
        async with house.db.transaction() as session:
            await _worked_on(session, house, clients)
        async with house.db.transaction() as session:
            await keeping.measure(session, list(await session.scalars(select(Ticket.id))))
            await furnish(session)
            await indexing.begin(session)
            while await indexing.fill(session):
                pass
        async with house.db.transaction() as session:
            ids = await _ids(session)
        yield TwoTeams(clients["Ben"], clients["Eve"], clients["Mia"], clients["Admin"], ids)


async def _written(session: AsyncSession, house: House, clients: dict[str, Client]) -> None:
    await a_promise(session, 60)
    await recounts.recount(session, at=NOON)
    channels = {kind: await a_channel(session, house.keys, kind) for kind in ChannelKind if kind != "sms"}
    teams = {name: Team(id=new_id(), name=name) for name in ("Support", "Returns")}
    session.add_all(teams.values())
    await session.flush()
    for name, team in (("Ben", "Support"), ("Eve", "Returns")):
        agent_id = row_id("Agent", clients[name].agent_id)
        session.add(TeamMember(team_id=teams[team].id, agent_id=agent_id))
    await an_agent(session, "Bo", password_hash=PASSWORD_HASH)
    await receive(session, channels[ChannelKind.EMAIL], a_mail("ada@example.org"))
    await _called(session, channels[ChannelKind.PHONE], clients)
    await session.execute(update(Ticket).values(team_id=teams["Support"].id))
    await keep(session, channels[ChannelKind.EMAIL], external_id="unreadable", raw=b"Subject: Ada's\r\n\r\n")
    await session.execute(
        update(Arrival).where(Arrival.external_id == "unreadable").values(state=ArrivalState.FAILED)
    )


async def _called(session: AsyncSession, line: Channel, clients: dict[str, Client]) -> None:
    """The telephones of all of them ring; a number of the shop's was dialled."""
    await save_number(session, line, "+48221234567", campaign="Spring", source="The shop's page", at=NOON)
    ringing = tuple(f"{name.lower()}@shop.example" for name in clients)
    await receive(session, line, a_call_step("1", CallStep.RINGING, ringing=ringing, dialled="+48221234567"))


async def _worked_on(session: AsyncSession, house: House, clients: dict[str, Client]) -> None:
    ben_id = row_id("Agent", clients["Ben"].agent_id)
    message = (await session.scalars(select(Item).where(Item.kind == ItemKind.MESSAGE))).one()
    ticket = await session.get_one(Ticket, message.ticket_id)
    fired = (await session.scalars(select(Event).where(Event.alert_id.is_not(None)).limit(1))).one()
    by = await actor_by_id(session, ben_id)
    assert by
    ticket.assign(to=None, by=by, at=NOON)
    await _is_worked_on(session, ticket, clients, by)
    task = Task(
        id=new_id(),
        title="Call Ada",
        ticket_id=ticket.id,
        contact_id=ticket.contact_id,
        assignee_id=None,
        created_by_id=ben_id,
        created_at=NOON,
    )
    session.add(task)
    task.repeat(Recurrence(Every.DAY, NOON.replace(tzinfo=None), ZoneInfo("Europe/Madrid")))
    task.saved(by=by, at=NOON)
    await _complained(session, ticket, by)
    await _known_of_ada(session, await session.get_one(Contact, ticket.contact_id), by)
    session.add(
        Attachment(
            id=new_id(),
            item_id=message.id,
            name="photo.png",
            mime="image/png",
            bytes=len(PHOTO),
            file=await house.files.put(PHOTO),
        )
    )
    await _wrote_along(session, message, by)
    await _was_asked(session, message, ben_id, fired.seq)
    await _asked_for(session, ticket.contact_id, ben_id)
    await macros.save(
        session,
        None,
        macros.Said(
            name="Thanks",
            bodies=[("en", "Thank you, {{order.number}}.")],
            actions=[AddTask("Call", Assignee(Whom.AGENT, ben_id))],
            visibility=Visibility.TEAM,
            team_id=ticket.team_id,
        ),
        by=by,
        at=NOON,
    )
    webhook, _ = await add_webhook(
        session, house.keys, url="https://example.org/hook", description="Till", kinds=[], at=NOON
    )
    await session.flush()
    posted = webhooks.test(session, webhook, at=NOON)
    await session.flush()
    session.add(Attempt(post_id=posted.id, at=NOON, milliseconds=5, status=500, error=None, answer="oh no"))
    await devices.register_device(
        session,
        owner=by,
        transport=Transport.FCM,
        handle="bens-phone",
        label="Ben's phone",
        locale="en",
        at=NOON,
    )
    notice = Notice(
        id=new_id(), agent_id=ben_id, event_seq=fired.seq, alert_id=fired.alert_id, ticket_id=ticket.id, created_at=NOON
    )  # fmt: skip
    await notices.begin(session, notice, (Way.PUSH,), at=NOON)


async def _is_worked_on(session: AsyncSession, ticket: Ticket, clients: dict[str, Client], by: Actor) -> None:
    """Colleagues are called, Ben has begun an answer, the call's ticket has to do with it, and a change of both has failed."""
    called = [row_id("Agent", clients[name].agent_id) for name in ("Ben", "Mia", "Admin")]
    await add_ticket_note(session, ticket, "She is right.", called, by=by, at=NOON)
    shade = await save_field(
        session, None, subject=FieldSubject.TICKET, label="Shade", kind=FieldKind.TEXT, options=None, at=NOON
    )
    ticket.change(by=by, at=NOON, fields={str(shade.id): "Blue"})
    other = (await session.scalars(select(Ticket).where(Ticket.id != ticket.id))).one()
    await links.link(session, ticket, other, LinkRole.RELATED, by=by, at=NOON)
    await drafts.save(session, ticket, Written("Dear Ada"), by=by, written_at=NOON, at=NOON)
    session_id = (await session.scalars(select(SignIn.id).where(SignIn.agent_id == by.id))).one()
    tomorrow = await database_time(session) + timedelta(days=1)
    await viewing.says(session, ticket.id, session_id, Intent.VIEWING, by=by, at=tomorrow)
    ticket.change(by=by, at=NOON, add_tags=["loom"])
    await session.flush()
    renamed = await renaming.rename(session, "loom", "looms", by=by, at=NOON)
    renamed.due_at, renamed.failed_at = None, NOON
    edit = await bulk.begin(session, [ticket.id], Change(add_tags=["mug"]), by=by, at=NOON)
    await edit.give_up(session, at=NOON)
    edit.due_at = None


async def _complained(session: AsyncSession, ticket: Ticket, by: Actor) -> None:
    await open_complaint(session, ticket, promised_at=NOON + timedelta(days=10), by=by, at=NOON)
    returned = [templates.Planned("Take the parcel in", 2)]
    await templates.save_template(
        session, None, name="A parcel comes back", tasks=returned, on_complaint=False, law=None
    )


async def _known_of_ada(session: AsyncSession, ada: Contact, by: Actor) -> None:
    firm = Company(
        id=new_id(), name="Ada's firm", domains=["example.org"], note="", created_at=NOON, updated_at=NOON
    )
    size = await save_field(
        session,
        None,
        subject=FieldSubject.CONTACT,
        label="Size",
        kind=FieldKind.CHOICE,
        options=["M", "L"],
        at=NOON,
    )
    session.add(firm)
    await session.flush()
    ada.change(by=by, at=NOON, company_id=firm.id, tags=["weaver"], city="London", fields={str(size.id): "M"})
    add_note(session, ada, "Likes to be called.", by=by, at=NOON)


async def _wrote_along(session: AsyncSession, message: Item, by: Actor) -> None:
    """Zofia, in Ada's conversation; and whom nobody wants to hear of."""
    thread = await session.get_one(Thread, message.thread_id)
    await participants.accept(session, thread, "zofia@example.com", name="Zofia", by=by, at=NOON)
    await blocking.block(session, "spam.example", by=by, at=NOON)


async def _was_asked(session: AsyncSession, message: Item, ben_id: uuid.UUID, solving: int) -> None:
    """How she liked what Ben did."""
    survey = await surveys.save(session, SurveyKind.CSAT, None, surveys.Choice(enabled=False), at=NOON)
    session.add(
        SurveyRequest(
            id=new_id(),
            survey_id=survey.id,
            event_seq=solving,
            kind=survey.kind,
            scale=survey.scale,
            ticket_id=message.ticket_id,
            agent_id=ben_id,
            channel_id=message.channel_id,
            solved_at=NOON,
            asked_at=NOON,
            score=2,
            words="He was slow.",
            answered_by=AnsweredBy.LINK,
            answered_at=NOON,
            changed_at=NOON,
        )
    )


async def _asked_for(session: AsyncSession, contact_id: uuid.UUID, by_id: uuid.UUID) -> None:
    """What is kept about what people asked for themselves."""
    about = {"contact_id": contact_id, "asked_at": NOON, "asked_by_id": by_id}
    session.add(ContactExport(id=new_id(), file="aa/nowhere", finished_at=NOON, **about))
    if await session.scalar(select(Erasure.id)) is None:
        session.add(Erasure(id=new_id(), **about))
        await session.flush()
        (erasure_id,) = await session.scalars(select(Erasure.id))
        session.add(SealedPart(erasure_id=erasure_id, number=1, sealed=b"sealed"))
        chat = (await session.scalars(select(Channel.id).where(Channel.kind == ChannelKind.CHAT))).one()
        session.add(Retention(channel_id=chat, originals_days=3650))
        asked = {"asked_at": NOON, "asked_by_id": by_id, "finished_at": NOON}
        told = {"line": 2, "column": "email", "code": "INVALID", "sentence": "", "values": {}}
        session.add(Import(kind=ImportKind.CONTACTS, dry_run=True, problems=[told], **asked))


async def _ids(session: AsyncSession) -> dict[str, str]:
    ticket = (await session.scalars(select(Ticket).join(Item).where(Item.kind == ItemKind.NOTE))).one()
    ids: dict[str, uuid.UUID] = {"Ticket": ticket.id, "Contact": ticket.contact_id}
    for item in await session.scalars(select(Item)):
        ids[item.kind.capitalize()] = item.id
    for field in await session.scalars(select(CustomField)):
        ids[f"{field.subject.capitalize()}Field"] = field.id
    ids["CallTicket"] = (await session.scalars(select(Ticket.id).where(Ticket.id != ticket.id))).one()
    ids["BulkChange"] = (await session.scalars(select(Edit.id))).one()
    ids["TicketLink"] = (await session.scalars(select(TicketLink.id))).one()
    ids["WebhookDelivery"] = (await session.scalars(select(Post.id))).one()
    for model in (
        Company,
        ContactNote,
        Task,
        TaskTemplate,
        Complaint,
        Attachment,
        Device,
        Notice,
        Thread,
        Participant,
        BlockedSender,
        DialledNumber,
        View,
        Webhook,
        Policy,
        Calendar,
        Erasure,
        Survey,
        Macro,
    ):
        ids[model.__name__] = (await session.scalars(select(model.id).order_by(model.id).limit(1))).one()
    ids["Alert"] = (await session.scalars(select(Alert.id).where(Alert.ticket_id == ticket.id))).one()
    ids["Identity"] = (
        await session.scalars(select(Identity.id).where(Identity.contact_id == ticket.contact_id))
    ).one()
    for kind in (ChannelKind.MESSENGER, ChannelKind.CHAT, ChannelKind.EMAIL, ChannelKind.PHONE):
        ids[f"{kind} channel"] = (await session.scalars(select(Channel.id).where(Channel.kind == kind))).one()
    ids["Feedback"] = (await session.scalars(select(SurveyRequest.id))).one()
    ids["Arrival"] = (
        await session.scalars(select(Arrival.id).where(Arrival.external_id == "unreadable"))
    ).one()
    ids["Channel"] = ids["chat channel"]
    ids["Team"] = (await session.scalars(select(Team.id).where(Team.name == "Support"))).one()
    for agent in await session.scalars(select(Agent)):
        ids[agent.name] = agent.id
    ids["Caller"] = (await session.scalars(select(Item.contact_id).where(Item.kind == ItemKind.CALL))).one()
    channels = {name: "Channel" for name in ids if name.endswith(" channel")}
    types = {"Caller": "Contact", "CallTicket": "Ticket", **channels} | dict.fromkeys(
        ("Ben", "Bo", "Eve", "Mia", "Admin"), "Agent"
    )
    return {name: public_id(types.get(name, name), id) for name, id in ids.items()}
