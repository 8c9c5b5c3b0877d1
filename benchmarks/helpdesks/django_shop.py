# mypy: ignore-errors
"""django-helpdesk with tickets of the same size as ours. Runs in a Python of its own, where Django is: nothing of ours is there.

`python django_shop.py TICKETS LONG` makes the tables, so many tickets with five messages and one with LONG, and prints the session of
who is signed in and that ticket's id; `gunicorn django_shop:application` answers. The database's address is in DATABASE_URL.
"""

import json
import os
import sys
from urllib.parse import parse_qs, unquote, urlsplit

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.urls import include, path

address = urlsplit(os.environ["DATABASE_URL"])
settings.configure(
    SECRET_KEY="a secret of the benchmark",
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    USE_TZ=True,
    SITE_ID=1,
    DEFAULT_AUTO_FIELD="django.db.models.AutoField",
    STATIC_URL="/static/",
    MEDIA_URL="/media/",
    LOGIN_URL="/login/",
    HELPDESK_KB_ENABLED=False,
    HELPDESK_TEAMS_MODEL="auth.User",
    HELPDESK_TEAMS_MIGRATION_DEPENDENCIES=[],
    HELPDESK_KBITEM_TEAM_GETTER=lambda item: None,
    INSTALLED_APPS=[
        "django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions", "django.contrib.sites",
        "django.contrib.messages", "django.contrib.staticfiles", "django.contrib.humanize", "django.contrib.admin",
        "bootstrap4form", "rest_framework", "helpdesk",
    ],
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
    ],
    TEMPLATES=[
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "APP_DIRS": True,
            "OPTIONS": {
                "context_processors": [
                    "django.template.context_processors.debug", "django.template.context_processors.request",
                    "django.contrib.auth.context_processors.auth",
                    "django.contrib.messages.context_processors.messages",
                ]
            },
        }
    ],
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": address.path[1:],
            "USER": unquote(address.username or ""),
            "PASSWORD": unquote(address.password or ""),
            "HOST": address.hostname or parse_qs(address.query)["host"][0],
            "PORT": address.port or "",
            "CONN_MAX_AGE": None,
        }
    },
)  # fmt: skip
application = get_wsgi_application()
urlpatterns = [path("", include("helpdesk.urls", namespace="helpdesk"))]


def fill(tickets: int, long: int) -> dict[str, str]:
    from django.contrib.auth.models import User
    from django.contrib.sessions.backends.db import SessionStore
    from django.core.management import call_command
    from helpdesk.models import FollowUp, Queue, Ticket

    call_command("migrate", verbosity=0)
    mia = User.objects.create_superuser("mia", "mia@shop.example", "a password of the benchmark")
    queue = Queue.objects.create(title="Shop", slug="shop")
    text = "When will my parcel come? It has been ten days, and the courier does not answer. " * 3
    made = Ticket.objects.bulk_create(
        [
            Ticket(
                title=f"Order {place}", queue=queue, submitter_email=f"customer{place}@mail.example",
                assigned_to=mia, status=1 + place % 3, description=text, priority=3, secret_key=f"{place:036}",
            )
            for place in range(tickets)
        ],
        batch_size=1_000,
    )  # fmt: skip
    spoken = [(ticket, place) for ticket in made for place in range(5)]
    spoken += [(made[-1], place) for place in range(long - 5)]
    FollowUp.objects.bulk_create(
        [
            FollowUp(
                ticket=ticket, title="Comment", comment=text, public=True, user=mia if place % 2 else None
            )
            for ticket, place in spoken
        ],
        batch_size=1_000,
    )
    session = SessionStore()
    session.update(
        {
            "_auth_user_id": str(mia.pk),
            "_auth_user_backend": "django.contrib.auth.backends.ModelBackend",
            "_auth_user_hash": mia.get_session_auth_hash(),
        }
    )
    session.save()
    return {"session": session.session_key, "long": str(made[-1].pk)}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(fill(int(sys.argv[1]), int(sys.argv[2]))) + "\n")
