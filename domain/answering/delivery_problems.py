"""Why an answer does not leave, as a code that every sender speaks and in words that an agent understands.

Kept in `Message.particulars` as `problem`, beside `last_error`, which is what the provider said.
"""

from enum import StrEnum

from domain.db import Json
from domain.errors import RecipientStopped
from domain.languages import N_, translate


class Problem(StrEnum):
    WINDOW_CLOSED = "window_closed"
    HELD_ELSEWHERE = "held_elsewhere"
    UNREACHABLE = "unreachable"
    RECIPIENT_GONE = "recipient_gone"
    PERMISSION = "permission"
    RESTRICTED = "restricted"
    SIGN_IN_NEEDED = "sign_in_needed"
    BUSY = "busy"
    DOWN = "down"
    FILE_REFUSED = "file_refused"
    FILE_UNSAFE = "file_unsafe"
    MAY_HAVE_ARRIVED = "may_have_arrived"
    LATE = "late"
    TAKEN_BACK = "taken_back"
    STOPPED = "stopped"
    PARTLY = "partly"
    REFUSED = "refused"


SENTENCES = {
    Problem.WINDOW_CLOSED: N_(
        "Too much time has passed since the customer's last message: this channel no longer takes an answer. Use another one."
    ),
    Problem.HELD_ELSEWHERE: N_(
        "Another program has this conversation at the moment. Answer there, or take the conversation over first."
    ),
    Problem.UNREACHABLE: N_(
        "The customer cannot be reached here at the moment: they may have blocked the shop, or left."
    ),
    Problem.RECIPIENT_GONE: N_("The provider does not know this customer any more."),
    Problem.PERMISSION: N_(
        "The shop lacks a permission for this: whoever looks after the channel has to ask for it."
    ),
    Problem.RESTRICTED: N_(
        "The provider has restricted the shop for a while: nothing can be sent until then."
    ),
    Problem.SIGN_IN_NEEDED: N_(
        "The shop's access to this channel has ended. This waits, and leaves when somebody has connected the channel anew."
    ),
    Problem.BUSY: N_("The provider asks for a pause. This is tried again by itself."),
    Problem.DOWN: N_("The provider could not take this just now. It is tried again by itself."),
    Problem.FILE_REFUSED: N_("The provider does not take one of the files."),
    Problem.FILE_UNSAFE: N_(
        "One of the files is infected, or could not be looked through: nothing was sent."
    ),
    Problem.MAY_HAVE_ARRIVED: N_(
        "This may have arrived: the provider did not say. Look there before you send it again."
    ),
    Problem.LATE: N_("It has not arrived yet. The customer's mail server goes on trying."),
    Problem.TAKEN_BACK: N_("It was taken back before it left: the ticket is marked as spam."),
    Problem.STOPPED: RecipientStopped.sentence,
    Problem.PARTLY: N_("Only a part of this was taken: the customer has it without the rest."),
    Problem.REFUSED: N_("The provider does not take this message."),
}


def with_problem(particulars: Json | None, problem: Problem | None) -> Json:
    """In the place of what was wrong before."""
    kept = {name: value for name, value in (particulars or {}).items() if name != "problem"}
    return kept | {"problem": problem} if problem else kept


def told(particulars: Json | None, error: str | None, locale: str) -> str | None:
    """What is wrong, in the reader's language, and below it what the provider said."""
    code = (particulars or {}).get("problem")
    if error is None or code not in set(Problem):
        return error
    sentence = translate(locale, SENTENCES[Problem(code)])
    return f"{sentence}\n{error}" if error else sentence
