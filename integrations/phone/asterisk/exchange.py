"""What a line at an Asterisk needs to be told, besides its number: its manager interface (AMI) and a little of its dialplan."""

import re

from pydantic import BaseModel, Field, SecretStr, field_validator

from domain.languages import N_
from integrations.keeping import WrongSetting


class Exchange(BaseModel):
    ami_host: str = ""
    """Where the manager interface of an Asterisk is."""
    ami_port: int = Field(default=5038, ge=1, le=65535)
    """Of an Asterisk."""
    ami_tls: bool = False
    """Is the line to an Asterisk encrypted?"""
    ami_user: str = ""
    """Whoever signs in to an Asterisk."""
    ami_secret: SecretStr = SecretStr("")
    """Of whoever signs in to an Asterisk."""
    inbound_context: str = "from-trunk"
    """Where in the dialplan the calls from outside begin."""
    outbound_context: str = ""
    """Where those begin that agents dial on their telephones; none: they are not followed."""
    agent_channel: str = "PJSIP/{line}"
    """How the PBX calls an agent's telephone."""
    context: str = ""
    """The context that reaches a customer's number, for calls begun here…"""
    trunk: str = ""
    """… or the channel that does, as `PJSIP/{number}@trunk`; `{digits}` is the number without its plus."""

    @field_validator(
        "ami_host", "ami_user", "inbound_context", "outbound_context", "agent_channel", "context", "trunk"
    )
    @classmethod
    def _one_word(cls, value: str) -> str:
        """Anything else could end a line of the manager's protocol and begin another command."""
        if not value.isprintable() or " " in value:
            raise WrongSetting(N_("is made of visible letters, digits and signs"))
        return value

    @field_validator("agent_channel")
    @classmethod
    def _names_a_line(cls, channel: str) -> str:
        if channel.count("{line}") != 1:
            raise WrongSetting(N_("should hold {line}, as PJSIP/{line}"))
        return channel

    @field_validator("trunk")
    @classmethod
    def _names_a_number(cls, trunk: str) -> str:
        if trunk and not ("{number}" in trunk or "{digits}" in trunk):
            raise WrongSetting(N_("should hold {number} or {digits}, as PJSIP/{number}@trunk"))
        return trunk

    def channel_of(self, line: str) -> str:
        return self.agent_channel.replace("{line}", line)

    def line_of(self, channel: str) -> str | None:
        """Whose telephone it is: `101` of `PJSIP/101-0000002a`."""
        before, _, after = self.agent_channel.partition("{line}")
        found = re.fullmatch(
            re.escape(before) + r"(.+?)" + re.escape(after) + r"(?:-[0-9a-f]{8})?(?:;[12])?", channel
        )
        return found[1] if found else None

    def towards(self, number: str) -> str:
        return self.trunk.replace("{number}", number).replace("{digits}", number.lstrip("+"))
