"""All that waits to be worked on."""

from domain.inbound import ARRIVALS
from domain.messages import FETCHES, OUTBOX
from domain.notices import PUSHES
from domain.system_mail import SYSTEM_MAIL
from domain.webhooks import POSTS
from domain.work import Queue

QUEUES: tuple[Queue, ...] = (ARRIVALS, OUTBOX, FETCHES, PUSHES, SYSTEM_MAIL, POSTS)  # type: ignore[type-arg]
OUTWARD = tuple(queue for queue in QUEUES if queue.outward)
