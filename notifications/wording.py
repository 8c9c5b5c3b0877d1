"""What a notice says. Nothing here names a customer or quotes a word: lock screens and push services read along."""

from dataclasses import dataclass
from datetime import datetime

from domain.alerts import AlertKind
from domain.channels import ChannelKind
from domain.languages import N_, translate

CHANNELS = {
    ChannelKind.EMAIL: N_("Email"),
    ChannelKind.CHAT: N_("Chat"),
    ChannelKind.MESSENGER: N_("Messenger"),
    ChannelKind.PHONE: N_("Phone"),
    ChannelKind.SMS: N_("SMS"),
}


@dataclass(frozen=True)
class Words:
    title: str
    body: str


def words(
    kind: AlertKind, locale: str, *, number: int, channel: ChannelKind, due_at: datetime, now: datetime
) -> Words:
    match kind:
        case AlertKind.SLA_BREACHED:
            minutes = max(0, int((now - due_at).total_seconds() // 60))
            return Words(
                translate(locale, N_("Ticket {number}: first reply overdue"), number=number),
                translate(
                    locale,
                    N_("{channel}, {minutes} min past the promised time."),
                    channel=translate(locale, CHANNELS[channel]),
                    minutes=minutes,
                ),
            )
