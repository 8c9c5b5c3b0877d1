"""The far ends of the wire, played on this machine: Meta's Graph, Google's FCM, a browser's push service,
somebody's mail server, a virus scanner.

The real client libraries talk to them over real sockets on 127.0.0.1; they know nothing of our rooms.
Each is an async context manager, keeps what it received, and misbehaves when told to:

    async with FcmStandIn() as fcm:
        fcm.misbehave("quota", times=2)
        ...
        push = await fcm.next_push()
        assert fcm.misbehave.done == ["quota", "quota"]
"""

from demo.farends import messenger_events
from demo.farends.clamd import ClamdStandIn
from demo.farends.fcm import FcmStandIn, Push
from demo.farends.graph import GraphStandIn, SentMessage
from demo.farends.smtp import SentMail, SmtpSink
from demo.farends.web_push import BrowserPush, Subscription, WebPushStandIn

__all__ = [
    "BrowserPush",
    "ClamdStandIn",
    "FcmStandIn",
    "GraphStandIn",
    "Push",
    "SentMail",
    "SentMessage",
    "SmtpSink",
    "Subscription",
    "WebPushStandIn",
    "messenger_events",
]
