"""Small pictures of what customers send, whatever they send."""

import zlib
from collections.abc import Iterator
from io import BytesIO
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from PIL import Image
from sqlalchemy import select

from api.house import House
from domain.db import new_id
from domain.desk.files import preview_of
from domain.desk.messages import Attachment, Message
from domain.privacy import retention
from domain.ways_in.channels import ChannelKind
from integrations.children import Children, Limits
from integrations.pictures import previews
from integrations.pictures.drawing import SIDE, draw
from integrations.pictures.previews import Previews
from tests.client import Client
from tests.factories import a_channel, a_mail, receive

FILES = """{ tickets(first: 1) { edges { node { timeline(first: 5, kinds: [MESSAGE]) { edges { node {
  ... on Message { attachments { name thumbUrl } } } } } } } } }"""


def a_photo(format: str = "JPEG", size: tuple[int, int] = (1200, 600), **saving: Any) -> bytes:
    """Red on the left, blue on the right."""
    picture = Image.new("RGB", size, "red")
    picture.paste("blue", (size[0] // 2, 0, *size))
    out = BytesIO()
    picture.save(out, format, **saving)
    return out.getvalue()


def a_camera_photo() -> bytes:
    """Held upright, and it knows where."""
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010F] = "Camera of Ada"
    exif.get_ifd(0x8825)[1] = "N"
    return a_photo(exif=exif)


def a_bomb(side: int = 60_000) -> bytes:
    """A PNG of a few kilobytes that unpacks to gigabytes."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return len(content).to_bytes(4) + kind + content + zlib.crc32(kind + content).to_bytes(4)

    head = side.to_bytes(4) * 2 + b"\x08\x02\x00\x00\x00"
    rows = zlib.compress(b"\0" * 10_000_000, 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def seen(preview: bytes) -> Image.Image:
    picture = Image.open(BytesIO(preview))
    assert picture.format == "WEBP"
    assert not getattr(picture, "is_animated", False)
    return picture


def colour(picture: Image.Image, x: float, y: float) -> str:
    at = int(picture.width * x), int(picture.height * y)
    red, _, blue, *_ = picture.convert("RGB").getpixel(at)  # type: ignore[misc]
    return "red" if red > blue else "blue"


@pytest.mark.parametrize("format", ["JPEG", "PNG", "GIF", "WEBP"])
def test_a_photo_becomes_small_and_stays_what_it_shows(format: str) -> None:
    picture = seen(draw(a_photo(format)))

    assert picture.size == (SIDE, SIDE // 2)
    assert (colour(picture, 0.2, 0.5), colour(picture, 0.8, 0.5)) == ("red", "blue")


def test_a_photo_stands_upright_and_says_nothing_of_its_camera() -> None:
    preview = draw(a_camera_photo())

    picture = seen(preview)
    assert picture.size == (SIDE // 2, SIDE)
    assert (colour(picture, 0.5, 0.2), colour(picture, 0.5, 0.8)) == ("red", "blue")
    assert not picture.getexif()
    assert b"Camera" not in preview


def test_of_one_that_moves_the_first_moment_is_shown() -> None:
    frames = [Image.new("RGB", (400, 400), name) for name in ("red", "blue", "blue")]
    out = BytesIO()
    frames[0].save(out, "GIF", save_all=True, append_images=frames[1:])

    assert colour(seen(draw(out.getvalue())), 0.5, 0.5) == "red"


def test_what_is_clear_stays_clear() -> None:
    out = BytesIO()
    Image.new("RGBA", (10, 10), (0, 0, 0, 0)).save(out, "PNG")

    assert seen(draw(out.getvalue())).mode == "RGBA"


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"GIF89a",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        a_photo("TIFF"),
        a_photo("BMP"),
        a_photo("PNG")[:-200],
        a_photo("JPEG")[:2000],
        a_bomb(),
        a_bomb(7_000),
    ],
    ids=["empty", "begun", "svg", "tiff", "bmp", "truncated png", "truncated jpeg", "bomb", "unfinished"],
)
def test_of_what_is_no_picture_or_a_broken_one_there_is_none(raw: bytes) -> None:
    assert draw(raw) == b""


@pytest.fixture
def strict(monkeypatch: pytest.MonkeyPatch) -> Iterator[Children]:
    """Children with less room than a photo takes."""
    children = Children("integrations.pictures.drawing", 1, Limits(memory=200 * 1024 * 1024))
    monkeypatch.setattr(previews, "CHILDREN", children)
    yield children
    children.close()


async def stored(house: House, *files: tuple[str, bytes]) -> list[Attachment]:
    """Ada's mail with these; all are said to be PNG."""
    async with house.db.transaction() as session:
        await receive(
            session, await a_channel(session, house.keys, ChannelKind.EMAIL), a_mail("ada@example.org")
        )
        (message,) = await session.scalars(select(Message))
        found = [
            Attachment(
                id=new_id(), item_id=message.id, name=name, mime="image/png", bytes=len(content),
                file=await house.files.put(content),
            )
            for name, content in files
        ]  # fmt: skip
        session.add_all(found)
        return found


async def links(client: Client) -> dict[str, Any]:
    (edge,) = (await client.ask(FILES))["tickets"]["edges"]
    (message,) = edge["node"]["timeline"]["edges"]
    return {one["name"]: one["thumbUrl"] for one in message["node"]["attachments"]}


async def fetched(client: Client, url: str) -> httpx.Response:
    parts = urlsplit(url)
    return await client.http.get(f"{parts.path}?{parts.query}")


async def test_a_preview_is_drawn_once_kept_and_goes_with_its_photo(house: House, ben: Client) -> None:
    photo, lie, words = await stored(
        house, ("photo.png", a_photo("PNG")), ("lie.png", b"%PDF-1.7"), ("words.txt", b"words")
    )
    async with house.db.transaction() as session:
        (await session.get_one(Attachment, words.id)).mime = "text/plain"

    urls = await links(ben)
    shown = await fetched(ben, urls["photo.png"])
    nothing = await fetched(ben, urls["lie.png"])
    forged = await fetched(ben, urls["photo.png"].replace(str(photo.id), str(lie.id)))

    assert (shown.status_code, shown.headers["content-type"]) == (200, "image/webp")
    assert seen(shown.content).width == SIDE
    assert (nothing.status_code, forged.status_code, urls["words.txt"]) == (404, 404, None)
    kept = [await house.files.size(preview_of(str(one.file))) for one in (photo, lie)]
    assert kept == [len(shown.content), 0]

    async with house.db.transaction() as session:
        await retention._empty_attachments(session, house.files, [photo.item_id])
    late = await Previews(house.db, house.files).of(photo.id, str(photo.file))

    assert late is None
    assert not await house.files.has(preview_of(str(photo.file)))


async def test_a_photo_that_eats_its_child_is_not_tried_again(
    house: House, ben: Client, strict: Children
) -> None:
    large, small = await stored(
        house, ("large.png", a_photo("PNG", (7000, 7000))), ("small.png", a_photo("PNG"))
    )
    drawing = Previews(house.db, house.files)

    assert await drawing.of(large.id, str(large.file)) is None
    assert await house.files.size(preview_of(str(large.file))) == 0
    assert await drawing.of(small.id, str(small.file))
