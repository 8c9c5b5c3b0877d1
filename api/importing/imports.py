"""Spreadsheets that are taken over: agents and contacts."""

import uuid
from datetime import datetime
from enum import Enum
from typing import Any

import strawberry
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from api.context import Info, Reading, plain
from api.errors import UserError
from api.mutations import changed, mutation
from api.node import Node
from api.paging import page_size
from domain.access import may_see
from domain.actors import Actor
from domain.db import Json
from domain.ids import public_id, row_id
from domain.importing import imports
from domain.importing.sheets import ImportKind
from domain.languages import translate

strawberry.enum(ImportKind)


@strawberry.enum
class ImportState(Enum):
    UNDER_WAY = "under_way"
    FINISHED = "finished"
    FAILED = "failed"


@strawberry.type(description="Why a row was not taken over.")
class ImportProblem:
    line: int = strawberry.field(description="In the file; the first line is 1.")
    column: str | None = strawberry.field(description="As Heddle calls it, or a field of the shop's own.")
    code: str
    message: str


@strawberry.type(description="A spreadsheet that is taken over, row by row, in the background.")
class Import(Node):
    kind: ImportKind
    state: ImportState
    dry_run: bool = strawberry.field(description="Every row is tried, and nothing is kept.")
    total: int = strawberry.field(description="Rows; 0 until it has begun.")
    done: int
    created: int
    updated: int
    unchanged: int
    refused: int
    unknown_columns: list[str] = strawberry.field(description="That were left out.")
    problems: list[ImportProblem] = strawberry.field(description="The first hundred, by line.")
    asked_at: datetime
    finished_at: datetime | None


@strawberry.input(
    description="`fileId`: a CSV file that `POST /files` has answered for. Its first line names the columns: see docs/importing.md."
)
class ImportStartInput:
    kind: ImportKind
    file_id: strawberry.ID
    dry_run: bool = strawberry.field(default=True, description="First see what would become of each row.")
    client_mutation_id: strawberry.ID


@strawberry.type
class ImportPayload:
    imported: Import | None = strawberry.field(name="import", default=None)
    user_errors: list[UserError] = strawberry.field(default_factory=list)


async def _import_start(info: Info, input: ImportStartInput) -> ImportPayload:
    async def change(session: AsyncSession, actor: Actor, now: datetime) -> Json:
        file_id = row_id("Attachment", input.file_id, field="fileId")
        started = await imports.start(session, input.kind, file_id, dry_run=input.dry_run, by=actor, at=now)
        return {"import": str(started.id)}

    done = await changed(info, input, change)
    async with info.context.reading() as reading:
        found = await _imports(reading, imports.Import.id == uuid.UUID(done["import"]))
    return ImportPayload(imported=found[0])


async def _imports(reading: Reading, *conditions: Any, limit: int = 1) -> list[Import]:
    table = imports.Import.__table__
    rows = await reading.connection.execute(
        select(table)
        .where(may_see(imports.Import, reading.actor), *conditions)
        .order_by(table.c.id.desc())
        .limit(limit)
    )
    return [
        plain(
            Import,
            {
                "id": public_id("Import", row.id),
                "kind": row.kind,
                "state": _state(row),
                "unknown_columns": row.unknown,
                "problems": [_problem(reading, one) for one in row.problems],
                **{
                    name: getattr(row, name)
                    for name in ("dry_run", "total", "done", "created", "updated", "unchanged", "refused")
                },
                "asked_at": row.asked_at,
                "finished_at": row.finished_at,
            },
        )
        for row in rows
    ]


def _state(row: Any) -> ImportState:
    if row.failed_at:
        return ImportState.FAILED
    return ImportState.FINISHED if row.finished_at else ImportState.UNDER_WAY


def _problem(reading: Reading, told: Json) -> ImportProblem:
    return ImportProblem(
        line=told["line"],
        column=told["column"],
        code=told["code"],
        message=translate(reading.locale, told["sentence"], **told["values"]),
    )


async def _newest(info: Info, first: int = 10) -> list[Import]:
    async with info.context.reading() as reading:
        return await _imports(reading, limit=page_size(first))


@strawberry.type
class ImportQueries:
    imports: list[Import] = strawberry.field(
        resolver=_newest, description="Newest first; at most 100, for they are few."
    )


@strawberry.type
class ImportMutations:
    import_start: ImportPayload = mutation(
        resolver=_import_start, description="Begins to take a spreadsheet over; `imports` says how far it is."
    )
