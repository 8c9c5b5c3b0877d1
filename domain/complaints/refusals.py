"""What of a complaint is refused by name."""

from domain.errors import Conflict, Refused
from domain.languages import N_


class AlreadyComplaint(Conflict):
    code = "ALREADY_COMPLAINT"
    sentence = N_("This ticket is a complaint already.")


class NotFromThisStage(Conflict):
    """`stage`: where it stands; `following`: where it may go from there."""

    code = "NOT_FROM_THIS_STAGE"
    sentence = N_("From {stage} a complaint goes to: {following}.")


class CountsAsAccepted(Conflict):
    code = "COUNTS_AS_ACCEPTED"
    sentence = N_(
        "The date has passed without an answer: by law the complaint counts as accepted. If it was answered in time by other "
        "means, say when."
    )


class LawNotSetUp(Refused):
    """`tags`: those that the policy has to name."""

    code = "LAW_NOT_SET_UP"
    sentence = N_(
        "No policy promises a decision by this law: a manager has to save its template, with the tag {tags}."
    )
