"""What a shop asks its customers afterwards: a survey of each kind for the whole shop, and others for single channels."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ForeignKey, Integer, UniqueConstraint, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from domain.abreast import one_at_a_time
from domain.db import Base, Json, new_id
from domain.errors import InvalidInput
from domain.feedback.scales import SCALES, Scale, SurveyKind
from domain.languages import LANGUAGES, N_
from domain.ways_in.channels import Channel, ChannelKind

LONGEST_QUESTION = 300
LONGEST_DELAY = 60 * 24 * 7
MOST_DAYS = 365

DAYS = {SurveyKind.CSAT: 30, SurveyKind.NPS: 90}
SAMPLE = {SurveyKind.CSAT: 100, SurveyKind.NPS: 10}
MAIL_DELAY = 60
"""Minutes. Who is in the chat is asked at once."""


class Survey(Base):
    __tablename__ = "survey"
    __table_args__ = (UniqueConstraint("kind", "channel_id", postgresql_nulls_not_distinct=True),)

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    kind: Mapped[SurveyKind]
    channel_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("channel.id"))
    """None: for every channel that has none of its own. Text messages cost: they are asked only by one of their own."""
    enabled: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    scale: Mapped[Scale]
    questions: Mapped[Json] = mapped_column(default=dict, server_default=text("'{}'"))
    """The shop's own, by language; without one, ours."""
    delay_minutes: Mapped[int | None] = mapped_column(Integer)
    """After the ticket is solved; none: as is usual in its channel."""
    again_after_days: Mapped[int] = mapped_column(Integer)
    """Before that the same person is not asked again, by whichever channel."""
    sample_percent: Mapped[int] = mapped_column(Integer)
    """Of the tickets."""
    tells_of_low: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    """Is somebody of the shop told of a bad answer?"""
    updated_at: Mapped[datetime]
    given_up_at: Mapped[datetime | None]
    """As if there were none, until it is saved again; what was asked by it points here."""

    def give_up(self, *, at: datetime) -> None:
        """Whoever waits to be asked by it is asked no more."""
        self.enabled, self.given_up_at, self.updated_at = False, at, at

    def delay(self, channel: ChannelKind) -> timedelta:
        usual = 0 if channel == ChannelKind.CHAT else MAIL_DELAY
        return timedelta(minutes=usual if self.delay_minutes is None else self.delay_minutes)

    def draws(self, ticket_id: uuid.UUID) -> bool:
        """The same for a ticket however often it is solved: the end of its id is chance."""
        return ticket_id.int % 100 < self.sample_percent


@dataclass(frozen=True)
class Choice:
    """What is left out stays."""

    enabled: bool | None = None
    scale: Scale | None = None
    questions: Mapping[str, str] | None = None
    """An empty one takes the shop's own away."""
    delay_minutes: int | None = None
    usual_delay: bool = False
    again_after_days: int | None = None
    sample_percent: int | None = None
    tells_of_low: bool | None = None


LIMITS = {
    "delay_minutes": ("delayMinutes", 0, LONGEST_DELAY),
    "again_after_days": ("againAfterDays", 1, MOST_DAYS),
    "sample_percent": ("samplePercent", 0, 100),
}


async def save(
    session: AsyncSession, kind: SurveyKind, channel_id: uuid.UUID | None, choice: Choice, *, at: datetime
) -> Survey:
    _check(kind, choice)
    await one_at_a_time(session, f"survey\n{kind} {channel_id}")
    survey = await session.scalar(
        select(Survey).where(Survey.kind == kind, Survey.channel_id.is_not_distinct_from(channel_id))
    )
    if survey is None:
        survey = Survey(
            id=new_id(), kind=kind, channel_id=channel_id, enabled=False, scale=SCALES[kind][0], questions={},
            again_after_days=DAYS[kind], sample_percent=SAMPLE[kind], tells_of_low=False,
        )  # fmt: skip
        session.add(survey)
    for name in ("enabled", "scale", "tells_of_low", *LIMITS):
        value = getattr(choice, name)
        if value is not None:
            setattr(survey, name, value)
    if choice.usual_delay:
        survey.delay_minutes = None
    if choice.questions is not None:
        asked = survey.questions | {name: said.strip() for name, said in choice.questions.items()}
        survey.questions = {name: said for name, said in asked.items() if said}
    survey.updated_at, survey.given_up_at = at, None
    await session.flush()
    return survey


def _check(kind: SurveyKind, choice: Choice) -> None:
    if choice.scale is not None and choice.scale not in SCALES[kind]:
        raise InvalidInput(N_("This scale does not go with this kind of survey."), field=["scale"])
    for name, (field, least, most) in LIMITS.items():
        value = getattr(choice, name)
        if value is not None and not least <= value <= most:
            raise InvalidInput(
                N_("Give a number from {least} to {most}."), field=[field], least=least, most=most
            )
    for language, question in (choice.questions or {}).items():
        if language not in LANGUAGES:
            raise InvalidInput(
                N_("Write in one of these languages: {languages}."),
                field=["questions"],
                languages=", ".join(LANGUAGES),
            )
        if len(question) > LONGEST_QUESTION:
            raise InvalidInput(
                N_("This is too long: at most {most} characters."), field=["questions"], most=LONGEST_QUESTION
            )


async def surveys_for(session: AsyncSession, channel: Channel) -> dict[SurveyKind, Survey]:
    """By kind, those that are asked in this channel. Its own comes in place of the shop's, also to say that nothing is asked."""
    own, of_shop = Survey.channel_id == channel.id, Survey.channel_id.is_(None)
    found = await session.scalars(
        select(Survey)
        .where(own if channel.kind == ChannelKind.SMS else own | of_shop, Survey.given_up_at.is_(None))
        .order_by(Survey.channel_id.is_not(None))
    )
    return {kind: one for kind, one in {one.kind: one for one in found}.items() if one.enabled}
