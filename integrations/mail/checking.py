"""Does a mailbox work? Its servers let us in, and what it signs fits what it sends."""

import asyncio
import base64

import aiosmtplib
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from domain.languages import N_
from domain.ways_in.channels import Channel
from integrations.findings import DEADLINE, Finding, in_time
from integrations.mail.mailbox import Mailbox
from integrations.mail.oauth import TokenFailed, TokenRefused, access_token, keep_newest
from integrations.mail.receiving.imap import BoxFailed, ImapBox, SignInRefused
from integrations.mail.refusals import without_secrets
from integrations.mail.sending.connections import Patience, Relays
from integrations.mail.sending.smtp import server_of
from integrations.outbound import Means

PATIENCE = Patience(opening=DEADLINE - 1, answer=DEADLINE - 1, mail=DEADLINE)


async def check(channel: Channel, means: Means) -> list[Finding]:
    mailbox = Mailbox.of(channel, means.keys)
    asked = [in_time("smtp", _smtp(mailbox, means))]
    if mailbox.imap_url:
        asked.insert(0, in_time("imap", _imap(mailbox)))
    try:
        found = await asyncio.gather(*asked)
    finally:
        if mailbox.signs_in_with_tokens:
            await keep_newest(means.db, means.keys, channel.id, mailbox)
    return [*found, *([_dkim(mailbox)] if mailbox.dkim_domain else [])]


async def _imap(mailbox: Mailbox) -> Finding:
    box = ImapBox(mailbox, read=DEADLINE - 1)
    try:
        token = await access_token(mailbox) if mailbox.signs_in_with_tokens else None
        await asyncio.to_thread(box.sign_in, token)
        await asyncio.to_thread(box.open)
    except SignInRefused as refusal:
        return Finding("imap", False, N_("The sign-in is refused: {said}"), {"said": str(refusal)})
    except (BoxFailed, TokenFailed, TokenRefused) as failure:
        return Finding("imap", False, N_("The mailbox cannot be read: {said}"), {"said": str(failure)})
    except asyncio.CancelledError:
        box.cut()  # its thread still waits for the server
        raise
    finally:
        await asyncio.to_thread(box.leave)
    signed_in = {"user": mailbox.imap_user, "folder": mailbox.imap_folder}
    return Finding("imap", True, N_("Signed in as {user}; the folder {folder} opens."), signed_in)


async def _smtp(mailbox: Mailbox, means: Means) -> Finding:
    server = server_of(mailbox, means)
    try:
        async with Relays(PATIENCE) as relays, relays.to(server):
            pass
    except (aiosmtplib.SMTPException, OSError, TokenFailed, TokenRefused) as failure:
        said = without_secrets(str(failure) or type(failure).__name__, server.password)
        return Finding(
            "smtp", False, N_("{host} does not let us send: {said}"), {"host": server.host, "said": said}
        )
    if server.user:
        return Finding(
            "smtp", True, N_("{host} lets {user} send."), {"host": server.host, "user": server.user}
        )
    return Finding("smtp", True, N_("{host} answers, and asks for no sign-in."), {"host": server.host})


def _dkim(mailbox: Mailbox) -> Finding:
    domain = mailbox.address.rpartition("@")[2].lower()
    if domain != mailbox.dkim_domain and not domain.endswith(f".{mailbox.dkim_domain}"):
        sentence = N_("Mails are signed for {signed}, but come from {domain}: receivers do not count that.")
        return Finding("dkim", False, sentence, {"signed": mailbox.dkim_domain, "domain": domain})
    key = load_pem_private_key(mailbox.dkim_key.get_secret_value().encode(), None).public_key()
    public = base64.b64encode(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()
    record = f"{mailbox.dkim_selector}._domainkey.{mailbox.dkim_domain}"
    sentence = N_("Mails are signed. The DNS has to say, as a TXT record of {record}: {value}")
    return Finding("dkim", True, sentence, {"record": record, "value": f"v=DKIM1; k=rsa; p={public}"})
