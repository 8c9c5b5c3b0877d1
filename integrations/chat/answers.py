"""What a visitor is asked before the first message, and what may be answered. Nobody has proven any of it."""

from typing import Any

from domain.customers.contacts import phone_number
from domain.customers.mailboxes import mail_address
from domain.db import Json
from domain.languages import best_language
from integrations.chat.frames import BadFrame, Frame, one_line
from integrations.chat.widget import ChatWidget, Question

LONGEST_ANSWER = 500


def still_to_ask(widget: ChatWidget, answers: Json, identity: Json, locale: str | None) -> list[Frame]:
    """Not what was answered, nor what the shop has signed."""
    return [
        {
            "name": field.name,
            "label": label_of(widget, field, locale),
            "type": field.type,
            "required": field.required,
            **({"options": field.options} if field.options else {}),
        }
        for field in _open(widget, answers, identity)
    ]


def check_complete(widget: ChatWidget, answers: Json, identity: Json) -> None:
    missing = [field.name for field in _open(widget, answers, identity) if field.required]
    if missing:
        raise BadFrame("answers_needed", "before the first message these are to be answered", fields=missing)


def _open(widget: ChatWidget, answers: Json, identity: Json) -> list[Question]:
    return [
        field
        for field in widget.fields
        if field.name not in answers and not (field.type in ("email", "name") and identity.get(field.type))
    ]


def label_of(widget: ChatWidget, field: Question, locale: str | None) -> str:
    """In the visitor's language, else the channel's, else the first that there is."""
    for language in (best_language(locale, widget.language), widget.language, "en"):
        for known, label in field.label.items():
            if known == language:
                return label
    return next(iter(field.label.values()))


def read_answers(widget: ChatWidget, said: Any) -> dict[str, str]:
    """By the name of the field; empty ones are none. Raises for what is no answer to it."""
    if said is None:
        return {}
    if not isinstance(said, dict):
        raise BadFrame("bad_answer", "answers are an object, by the names of the fields", fields=[])
    fields = {field.name: field for field in widget.fields}
    wrong = [str(name)[:40] for name in said if name not in fields]
    answers = {}
    for name, field in fields.items():
        answer = one_line(said.get(name), LONGEST_ANSWER)
        if answer and not _fits(widget, field, answer):
            wrong.append(name)
        if answer:
            answers[name] = answer
    if wrong:
        raise BadFrame("bad_answer", "these are not asked for, or not answered so", fields=wrong)
    return answers


def _fits(widget: ChatWidget, field: Question, answer: str) -> bool:
    match field.type:
        case "email":
            return mail_address(answer) is not None
        case "phone":
            return phone_number(answer, region=widget.region) is not None
        case "select":
            return answer in field.options
        case _:
            return True


def told(widget: ChatWidget, answers: Json, locale: str | None) -> list[Json]:
    """As they stand with the first message: in the order in which they were asked."""
    return [
        {
            "name": field.name,
            "label": label_of(widget, field, locale),
            "type": field.type,
            "value": answers[field.name],
        }
        for field in widget.fields
        if field.name in answers
    ]
