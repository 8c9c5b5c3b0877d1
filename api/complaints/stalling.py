"""How long a complaint may stand still."""

import strawberry

from domain.complaints.stages import Stage

strawberry.enum(Stage, name="ComplaintStage")


@strawberry.type(description="After how many working days without a move a complaint is told of.")
class StalledDays:
    stage: Stage
    days: int


@strawberry.input
class StalledDaysInput:
    stage: Stage
    days: int
