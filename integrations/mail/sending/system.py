"""Sends Heddle's own mail by the relay that also carries the answers."""

from email.message import EmailMessage
from email.utils import format_datetime

import structlog

from domain.agents.system_mail import SYSTEM_MAIL, SystemMail
from domain.alerting.refusals import refusal_of_mail
from domain.db import Database, database_time
from domain.hands import work
from domain.keys import Keys
from domain.work import Lease
from integrations.mail.sending.compose import BODY, POLICY, address, header
from integrations.mail.sending.connections import Relays, Server
from integrations.mail.sending.smtp import check_sendable, hand_over
from integrations.outbound import RecipientBusy, SendRefused
from integrations.settings import IntegrationSettings

log = structlog.get_logger()


class SystemPost:
    def __init__(
        self, db: Database, keys: Keys, settings: IntegrationSettings, relays: Relays | None = None
    ) -> None:
        self._db = db
        self._keys = keys
        self._settings = settings
        self._relays = relays or Relays()

    async def run(self) -> None:
        await work(self._db, SYSTEM_MAIL, self.send)

    async def send(self, mail: SystemMail, lease: Lease[SystemMail]) -> None:
        async with self._db.transaction() as session:
            if refusal := await refusal_of_mail(session, mail):
                await (await lease.settle(session, last_error=None)).withdraw(session, refusal)
                return
        said = self._keys.decrypt(mail.sealed or b"")
        sender = self._settings.mail_from
        try:
            check_sendable(said["to"])
            raw = _compose(mail, sender=sender, **said).as_bytes(policy=POLICY)
            server = Server.at(self._settings.smtp_url)
            handed = await hand_over(raw, sender=sender, to=[said["to"]], server=server, relays=self._relays)
            if handed.refused:
                raise SendRefused(next(iter(handed.refused.values())))
            if handed.later:
                raise RecipientBusy(next(iter(handed.later.values())))
        except SendRefused as refusal:
            log.warning("system_mail_refused", id=str(mail.id))
            async with self._db.transaction() as session:
                await lease.give_up(session, error=str(refusal))
            return
        async with self._db.transaction() as session:
            sent = await lease.settle(session, last_error=None)
            await sent.left(session, at=await database_time(session))


def _compose(mail: SystemMail, *, sender: str, to: str, subject: str, text: str) -> EmailMessage:
    composed = EmailMessage(policy=BODY)
    composed["From"] = address("Heddle", sender)
    composed["To"] = address("", to)
    composed["Subject"] = header(subject)
    composed["Date"] = format_datetime(mail.created_at)
    composed["Message-ID"] = f"<{mail.id.hex}@{sender.rpartition('@')[2]}>"
    composed["Auto-Submitted"] = "auto-generated"
    composed.set_content(text, cte="quoted-printable")
    return composed
