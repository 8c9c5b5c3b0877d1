"""Numbers of ours that lead to one line: each stands on an advert, a page or a product, and says which one made a call."""

import uuid
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ForeignKey, UniqueConstraint, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from domain.customers.contacts import IdentityKind, normalised
from domain.db import Base, new_id
from domain.errors import InvalidInput
from domain.languages import LANGUAGES, N_
from domain.ways_in.channels import Channel, ChannelKind


class DialledNumber(Base):
    __tablename__ = "dialled_number"
    __table_args__ = (UniqueConstraint("channel_id", "number"),)

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    channel_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("channel.id"))
    number: Mapped[str]
    """In E.164."""
    campaign: Mapped[str] = mapped_column(default="", server_default="")
    source: Mapped[str] = mapped_column(default="", server_default="")
    """Where it stands: an advert, a page, a product."""
    language: Mapped[str] = mapped_column(default="", server_default="")
    """Of who calls it, where nothing better is known."""
    team_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("team.id"))
    """Whose its tickets are; none: the line's."""
    dial: Mapped[str] = mapped_column(default="", server_default="")
    """Where the PBX connects its calls, an extension or a number; "": as the PBX knows itself."""
    created_at: Mapped[datetime]


async def called(
    connection: AsyncConnection | AsyncSession, channel_id: uuid.UUID, number: str
) -> DialledNumber | None:
    if not number:
        return None
    of_channel = (DialledNumber.channel_id == channel_id, DialledNumber.number == number)
    found = await connection.execute(select(DialledNumber).where(*of_channel))
    return found.scalar_one_or_none()


async def save_number(
    session: AsyncSession,
    channel: Channel,
    written: str,
    *,
    campaign: str | None = None,
    source: str | None = None,
    language: str | None = None,
    team_id: uuid.UUID | None = None,
    keep_team: bool = False,
    dial: str | None = None,
    at: datetime,
) -> DialledNumber:
    """The one that is there is changed: what is left out stays. `keep_team`: so does its team."""
    if channel.kind != ChannelKind.PHONE:
        raise InvalidInput(N_("Numbers lead to phone lines."), field=["channelId"])
    if language and language not in LANGUAGES:
        raise InvalidInput(
            N_("A language is one of {known}."), field=["language"], known=", ".join(LANGUAGES)
        )
    number = normalised(IdentityKind.PHONE, written, region=channel.config.get("region"))
    kept = await called(session, channel.id, number)
    if kept is None:
        kept = DialledNumber(id=new_id(), channel_id=channel.id, number=number, created_at=at)
        session.add(kept)
    said = {"campaign": campaign, "source": source, "language": language, "dial": dial}
    for name, value in said.items():
        if value is not None:
            setattr(kept, name, value.strip())
    if not keep_team:
        kept.team_id = team_id
    await session.flush()
    return kept


async def numbers_of(session: AsyncSession, channel_id: uuid.UUID) -> Sequence[DialledNumber]:
    found = await session.scalars(
        select(DialledNumber).where(DialledNumber.channel_id == channel_id).order_by(DialledNumber.number)
    )
    return found.all()
