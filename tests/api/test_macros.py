"""Macros and canned texts: kept, shown in the customer's language, and put to work."""

import asyncio
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from api.house import House
from domain.actors import SYSTEM
from domain.agents.staff import Agent, Team, TeamMember, save_team
from domain.audit import AuditEntry, AuditKind
from domain.customers.contacts import Contact, Identity, IdentityKind
from domain.db import new_id
from domain.desk.messages import DeliveryState, Message
from domain.desk.tickets import Ticket, TicketStatus
from domain.events import Event, EventKind
from domain.ids import public_id, row_id
from domain.once import Done
from domain.planning.templates import Planned, TaskTemplate, save_template
from domain.ways_in.channels import Channel, ChannelKind
from tests.client import Client
from tests.factories import NOON, a_channel, a_mail, a_promise, a_text_message, receive, set_channel
from tests.feed import all_told, cursor_of

MACRO = """{ id name shortcut channels locale body visibility used team { name }
  actions { assign { whom agent { name } } status priority addTags removeTags note task { title dueIn } } }"""
SAVE = f"""mutation($input: MacroSaveInput!) {{ macroSave(input: $input) {{
  macro {MACRO} userErrors {{ code field message }} }} }}"""
DELETE = "mutation($input: MacroDeleteInput!) { macroDelete(input: $input) { ok userErrors { code } } }"
ALL = "query($channel: ChannelKind) { macros(channel: $channel) { name } }"
PREVIEW = """query($macro: ID!, $ticket: ID!, $identity: ID) {
  macroPreview(macroId: $macro, ticketId: $ticket, identityId: $identity) {
    locale text missing { variable at known } segments { encoding segments } } }"""
RUN = """mutation($input: MacroRunInput!) { macroRun(input: $input) {
  tickets { number status tags assignee { name } }
  replies { ticketId message { id text delivery } words { locale text missing { variable } } }
  userErrors { code field message } } }"""
SHOWN = "{ macros { actions { team { name } snooze { seconds } taskTemplate { name } } } }"
WORKED_ON = "query($id: ID!) { ticket(id: $id) { status snoozedUntil team { name } tasks { title } } }"
UNDO = "mutation($input: MessageUndoInput!) { messageUndo(input: $input) { ticket { status } userErrors { code } } }"

GREETINGS = {
    "pl": "Dzień dobry {{contact.first_name|Państwo}}, zgłoszenie {{ticket.number}} z {{today}}. {{agent.first_name}}, {{shop.name}}",
    "es": "Hola {{contact.first_name|cliente}}, su caso {{ticket.number}} del {{today}}. {{agent.first_name}}, {{shop.name}}",
    "ca": "Hola {{contact.first_name|client}}, el vostre cas {{ticket.number}} del {{today}}. {{agent.first_name}}, {{shop.name}}",
    "en": "Dear {{contact.first_name|customer}}, case {{ticket.number}} of {{today}}. {{agent.first_name}}, {{shop.name}}",
}  # fmt: skip
MONTHS = {
    "pl": "stycznia lutego marca kwietnia maja czerwca lipca sierpnia września października listopada grudnia",
    "es": "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
    "ca": "gener febrer març abril maig juny juliol agost setembre octubre novembre desembre",
    "en": "January February March April May June July August September October November December",
}


def bodies(**by_language: str) -> list[dict[str, str]]:
    return [{"locale": locale, "text": text} for locale, text in by_language.items()]


@pytest.fixture
async def mailbox(house: House) -> Channel:
    """Ada has written, and Zofia after her."""
    async with house.db.transaction() as session:
        await a_promise(session)
        channel = await a_channel(session, house.keys, ChannelKind.EMAIL, sender_name="Ada's boots")
        await receive(session, channel, a_mail("ada@example.org", sender_name="NOWAK, Ada"))
        await receive(session, channel, a_mail("zofia@example.org", sender_name="Zofia Lis"))
        return channel


async def ticket_of(session: AsyncSession, name: str) -> Ticket:
    found = await session.scalars(
        select(Ticket).join(Contact, Contact.id == Ticket.contact_id).where(Contact.name.contains(name))
    )
    return found.one()


async def ids(house: House) -> dict[str, str]:
    async with house.db.transaction() as session:
        return {name: public_id("Ticket", (await ticket_of(session, name)).id) for name in ("Ada", "Zofia")}


async def saved(client: Client, **said: Any) -> str:
    done = await client.do(SAVE, **{"name": "Thanks", "bodies": bodies(en="Thank you."), **said})
    assert done["userErrors"] == []
    return str(done["macro"]["id"])


async def test_a_macro_speaks_the_language_of_the_customer(
    house: House, ben: Client, mailbox: Channel
) -> None:
    macro, ada = await saved(ben, bodies=bodies(**GREETINGS)), (await ids(house))["Ada"]

    async def preview(locale: str) -> dict[str, Any]:
        async with house.db.transaction() as session:
            await session.execute(update(Contact).where(Contact.name.contains("Ada")).values(locale=locale))
        found: dict[str, Any] = (await ben.ask(PREVIEW, macro=macro, ticket=ada))["macroPreview"]
        return found

    said = {locale: await preview(locale) for locale in ("pl-PL", "es", "ca-ES", "en")}
    async with house.db.transaction() as session:
        await set_channel(session, "email", language="ca")
    other = await preview("fr")

    assert {locale: one["locale"] for locale, one in said.items()} == {
        "pl-PL": "pl", "es": "es", "ca-ES": "ca", "en": "en",
    }  # fmt: skip
    for one in said.values():
        assert " Ada, " in one["text"]
        assert "Ben, Ada's boots" in one["text"]
        assert any(month in one["text"] for month in MONTHS[one["locale"]].split())
        assert (one["missing"], one["segments"]) == ([], None)
    assert other["locale"] == "ca"


async def test_a_macro_hands_to_a_team_snoozes_and_makes_the_tasks_of_a_template(
    house: House, ben: Client, mia: Client, mailbox: Channel
) -> None:
    async with house.db.transaction() as session:
        team = await save_team(session, None, "Returns")
        planned = [Planned("Take the parcel in", 2), Planned("Refund", 3)]
        template = await save_template(
            session, None, name="A parcel comes back", tasks=planned, on_complaint=False, law=None
        )
        team_id, template_id = public_id("Team", team.id), public_id("TaskTemplate", template.id)
    doing = [{"teamId": team_id}, {"taskTemplateId": template_id}, {"snooze": {"seconds": 172_800}}]
    macro = await saved(mia, actions=doing, visibility="EVERYONE")
    waits = await saved(mia, name="Wait", actions=[{"snooze": {}}], visibility="EVERYONE")
    tickets = await ids(house)

    assert await ben.refused(SAVE, name="Never", actions=[{"snooze": {"seconds": 0}}]) == ["INVALID"]
    assert await ben.refused(SAVE, name="Nowhere", actions=[{"teamId": public_id("Team", new_id())}]) == [
        "NOT_FOUND"
    ]
    (shown, _) = (await ben.ask(SHOWN))["macros"]
    assert [one for one in shown["actions"][0].values() if one] == [{"name": "Returns"}]
    assert shown["actions"][1]["taskTemplate"] == {"name": "A parcel comes back"}
    assert shown["actions"][2]["snooze"] == {"seconds": 172_800}

    await mia.do(RUN, macroId=macro, ticketIds=[tickets["Ada"]])
    (zofia,) = (await mia.do(RUN, macroId=waits, ticketIds=[tickets["Zofia"]]))["tickets"]

    assert zofia["status"] == "PENDING"
    ada = (await mia.ask(WORKED_ON, id=tickets["Ada"]))["ticket"]
    assert (ada["status"], ada["team"], ada["snoozedUntil"] is None) == (
        "PENDING",
        {"name": "Returns"},
        False,
    )
    assert sorted(one["title"] for one in ada["tasks"]) == ["Refund", "Take the parcel in"]
    async with house.db.transaction() as session:
        (await session.get_one(TaskTemplate, row_id("TaskTemplate", template_id))).archived_at = NOON
    assert await mia.refused(RUN, macroId=macro, ticketIds=[tickets["Ada"]]) == ["INVALID"]


async def test_a_note_of_a_macro_calls_whom_it_names_and_nobody_a_customer_has_named(
    house: House, ben: Client, mia: Client, mailbox: Channel
) -> None:
    async with house.db.transaction() as session:
        await session.execute(update(Ticket).values(subject="Tell @Ben"))
    macro = await saved(ben, actions=[{"note": "@Mia, may we? {{ticket.subject}}"}], visibility="PRIVATE")

    await ben.do(RUN, macroId=macro, ticketIds=[(await ids(house))["Ada"]])

    called = "{ mentions(first: 5) { edges { node { note { text mentions { name } } } } } }"
    (edge,) = (await mia.ask(called))["mentions"]["edges"]
    assert edge["node"]["note"] == {"text": "@Mia, may we? Tell @Ben", "mentions": [{"name": "Mia"}]}


async def test_a_reply_leaves_where_nothing_came_in_between(
    house: House, ben: Client, mailbox: Channel
) -> None:
    macro = await saved(
        ben,
        bodies=bodies(en="Dear {{contact.first_name}}, case {{ticket.number}} is done."),
        actions=[
            {"assign": {"whom": "ME"}},
            {"addTags": ["Done"]},
            {"note": "{{contact.first_name}} was told."},
            {"task": {"title": "Call {{contact.first_name}}", "assignee": {"whom": "ME"}, "dueIn": 3600}},
            {"status": "SOLVED"},
        ],
    )
    tickets, read_to = await ids(house), await cursor_of(house, ben)
    house.settings.undo_seconds = 30
    async with house.db.transaction() as session:
        zofia = await ticket_of(session, "Zofia")
        first = (await session.scalars(select(Message).where(Message.ticket_id == zofia.id))).one()
        await receive(
            session,
            await session.get_one(Channel, mailbox.id),
            a_mail("zofia@example.org", "One more thing.", references=(first.external_id,)),
        )

    done = await ben.do(
        RUN, macroId=macro, ticketIds=[tickets["Zofia"], tickets["Ada"]], send=True, changeCursor=read_to
    )

    (ada,), (reply,), (refused,) = done["tickets"], done["replies"], done["userErrors"]
    assert (ada["status"], ada["tags"], ada["assignee"]["name"]) == ("SOLVED", ["done"], "Ben")
    assert reply["message"]["text"] == f"Dear Ada, case {ada['number']} is done."
    assert (refused["code"], refused["field"]) == ("SOMEBODY_ANSWERED", ["ticketIds", "0"])
    async with house.db.transaction() as session:
        rows = {name: row_id("Ticket", tickets[name]) for name in tickets}
        kinds = {
            name: (
                await session.scalars(
                    select(Event.kind)
                    .where(
                        Event.ticket_id == rows[name],
                        Event.actor_id == row_id("Agent", ben.agent_id),
                        Event.kind.not_like("sla_%"),
                    )
                    .order_by(Event.seq)
                )
            ).all()
            for name in rows
        }
    assert kinds["Ada"] == [
        EventKind.MESSAGE_QUEUED,
        EventKind.TICKET_CHANGED,
        EventKind.TICKET_ASSIGNED,
        EventKind.TICKET_CHANGED,
        EventKind.NOTE_ADDED,
        EventKind.TASK_SAVED,
    ]
    assert kinds["Zofia"] == []
    assert (await ben.ask("{ macros { used } }"))["macros"] == [{"used": 1}]

    undone = await ben.do(UNDO, id=reply["message"]["id"])

    assert undone == {"ticket": {"status": "NEW"}, "userErrors": []}
    async with house.db.transaction() as session:
        sent = await session.get_one(Message, row_id("Message", reply["message"]["id"]))
        assert sent.delivery == DeliveryState.UNDONE


@pytest.mark.parametrize("seconds", [172_800, None], ids=["for two days", "until the customer answers"])
async def test_a_ticket_that_a_macro_put_to_sleep_wakes_when_its_answer_is_taken_back(
    house: House, ben: Client, mailbox: Channel, seconds: int | None
) -> None:
    macro = await saved(
        ben, bodies=bodies(en="Give us two days."), actions=[{"snooze": {"seconds": seconds}}]
    )
    tickets, read_to = await ids(house), await cursor_of(house, ben)
    house.settings.undo_seconds = 30
    done = await ben.do(RUN, macroId=macro, ticketIds=[tickets["Ada"]], send=True, changeCursor=read_to)
    (reply,) = done["replies"]

    undone = await ben.do(UNDO, id=reply["message"]["id"])

    assert done["tickets"][0]["status"] == "PENDING"
    assert undone == {"ticket": {"status": "NEW"}, "userErrors": []}
    async with house.db.transaction() as session:
        assert (await ticket_of(session, "Ada")).snoozed_until is None


async def test_a_ticket_that_cannot_be_handled_so_keeps_no_other_from_it(
    house: House, ben: Client, mailbox: Channel
) -> None:
    """Ben has taken the first before its status is refused: that is taken back, and he is asked for his name again."""
    actions = [{"assign": {"whom": "ME"}}, {"status": "SOLVED"}]
    macro, named = (
        await saved(ben, bodies=bodies(en="{{agent.first_name}}"), actions=actions),
        await ids(house),
    )
    async with house.db.transaction() as session:
        (await ticket_of(session, "Ada")).undecided = True

    ran = await ben.do(RUN, macroId=macro, ticketIds=[named["Ada"], named["Zofia"]])

    assert [(one["code"], one["field"]) for one in ran["userErrors"]] == [
        ("COMPLAINT_UNDECIDED", ["ticketIds", "0"])
    ]
    assert [(one["status"], one["assignee"]) for one in ran["tickets"]] == [("SOLVED", {"name": "Ben"})]
    assert [one["words"]["text"] for one in ran["replies"]] == ["Ben"]
    async with house.db.transaction() as session:
        assert (await ticket_of(session, "Ada")).assignee_id is None


async def test_without_send_the_words_are_for_the_editor(house: House, ben: Client, mailbox: Channel) -> None:
    macro = await saved(ben, bodies=bodies(es="Hola {{order.number}}"), actions=[{"priority": 1}])
    ada = (await ids(house))["Ada"]

    done = await ben.do(RUN, macroId=macro, ticketIds=[ada])
    again = await ben.do(
        RUN, macroId=macro, ticketIds=[ada], send=True, changeCursor=await cursor_of(house, ben)
    )
    blind = await ben.refused(RUN, macroId=macro, ticketIds=[ada], send=True)

    (reply,) = done["replies"]
    assert reply["message"] is None
    assert reply["words"] == {"locale": "es", "text": "Hola ", "missing": [{"variable": "order.number"}]}
    (refused,) = again["userErrors"]
    assert refused["code"] == "MACRO_INCOMPLETE"
    assert "order.number" in refused["message"]
    assert blind == ["INVALID"]
    async with house.db.transaction() as session:
        assert (await ticket_of(session, "Ada")).priority == 1
        assert len((await session.scalars(select(Message))).all()) == 2


async def test_nobody_waits_for_a_connection_while_holding_another(
    house: House, ben: Client, mailbox: Channel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of each kind is left: a run that holds up a preview, or a preview a run, holds up both for ever."""
    macro = await saved(ben, bodies=bodies(en="It is done."))
    ada, read_to = (await ids(house))["Ada"], await cursor_of(house, ben)
    run = {"macroId": macro, "ticketIds": [ada], "send": True, "changeCursor": read_to}
    monkeypatch.setattr(house.db.readers, "_free", asyncio.Semaphore(1))
    pool: Any = house.db.engine.pool
    async with AsyncExitStack() as others:
        for _ in range(pool.size() + pool._max_overflow - 1):
            other = await others.enter_async_context(house.db.reading())
        mine = {"actor_id": row_id("Agent", ben.agent_id), "client_mutation_id": "run"}
        await other.execute(insert(Done).values(**mine, input_hash=b"", at=NOON))

        running = asyncio.create_task(ben.do(RUN, **run, clientMutationId="run"))
        while not await somebody_waits(house):
            await asyncio.sleep(0.01)
        asked = asyncio.create_task(ben.ask(PREVIEW, macro=macro, ticket=ada))
        await asyncio.wait((asked,), timeout=1)
        await other.rollback()

        assert (await running)["userErrors"] == []
        assert (await asked)["macroPreview"]["text"] == "It is done."


async def somebody_waits(house: House) -> bool:
    waiting = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    async with house.db.asking() as connection:
        return (await connection.execute(text(waiting))).first() is not None


async def test_a_run_that_was_made_is_told_again_when_its_cursor_is_too_old(
    house: House, ben: Client, mailbox: Channel
) -> None:
    macro = await saved(ben, bodies=bodies(en="It is done."))
    run = {
        "macroId": macro,
        "ticketIds": [(await ids(house))["Ada"]],
        "send": True,
        "changeCursor": await cursor_of(house, ben),
    }
    first = await ben.do(RUN, **run, clientMutationId="again")

    async with house.db.transaction() as session:
        await session.execute(update(Event).values(recorded_at=func.now() - timedelta(days=8)))
    await all_told(house)

    assert await ben.do(RUN, **run, clientMutationId="again") == first
    assert await ben.refused(RUN, **run) == ["SOMEBODY_ANSWERED"]


async def test_a_macro_for_another_channel_is_not_sent(house: House, ben: Client, mailbox: Channel) -> None:
    async with house.db.transaction() as session:
        number = await a_channel(session, house.keys, ChannelKind.SMS)
        await receive(session, number, a_text_message("+48600100200", "Gdzie?", sender_name="Marta"))
        texted = (await session.scalars(select(Ticket).order_by(Ticket.number.desc()).limit(1))).one()
    short = await saved(ben, name="Short", channels=["SMS"], bodies=bodies(pl="Już jedzie: {{today}} ł"))
    await saved(ben, name="Everywhere")

    refused = await ben.refused(
        RUN,
        macroId=short,
        ticketIds=[(await ids(house))["Zofia"]],
        send=True,
        changeCursor=await cursor_of(house, ben),
    )
    preview = (await ben.ask(PREVIEW, macro=short, ticket=public_id("Ticket", texted.id)))["macroPreview"]

    assert refused == ["MACRO_OTHER_CHANNEL"]
    assert preview["segments"] == {"encoding": "UCS_2", "segments": 1}
    assert (await ben.ask(ALL, channel="EMAIL"))["macros"] == [{"name": "Everywhere"}]
    assert (await ben.ask(ALL, channel="SMS"))["macros"] == [{"name": "Everywhere"}, {"name": "Short"}]


async def test_a_macro_is_for_the_channel_by_which_its_answer_would_leave(
    house: House, ben: Client, mailbox: Channel
) -> None:
    async with house.db.transaction() as session:
        number = await a_channel(session, house.keys, ChannelKind.SMS)
        number.name = "Boots"
        await receive(session, number, a_text_message("+48600100200", "Gdzie?", sender_name="Marta"))
        (telephone,) = await session.scalars(select(Identity).where(Identity.kind == IdentityKind.PHONE))
        martas, zofia = await ticket_of(session, "Marta"), await ticket_of(session, "Zofia")
        martas.change(by=SYSTEM, at=NOON, status=TicketStatus.CLOSED)
        telephone.contact_id = zofia.contact_id  # who wrote by mail now, and by text message before
        (address,) = await session.scalars(select(Identity).where(Identity.value == "zofia@example.org"))
    to = public_id("Identity", telephone.id)
    ticket, short = (await ids(house))["Zofia"], await saved(ben, bodies=bodies(en="Coming. {{shop.name}}"))
    by_mail = await saved(ben, name="Long", channels=["EMAIL"])
    cursor = await cursor_of(house, ben)

    preview = (await ben.ask(PREVIEW, macro=short, ticket=ticket, identity=to))["macroPreview"]
    mailed = await ben.ask(PREVIEW, macro=short, ticket=ticket, identity=public_id("Identity", address.id))
    how = {"ticketIds": [ticket], "send": True, "changeCursor": cursor, "identityId": to}
    refused = await ben.refused(RUN, **how, macroId=by_mail)
    ran = await ben.do(RUN, **how, macroId=short)

    assert (preview["text"], preview["segments"]) == ("Coming. Boots", {"encoding": "GSM_7", "segments": 1})
    assert mailed["macroPreview"]["segments"] is None
    assert refused == ["MACRO_OTHER_CHANNEL"]
    assert ran["replies"][0]["message"]["text"] == "Coming. Boots"


async def test_who_sees_a_macro_and_who_may_change_it(
    house: House, ben: Client, eve: Client, mia: Client
) -> None:
    async with house.db.transaction() as session:
        returns = Team(id=new_id(), name="Returns")
        session.add(returns)
        await session.flush()
        bens_id = await session.scalar(select(Agent.id).where(Agent.name == "Ben"))
        session.add(TeamMember(team_id=returns.id, agent_id=bens_id))
    team_id = public_id("Team", returns.id)

    await saved(ben, name="Mine", shortcut="/x")
    teams = await saved(ben, name="Ours", visibility="TEAM", teamId=team_id, shortcut="x")
    everyones = await saved(mia, name="All", visibility="EVERYONE", shortcut="x")
    not_bens = await ben.refused(SAVE, id=everyones, name="Ben's")
    not_shared = await ben.refused(SAVE, name="B", bodies=bodies(en="b"), visibility="EVERYONE")
    not_eves = await eve.refused(SAVE, id=teams, name="Eve's")
    taken = await mia.do(SAVE, name="C", bodies=bodies(en="c"), visibility="EVERYONE", shortcut="X")
    seen = {
        who: [one["name"] for one in (await client.ask(ALL))["macros"]]
        for who, client in (("Ben", ben), ("Eve", eve), ("Mia", mia))
    }
    gone = await mia.do(DELETE, id=teams)

    assert (not_bens, not_shared, not_eves) == (["NOT_ALLOWED"], ["NOT_ALLOWED"], ["NOT_FOUND"])
    assert [error["field"] for error in taken["userErrors"]] == [["shortcut"]]
    assert seen == {"Ben": ["All", "Mine", "Ours"], "Eve": ["All"], "Mia": ["All", "Ours"]}
    assert gone == {"ok": True, "userErrors": []}
    async with house.db.transaction() as session:
        audited = await session.scalars(
            select(AuditEntry)
            .where(AuditEntry.kind.in_([AuditKind.MACRO_SAVED, AuditKind.MACRO_DELETED]))
            .order_by(AuditEntry.seq)
        )
        assert [(entry.kind, entry.data.get("name")) for entry in audited] == [
            (AuditKind.MACRO_SAVED, "Ours"),
            (AuditKind.MACRO_SAVED, "All"),
            (AuditKind.MACRO_DELETED, "Ours"),
        ]


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"bodies": bodies(en="a", pl="Dzień dobry {{contact.imie}}")}, ["bodies", "1", "text"]),
        ({"bodies": bodies(fr="Bonjour")}, ["bodies", "0", "locale"]),
        ({"bodies": []}, ["bodies"]),
        ({"actions": [{"priority": 9}]}, ["actions", "0", "priority"]),
        ({"actions": [{"note": "{{x}}"}]}, ["actions", "0", "note"]),
        ({"actions": [{"assign": {"whom": "AGENT"}}]}, ["actions", "0", "assign", "agentId"]),
        ({"visibility": "TEAM"}, ["teamId"]),
        ({"shortcut": "with blanks"}, ["shortcut"]),
        ({"name": " "}, ["name"]),
    ],
)
async def test_what_cannot_be_a_macro_is_refused_at_its_place(
    ben: Client, said: dict[str, Any], field: list[str]
) -> None:
    done = await ben.do(SAVE, **{"name": "Thanks", "bodies": bodies(en="Thank you."), **said})

    assert [error["field"] for error in done["userErrors"]] == [field]
