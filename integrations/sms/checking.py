"""Does a number for text messages work? Its provider says whether it knows the account."""

from domain.ways_in.channels import Channel
from integrations.findings import Finding, heard, in_time, let_in, unasked
from integrations.outbound import Means, SendRefused
from integrations.sms.infobip import client as infobip
from integrations.sms.number import SmsNumber
from integrations.twilio import account_url, sign_in


async def check(channel: Channel, means: Means) -> list[Finding]:
    number = SmsNumber.of(channel, means.keys)
    return [await in_time("account", _account(number, means)), await heard(channel, means)]


async def _account(number: SmsNumber, means: Means) -> Finding:
    match number.provider:
        case "twilio":
            address = account_url(means.settings.twilio_url, number) + ".json"
            return await let_in(address, auth=sign_in(number))
        case "infobip":
            try:
                there = await infobip.at(number, "/account/1/balance", means)
            except (SendRefused, ConnectionError) as failure:
                return unasked(failure)
            return await let_in(**there)
        case "vonage":
            keys = {"api_key": number.api_key, "api_secret": number.api_secret}
            shown = {name: key.get_secret_value() for name, key in keys.items()}
            return await let_in(f"{means.settings.vonage_url}/account/get-balance", params=shown)
