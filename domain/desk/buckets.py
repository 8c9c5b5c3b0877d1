"""Stored bytes in a bucket of S3, or of what speaks like it. Whoever may have a file is sent on to it by a link that lives a minute."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from tempfile import TemporaryFile
from typing import Any, BinaryIO
from urllib.parse import urlsplit

import obstore
from obstore.store import S3Store

from domain.desk.files import Files, Folder, UploadLink, reached
from domain.desk.presigning import Credentials, presigned
from domain.settings import DomainSettings

DOWNLOAD_LIVES = timedelta(minutes=1)
UPLOAD_LIVES = timedelta(minutes=15)


def files_of(settings: DomainSettings, *, scanned: bool = False) -> Files:
    if settings.files_url:
        return Bucket(settings, scanned=scanned)
    return Folder(settings.data / "files", scanned=scanned)


class Bucket(Files):
    def __init__(self, settings: DomainSettings, *, scanned: bool = False) -> None:
        place = urlsplit(settings.files_url or "")
        bucket, self._prefix = place.hostname or "", place.path.strip("/")
        region = settings.files_region
        self._credentials = Credentials(settings.files_key_id or "", settings.files_secret or "", region)
        endpoint = settings.files_endpoint
        public = settings.files_public_endpoint or endpoint
        self._public = (
            f"{public.rstrip('/')}/{bucket}" if public else f"https://{bucket}.s3.{region}.amazonaws.com"
        )
        own: dict[str, Any] = {"endpoint": endpoint} if endpoint else {"virtual_hosted_style_request": True}
        store = S3Store(
            bucket,
            prefix=self._prefix or None,
            region=region,
            access_key_id=settings.files_key_id,
            secret_access_key=settings.files_secret,
            client_options={
                "allow_http": bool(endpoint and endpoint.startswith("http://")),
                "timeout": "60s",
            },
            retry_config={"max_retries": 3, "retry_timeout": timedelta(seconds=20)},
            **own,
        )
        super().__init__(store, scanned=scanned)

    @asynccontextmanager
    async def writing(self, key: str) -> AsyncIterator[BinaryIO]:
        with TemporaryFile() as out:  # it has no name: nobody finds it, whatever becomes of us
            yield out
            out.flush()
            out.seek(0)
            with reached():
                await obstore.put_async(self._store, key, out)

    def download(self, key: str, *, type: str, disposition: str, at: datetime) -> str:
        said = {
            "response-content-type": type,
            "response-content-disposition": disposition,
            "response-cache-control": "private, max-age=60",
        }
        return presigned("GET", self._url(key), self._credentials, at=at, lives=DOWNLOAD_LIVES, query=said)

    def upload(self, key: str, *, bytes: int, mime: str, at: datetime) -> UploadLink:
        """Of exactly so many bytes: their number is part of what is signed."""
        headers = {"content-length": str(bytes), "content-type": mime}
        url = presigned("PUT", self._url(key), self._credentials, at=at, lives=UPLOAD_LIVES, headers=headers)
        return UploadLink(url, headers)

    def _url(self, key: str) -> str:
        return "/".join(filter(None, (self._public, self._prefix, key)))
