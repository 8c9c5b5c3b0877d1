"""Does a phone line work? A generic PBX cannot be asked: what it has told says so."""

from domain.languages import N_
from domain.ways_in.channels import Channel
from integrations.findings import Finding, heard, in_time, let_in
from integrations.outbound import Means
from integrations.phone.asterisk.connection import ExchangeFailed, SignInRefused, connected
from integrations.phone.line import PhoneLine
from integrations.twilio import account_url, sign_in


async def check(channel: Channel, means: Means) -> list[Finding]:
    line = PhoneLine.of(channel, means.keys)
    match line.provider:
        case "generic":
            return [await heard(channel, means)]
        case "twilio":
            address = account_url(means.settings.twilio_url, line) + ".json"
            return [
                await in_time("account", let_in(address, auth=sign_in(line))),
                await heard(channel, means),
            ]
        case "asterisk":
            return [await in_time("ami", _signed_in(line))]


async def _signed_in(line: PhoneLine) -> Finding:
    try:
        async with connected(line):
            return Finding("ami", True, N_("The exchange lets us in."))
    except SignInRefused as refusal:
        return Finding("ami", False, N_("The sign-in is refused: {said}."), {"said": str(refusal)})
    except ExchangeFailed as failure:
        return Finding("ami", False, N_("The exchange cannot be reached: {said}."), {"said": str(failure)})
