"""What Heddle refuses, by name.

Refused                      an expected refusal: reaches the caller as a user error
├── NotFound                 no such thing, or not for these eyes
├── NotAllowed
│   ├── MissingScope         a token's
│   ├── NotYours             some of it is not for these eyes
│   └── CannotSee            whoever a note calls
├── NotSignedIn
├── WrongCredentials
│   ├── CodeNeeded           the password is right: now the second factor
│   └── WrongCode
├── TooManyTries
├── OverLimit                a request asks for too much
├── LinkUsedUp
├── InvalidInput
├── NotConfigured            who looks after this Heddle has to set something first
├── Conflict                 the world has moved on
│   ├── AlreadyResolved
│   ├── SomebodyAnswered
│   ├── SomebodyElseAssigned
│   ├── IdentityTaken
│   ├── TooLateToUndo
│   ├── TooLateToTakeBack    a change
│   ├── ChangedSince         by somebody else, all that was to be taken back
│   ├── AlreadyLeft          an answer, when somebody wants it back
│   ├── AlreadyUndone
│   ├── BeingErased          nothing of theirs is joined or undone any more
│   ├── AlreadyCalling
│   ├── TagsChanging         on their tickets, one after another
│   └── MutationIdReused
├── InUse                    something else of the shop needs it
├── TagInUse                 a shared rule names it
├── TagFixed                 complaints are known by it
├── Undecided                a complaint waits for its decision
├── CannotCall               nobody's telephone rings
│   ├── NoTelephone          who calls has none that the PBX knows
│   ├── CannotDial           no line here can make a call
│   ├── NotCallable          a number that is none, or that nobody should call
│   └── IsBlocked
└── CannotReply              this channel cannot carry the answer
    ├── ChannelOff           an admin switched it off
    ├── WindowClosed         and by which other way it would go
    ├── TextTooLong
    ├── RecipientStopped     wants no more messages there
    ├── NotAgreed            to be written to there
    ├── TooManySegments
    ├── IsSpam
    └── AddressBounces       unless it is to be tried all the same
"""

from collections.abc import Sequence
from typing import Any

from domain.languages import N_, translate


class Refused(Exception):
    """`code` is stable; `field` is the path in the input; `values` fill the sentence."""

    code: str
    sentence: str

    def __init__(self, *, field: list[str] | None = None, **values: Any) -> None:
        super().__init__(self.sentence.format(**values) if values else self.sentence)
        self.field = field
        self.values = values

    def in_language(self, locale: str) -> str:
        return translate(locale, self.sentence, **self.values)


class NotFound(Refused):
    code = "NOT_FOUND"
    sentence = N_("There is no such thing, or you may not see it.")


class NotAllowed(Refused):
    code = "NOT_ALLOWED"
    sentence = N_("You may not do that.")


class MissingScope(NotAllowed):
    code = "MISSING_SCOPE"
    sentence = N_("This token lacks the scope {scope}.")


class NotYours(NotAllowed):
    code = "NOT_YOURS"
    sentence = N_("Some of these conversations belong to teams you are not in: ask a manager.")


class CannotSee(NotAllowed):
    code = "CANNOT_SEE"
    sentence = N_("May not see this ticket, and so cannot be mentioned here: {names}.")


class NotSignedIn(Refused):
    code = "UNAUTHENTICATED"
    sentence = N_("Sign in first.")


class WrongCredentials(Refused):
    code = "WRONG_CREDENTIALS"
    sentence = N_("The email address or the password is wrong.")


class CodeNeeded(WrongCredentials):
    code = "CODE_NEEDED"
    sentence = N_("Give the code of your authenticator too.")


class WrongCode(WrongCredentials):
    code = "WRONG_CODE"
    sentence = N_("The code is wrong, or was used before.")


class TooManyTries(Refused):
    code = "TOO_MANY_TRIES"
    sentence = N_("Too many tries: wait {seconds} seconds.")


class OverLimit(Refused):
    """`limit` is its name; `value` was found, `most` is allowed."""

    code = "OVER_LIMIT"
    sentence = N_("Over the limit {limit}: {value}, of at most {most}.")


class LinkUsedUp(Refused):
    code = "LINK_USED_UP"
    sentence = N_("This link was used already, or is too old: ask for a new one.")


class InvalidInput(Refused):
    code = "INVALID"

    def __init__(self, sentence: str, *, field: list[str] | None = None, **values: Any) -> None:
        self.sentence = sentence
        super().__init__(field=field, **values)


class NotConfigured(Refused):
    code = "NOT_CONFIGURED"
    sentence = N_("Nothing was sent: whoever looks after this Heddle has to set {setting} first.")


class Conflict(Refused):
    """The world has moved on."""


class SomebodyAnswered(Conflict):
    code = "SOMEBODY_ANSWERED"
    sentence = N_("There is something newer on this ticket: read it, then send again.")


class SomebodyElseAssigned(Conflict):
    code = "ASSIGNEE_CHANGED"
    sentence = N_("The ticket was handed to somebody else meanwhile.")


class TooLateToUndo(Conflict):
    code = "TOO_LATE"
    sentence = N_("This can be undone for {days} days only.")


class TooLateToTakeBack(Conflict):
    code = "TOO_LATE"
    sentence = N_("The time in which this could be taken back is over.")


class ChangedSince(Conflict):
    code = "CHANGED_SINCE"
    sentence = N_("Somebody has changed this since: nothing was taken back.")


class AlreadyLeft(Conflict):
    code = "ALREADY_LEFT"
    sentence = N_("It has left already.")


class AlreadyUndone(Conflict):
    code = "ALREADY_UNDONE"
    sentence = N_("Somebody has undone this already.")


class BeingErased(Conflict):
    code = "BEING_ERASED"
    sentence = N_("This customer is being erased: nothing of theirs is joined or undone any more.")


class AlreadyCalling(Conflict):
    code = "ALREADY_CALLING"
    sentence = N_("Your call to this number is being made already.")


class IdentityTaken(Conflict):
    code = "IDENTITY_TAKEN"
    sentence = N_("This address or number is proven to be another contact's.")


class MutationIdReused(Conflict):
    code = "MUTATION_ID_REUSED"
    sentence = N_("This clientMutationId was used with another input.")


class InUse(Refused):
    """`names`: what needs it."""

    code = "IN_USE"
    sentence = N_("Still in use: {names}. Change that first.")


class Undecided(Refused):
    code = "COMPLAINT_UNDECIDED"
    sentence = N_("The complaint of this ticket waits for its decision: decide it first.")


class CannotCall(Refused):
    """Nobody's telephone rings."""


class NoTelephone(CannotCall):
    code = "NO_TELEPHONE"
    sentence = N_("You have no telephone here that this line can ring: ask an admin to enter one.")


class CannotDial(CannotCall):
    code = "CANNOT_DIAL"
    sentence = N_("No phone line is set up to make calls.")


class NotCallable(CannotCall):
    code = "NOT_CALLABLE"
    sentence = N_("This is no number that can be called.")


class IsBlocked(CannotCall):
    code = "IS_BLOCKED"
    sentence = N_("This caller is blocked.")


class CannotReply(Refused):
    code = "CANNOT_REPLY"
    sentence = N_("This channel cannot carry a written answer.")


class CannotCarry(CannotReply):
    sentence = N_("This goes by mail only: this channel carries nothing but words.")


class CustomerBegins(CannotReply):
    sentence = N_("Only the customer can begin a conversation in this channel.")


class NoMailbox(CannotReply):
    sentence = N_("There is no mailbox to answer from.")


class ChannelOff(CannotReply):
    code = "CHANNEL_OFF"
    sentence = N_("The channel {name} is switched off: nothing leaves by it.")


class IsSpam(CannotReply):
    code = "IS_SPAM"
    sentence = N_("This ticket is marked as spam: nothing is sent to whoever wrote it.")


class AddressBounces(CannotReply):
    code = "ADDRESS_BOUNCES"
    sentence = N_("Mail to this address comes back: there is nobody. Send it again to try all the same.")


class TextTooLong(CannotReply):
    code = "TEXT_TOO_LONG"
    sentence = N_("Messenger takes at most {most} characters at once, and this has {length}.")


class WindowClosed(CannotReply):
    """`instead`: labels of identities by which the customer can be reached. `human_agent`: a person may still answer as one."""

    code = "WINDOW_CLOSED"
    sentence = N_(
        "Messenger allows an answer within 24 hours of the customer's last message. No other way to answer this customer is known."
    )
    BY_OTHERS = N_(
        "Messenger allows an answer within 24 hours of the customer's last message. These would work: {instead}."
    )
    AS_A_PERSON = N_(
        "Messenger's 24 hours are over. What you wrote yourself may still leave within 7 days, marked as a person's answer."
    )
    AS_A_PERSON_OR_BY_OTHERS = N_(
        "Messenger's 24 hours are over. What you wrote yourself may still leave within 7 days, marked as a person's answer. "
        "These would work, too: {instead}."
    )

    def __init__(
        self, *, field: list[str] | None = None, instead: Sequence[str] = (), human_agent: bool = False
    ) -> None:
        if human_agent:
            self.sentence = self.AS_A_PERSON_OR_BY_OTHERS if instead else self.AS_A_PERSON
        elif instead:
            self.sentence = self.BY_OTHERS
        super().__init__(field=field, **({"instead": ", ".join(instead)} if instead else {}))


class RecipientStopped(CannotReply):
    code = "RECIPIENT_STOPPED"
    sentence = N_("Whoever has this number wants no more text messages from this one.")


class NotAgreed(CannotReply):
    code = "NOT_AGREED"
    sentence = N_(
        "This customer has never written to this number: say that they agreed to be written to by text message."
    )


class GoesOnElsewhere(CannotReply):
    sentence = N_("There is a conversation with this number on ticket {number}: go on there.")


class TooManySegments(CannotReply):
    code = "TOO_MANY_SEGMENTS"
    sentence = N_("This would be sent as {count} text messages; this channel sends {most} at most.")
