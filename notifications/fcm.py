"""FCM through firebase-admin: what is sent, and what each answer means for the ledger."""

import asyncio
import json
import time
import warnings
from pathlib import Path
from typing import Any

from domain.retry_after import seconds_of
from domain.settings import WrongSetting
from notifications.push import Accepted, Failed, Push, Urgency
from notifications.settings import NotificationSettings

TIMEOUT = 10


def read_credentials(settings: NotificationSettings) -> dict[str, Any] | None:
    given = settings.fcm_credentials
    if not given:
        return None
    try:
        text = given if given.lstrip().startswith("{") else Path(given).read_text()
        account: dict[str, Any] = json.loads(text)
    except OSError:
        raise WrongSetting(f"HEDDLE_FCM_CREDENTIALS is wrong: there is no readable file {given!r}.") from None
    except ValueError:
        raise WrongSetting("HEDDLE_FCM_CREDENTIALS is wrong: that is not JSON.") from None
    if not isinstance(account, dict) or account.get("type") != "service_account":
        raise WrongSetting("HEDDLE_FCM_CREDENTIALS is wrong: that is no service account's key.")
    return account


class Fcm:
    """One Firebase app, for one event loop: the library's async client belongs to the loop that made it."""

    def __init__(self, settings: NotificationSettings) -> None:
        self._url = settings.fcm_url
        self._account = read_credentials(settings)
        self._app: Any = None
        self._starting = asyncio.Lock()

    @property
    def ready(self) -> bool:
        return self._account is not None

    async def send(self, push: Push) -> Accepted | Failed:
        if not self.ready:
            return Failed("NOT_CONFIGURED", again=False)
        async with self._starting:
            if self._app is None:
                self._app = await asyncio.to_thread(self._start)
        from firebase_admin import messaging

        try:
            await asyncio.to_thread(self._app.credential.get_access_token)  # the library would block the loop
            batch = await messaging.send_each_async([self._message(push)], app=self._app)
        except Exception as failure:
            if not _is_google(failure):
                raise
            return Failed(f"UNREACHABLE: {type(failure).__name__}", again=True)
        answer = batch.responses[0]
        if answer.success:
            return Accepted(answer.message_id)
        return _judged(answer.exception, messaging)

    def _start(self) -> Any:
        import firebase_admin  # 1.2 s and 28 MB: only where something is pushed
        from firebase_admin import credentials, messaging

        messaging._MessagingService.FCM_URL = self._url + "/v1/projects/{0}/messages:send"
        return firebase_admin.initialize_app(
            credentials.Certificate(self._account), {"httpTimeout": TIMEOUT}, name=f"heddle-{id(self)}"
        )

    def _message(self, push: Push) -> Any:
        from firebase_admin import messaging

        silent = push.urgency == Urgency.LOW
        aps = messaging.Aps(
            alert=None if silent else messaging.ApsAlert(title=push.words.title, body=push.words.body),
            badge=None if silent else push.badge,
            sound=None if silent else "default",
            content_available=silent or None,
            thread_id=push.data.get("t"),
            category=None if silent else "alert",
            mutable_content=not silent or None,
            custom_data=None if silent else {"interruption-level": "time-sensitive"},
        )
        # A registration token has a colon, an installation id none. The library deprecates `token`.
        addressee = {"token" if ":" in push.handle else "fid": push.handle}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            return messaging.Message(
                **addressee,
                data={**push.data, "title": push.words.title, "body": push.words.body, "link": push.link},
                android=messaging.AndroidConfig(
                    priority="high" if push.urgency == Urgency.HIGH else "normal", ttl=push.time_to_live
                ),
                apns=messaging.APNSConfig(
                    headers={
                        "apns-priority": "5" if silent else "10",
                        "apns-push-type": "background" if silent else "alert",
                        "apns-expiration": str(int(time.time() + push.time_to_live.total_seconds())),
                        **({"apns-collapse-id": push.replaces} if push.replaces and not silent else {}),
                    },
                    payload=messaging.APNSPayload(aps=aps),
                ),
            )

    async def close(self) -> None:
        if self._app is None:
            return
        import firebase_admin
        from firebase_admin import messaging

        await messaging._get_messaging_service(self._app)._async_client.aclose()
        await asyncio.to_thread(firebase_admin.delete_app, self._app)
        self._app = None


def _is_google(failure: Exception) -> bool:
    from firebase_admin.exceptions import FirebaseError
    from google.auth.exceptions import GoogleAuthError

    return isinstance(failure, FirebaseError | GoogleAuthError)


def _judged(refusal: Any, messaging: Any) -> Failed:
    """404 UNREGISTERED and a device of another project are gone for good; other 4xx are final. 429, 5xx and silence are tried
    again."""
    code, answer = str(refusal.code), refusal.http_response
    match refusal:
        case messaging.UnregisteredError():
            return Failed("UNREGISTERED", again=False, device_gone=True)
        case messaging.SenderIdMismatchError():
            return Failed("SENDER_ID_MISMATCH", again=False, device_gone=True)
    if answer is None:
        return Failed(code, again=True)
    if answer.status_code == 429 or answer.status_code >= 500:
        return Failed(code, again=True, after=seconds_of(answer.headers.get("Retry-After")))
    return Failed(code, again=False)
