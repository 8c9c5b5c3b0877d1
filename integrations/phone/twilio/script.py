"""What a line does with who calls, as TwiML. Pure: whose telephones ring is decided elsewhere (`deciding.py`)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode

from domain.languages import translate
from integrations.phone.line import PhoneLine
from integrations.phone.twilio import speaking
from integrations.phone.twilio.account import MOST_AT_ONCE
from integrations.phone.twilio.consent import Consent
from integrations.phone.twilio.speaking import VOICES

LONGEST_MESSAGE = 180
"""Seconds of a voicemail."""
STEPS = "initiated ringing answered completed"


@dataclass(frozen=True)
class Script:
    hook: str
    """The address of the channel's own webhook: `https://…/hooks/twilio/{channel}/voice`."""
    line: PhoneLine
    language: str
    at: datetime

    def address(self, part: str, **query: str) -> str:
        return f"{self.hook}/{part}?{urlencode({'language': self.language} | query, quote_via=quote)}"

    def reject(self) -> str:
        doc = _document()
        doc.reject(reason="rejected")
        return str(doc)

    def incoming(self, ring: Sequence[str]) -> str:
        doc = _document()
        if self.line.menu:
            self._ask_for_order(doc)
        self._connect(doc, ring)
        return str(doc)

    def after_menu(self, answer: str, ring: Sequence[str]) -> str:
        doc = _document()
        self._say(doc, answer)
        self._connect(doc, ring)
        return str(doc)

    def after_asking(self, consent: Consent | None, ring: Sequence[str]) -> str:
        doc = _document()
        if ring:
            self._dial(doc, ring, consent)
        else:
            self._unattended(doc)
        return str(doc)

    def unattended(self) -> str:
        """Nobody took it."""
        doc = _document()
        self._unattended(doc)
        return str(doc)

    def thanks(self) -> str:
        doc = _document()
        self._say(doc, translate(self.language, speaking.THANKS))
        doc.hangup()
        return str(doc)

    def towards(self, number: str, *, call: str) -> str:
        """The agent has picked up: now the customer."""
        doc = _document()
        dial = doc.dial(
            answer_on_bridge=True,
            caller_id=self.line.place(),
            timeout=60,
            action=self.address("dialled", call=call),
        )
        dial.number(
            number,
            status_callback=self.address("status", call=call, side="customer"),
            status_callback_event=STEPS,
        )
        return str(doc)

    def over(self, dialled: str) -> str:
        """To an agent whose customer was not reached."""
        doc = _document()
        if dialled != "completed":
            told = speaking.BUSY if dialled == "busy" else speaking.NOT_REACHED
            self._say(doc, translate(self.language, told))
        doc.hangup()
        return str(doc)

    def _ask_for_order(self, doc: Any) -> None:
        gather = doc.gather(
            input="dtmf speech",
            finish_on_key="#",
            timeout=5,
            speech_timeout="auto",
            language=VOICES[self.language][0],
            action=self.address("menu"),
        )
        self._say(gather, translate(self.language, speaking.WHICH_ORDER))

    def _connect(self, doc: Any, ring: Sequence[str]) -> None:
        if not ring:
            self._unattended(doc)
            return
        consent = None
        if self.line.record and self.line.consent == "pressed":
            asked = self._notice(speaking.ASKED)
            agreeing = self._consent("pressed", asked).to_query()
            gather = doc.gather(num_digits=1, timeout=5, action=self.address("consent", **agreeing))
            self._say(gather, asked)
        elif self.line.record:
            notice = self._notice(speaking.ANNOUNCED)
            self._say(doc, notice)
            consent = self._consent("announced", notice)
        self._dial(doc, ring, consent)

    def _dial(self, doc: Any, ring: Sequence[str], consent: Consent | None) -> None:
        recording = (
            {
                "record": "record-from-answer-dual",
                "recording_status_callback": self.address("recording", kind="call", **consent.to_query()),
                "recording_status_callback_event": "completed",
            }
            if consent
            else {}
        )
        dial = doc.dial(
            answer_on_bridge=True, timeout=self.line.ring_seconds, action=self.address("dialled"), **recording
        )
        told = {"status_callback": self.address("status"), "status_callback_event": STEPS}
        for telephone in ring[:MOST_AT_ONCE]:
            if telephone.startswith("sip:"):
                dial.sip(telephone, **told)
            elif telephone.startswith("client:"):
                dial.client(telephone.removeprefix("client:"), **told)
            else:
                dial.number(telephone, **told)

    def _unattended(self, doc: Any) -> None:
        if not self.line.voicemail:
            self._say(doc, translate(self.language, speaking.NOBODY))
            doc.hangup()
            return
        asked = translate(self.language, speaking.LEAVE_A_MESSAGE)
        self._say(doc, asked)
        consent = self._consent("announced", asked)
        doc.record(
            action=self.address("goodbye"),
            max_length=LONGEST_MESSAGE,
            timeout=10,
            play_beep=True,
            recording_status_callback=self.address("recording", kind="voicemail", **consent.to_query()),
            recording_status_callback_event="completed",
        )
        doc.hangup()

    def _notice(self, ours: str) -> str:
        own: dict[str, str] = {
            language: notice for language, notice in self.line.consent_notice.items() if notice.strip()
        }
        return own.get(self.language) or translate(self.language, ours)

    def _consent(self, way: Any, said: str) -> Consent:
        return Consent(way, self.language, self.at, said)

    def _say(self, where: Any, words: str) -> None:
        language, voice = VOICES[self.language]
        where.say(words, language=language, voice=voice)


def _document() -> Any:
    from twilio.twiml.voice_response import VoiceResponse

    return VoiceResponse()
