"""What a notice says. At the default privacy nothing here names a customer or quotes a word: lock screens and push services
read along."""

from dataclasses import dataclass
from datetime import date, datetime
from math import ceil
from typing import assert_never

from domain.alerting.alert_preferences import Privacy
from domain.alerting.alerts import AlertKind
from domain.alerting.notices import NoticeKind
from domain.languages import N_, day_said, translate
from domain.sla.targets import Metric
from domain.ways_in.channels import ChannelKind

CHANNELS = {
    ChannelKind.EMAIL: N_("Email"),
    ChannelKind.CHAT: N_("Chat"),
    ChannelKind.MESSENGER: N_("Messenger"),
    ChannelKind.PHONE: N_("Phone"),
    ChannelKind.SMS: N_("SMS"),
}

OVERDUE = {
    Metric.FIRST_REPLY: N_("Ticket {number}: first reply overdue"),
    Metric.NEXT_REPLY: N_("Ticket {number}: reply overdue"),
    Metric.RESOLUTION: N_("Ticket {number}: solution overdue"),
}
SOON = {
    Metric.FIRST_REPLY: N_("Ticket {number}: first reply due in {time}"),
    Metric.NEXT_REPLY: N_("Ticket {number}: reply due in {time}"),
    Metric.RESOLUTION: N_("Ticket {number}: solution due in {time}"),
}


@dataclass(frozen=True)
class Words:
    title: str
    body: str


@dataclass(frozen=True)
class Matter:
    """What a notice is about, as far as it is about a ticket and its promise."""

    kind: AlertKind | None = None
    number: int | None = None
    channel: ChannelKind | None = None
    channel_name: str = ""
    """Of the one that a notice is about: a shop may have several mailboxes, or lines."""
    metric: Metric | None = None
    due_at: datetime | None = None
    last_day: date | None = None
    """Of a legal deadline."""
    customer: str = ""
    subject: str = ""
    task: str = ""
    """Its title."""


def words(
    kind: NoticeKind, locale: str, matter: Matter, *, privacy: Privacy, now: datetime, count: int = 1
) -> Words:
    if privacy == Privacy.NONE:
        return Words(translate(locale, N_("Heddle: something is waiting for you")), "")
    said = _said(kind, locale, matter, now, count)
    if privacy == Privacy.FULL and (matter.number is not None or matter.task):
        about = matter.task or ": ".join(part for part in (matter.customer, matter.subject) if part)
        return Words(said.title, "\n".join(part for part in (about, said.body) if part))
    return said


def _said(kind: NoticeKind, locale: str, matter: Matter, now: datetime, count: int) -> Words:
    def line(sentence: str, **values: object) -> str:
        return translate(locale, sentence, number=matter.number, count=count, **values)

    channel = line(CHANNELS[matter.channel]) if matter.channel else ""
    match kind:
        case NoticeKind.ALERT:
            return _alert(locale, matter, channel, now)
        case NoticeKind.STORM:
            return Words(
                line(N_("Alerts at once: {count}")), line(N_("Open the list to see which come first."))
            )
        case NoticeKind.DIGEST:
            return Words(
                line(N_("Alerts that nobody has answered: {count}")),
                line(N_("You are told again until somebody answers.")),
            )
        case NoticeKind.CLEARED:
            return _cleared(locale, matter, channel)
        case NoticeKind.ASSIGNED:
            return Words(line(N_("Ticket {number} is yours now")), channel)
        case NoticeKind.REPLY:
            return Words(line(N_("Ticket {number}: the customer has written")), channel)
        case NoticeKind.CALL_RINGING:
            return Words(line(N_("Ticket {number}: the customer is calling")), matter.channel_name)
        case NoticeKind.MENTION:
            return Words(line(N_("Ticket {number}: you are mentioned in a note")), channel)
        case NoticeKind.WOKE:
            return Words(line(N_("Ticket {number} is back: its snooze is over")), channel)
        case NoticeKind.MESSAGE_FAILED:
            why = line(N_("The ticket says why. The customer has not read it: another way may be open."))
            return Words(
                line(N_("Ticket {number}: an answer did not arrive")), f"{channel}. {why}" if channel else why
            )
        case NoticeKind.LOW_RATING:
            return Words(line(N_("Ticket {number}: a bad rating")), channel)
        case NoticeKind.TASK_DUE if matter.number is not None:
            return Words(line(N_("Ticket {number}: a task is due")), channel)
        case NoticeKind.TASK_DUE:
            return Words(line(N_("A task of yours is due")), "")
        case NoticeKind.TASKS_TODAY:
            return Words(line(N_("Tasks for today: {count}")), line(N_("With those that are overdue.")))
        case NoticeKind.TEST:
            return Words(line(N_("This is a test")), line(N_("Notices from Heddle arrive here.")))
        case _:
            assert_never(kind)


def _cleared(locale: str, matter: Matter, channel: str) -> Words:
    match matter.kind:
        case AlertKind.CHANNEL_DOWN:
            return Words(translate(locale, N_("It works again: {channel}"), channel=matter.channel_name), "")
        case AlertKind.NO_AGENT_ON_SHIFT:
            return Words(translate(locale, N_("Settled: nobody was on shift")), "")
        case AlertKind.CHANNEL_FLOODED:
            return Words(
                translate(locale, N_("No longer flooded: {channel}"), channel=matter.channel_name), ""
            )
        case None:
            return Words(
                translate(locale, N_("Ticket {number}: the call has stopped ringing"), number=matter.number),
                "",
            )
        case _:
            return Words(translate(locale, N_("Ticket {number}: settled"), number=matter.number), channel)


def _alert(locale: str, matter: Matter, channel: str, now: datetime) -> Words:
    def line(sentence: str, **values: object) -> str:
        return translate(locale, sentence, number=matter.number, **values)

    metric, due_at = matter.metric or Metric.FIRST_REPLY, matter.due_at or now
    left = (due_at - now).total_seconds()
    minutes = max(1, ceil(left / 60)) if left > 0 else int(-left // 60)
    match matter.kind:
        case AlertKind.SLA_AT_RISK:
            return Words(line(SOON[metric], time=_span(minutes)), channel)
        case AlertKind.SLA_BREACHED:
            late = line(N_("{time} past the promised time"), time=_span(minutes))
            return Words(line(OVERDUE[metric]), f"{channel}, {late}" if channel else late)
        case AlertKind.COMPLAINT_DUE:
            day = day_said(matter.last_day or now.date(), locale)
            return Words(
                line(N_("Ticket {number}: the complaint is to be answered by {day}"), day=day), channel
            )
        case AlertKind.COMPLAINT_STALLED:
            return Words(
                line(N_("Ticket {number}: nothing moves in the complaint")),
                line(N_("Say what the next step is, or take it.")),
            )
        case AlertKind.CALL_MISSED:
            return Words(
                line(N_("Ticket {number}: a call was missed")),
                line(N_("Somebody is waiting to be called back.")),
            )
        case AlertKind.CHANNEL_DOWN:
            return Words(
                line(N_("A channel does not work: {channel}"), channel=matter.channel_name),
                line(N_("What customers write there may not arrive.")),
            )
        case AlertKind.CHANNEL_FLOODED:
            return Words(
                line(N_("A channel is flooded: {channel}"), channel=matter.channel_name),
                line(N_("More comes than it takes in. What is above that waits its turn.")),
            )
        case AlertKind.NO_AGENT_ON_SHIFT:
            return Words(
                line(N_("Nobody is on shift")), line(N_("The shop is open, and nobody is there to answer."))
            )
        case None:
            raise ValueError("an alert's notice needs its kind")
        case _:
            assert_never(matter.kind)


def _span(minutes: int) -> str:
    """The two largest parts, by signs that are those of every language: `2 h 5 min`."""
    parts = ((minutes // 1440, "d"), (minutes // 60 % 24, "h"), (minutes % 60, "min"))
    first = next((place for place, (count, _) in enumerate(parts) if count), 2)
    return " ".join(f"{count} {sign}" for count, sign in parts[first : first + 2] if count) or "0 min"
