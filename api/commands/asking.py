"""Whatever the API can, typed: `heddle ask`."""

import json
import re
import sys
import uuid
from pathlib import Path
from typing import Annotated, Any

import orjson
from cyclopts import Parameter
from sqlalchemy import func, select

from api.house import House
from api.running import house_here
from domain.actors import Actor, Role
from domain.agents.sign_in import actor_by_id
from domain.agents.staff import Agent
from domain.settings import WrongSetting

_VARIABLE = re.compile(r"\$(\w+)\s*:\s*(\w+)")
"""Declared, with its type."""


async def ask(
    file: Annotated[
        str, Parameter(help="A query or a mutation; - for standard input.", allow_leading_hyphen=True)
    ],
    *given: Annotated[str, Parameter(help="Its variables, as name=value; a value that is JSON is read so.")],
    as_: Annotated[
        str | None, Parameter(name="--as", help="Whose rights and name; otherwise the only admin's.")
    ] = None,
    operation: Annotated[str | None, Parameter(help="Of several in the file, which.")] = None,
) -> None:
    document = sys.stdin.read() if file == "-" else _read(Path(file))
    async with house_here() as (house, _):
        actor = await _whoever(house, as_)
        answer = await _answer(house, actor, document, _variables(given), operation)
    print(orjson.dumps(answer, option=orjson.OPT_INDENT_2, default=str).decode())
    if answer.get("errors") or any(
        isinstance(payload, dict) and payload.get("userErrors") for payload in (answer["data"] or {}).values()
    ):
        raise SystemExit(1)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as failure:
        raise WrongSetting(f"{path}: {failure}") from None


def _variables(given: tuple[str, ...]) -> dict[str, Any]:
    variables: dict[str, Any] = {}
    for one in given:
        name, sign, said = one.partition("=")
        if not sign:
            raise WrongSetting(f"{one}: a variable is given as name=value.")
        try:
            variables[name] = json.loads(said)
        except ValueError:
            variables[name] = said
    return variables


async def _whoever(house: House, email: str | None) -> Actor:
    wanted = select(Agent.id).where(Agent.left_at.is_(None))
    if email:
        wanted = wanted.where(func.lower(Agent.email) == email.strip().lower())
    else:
        wanted = wanted.where(Agent.role == Role.ADMIN)
    async with house.db.transaction() as session:
        found = (await session.scalars(wanted.limit(2))).all()
        if len(found) == 1 and (actor := await actor_by_id(session, found[0])):
            return actor
    if email:
        raise WrongSetting(f"--as {email}: nobody of this address works here.")
    raise WrongSetting(f"--as is missing: there is {'no admin' if not found else 'more than one admin'}.")


async def _answer(
    house: House, actor: Actor, document: str, variables: dict[str, Any], operation: str | None
) -> dict[str, Any]:
    from strawberry.exceptions import MissingQueryError
    from strawberry.schema.exceptions import CannotGetOperationTypeError

    from api.context import Context  # a second's import that no other command needs
    from api.schema import schema

    for name, kind in _VARIABLE.findall(document):
        if name == "clientMutationId":
            _make_up(variables)
        takes_one = "clientMutationId" in getattr(schema._schema.get_type(kind), "fields", ())
        if takes_one and isinstance(given := variables.get(name), dict):
            _make_up(given)
    try:
        result = await schema.execute(
            document,
            variable_values=variables,
            context_value=Context(house, actor.locale, somebody=actor),
            operation_name=operation,
        )
    except (MissingQueryError, CannotGetOperationTypeError):
        if operation:
            raise WrongSetting(f"--operation {operation}: what is asked has none of this name.") from None
        raise WrongSetting("Nothing is asked: give a query or a mutation.") from None
    answer: dict[str, Any] = {"data": getattr(result, "data", None)}
    if errors := getattr(result, "errors", None):
        answer["errors"] = [error.formatted for error in errors]
    return answer


def _make_up(given: dict[str, Any]) -> None:
    if given.get("clientMutationId", "UUID") == "UUID":
        given["clientMutationId"] = str(uuid.uuid4())
