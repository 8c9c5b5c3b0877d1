"""Every cell of `api/permissions.md`, asked through the door."""

import asyncio
import json
import sys
import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from inspect import isawaitable
from itertools import islice
from typing import Any

import pyotp
import pytest
from graphql import GraphQLEnumType, GraphQLObjectType
from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from api.cursors import cursor
from api.house import House
from api.permissions import RULES, Rule, rule_of
from api.rates import Rates
from api.schema import schema
from demo.farends.graph import GraphStandIn, Page
from domain.actors import SYSTEM, Actor, ActorKind, Role, Scope
from domain.agents import invitations, tokens
from domain.agents.invitations import Purpose
from domain.agents.second_factor import SecondFactor
from domain.agents.sign_in import actor_by_id
from domain.agents.staff import Agent, Team, save_team
from domain.agents.tries import Try
from domain.alerting import devices
from domain.alerting.devices import Transport
from domain.alerting.notices import Notice, NoticeKind, deliver
from domain.answering import replies
from domain.answering.uploads import Upload
from domain.arriving import participants
from domain.arriving.inbound import Arrival, ArrivalState
from domain.arriving.opening import open_thread, open_ticket
from domain.calling.dialled_numbers import save_number
from domain.complaints.complaints import Complaint
from domain.complaints.stages import Stage
from domain.customers.contact_notes import add_note
from domain.customers.contacts import Contact, Identity, add_contact
from domain.db import database_time, new_id
from domain.desk import scans
from domain.desk.messages import Attachment, Call
from domain.desk.scans import Scan
from domain.desk.threads import Placement, Thread
from domain.desk.tickets import Ticket
from domain.feedback import surveys
from domain.feedback.scales import SurveyKind
from domain.ids import public_id, row_id
from domain.joining import merging
from domain.joining.reasons import JoinCode, SuggestionCode
from domain.joining.suggestions import Suggestion
from domain.macros import macros
from domain.macros.macros import Visibility
from domain.planning import templates
from domain.sla.calendars import save_calendar
from domain.sla.hours import ALWAYS
from domain.sla.policies import save_policy
from domain.tagging.changes import TagChange
from domain.ways_in import blocking
from domain.ways_in.channels import Channel, ChannelKind
from domain.webhooks import add_webhook
from domain.working import bulk, edits, links
from domain.working.changing import Change
from domain.working.links import LinkRole, TicketLink
from tests.client import PASSWORD, SIGN_IN, Client
from tests.factories import NOON
from tests.two_teams import TwoTeams

REFUSALS = {"UNAUTHENTICATED", "NOT_ALLOWED", "MISSING_SCOPE"}
GRAPHQL = schema._schema
MANAGES = Actor(ActorKind.SYSTEM, role=Role.MANAGER)

Values = dict[str, Any]


@dataclass(frozen=True)
class Principal:
    name: str
    token: str


@dataclass
class Asking:
    """What samples make their variables of."""

    house: House
    anybody: Client
    shop: TwoTeams
    start: str
    """A cursor from before everything."""
    made: int = 0

    def __getattr__(self, name: str) -> str:
        """The public id of what belongs to the other team."""
        return self.shop.ids[name]

    def new_address(self) -> str:
        self.made += 1
        return f"{self.made}@example.net"

    def new_slug(self) -> str:
        self.made += 1
        return f"widget-{self.made}"

    async def ask(self, token: str, query: str, variables: Values) -> Values:
        self.anybody.token = token
        return dict((await self.anybody.post(query, variables)).json())

    async def session(self, name: str) -> Values:
        """A new one of this person's."""
        query = SIGN_IN.replace("accessToken", "accessToken refreshToken")
        asked = {"email": f"{name.lower()}@shop.example", "password": PASSWORD}
        answer = await self.ask("", query, {"input": {**asked, "clientMutationId": str(uuid.uuid4())}})
        return dict(answer["data"]["signIn"])


def by_name(principal: Principal) -> str:
    return principal.name if principal.name in ("ben", "eve", "mia", "admin") else "ben"


async def _link(asking: Asking) -> str:
    async with asking.house.db.transaction() as session:
        bo = (await session.scalars(select(Agent).where(Agent.name == "Bo"))).one()
        return await invitations.new_link(session, bo.id, Purpose.RESET, at=await database_time(session))


async def _code(asking: Asking, principal: Principal, *, confirmed: bool) -> str:
    begun = await asking.ask(principal.token, *_mutation("secondFactorBegin", {}))
    payload = (begun.get("data") or {}).get("secondFactorBegin") or {}
    if not payload.get("secret"):
        return "000000"
    code = pyotp.TOTP(payload["secret"]).now()
    if not confirmed:
        return code
    query, variables = _mutation("secondFactorConfirm", {"code": code}, "recoveryCodes")
    done = await asking.ask(principal.token, query, variables)
    return str(done["data"]["secondFactorConfirm"]["recoveryCodes"][0])


async def _ends_another(asking: Asking, principal: Principal) -> Values:
    signed_in = await asking.session(by_name(principal))
    query = "{ viewer { sessions { id isCurrent } } }"
    found = await asking.ask(signed_in["accessToken"], query, {})
    (id,) = [one["id"] for one in found["data"]["viewer"]["sessions"] if one["isCurrent"]]
    return {"id": id}


async def _a_token(asking: Asking) -> str:
    async with asking.house.db.transaction() as session:
        _, row = tokens.create_token(
            session,
            name="Another",
            scopes=[Scope.TICKETS_READ],
            expires_at=None,
            by=SYSTEM,
            at=await database_time(session),
        )
        return public_id("Token", row.id)


async def _a_webhook(asking: Asking) -> Values:
    async with asking.house.db.transaction() as session:
        now = await database_time(session)
        row, _ = await add_webhook(
            session, asking.house.keys, url="https://example.org/", description="", kinds=[], at=now
        )
        return {"id": public_id("Webhook", row.id)}


async def _a_merge(asking: Asking) -> Values:
    """Of another contact into the one of the other team's ticket."""
    async with asking.house.db.transaction() as session:
        now = await database_time(session)
        ada = await session.get_one(Contact, row_id("Contact", asking.Contact))
        other = await _of_support(session, at=now)
        move = await merging.merge_contacts(session, ada, [other], by=SYSTEM, at=now)
        return {"mergeId": public_id("Move", move.id)}


async def _another_contact(asking: Asking) -> str:
    async with asking.house.db.transaction() as session:
        other = await _of_support(session, at=await database_time(session))
        return public_id("Contact", other.id)


async def _of_support(session: AsyncSession, *, at: datetime) -> Contact:
    """Who has no ticket is seen by everybody."""
    other = add_contact(session, name="", locale=None, by=SYSTEM, at=at)
    await session.flush()
    support = (await session.scalars(select(Team).where(Team.name == "Support"))).one()
    open_ticket(session, other, subject="Another's", by=SYSTEM, at=at, team_id=support.id)
    await session.flush()
    return other


async def _another_ticket(asking: Asking, *, suggested: bool = False) -> tuple[str, str]:
    """Of the same contact and team, with a conversation; with the conversation, or the suggestion that it is the same."""
    async with asking.house.db.transaction() as session:
        now = await database_time(session)
        first = await session.get_one(Ticket, row_id("Ticket", asking.Ticket))
        ada = await session.get_one(Contact, first.contact_id)
        ticket = open_ticket(session, ada, subject="Another", by=SYSTEM, at=now, team_id=first.team_id)
        await session.flush()
        thread = open_thread(
            session, ticket, Placement(None, JoinCode.OPENED_TICKET),
            channel_id=row_id("Channel", asking.shop.ids["messenger channel"]), key=None, identity=None,
            subject="", by=SYSTEM, at=now,
        )  # fmt: skip
        await session.flush()
        said = Suggestion(
            id=new_id(), ticket_id=ticket.id, other_id=first.id, code=SuggestionCode.SAME_CUSTOMER, score=0.5,
            created_at=now,
        )  # fmt: skip
        session.add(said)
        other = public_id("TicketSuggestion", said.id) if suggested else public_id("Thread", thread.id)
        return public_id("Ticket", ticket.id), other


async def _a_line(asking: Asking) -> Values:
    """That can make calls, and telephones on everybody's desk."""
    async with asking.house.db.transaction() as session:
        line = (await session.scalars(select(Channel).where(Channel.kind == ChannelKind.PHONE))).one()
        line.config = {**line.config, "dial_url": "https://pbx.example/dial"}
        await session.execute(update(Agent).where(Agent.line.is_(None)).values(line=Agent.email))
        call = await session.get_one(Call, row_id("Call", asking.Call))
        caller = await session.scalars(select(Identity.id).where(Identity.contact_id == call.contact_id))
        return {
            "ticketId": public_id("Ticket", call.ticket_id),
            "identityId": public_id("Identity", caller.one()),
        }


async def _both_contacts(asking: Asking) -> Values:
    return {"primaryId": asking.Contact, "otherIds": [await _another_contact(asking)]}


async def _a_view(asking: Asking, principal: Principal) -> Values:
    saved = _mutation("viewSave", {"name": "Mugs", "query": "mug"}, "view { id }")
    done = await asking.ask((await asking.session(by_name(principal)))["accessToken"], *saved)
    return {"id": done["data"]["viewSave"]["view"]["id"]}


async def _a_task_template(asking: Asking) -> Values:
    async with asking.house.db.transaction() as session:
        made = await templates.save_template(
            session,
            None,
            name=asking.new_address(),
            tasks=[templates.Planned("Look", 1)],
            on_complaint=False,
            law=None,
        )
        return {"id": public_id("TaskTemplate", made.id)}


async def _no_complaint(asking: Asking) -> Values:
    """A ticket of Support that is none."""
    async with asking.house.db.transaction() as session:
        ada = await session.get_one(Contact, row_id("Contact", asking.Contact))
        ticket = open_ticket(session, ada, subject="The kettle", by=SYSTEM, at=await database_time(session))
        ticket.team_id = row_id("Team", asking.Team)
        await session.flush()
        return {"ticketId": public_id("Ticket", ticket.id), "promisedAt": _in_an_hour()}


async def _a_new_complaint(asking: Asking) -> Values:
    async with asking.house.db.transaction() as session:
        await session.execute(update(Complaint).values(stage=Stage.RECEIVED))
    return {"id": asking.Complaint, "stage": "INVESTIGATING"}


async def _both_tickets(asking: Asking) -> Values:
    return {"primaryId": asking.Ticket, "otherIds": [(await _another_ticket(asking))[0]]}


async def _a_thread(asking: Asking, field: str) -> Values:
    return {field: (await _another_ticket(asking))[1]}


async def _another_matter(asking: Asking) -> Values:
    return {"ids": [(await _another_ticket(asking))[0]]}


async def _a_file_that_came(asking: Asking, principal: Principal) -> Values:
    """Laid there by who asks, as far as that is a person of the shop."""
    house = asking.house
    key = await house.files.put(b"png")
    async with house.db.transaction() as session:
        name = by_name(principal).capitalize()
        agent_id = (await session.scalars(select(Agent.id).where(Agent.name == name))).one()
        now = await database_time(session)
        upload = Upload(
            id=new_id(), agent_id=agent_id, name="x", mime="image/png", bytes=3, file=key, created_at=now
        )
        session.add(upload)
        return {"id": public_id("Attachment", upload.id)}


async def _an_infected_file(asking: Asking) -> Values:
    async with asking.house.db.transaction() as session:
        photo = await session.get_one(Attachment, row_id("Attachment", asking.Attachment))
        await scans.ask(session, asking.house.files, [str(photo.file)])
        await session.execute(update(Scan).values(infection="Eicar-Test-Signature"))
        return {"id": asking.Attachment, "confirm": photo.name}


async def _a_macro(asking: Asking) -> Values:
    """Of the same team."""
    async with asking.house.db.transaction() as session:
        said = macros.Said(
            name="Another",
            bodies=[("en", "x")],
            visibility=Visibility.TEAM,
            team_id=row_id("Team", asking.Team),
        )
        macro = await macros.save(session, None, said, by=MANAGES, at=await database_time(session))
        return {"id": public_id("Macro", macro.id)}


async def _a_participant(asking: Asking) -> Values:
    async with asking.house.db.transaction() as session:
        thread = await session.get_one(Thread, row_id("Thread", asking.Thread))
        now = await database_time(session)
        added = await participants.accept(session, thread, asking.new_address(), by=SYSTEM, at=now)
        return {"id": public_id("Participant", added.id)}


async def _a_blocked_sender(asking: Asking) -> Values:
    async with asking.house.db.transaction() as session:
        now = await database_time(session)
        blocked = await blocking.block(session, asking.new_address(), by=SYSTEM, at=now)
        return {"id": public_id("BlockedSender", blocked.id)}


async def _a_dialled_number(asking: Asking) -> Values:
    async with asking.house.db.transaction() as session:
        line = await session.get_one(Channel, row_id("Channel", asking.shop.ids["phone channel"]))
        asking.made += 1
        written = f"+4822111{asking.made:04}"
        number = await save_number(session, line, written, at=await database_time(session))
        return {"id": public_id("DialledNumber", number.id)}


async def _a_spreadsheet(asking: Asking) -> Values:
    async with asking.house.db.transaction() as session:
        admin = (await session.scalars(select(Agent.id).where(Agent.role == Role.ADMIN).limit(1))).one()
        upload = Upload(
            id=new_id(),
            agent_id=admin,
            name="a.csv",
            mime="text/csv",
            bytes=1,
            file="aa/nowhere",
            created_at=NOON,
            finished_at=NOON,
        )
        session.add(upload)
        return {"kind": "CONTACTS", "fileId": public_id("Attachment", upload.id)}


async def _a_suggestion(asking: Asking) -> Values:
    return {"id": (await _another_ticket(asking, suggested=True))[1]}


HOURS = {
    "timezone": "Europe/Warsaw",
    "weekly": [{"day": "mon", "periods": [{"begin": "09:00", "end": "17:00"}]}],
}


def _in_an_hour() -> str:
    return (datetime.now(UTC) + timedelta(hours=1)).isoformat()


async def _own_device(session: AsyncSession, principal: Principal) -> tuple[uuid.UUID, uuid.UUID]:
    """A device of who asks, and who that is."""
    name = by_name(principal).capitalize()
    agent = (await session.scalars(select(Agent).where(Agent.name == name))).one()
    device_id = await devices.register_device(
        session, owner=agent.as_actor(), transport=Transport.FCM, handle=f"{principal.name} {uuid.uuid4()}",
        label="Phone", locale="en", at=await database_time(session),
    )  # fmt: skip
    return device_id, agent.id


async def _a_device(asking: Asking, principal: Principal) -> Values:
    async with asking.house.db.transaction() as session:
        device_id, _ = await _own_device(session, principal)
    return {"id": public_id("Device", device_id)}


async def _a_push(asking: Asking, principal: Principal) -> Values:
    async with asking.house.db.transaction() as session:
        device_id, agent_id = await _own_device(session, principal)
        now = await database_time(session)
        notice = Notice(id=new_id(), agent_id=agent_id, kind=NoticeKind.TEST, created_at=now)
        session.add(notice)
        await session.flush()
        delivery = deliver(session, notice, device_id, Transport.FCM, at=now)
    return {"deliveryId": public_id("Delivery", delivery.id), "event": "SHOWN", "at": now.isoformat()}


async def _a_contact_note(asking: Asking, principal: Principal) -> Values:
    """By who asks, about the other team's contact."""
    async with asking.house.db.transaction() as session:
        name = by_name(principal).capitalize()
        agent = (await session.scalars(select(Agent).where(Agent.name == name))).one()
        contact = await session.get_one(Contact, row_id("Contact", asking.Contact))
        note = add_note(session, contact, "Calls back.", by=agent.as_actor(), at=await database_time(session))
    return {"id": public_id("ContactNote", note.id)}


async def _a_queued_answer(asking: Asking, principal: Principal) -> Values:
    """By who asks, on the other team's ticket."""
    async with asking.house.db.transaction() as session:
        name = by_name(principal).capitalize()
        agent = (await session.scalars(select(Agent).where(Agent.name == name))).one()
        ticket = await session.get_one(Ticket, row_id("Ticket", asking.Ticket))
        identity = await session.get_one(Identity, row_id("Identity", asking.Identity))
        answer = await replies.send(
            session, asking.house.keys, ticket, to=identity, text="Soon.", by=agent.as_actor(),
            at=await database_time(session), last_seen_seq=0, force=True,
        )  # fmt: skip
        return {"id": public_id("Message", answer.id)}


async def _a_policy(asking: Asking) -> Values:
    async with asking.house.db.transaction() as session:
        policy = await save_policy(
            session, None, name=asking.new_address(), calendar_id=row_id("Calendar", asking.Calendar)
        )
        return {"id": public_id("Policy", policy.id)}


async def _a_calendar(asking: Asking) -> Values:
    async with asking.house.db.transaction() as session:
        calendar = await save_calendar(session, None, asking.new_address(), ALWAYS)
        return {"id": public_id("Calendar", calendar.id)}


async def _a_team(asking: Asking) -> Values:
    async with asking.house.db.transaction() as session:
        team = await save_team(session, None, asking.new_address())
        return {"id": public_id("Team", team.id)}


async def _a_survey(asking: Asking) -> Values:
    channel_id = row_id("Channel", asking.shop.ids["chat channel"])
    async with asking.house.db.transaction() as session:
        survey = await surveys.save(session, SurveyKind.NPS, channel_id, surveys.Choice(), at=NOON)
        return {"id": public_id("Survey", survey.id)}


async def _bens(session: AsyncSession, asking: Asking) -> tuple[Ticket, Actor]:
    """Ben, and a ticket of Support."""
    ben = await actor_by_id(session, row_id("Agent", asking.Ben))
    assert ben
    return await session.get_one(Ticket, row_id("Ticket", asking.Ticket), with_for_update=True), ben


async def _a_tag(asking: Asking, **also: str) -> Values:
    """That no other is being changed into."""
    async with asking.house.db.transaction() as session:
        await session.execute(update(TagChange).values(failed_at=NOON, due_at=None))
        await session.execute(update(Ticket).values(tags=["loom"]))
    return {"tag": "loom", **also}


async def _a_bulk_change(asking: Asking) -> Values:
    async with asking.house.db.transaction() as session:
        ticket, ben = await _bens(session, asking)
        now = await database_time(session)
        edit = await bulk.begin(session, [ticket.id], Change(priority=2), by=ben, at=now)
        return {"id": public_id("BulkChange", edit.id)}


async def _a_change(asking: Asking) -> Values:
    async with asking.house.db.transaction() as session:
        ticket, ben = await _bens(session, asking)
        now, before = await database_time(session), edits.picture(ticket)
        ticket.change(by=ben, at=now, priority=1 if ticket.priority != 1 else 4)
        edit = await edits.keep(session, [(ticket, before)], by=ben, at=now, undo_for=timedelta(minutes=1))
        assert edit
        return {"id": public_id("Change", edit.id)}


async def _a_link(asking: Asking) -> Values:
    async with asking.house.db.transaction() as session:
        ticket, ben = await _bens(session, asking)
        other = await session.get_one(Ticket, row_id("Ticket", asking.CallTicket))
        await links.link(session, ticket, other, LinkRole.RELATED, by=ben, at=await database_time(session))
        (id,) = await session.scalars(select(TicketLink.id))
        return {"id": public_id("TicketLink", id)}


# For each mutation its input, for each query or type a document and its variables.

MUTATIONS: dict[str, Callable[[Asking, Principal], Any]] = {
    "signIn": lambda a, p: {"email": "bo@shop.example", "password": PASSWORD},
    "sessionRefresh": lambda a, p: _refresh(a),
    "signOut": lambda a, p: {},
    "sessionEnd": _ends_another,
    "passwordChange": lambda a, p: {"currentPassword": PASSWORD, "password": PASSWORD},
    "passwordResetRequest": lambda a, p: {"email": "zofia@example.org"},
    "passwordSet": lambda a, p: _set(a),
    "secondFactorBegin": lambda a, p: {},
    "secondFactorConfirm": lambda a, p: _with_code(a, p, confirmed=False),
    "secondFactorRemove": lambda a, p: _with_code(a, p, confirmed=True),
    "deviceRegister": lambda a, p: {
        "transport": "FCM",
        "handle": f"phone of {p.name}",
        "label": "Phone",
        "locale": "en",
        "timezone": "Europe/Madrid",
    },
    "deviceTest": lambda a, p: _a_device(a, p),
    "deviceRemove": lambda a, p: _a_device(a, p),
    "pushReceipt": lambda a, p: _a_push(a, p),
    "alertPrefsSave": lambda a, p: {"privacy": "MINIMAL"},
    "dutySet": lambda a, p: {"onDuty": True},
    "awaySet": lambda a, p: {"away": False},
    "viewerUpdate": lambda a, p: {"timezone": "Europe/Madrid"},
    "ticketCreate": lambda a, p: {"contactId": a.Contact, "subject": "Another matter"},
    "ticketAssign": lambda a, p: {"ticketIds": [a.Ticket], "agentId": a.Bo},
    "ticketUpdate": lambda a, p: {"ids": [a.Ticket], "priority": 2},
    "bulkChange": lambda a, p: {"ids": [a.Ticket], "priority": 2},
    "bulkUndo": lambda a, p: _a_bulk_change(a),
    "changeUndo": lambda a, p: _a_change(a),
    "ticketLink": lambda a, p: {"ticketId": a.Ticket, "otherId": a.CallTicket, "kind": "RELATED"},
    "ticketUnlink": lambda a, p: _a_link(a),
    "draftSave": lambda a, p: {"ticketId": a.Ticket, "identityId": a.Identity, "body": "Dear Ada,"},
    "presence": lambda a, p: {"ticketId": a.Ticket, "intent": "TYPING"},
    "chatTyping": lambda a, p: {"ticketId": a.Ticket},
    "chatRead": lambda a, p: {"ticketId": a.Ticket, "seq": 1},
    "noteAdd": lambda a, p: {"ticketId": a.Ticket, "text": "Noted."},
    "fileUploadStart": lambda a, p: {"name": "photo.png", "mime": "image/png", "bytes": 3},
    "fileUploadFinish": _a_file_that_came,
    "infectedFileOpen": lambda a, p: _an_infected_file(a),
    "macroSave": lambda a, p: {"id": a.Macro, "shortcut": "ty"},
    "macroDelete": lambda a, p: _a_macro(a),
    "macroRun": lambda a, p: {"macroId": a.Macro, "ticketIds": [a.Ticket]},
    "participantAccept": lambda a, p: {"threadId": a.Thread, "address": a.new_address()},
    "participantRemove": lambda a, p: _a_participant(a),
    "ticketMarkSpam": lambda a, p: _another_matter(a),
    "ticketUnmarkSpam": lambda a, p: {"ids": [a.Ticket]},
    "senderBlock": lambda a, p: {"sender": a.new_address()},
    "senderUnblock": lambda a, p: _a_blocked_sender(a),
    "messageSend": lambda a, p: {
        "ticketId": a.Ticket,
        "identityId": a.Identity,
        "text": "On its way.",
        "lastSeenSeq": 0,
        "force": True,
    },
    "conversationStart": lambda a, p: {
        "contactId": a.Contact,
        "channelId": a.shop.ids["email channel"],
        "subject": "Your order",
        "text": "It is on its way.",
    },
    "messageForward": lambda a, p: {
        "id": a.Message,
        "to": ["carrier@example.net"],
        "text": "Where is this parcel?",
    },
    "messageUndo": lambda a, p: _a_queued_answer(a, p),
    "identityLink": lambda a, p: {"contactId": a.Contact, "channel": "EMAIL", "value": a.new_address()},
    "contactMerge": lambda a, p: _both_contacts(a),
    "contactUnmerge": lambda a, p: _a_merge(a),
    "mergeDismiss": lambda a, p: {"contactId": a.Contact, "otherId": a.Caller},
    "ticketMerge": lambda a, p: _both_tickets(a),
    "threadMove": lambda a, p: _a_thread(a, "threadId"),
    "joinUndo": lambda a, p: _a_thread(a, "eventId"),
    "suggestionDismiss": lambda a, p: _a_suggestion(a),
    "messengerLink": lambda a, p: {"contactId": a.Contact, "channelId": a.shop.ids["messenger channel"]},
    "contactSave": lambda a, p: {"id": a.Contact, "city": "Kraków"},
    "contactNoteAdd": lambda a, p: {"contactId": a.Contact, "text": "Prefers the phone."},
    "contactNoteDelete": lambda a, p: _a_contact_note(a, p),
    "companySave": lambda a, p: {"id": a.Company, "note": "Pays late."},
    "callLink": lambda a, p: {"callId": a.Call, "contactId": a.Caller},
    "callStart": lambda a, p: _a_line(a),
    "callUpdate": lambda a, p: {"id": a.Call, "outcome": "REACHED", "notes": "Asked for her parcel."},
    "taskSave": lambda a, p: {"id": a.Task, "title": "Call Ada again"},
    "taskTemplateApply": lambda a, p: {"id": a.TaskTemplate, "ticketId": a.Ticket},
    "taskTemplateSave": lambda a, p: {"name": a.new_address(), "tasks": [{"title": "Look", "amount": 1}]},
    "taskTemplateArchive": lambda a, p: _a_task_template(a),
    "complaintOpen": lambda a, p: _no_complaint(a),
    "complaintUpdate": lambda a, p: {"id": a.Complaint, "nextStep": "Ask the maker"},
    "complaintAdvance": lambda a, p: _a_new_complaint(a),
    "alertAck": lambda a, p: {"id": a.Alert},
    "alertSnooze": lambda a, p: {
        "id": a.Alert,
        "until": _in_an_hour(),
        "reason": "The carrier looks for it.",
    },
    "alertEscalate": lambda a, p: {"id": a.Alert},
    "policySave": lambda a, p: {"name": a.new_address(), "calendarId": a.Calendar},
    "policyDelete": lambda a, p: _a_policy(a),
    "calendarSave": lambda a, p: {"name": a.new_address(), "hours": HOURS},
    "calendarDelete": lambda a, p: _a_calendar(a),
    "assignmentSave": lambda a, p: {"teamId": a.Team, "capacity": 10},
    "rotaSave": lambda a, p: {"agentId": a.Bo, "hours": HOURS},
    "arrivalRetry": lambda a, p: {"id": a.Arrival},
    "dialledNumberSave": lambda a, p: {"channelId": a.shop.ids["phone channel"], "number": "+48221112233"},
    "dialledNumberDelete": lambda a, p: _a_dialled_number(a),
    "contactExport": lambda a, p: {"contactId": a.Contact},
    "importStart": lambda a, p: _a_spreadsheet(a),
    "tagRename": lambda a, p: _a_tag(a, into="weaving"),
    "tagRemove": lambda a, p: _a_tag(a),
    "contactErase": lambda a, p: {"contactId": a.Contact},
    "erasureWithdraw": lambda a, p: {"id": a.Erasure},
    "privacyUpdate": lambda a, p: {"sealedDays": 30},
    "retentionSave": lambda a, p: {"channelId": a.shop.ids["chat channel"], "originalsDays": 3650},
    "channelCreate": lambda a, p: {"kind": "CHAT", "name": "Another widget", "slug": a.new_slug()},
    "channelUpdate": lambda a, p: {"id": a.shop.ids["chat channel"], "name": "Widget"},
    "channelDisable": lambda a, p: {"id": a.shop.ids["phone channel"]},
    "channelEnable": lambda a, p: {"id": a.shop.ids["phone channel"]},
    "channelTest": lambda a, p: {"id": a.shop.ids["chat channel"]},
    "channelRotateSecret": lambda a, p: {"id": a.shop.ids["phone channel"], "secret": "key"},
    "agentInvite": lambda a, p: {"email": a.new_address(), "name": "Zofia"},
    "agentUpdate": lambda a, p: {"id": a.Bo, "name": "Bo"},
    "secondFactorTakeOff": lambda a, p: {"agentId": a.Bo},
    "teamSave": lambda a, p: {"name": a.new_address()},
    "teamDelete": lambda a, p: _a_team(a),
    "shopUpdate": lambda a, p: {"agentsSee": "TEAMS"},
    "messengerPageConnect": lambda a, p: {"pageToken": "another-token", "appSecret": "app-secret"},
    "surveySave": lambda a, p: {"kind": "CSAT", "againAfterDays": 30},
    "surveyDelete": lambda a, p: _a_survey(a),
    "contactFieldSave": lambda a, p: {"id": a.ContactField, "options": ["M", "L"]},
    "contactFieldArchive": lambda a, p: {"id": a.ContactField, "archived": False},
    "ticketFieldSave": lambda a, p: {"id": a.TicketField, "label": "Shade"},
    "ticketFieldArchive": lambda a, p: {"id": a.TicketField, "archived": False},
    "tokenCreate": lambda a, p: {"name": "Orders", "scopes": ["TICKETS_READ"]},
    "tokenRevoke": lambda a, p: _revoke(a),
    "viewSave": lambda a, p: {"name": "Mugs", "query": "mug"},
    "viewDelete": lambda a, p: _a_view(a, p),
    "webhookSave": lambda a, p: {"url": "https://example.org/hook"},
    "webhookRotateSecret": lambda a, p: {"id": a.Webhook},
    "webhookDelete": lambda a, p: _a_webhook(a),
    "webhookTest": lambda a, p: {"id": a.Webhook},
    "webhookReplay": lambda a, p: {"id": a.WebhookDelivery},
}


async def _refresh(asking: Asking) -> Values:
    return {"refreshToken": (await asking.session("bo"))["refreshToken"]}


async def _set(asking: Asking) -> Values:
    return {"token": await _link(asking), "password": PASSWORD}


async def _with_code(asking: Asking, principal: Principal, *, confirmed: bool) -> Values:
    return {"code": await _code(asking, principal, confirmed=confirmed)}


async def _revoke(asking: Asking) -> Values:
    return {"id": await _a_token(asking)}


MARCH = 'range: {from: "2026-03-01T00:00:00Z", to: "2026-04-01T00:00:00Z"}, groupBy: TEAM'


def _metrics(fields: str) -> str:
    return f"{{ metrics({MARCH}) {{ {fields} }} }}"


def _ticket(selection: str) -> str:
    return f"query($Ticket: ID!) {{ ticket(id: $Ticket) {{ {selection} }} }}"


def _item(type: str, selection: str) -> str:
    return f"query(${type}: ID!) {{ node(id: ${type}) {{ ... on {type} {{ {selection} }} }} }}"


def _preview(selection: str) -> str:
    return (
        "query($Macro: ID!, $Ticket: ID!) "
        f"{{ macroPreview(macroId: $Macro, ticketId: $Ticket) {{ {selection} }} }}"
    )


CHANGES = "changes(since: $start) { cursor changes { __typename } }"

QUERIES = {
    "Query.serverTime": "{ serverTime }",
    "Query.viewer": "{ viewer { role } }",
    "Query.agents": "{ agents { id } }",
    "Query.teams": "{ teams { id } }",
    "Query.counters": "{ counters { open } }",
    "Query.liveCalls": "{ liveCalls { id } }",
    "Query.channels": "{ channels { id } }",
    "Query.channelKinds": "{ channelKinds { kind } }",
    "Query.shop": "{ shop { agentsSee } }",
    "Query.tokens": "{ tokens { id } }",
    "Query.webhooks": "{ webhooks { id } }",
    "Query.webhookDeliveries": "query($Webhook: ID!) { webhookDeliveries(webhookId: $Webhook) { id } }",
    "Query.audit": "{ audit { edges { node { kind } } } }",
    "Query.tickets": "{ tickets { edges { node { id } } } }",
    "Query.ticket": _ticket("id"),
    "Query.contact": "query($Contact: ID!) { contact(id: $Contact) { id } }",
    "Query.mergePreview": "query($Contact: ID!, $Caller: ID!) "
    "{ mergePreview(primaryId: $Contact, otherIds: [$Caller]) { ticketsMoved } }",
    "Query.contacts": "{ contacts { edges { node { id } } } }",
    "Query.contactFields": "{ contactFields { id } }",
    "Query.ticketFields": "{ ticketFields { id } }",
    "Query.mentions": "{ mentions { edges { cursor } } }",
    "Query.bulkChange": "query($BulkChange: ID!) { bulkChange(id: $BulkChange) { id } }",
    "Query.companies": "{ companies { edges { node { id } } } }",
    "Query.tasks": "{ tasks { id } }",
    "Query.alerts": "{ alerts(states: [FIRING, ACKED]) { id } }",
    "Query.alert": "query($Alert: ID!) { alert(id: $Alert) { id } }",
    "Query.pushHealth": "query($Alert: ID!) { pushHealth(alertId: $Alert) { id } }",
    "Query.smsSegments": '{ smsSegments(text: "hi") { segments } }',
    "Query.surveys": "{ surveys { id } }",
    "Query.surveyPreview": "query($Survey: ID!) { surveyPreview(id: $Survey) { text } }",
    "Query.feedback": "{ feedback { edges { node { id } } } }",
    "Survey": "{ surveys { kind } }",
    "SurveyQuestion": "{ surveys { questions { text } } }",
    "SurveyPreview": "query($Survey: ID!) { surveyPreview(id: $Survey) { language } }",
    "Feedback": _item("Feedback", "words"),
    "TicketSurvey": "query($Ticket: ID!) { ticket(id: $Ticket) { survey { why } } }",
    "Query.macros": "{ macros { id } }",
    "Query.macroPreview": _preview("text"),
    "Query.policies": "{ policies { id } }",
    "Query.policyTemplates": "{ policyTemplates { code } }",
    "Query.views": "{ views { id } }",
    "Query.search": '{ search(text: "parcel") { id } }',
    "Query.recount": "{ recount { tickets } }",
    "Query.calendars": "{ calendars { id } }",
    "Query.rotas": "{ rotas { isOnShift } }",
    "Query.arrivals": "{ arrivals { id } }",
    "Query.blockedSenders": "{ blockedSenders { id } }",
    "Query.dialledNumbers": "{ dialledNumbers { id } }",
    "DialledNumber": "{ dialledNumbers { campaign } }",
    "BlockedSender": "{ blockedSenders { sender } }",
    "Participant": _ticket("threads { participants { address } }"),
    "Query.contactExports": "query($Contact: ID!) { contactExports(contactId: $Contact) { id } }",
    "Query.erasurePlan": "query($Contact: ID!) { erasurePlan(contactId: $Contact) { openTickets } }",
    "Query.erasures": "{ erasures { id } }",
    "Query.privacy": "{ privacy { sealedDays } }",
    "Query.retentionPlan": "query($Channel: ID!) { retentionPlan(channelId: $Channel, textsDays: 1) { texts } }",
    "Query.metrics": _metrics("rows { key }"),
    "Query.metricTickets": f'{{ metricTickets({MARCH}, key: "total", figure: OPENED) {{ edges {{ node {{ id }} }} }} }}',
    "MetricSeries": _metrics("rows { label }"),
    "MetricSeries.csvUrl": _metrics("csvUrl"),
    "MetricRow": _metrics("rows { opened }"),
    "Query.node": "query($Ticket: ID!) { node(id: $Ticket) { id } }",
    "Query.nodes": "query($Ticket: ID!, $Note: ID!) { nodes(ids: [$Ticket, $Note]) { id } }",
    "Query.changeCursor": "{ changeCursor }",
    "Query.changes": f"query($start: Cursor!) {{ {CHANGES} }}",
    "Subscription.visitorTyping": "subscription($Ticket: ID!) { visitorTyping(ticketId: $Ticket) { until } }",
    "Subscription.ticketPresence": "subscription($Ticket: ID!) { ticketPresence(ticketId: $Ticket) { since } }",
    "Subscription.changes": f"subscription($start: Cursor!) {{ {CHANGES} }}",
    "Subscription.callRinging": "subscription { callRinging { calls { number } } }",
    "Ticket": _ticket("subject"),
    "Draft": _ticket("draft { body }"),
    "Viewing": _ticket("viewers { intent }"),
    "TicketLink": _ticket("links { kind }"),
    "TicketFieldValue": _ticket("fields { value }"),
    "TicketField": "{ ticketFields { label } }",
    "Mention": "{ mentions { edges { node { note { id } } } } }",
    "BulkChange": "query($BulkChange: ID!) { bulkChange(id: $BulkChange) { total } }",
    "BulkFailure": "query($BulkChange: ID!) { bulkChange(id: $BulkChange) { failed { error } } }",
    "KeptChange": "query($BulkChange: ID!) { bulkChange(id: $BulkChange) { kept { what } } }",
    "Thread": _ticket("threads { subject }"),
    "JoinReason": _ticket("threads { joinedBecause { text } }"),
    "MergeCandidate": "query($Contact: ID!) { contact(id: $Contact) { mergeCandidates { score } } }",
    "View": "{ views { name count } }",
    "SearchHit": '{ search(text: "parcel") { snippet } }',
    "TicketSuggestion": _ticket("suggestions { text }"),
    "MergePreview": "query($Contact: ID!, $Caller: ID!) "
    "{ mergePreview(primaryId: $Contact, otherIds: [$Caller]) { undoUntil } }",
    "FieldConflict": "query($Contact: ID!, $Caller: ID!) "
    "{ mergePreview(primaryId: $Contact, otherIds: [$Caller]) { conflicts { field } } }",
    "Clock": _ticket("clocks { dueAt }"),
    "Message": _item("Message", "text"),
    "Message.original": _item("Message", "original"),
    "MessagePage": _item("Message", "text page { url }"),
    "MessageAnswer": _item("Message", "text answers { value }"),
    "VisitorTyping": "subscription($Ticket: ID!) { visitorTyping(ticketId: $Ticket) { until } }",
    "MailAddress": _item("Message", "to { address }"),
    "Reaction": _item("Message", "reactions { emoji }"),
    "RepliedMessage": _item("Message", "text repliesTo { text }"),
    "MessageRecipient": _item("Message", "recipients { address }"),
    "Attachment": _item("Message", "attachments { name }"),
    "Attachment.thumbUrl": _item("Message", "attachments { thumbUrl }"),
    "Attachment.url": _item("Message", "attachments { url }"),
    "Call": _item("Call", "number"),
    "Note": _item("Note", "text"),
    "SystemEvent": _ticket("timeline { edges { node { ... on SystemEvent { text } } } }"),
    "Contact": "query($Contact: ID!) { contact(id: $Contact) { name } }",
    "Identity": "query($Contact: ID!) { contact(id: $Contact) { identities { label } } }",
    "ReplyWindow": "query($Contact: ID!) { contact(id: $Contact) { identities { replyWindow { isOpen } } } }",
    "ContactStats": "query($Contact: ID!) { contact(id: $Contact) { stats { tickets } } }",
    "ContactNote": "query($Contact: ID!) { contact(id: $Contact) { notes { text } } }",
    "ContactField": "{ contactFields { label } }",
    "ContactFieldValue": "query($Contact: ID!) { contact(id: $Contact) { fields { value } } }",
    "Company": _item("Company", "note"),
    "Query.taskCounts": "{ taskCounts { today } }",
    "Query.taskTemplates": "{ taskTemplates { name } }",
    "Query.complaints": "{ complaints { number } }",
    "Task": _item("Task", "title"),
    "TaskRepeat": _item("Task", "repeat { interval }"),
    "TaskCounts": "{ taskCounts { open } }",
    "TaskTemplate": "{ taskTemplates { name } }",
    "PlannedTask": "{ taskTemplates { tasks { title } } }",
    "Complaint": _item("Complaint", "decision"),
    "Complaint.file": _item("Complaint", "file"),
    "ComplaintEvent": _item("Complaint", "history { note }"),
    "Money": _item("Complaint", "amount { amount }"),
    "StalledDays": "{ shop { stalledDays { days } } }",
    "Alert": "query($Alert: ID!) { alert(id: $Alert) { kind } }",
    "AlertEvent": "query($Alert: ID!) { alert(id: $Alert) { history { kind } } }",
    "EscalationStep": "query($Alert: ID!) { alert(id: $Alert) { nextEscalation { level } } }",
    "Suggestion": "query($Alert: ID!) { alert(id: $Alert) { suggestedAssignees { reason } } }",
    "Notice": "query($Alert: ID!) { pushHealth(alertId: $Alert) { notice { state } } }",
    "Policy": "{ policies { name } }",
    "PolicyTarget": "{ policies { targets { seconds } } }",
    "PolicyConditions": "{ policies { conditions { tags } } }",
    "PolicyLadder": "{ policies { ladder { rounds } } }",
    "LadderStep": "{ policies { ladder { steps { level } } } }",
    "PolicyTemplate": "{ policyTemplates { name } }",
    "SmsSegments": '{ smsSegments(text: "hi") { encoding } }',
    "Macro": "{ macros { name } }",
    "MacroBody": "{ macros { bodies { text } } }",
    "MacroAction": "{ macros { actions { status } } }",
    "MacroAssignee": "{ macros { actions { task { assignee { whom } } } } }",
    "MacroSnooze": "{ macros { actions { snooze { seconds } } } }",
    "MacroTarget": "{ macros { actions { taskTemplate { name } } } }",
    "MacroTask": "{ macros { actions { task { title } } } }",
    "MacroPreview": _preview("locale"),
    "MacroGap": _preview("missing { variable }"),
    "Calendar": "{ calendars { name } }",
    "WeeklyHours": "{ calendars { hours { timezone } } }",
    "DayHours": "{ calendars { hours { weekly { day } } } }",
    "Period": "{ calendars { hours { weekly { periods { begin } } } } }",
    "Recount": "{ recount { moved } }",
    "Rota": "{ rotas { isOnShift } }",
    "AlertPrefs": "{ viewer { alertPrefs { privacy } } }",
    "Agent": "{ agents { name } }",
    "Agent.email": "{ agents { email } }",
    "Team": "{ teams { name } }",
    "AgentLoad": "{ agents { load { open } } }",
    "AssignmentPolicy": "{ teams { assignment { mode } } }",
    "ChannelWeight": "{ teams { assignment { weights { weight } } } }",
    "SkillRule": "{ teams { assignment { skills { skill } } } }",
    "Counters": "{ counters { open } }",
    "Channel": "{ channels { name } }",
    "Channel.address": "{ channels { address } }",
    "Channel.team": "{ channels { team { id } } }",
    "Channel.calendar": "{ channels { calendar { id } } }",
    "Channel.isOpen": "{ channels { isOpen } }",
    "Channel.opensAt": "{ channels { opensAt } }",
    "Channel.disabledAt": "{ channels { disabledAt } }",
    "Channel.language": "{ channels { language } }",
    "Channel.settings": "{ channels { settings { name } } }",
    "Channel.secrets": "{ channels { secrets { name } } }",
    "Channel.webhookUrls": "{ channels { webhookUrls { url } } }",
    "Channel.health": "{ channels { health { queuedMessages } } }",
    "ChannelSetting": "{ channels { settings { value } } }",
    "ChannelSecret": "{ channels { secrets { isSet } } }",
    "ChannelDoor": "{ channels { webhookUrls { name } } }",
    "ChannelHealth": "{ channels { health { lastError } } }",
    "ChannelKindSettings": "{ channelKinds { settings { name } } }",
    "ChannelSettingKind": "{ channelKinds { settings { secret } } }",
    "Delivery": "query($Alert: ID!) { pushHealth(alertId: $Alert) { state } }",
    "Device": "query($Alert: ID!) { pushHealth(alertId: $Alert) { device { label } } }",
    "Arrival": "{ arrivals { raw } }",
    "Query.tags": "{ tags { edges { node { name } } } }",
    "Tag": "{ tags { edges { node { openTickets } } } }",
    "Query.tagChanges": "{ tagChanges { id } }",
    "TagChange": "{ tagChanges { state } }",
    "Query.imports": "{ imports { id } }",
    "Import": "{ imports { state } }",
    "ImportProblem": "{ imports { problems { code } } }",
    "ContactExport": "query($Contact: ID!) { contactExports(contactId: $Contact) { state } }",
    "ErasurePlan": "query($Contact: ID!) { erasurePlan(contactId: $Contact) { sealedDays } }",
    "ErasureShare": "query($Contact: ID!) { erasurePlan(contactId: $Contact) { taken { count } } }",
    "Erasure": "{ erasures { state } }",
    "Privacy": "{ privacy { erasingTakesTwo } }",
    "Retention": "{ privacy { retention { originalsDays } } }",
    "RetentionPlan": "query($Channel: ID!) { retentionPlan(channelId: $Channel, originalsDays: 1) { originals } }",
    "Viewer": "{ viewer { email } }",
    "Session": "{ viewer { sessions { deviceLabel } } }",
    "Shop": "{ shop { agentsSee } }",
    "SameMatter": "{ shop { sameMatter { sameTopic } } }",
    "Token": "{ tokens { name } }",
    "Webhook": "{ webhooks { url } }",
    "WebhookDelivery": "query($Webhook: ID!) { webhookDeliveries(webhookId: $Webhook) { event } }",
    "WebhookAttempt": "query($Webhook: ID!) { webhookDeliveries(webhookId: $Webhook) { attempts { status } } }",
    "AuditEntry": "{ audit { edges { node { at } } } }",
    "ChangeBatch": f"query($start: Cursor!) {{ {CHANGES} }}",
    "TimelineAppended": "query($start: Cursor!) { changes(since: $start, topics: [TIMELINE]) "
    "{ changes { ... on TimelineAppended { ticketId } } } }",
    "Removed": "query($start: Cursor!) { changes(since: $start) { changes { ... on Removed { id } ... on TimelineAppended "
    "{ ticketId } } } }",
    "Node": "query($Note: ID!) { node(id: $Note) { id } }",
}


def _mutation(name: str, input: Values, selection: str = "") -> tuple[str, Values]:
    type = GRAPHQL.mutation_type.fields[name].args["input"].type  # type: ignore[union-attr]
    extra = "secret" if name == "secondFactorBegin" else selection
    query = f"mutation($input: {type}) {{ {name}(input: $input) {{ {extra} userErrors {{ code }} }} }}"
    once = {"clientMutationId": str(uuid.uuid4())} if "clientMutationId" in type.of_type.fields else {}
    return query, {"input": {**once, **input}}


async def _asked(asking: Asking, principal: Principal, element: str) -> tuple[str, Values]:
    root, _, name = element.partition(".")
    if root == "Mutation":
        input = MUTATIONS[name](asking, principal)
        return _mutation(name, await input if isawaitable(input) else input)
    query = QUERIES[element]
    names = [name for name in [*asking.shop.ids, "start"] if f"${name}:" in query]
    return query, {name: asking.start if name == "start" else asking.shop.ids[name] for name in names}


A_WHILE, LONG = 1.5, 20.0


async def _outcome(asking: Asking, principal: Principal, element: str, *, patience: float = LONG) -> str:
    """`refused`, `nothing` or `found`; otherwise what went wrong. `patience`: seconds for a stream to say something."""
    query, variables = await _asked(asking, principal, element)
    token = principal.token
    if element == "Mutation.signOut" and principal.name in ("ben", "eve", "mia", "admin"):
        token = (await asking.session(principal.name))["accessToken"]
    if query.startswith("subscription"):
        answer = await _first(asking, token, query, variables, patience)
    else:
        answer = await asking.ask(token, query, variables)
    codes = {error.get("extensions", {}).get("code") for error in answer.get("errors") or ()}
    data = answer.get("data") or {}
    for payload in data.values():
        if isinstance(payload, dict):
            codes |= {error["code"] for error in payload.pop("userErrors", ())}
    if codes & REFUSALS:
        return "refused"
    if codes == {"NOT_FOUND"} or (not codes and not _something(data, element)):
        return "nothing"
    return f"{codes}" if codes else "found"


async def _outcomes(asking: Asking, element: str, asked: list[tuple[Principal, str]]) -> list[str]:
    """Of each with what is expected: a stream that should say nothing is not waited for long."""
    if element.startswith("Subscription."):
        waits = [A_WHILE if expected == "nothing" else LONG for _, expected in asked]
        return await asyncio.gather(
            *(
                _outcome(asking, principal, element, patience=patience)
                for (principal, _), patience in zip(asked, waits, strict=True)
            )
        )
    outcomes = []
    for principal, _ in asked:
        outcomes.append(await _outcome(asking, principal, element))
        if element.startswith("Mutation."):
            await _as_before(asking)
    return outcomes


async def _as_before(asking: Asking) -> None:
    """What a change left behind that another cell would stumble over."""
    async with asking.house.db.transaction() as session:
        await session.execute(delete(SecondFactor))
        await session.execute(delete(Try))
        await session.execute(update(Ticket).values(team_id=row_id("Team", asking.Team)))
        await session.execute(
            update(Arrival).where(Arrival.external_id == "unreadable").values(state=ArrivalState.FAILED)
        )


async def _first(asking: Asking, token: str, query: str, variables: Values, patience: float) -> Values:
    """What a stream says first; a stream that says nothing for a while has nothing to say."""
    address = asking.anybody.address.replace("http", "ws") + "/graphql"
    try:
        async with connect(address, subprotocols=["graphql-transport-ws"]) as socket:  # type: ignore[list-item]
            await socket.send(
                json.dumps({"type": "connection_init", "payload": {"authorization": f"Bearer {token}"}})
            )
            await socket.recv()
            frame = {"type": "subscribe", "id": "1", "payload": {"query": query, "variables": variables}}
            await socket.send(json.dumps(frame))
            async with asyncio.timeout(patience):
                said = json.loads(await socket.recv())
    except ConnectionClosed:
        return {"errors": [{"extensions": {"code": "UNAUTHENTICATED"}}]}
    except TimeoutError:
        return {"data": {}}
    payload = said["payload"]
    return dict(payload) if said["type"] == "next" else {"errors": payload}


def _something(data: Values, element: str) -> bool:
    """Is there anything of the other team in it? What is not of a row counts as something."""
    if element.startswith("Mutation."):
        return True
    return any(_holds(value) for value in data.values())


def _holds(value: Any) -> bool:
    match value:
        case {"changes": changes}:
            return any(change for change in changes)
        case {"edges": edges}:
            return bool(edges)
        case {"calls": found} | {"rows": found}:
            return bool(found)
        case list():
            return any(one is not None for one in value)
        case _:
            return value is not None


async def _program(house: House, scopes: set[Scope], *, revoked: bool = False) -> Principal:
    async with house.db.transaction() as session:
        now = await database_time(session)
        secret, row = tokens.create_token(
            session, name="Program", scopes=list(scopes), expires_at=None, by=SYSTEM, at=now
        )
        row.revoked_at = now if revoked else None
    return Principal("program", secret)


async def _visitor(house: House, anybody: Client) -> Principal:
    address = anybody.address.replace("http", "ws") + "/chat/chat"
    async with connect(address) as socket:
        await socket.send('{"type": "hello"}')
        return Principal("visitor", json.loads(await socket.recv())["session"])


def _expected(rule: Rule, cell: str) -> str:
    allowed = {
        "anonymous": rule.anonymous,
        "visitor": rule.visitor,
        "revoked": rule.anonymous,
        "revoked token": rule.anonymous,
        "ben": rule.roles[Role.AGENT],
        "mia": rule.roles[Role.MANAGER],
        "admin": rule.roles[Role.ADMIN],
        "scope": rule.for_tokens,
        "no scope": rule.for_tokens and rule.scope is None,
    }
    if cell == "eve":
        if not rule.roles[Role.AGENT]:
            return "refused"
        return "nothing" if rule.other_teams is False else "found"
    return "found" if allowed[cell] else "refused"


@pytest.fixture
async def meta(house: House) -> AsyncIterator[None]:
    async with GraphStandIn("another-token", "app-secret", Page("9002")) as graph:
        house.integrations.graph_url = graph.url
        yield


@pytest.mark.usefixtures("meta")
@pytest.mark.parametrize("one_in", [4, pytest.param(1, marks=pytest.mark.slow)])
async def test_every_cell_of_the_table(
    house: House, anybody: Client, two_teams: TwoTeams, capsys: pytest.CaptureFixture[str], one_in: int
) -> None:
    """Or one in some of each row, in each row others."""
    object.__setattr__(house, "rates", Rates(100_000, 100_000))  # each is asked as fast as it goes
    start = cursor(house, (1, 1))
    asking = Asking(house, anybody, two_teams, start)
    people = {
        name: Principal(name, client.token)
        for name, client in (
            ("ben", two_teams.ben),
            ("eve", two_teams.eve),
            ("mia", two_teams.mia),
            ("admin", two_teams.admin),
        )
    }
    ended = await asking.session("bo")
    await asking.ask(ended["accessToken"], *_mutation("signOut", {}))
    people |= {
        "anonymous": Principal("anonymous", ""),
        "visitor": await _visitor(house, anybody),
        "revoked": Principal("revoked", ended["accessToken"]),
        "revoked token": await _program(house, set(Scope), revoked=True),
    }
    async with asyncio.timeout(20):
        while await _outcome(asking, people["mia"], "Query.changes") != "found":
            await asyncio.sleep(0.1)  # the feed waits for transactions elsewhere

    programs = {lacking: await _program(house, set(Scope) - {lacking}) for lacking in (None, *Scope)}
    wrong, cells = [], 0
    for row, (element, rule) in enumerate(RULES.items()):
        everybody = people | {"scope": programs[None], "no scope": programs[rule.scope]}
        asked = dict(islice(everybody.items(), row % one_in, None, one_in))
        expectations = {cell: _expected(rule, cell) for cell in asked}
        outcomes = await _outcomes(
            asking, element, list(zip(asked.values(), expectations.values(), strict=True))
        )
        for (cell, expected), outcome in zip(expectations.items(), outcomes, strict=True):
            cells += 1
            if outcome != expected:
                wrong.append(f"{element}: {cell} is {outcome}, not {expected}")

    with capsys.disabled():
        sys.stdout.write(f"\npermissions: {cells} cells asked, of {len(RULES)} elements\n")
    assert not wrong, "\n".join(wrong)


def test_every_element_of_the_schema_has_its_row_and_its_sample() -> None:
    roots = ("Query", "Mutation", "Subscription")
    elements = set()
    for name, type in GRAPHQL.type_map.items():
        if not isinstance(type, GraphQLObjectType) or name.startswith("__"):
            continue
        for field in type.fields:
            if rule_of(name, field):
                elements.add(f"{name}.{field}" if name in roots or f"{name}.{field}" in RULES else name)

    assert elements | {"Node"} == set(RULES), "rows without an element, or elements without a row"
    assert {*QUERIES, *(f"Mutation.{name}" for name in MUTATIONS)} == set(RULES)


def test_no_enum_stands_in_the_schema_under_two_names() -> None:
    """A type that uses one before it is named brings it in twice."""
    enums = [type for type in GRAPHQL.type_map.values() if isinstance(type, GraphQLEnumType)]
    values = [frozenset(enum.values) for enum in enums]

    assert len(values) == len(set(values))
