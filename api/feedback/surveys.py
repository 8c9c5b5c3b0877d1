"""Surveys: what is asked, of whom, and how it looks."""

import uuid
from datetime import datetime
from typing import Any

import strawberry
from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncSession

from api.answering.texting import SmsSegments, segments_shown
from api.context import Info, Reading, plain
from api.errors import OkPayload, UserError
from api.feedback import feedback  # noqa: F401 - whose enums these are
from api.mutations import changed, mutation
from api.node import Node
from api.selection import Selection, wanted
from api.ways_in.channels import Channel, channels_by_id
from domain import access
from domain.access import may_see
from domain.actors import Actor
from domain.db import Json
from domain.errors import InvalidInput, NotFound
from domain.feedback import surveys, wording
from domain.feedback.requests import SurveyRequest
from domain.feedback.scales import Scale, SurveyKind
from domain.feedback.surveys import Choice
from domain.ids import public_id, row_id
from domain.languages import LANGUAGES, N_
from domain.ways_in import channels
from domain.ways_in.channels import ChannelKind

EXAMPLE = uuid.UUID(int=0)
"""Of a request that there is not: its link leads nowhere."""


@strawberry.type(description="In one language.")
class SurveyQuestion:
    language: str
    text: str
    own: bool = strawberry.field(description="The shop's own words; otherwise Heddle's.")


@strawberry.type(description="What is asked after a ticket is solved.")
class Survey(Node):
    kind: SurveyKind
    channel: Channel | None = strawberry.field(
        description="None: every channel that has none of its own, but no text messages, which cost."
    )
    enabled: bool
    scale: Scale
    questions: list[SurveyQuestion] = strawberry.field(description="One for each of the four languages.")
    delay_minutes: int | None = strawberry.field(
        description="After the ticket is solved; null: an hour, and in a chat at once."
    )
    again_after_days: int = strawberry.field(description="Before that nobody is asked the same again.")
    sample_percent: int = strawberry.field(description="Of the solved tickets.")
    tells_of_low: bool = strawberry.field(
        description="Whoever has the ticket and a manager on shift are told of a bad answer: CSAT up to 2, NPS up to 6."
    )
    updated_at: datetime


@strawberry.input
class SurveyQuestionInput:
    language: str = strawberry.field(description="en, pl, es or ca.")
    text: str = strawberry.field(description="An empty one: Heddle's own.")


@strawberry.input(
    description="By its kind and channel, of the shop without one. What is left out stays; a delay of null is the usual one."
)
class SurveySaveInput:
    kind: SurveyKind
    channel_id: strawberry.ID | None = None
    enabled: bool | None = None
    scale: Scale | None = None
    questions: list[SurveyQuestionInput] | None = None
    delay_minutes: strawberry.Maybe[int | None]
    again_after_days: int | None = None
    sample_percent: int | None = None
    tells_of_low: bool | None = None
    client_mutation_id: strawberry.ID


@strawberry.input
class SurveyDeleteInput:
    id: strawberry.ID
    client_mutation_id: strawberry.ID


@strawberry.type
class SurveyPayload:
    survey: Survey | None = None
    user_errors: list[UserError] = strawberry.field(default_factory=list)


@strawberry.type(description="As a customer would get it. Its links lead nowhere.")
class SurveyPreview:
    language: str
    subject: str | None = strawberry.field(description="Of a mail.")
    text: str
    segments: SmsSegments | None = strawberry.field(description="Of a text message: each is paid for.")


async def _load(reading: Reading, selection: Selection, *conditions: ColumnElement[bool]) -> list[Survey]:
    row_of = surveys.Survey
    found = await reading.connection.execute(
        select(row_of.__table__)
        .where(may_see(row_of, reading.actor), row_of.given_up_at.is_(None), *conditions)
        .order_by(row_of.channel_id.is_not(None), row_of.kind, row_of.id)
        .limit(100)
    )
    rows = found.all()
    named = {row.channel_id for row in rows if row.channel_id}
    ways = await channels_by_id(reading, named, selection.below("channel")) if named else {}
    return [_survey(row, ways.get(row.channel_id)) for row in rows]


def _survey(row: Any, channel: Channel | None) -> Survey:
    kept = ("kind", "enabled", "scale", "delay_minutes", "again_after_days", "sample_percent", "tells_of_low", "updated_at")  # fmt: skip
    asked = [
        SurveyQuestion(language=language, text=wording.question(row, language), own=language in row.questions)
        for language in LANGUAGES
    ]
    said = {name: getattr(row, name) for name in kept}
    return plain(Survey, {**said, "id": public_id("Survey", row.id), "channel": channel, "questions": asked})


async def _surveys(info: Info) -> list[Survey]:
    async with info.context.reading() as reading:
        return await _load(reading, wanted(info))


async def _save(info: Info, input: SurveySaveInput) -> SurveyPayload:
    async def change(session: AsyncSession, actor: Actor, now: datetime) -> Json:
        channel_id = None
        if input.channel_id:
            asked = row_id("Channel", input.channel_id, field="channelId")
            channel_id = (await access.one(session, channels.Channel, asked, to=actor)).id
        delay = input.delay_minutes
        choice = Choice(
            enabled=input.enabled,
            scale=input.scale,
            questions=None
            if input.questions is None
            else {one.language: one.text for one in input.questions},
            delay_minutes=delay.value if delay else None,
            usual_delay=delay is not None and delay.value is None,
            again_after_days=input.again_after_days,
            sample_percent=input.sample_percent,
            tells_of_low=input.tells_of_low,
        )
        saved = await surveys.save(session, input.kind, channel_id, choice, at=now)
        return {"survey": str(saved.id)}

    done = await changed(info, input, change)
    async with info.context.reading() as reading:
        selection = wanted(info).below("survey")
        found = await _load(reading, selection, surveys.Survey.id == uuid.UUID(done["survey"]))
    return SurveyPayload(survey=found[0])


async def _delete(info: Info, input: SurveyDeleteInput) -> OkPayload:
    async def change(session: AsyncSession, actor: Actor, now: datetime) -> Json:
        survey = await access.one(session, surveys.Survey, row_id("Survey", input.id), to=actor, lock=True)
        if survey.given_up_at:
            raise NotFound(field=["id"])
        survey.give_up(at=now)
        return {}

    await changed(info, input, change)
    return OkPayload(ok=True)


async def _preview(
    info: Info, id: strawberry.ID, language: str = "en", channel: ChannelKind = ChannelKind.EMAIL
) -> SurveyPreview:
    if language not in LANGUAGES:
        raise InvalidInput(
            N_("Write in one of these languages: {languages}."),
            field=["language"],
            languages=", ".join(LANGUAGES),
        )
    house = info.context.house
    async with info.context.reading() as reading:

        async def read(session: AsyncSession) -> surveys.Survey:
            return await access.one(session, surveys.Survey, row_id("Survey", id), to=reading.actor)

        survey = await reading.connection.alone_with_rows(read)
    text = wording.asked(survey, channel, language, 1)
    if channel != ChannelKind.CHAT:
        shown = SurveyRequest(id=EXAMPLE, kind=survey.kind, scale=survey.scale, language=language)
        text += f"\n\n{wording.below(shown, channel, house.base_url, house.keys)}"
    return SurveyPreview(
        language=language,
        subject=wording.subject(survey.kind, language) if channel == ChannelKind.EMAIL else None,
        text=text,
        segments=segments_shown(text) if channel == ChannelKind.SMS else None,
    )


@strawberry.type
class SurveyQueries:
    surveys: list[Survey] = strawberry.field(
        resolver=_surveys, description="The shop's first; at most two for each channel, and 100."
    )
    survey_preview: SurveyPreview = strawberry.field(
        resolver=_preview, description="By which it goes: mail, chat, Messenger or a text message."
    )


@strawberry.type
class SurveyMutations:
    survey_save: SurveyPayload = mutation(resolver=_save)
    survey_delete: OkPayload = mutation(
        resolver=_delete,
        description="In its channel the shop's survey is asked again; without that one, or by text message, nothing is.",
    )
