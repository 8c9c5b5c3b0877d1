"""What a survey says, in the customer's language: the question, and how it is answered in each channel."""

from domain.feedback import links
from domain.feedback.requests import SurveyRequest, Unasked
from domain.feedback.scales import SCORES, Scale, SurveyKind
from domain.feedback.surveys import Survey
from domain.keys import Keys
from domain.languages import N_, translate
from domain.ways_in.channels import ChannelKind

SUBJECT = {SurveyKind.CSAT: N_("How was our help?"), SurveyKind.NPS: N_("Would you recommend us?")}
QUESTION = {
    SurveyKind.CSAT: N_("How satisfied are you with our help?"),
    SurveyKind.NPS: N_("How likely are you to recommend us to somebody you know, from 0 to 10?"),
}
GREETING = N_(
    "Hello,\n\nwe have settled your request {number}. {question}\n\nOne tap is enough; you can add a few words there."
)
SHORT = N_("Your request {number}: {question}")
UNASKED = {
    Unasked.REOPENED: N_("The ticket was taken up again before the question left."),
    Unasked.MERGED: N_("The ticket became part of another before the question left."),
    Unasked.SPAM: N_("The ticket was marked as spam."),
    Unasked.NOBODY_TALKED: N_("Only machines talked: no customer wrote, or no person answered."),
    Unasked.PROMISE_BROKEN: N_("An answer that a law promises is late, or still to be given."),
    Unasked.ASKED_LATELY: N_("The customer was asked another question not long ago."),
    Unasked.REFUSED: N_("The customer wants to be asked no more."),
    Unasked.TOO_LATE: N_("The question waited too long to be sent."),
    Unasked.SWITCHED_OFF: N_("The survey was switched off."),
    Unasked.NO_WAY: N_(
        "There was no way to ask: no proven address, a closed window, a number that wants nothing, or a blocked sender."
    ),
}
MEANING = {
    Scale.FIVE: {
        1: N_("very dissatisfied"),
        2: N_("dissatisfied"),
        3: N_("so-so"),
        4: N_("satisfied"),
        5: N_("very satisfied"),
    },
    Scale.THUMBS: {1: N_("not satisfied"), 5: N_("satisfied")},
    Scale.TEN: {0: N_("not at all likely"), 10: N_("very likely")},
}
NO_MORE = N_("No such questions any more: {link}")
THUMBS = {1: "👎", 5: "👍"}


def question(survey: Survey, language: str) -> str:
    return survey.questions.get(language) or translate(language, QUESTION[survey.kind])


def subject(kind: SurveyKind, language: str) -> str:
    return translate(language, SUBJECT[kind])


def asked(survey: Survey, channel: ChannelKind, language: str, number: int) -> str:
    """What stands in the timeline; the links below it only the customer sees."""
    said = question(survey, language)
    if channel == ChannelKind.CHAT:
        return said
    sentence = GREETING if channel == ChannelKind.EMAIL else SHORT
    return translate(language, sentence, number=f"#{number}", question=said)


def label(scale: Scale, score: int) -> str:
    """As it stands on a button."""
    return THUMBS[score] if scale == Scale.THUMBS else str(score)


def meaning(scale: Scale, score: int, language: str) -> str:
    said = MEANING[scale].get(score)
    return translate(language, said) if said else ""


def below(request: SurveyRequest, channel: ChannelKind, base_url: str, keys: Keys) -> str:
    """By which links it is answered: in a mail one for each answer, and one to be asked no more; elsewhere one."""
    if channel != ChannelKind.EMAIL or request.scale == Scale.TEN:
        answers = links.link(base_url, keys, request.id)
    else:
        answers = "\n".join(
            f"{label(request.scale, score)} – {meaning(request.scale, score, request.language)}: "
            f"{links.link(base_url, keys, request.id, score)}"
            for score in reversed(SCORES[request.scale])
        )
    if channel != ChannelKind.EMAIL:
        return answers
    stop = links.stop_link(base_url, keys, request.id)
    return f"{answers}\n\n{translate(request.language, NO_MORE, link=stop)}"
