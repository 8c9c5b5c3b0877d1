"""Links to something in S3."""

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import obstore
from obstore.store import S3Store

from domain.desk.presigning import Credentials, presigned

DAY = timedelta(days=1)


def test_the_example_of_the_manual() -> None:
    link = presigned(
        "GET",
        "https://examplebucket.s3.amazonaws.com/test.txt",
        Credentials("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "us-east-1"),
        at=datetime(2013, 5, 24, tzinfo=UTC),
        lives=DAY,
    )

    signature = parse_qs(urlsplit(link).query)["X-Amz-Signature"]
    assert signature == ["aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"]


def test_another_signer_signs_the_same() -> None:
    key = "ab/c d+é~.png"
    store = S3Store(
        "shop",
        endpoint="http://127.0.0.1:9000",
        region="eu-west-1",
        access_key_id="id",
        secret_access_key="secret",
        client_options={"allow_http": True},
    )
    theirs = obstore.sign(store, "PUT", key, DAY)
    said = parse_qs(urlsplit(theirs).query)
    at = datetime.strptime(said["X-Amz-Date"][0], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)

    ours = presigned(
        "PUT", f"http://127.0.0.1:9000/shop/{key}", Credentials("id", "secret", "eu-west-1"), at=at, lives=DAY
    )

    assert parse_qs(urlsplit(ours).query) == said
