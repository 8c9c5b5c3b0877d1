"""What else a shop wants to know of its contacts and of its tickets: fields that an admin defines, and their values.

A value is kept as text in one spelling, under its field's id, in the contact's or the ticket's row. A field that is archived
is shown and asked for no longer; its values stay, and are there again when it comes back.
"""

import operator
import re
import uuid
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Index, Numeric, cast, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from domain import naming
from domain.abreast import one_at_a_time
from domain.db import Base, Json, new_id
from domain.errors import InvalidInput, NotFound, Refused
from domain.languages import N_

MOST_FIELDS = 50
MOST_OPTIONS = 100
LONGEST = 1000

_NUMBER = re.compile(r"[+-]?[0-9]{1,20}(\.[0-9]{1,10})?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


class FieldKind(StrEnum):
    TEXT = "text"
    NUMBER = "number"
    DATE = "date"
    YES_NO = "yes_no"
    CHOICE = "choice"


class FieldSubject(StrEnum):
    CONTACT = "contact"
    TICKET = "ticket"


class CustomField(Base):
    __tablename__ = "custom_field"
    __table_args__ = (
        Index(
            "uq_custom_field_label",
            "subject",
            "label",
            unique=True,
            postgresql_where=text("archived_at IS NULL"),
        ),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    subject: Mapped[FieldSubject] = mapped_column(server_default="contact")
    label: Mapped[str]
    kind: Mapped[FieldKind]
    options: Mapped[list[str]]
    """Of a choice."""
    created_at: Mapped[datetime]
    archived_at: Mapped[datetime | None]


def spelled(kind: FieldKind, given: str, *, options: Iterable[str] = ()) -> str:
    """A value in the one spelling in which it is kept; refuses what is none of its kind."""
    said = given.strip()
    match kind:
        case FieldKind.TEXT:
            if not said:
                raise InvalidInput(N_("This may not be empty."))
            if len(said) > LONGEST:
                raise InvalidInput(N_("This is too long: at most {most} characters."), most=LONGEST)
            return said
        case FieldKind.NUMBER:
            if not _NUMBER.fullmatch(said):
                raise InvalidInput(N_("A number is written with digits, such as 12 or -12.50."))
            number = Decimal(said)
            return f"{number.copy_abs() if number.is_zero() else number:f}"
        case FieldKind.DATE:
            try:
                return date.fromisoformat(_DATE.fullmatch(said)[0]).isoformat()  # type: ignore[index]  # no match: refused
            except (TypeError, ValueError):
                raise InvalidInput(N_("A date is written like 2026-12-24.")) from None
        case FieldKind.YES_NO:
            if said not in ("true", "false"):
                raise InvalidInput(N_("This is either true or false."))
            return said
        case FieldKind.CHOICE:
            if said not in options:
                raise InvalidInput(N_("This is none of the choices: {options}."), options=", ".join(options))
            return said


async def spelled_values(
    session: AsyncSession, subject: FieldSubject, given: list[tuple[uuid.UUID | None, str | None]]
) -> dict[str, str | None]:
    """Values to be kept, by their field's id; none takes one away. A refusal says which of them it is about."""
    rows = await session.scalars(
        select(CustomField).where(CustomField.subject == subject, CustomField.archived_at.is_(None))
    )
    known = {row.id: row for row in rows}
    values: dict[str, str | None] = {}
    for place, (id, value) in enumerate(given):
        field = known.get(id) if id else None
        if field is None:
            raise NotFound(field=["fields", str(place), "fieldId"])
        try:
            kept = None if value is None else spelled(field.kind, value, options=field.options)
        except Refused as refusal:
            refusal.field = ["fields", str(place), "value"]
            raise
        values[str(field.id)] = kept
    return values


async def labels(session: AsyncSession, subject: FieldSubject) -> dict[str, uuid.UUID]:
    """By what the fields in use are called."""
    rows = await session.execute(
        select(CustomField.label, CustomField.id).where(
            CustomField.subject == subject, CustomField.archived_at.is_(None)
        )
    )
    return {label: id for label, id in rows}


async def spelled_by_label(
    session: AsyncSession, subject: FieldSubject, given: Mapping[str, str]
) -> dict[str, str | None]:
    """As `spelled_values`; a refusal names the field's label."""
    known = await labels(session, subject)
    values: dict[str, str | None] = {}
    for label, value in given.items():
        try:
            values |= await spelled_values(session, subject, [(known.get(label), value)])
        except Refused as refusal:
            refusal.field = [label]
            raise
    return values


COMPARED: dict[str, Callable[[Any, Any], ColumnElement[bool]]] = {
    "=": operator.eq,
    "<": operator.lt,
    ">": operator.gt,
}


def says(values: Any, field: CustomField, sign: str, value: str) -> ColumnElement[bool]:
    """Of a row with such `values`: is that of the field so? `value` is spelled already; texts are compared in any case."""
    kept, said = values[str(field.id)].astext, value.casefold()
    if field.kind == FieldKind.NUMBER:
        return COMPARED[sign](cast(kept, Numeric), Decimal(said))
    return COMPARED[sign](func.lower(kept), said)  # a date is spelled so that it sorts by time


def kept_values(values: Json, said: Mapping[str, str | None]) -> Json:
    """With what was said of some of them, where none takes one away."""
    return {id: value for id, value in {**values, **said}.items() if value is not None}


async def save_field(
    session: AsyncSession,
    field: CustomField | None,
    *,
    subject: FieldSubject,
    label: str | None,
    kind: FieldKind | None,
    options: list[str] | None,
    at: datetime,
) -> CustomField:
    """A new one, or what is said of one that is here. Its kind stays: values are kept in it."""
    if field is None:
        if kind is None:
            raise InvalidInput(N_("Say which kind of field it is."), field=["kind"])
        field = CustomField(id=new_id(), subject=subject, label="", kind=kind, options=[], created_at=at)
    if kind not in (None, field.kind):
        raise InvalidInput(N_("The kind of a field stays what it is: make another field."), field=["kind"])
    if label is not None:
        field.label = naming.line(label, "label")
    if options is not None:
        field.options = list(dict.fromkeys(filter(None, (option.strip() for option in options))))
    if not field.label:
        raise InvalidInput(N_("This may not be empty."), field=["label"])
    if len(field.options) > MOST_OPTIONS:
        raise InvalidInput(N_("At most {most} choices."), field=["options"], most=MOST_OPTIONS)
    if bool(field.options) != (field.kind == FieldKind.CHOICE):
        raise InvalidInput(N_("A choice, and nothing else, has options to choose from."), field=["options"])
    await _keep(session, field)
    return field


async def archive(session: AsyncSession, field: CustomField, archived: bool, *, at: datetime) -> None:
    field.archived_at = (field.archived_at or at) if archived else None
    await _keep(session, field)


async def _keep(session: AsyncSession, field: CustomField) -> None:
    if field.archived_at is None:
        others = select(CustomField.id).where(
            CustomField.subject == field.subject,
            CustomField.archived_at.is_(None),
            CustomField.id != field.id,
        )
        with session.no_autoflush:
            await one_at_a_time(session, "fields")
            if await session.scalar(others.where(CustomField.label == field.label)):
                raise InvalidInput(N_("There is a field with this name already."), field=["label"])
            if (
                await session.scalar(select(func.count()).select_from(others.subquery())) or 0
            ) >= MOST_FIELDS:
                raise InvalidInput(N_("At most {most} fields."), field=["id"], most=MOST_FIELDS)
    session.add(field)
    await session.flush()
