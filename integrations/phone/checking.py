"""Does a phone line work? A generic PBX cannot be asked: what it has told says so."""

from domain.channels import Channel
from integrations.findings import Finding, heard
from integrations.outbound import Means


async def check(channel: Channel, means: Means) -> list[Finding]:
    return [await heard(channel, means)]
