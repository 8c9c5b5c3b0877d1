"""What was sent before an upgrade is known again after it."""

import strawberry

from api.mutations import asked_of


@strawberry.input
class Line:
    text: str


@strawberry.input
class LaterLine:
    text: str
    bold: bool = False


@strawberry.input
class Note:
    lines: list[Line]
    about: strawberry.Maybe[str | None]
    client_mutation_id: strawberry.ID


@strawberry.input
class LaterNote:
    lines: list[LaterLine]
    about: strawberry.Maybe[str | None]
    pinned: strawberry.Maybe[bool]
    colours: list[str] = strawberry.field(default_factory=list)
    client_mutation_id: strawberry.ID


def test_an_input_is_the_same_to_a_version_that_knows_more_fields() -> None:
    id = strawberry.ID("1")
    before = Note(lines=[Line(text="a")], about=strawberry.Some(None), client_mutation_id=id)

    after = LaterNote(
        lines=[LaterLine(text="a")], about=strawberry.Some(None), pinned=None, client_mutation_id=id
    )
    others = [
        LaterNote(lines=after.lines, about=None, pinned=None, client_mutation_id=id),
        LaterNote(lines=after.lines, about=after.about, pinned=strawberry.Some(False), client_mutation_id=id),
        LaterNote(
            lines=[LaterLine(text="a", bold=True)], about=after.about, pinned=None, client_mutation_id=id
        ),
    ]

    assert asked_of("noteAdd", after) == asked_of("noteAdd", before)
    assert len({asked_of("noteAdd", one) for one in [after, *others]}) == 4
