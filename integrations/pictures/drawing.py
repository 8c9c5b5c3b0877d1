"""A small picture of a large one, drawn in a child that knows nothing else. It shows the first moment of one that moves, stands
upright as its camera says, and holds nothing but what is seen: no place, no time, no camera.
"""

from io import BytesIO

from integrations import children

SIDE = 320
"""Of the square in which it has room."""
MOST_PIXELS = 50_000_000
FORMATS = ("PNG", "JPEG", "GIF", "WEBP")


def draw(raw: bytes) -> bytes:
    """As WebP; empty for what is no picture, or a broken one, or one that unpacks to more than anybody photographs."""
    from PIL import Image, ImageOps

    Image.MAX_IMAGE_PIXELS = MOST_PIXELS
    try:
        with Image.open(BytesIO(raw), formats=FORMATS) as picture:
            if picture.width * picture.height > MOST_PIXELS:
                return b""
            picture.thumbnail((SIDE, SIDE))
            upright = ImageOps.exif_transpose(picture).convert("RGBA" if _is_clear(picture) else "RGB")
    except MemoryError:
        raise
    except Exception:  # decoders fail in as many ways as there are broken pictures
        return b""
    seen = Image.frombytes(upright.mode, upright.size, upright.tobytes())
    out = BytesIO()
    seen.save(out, "WEBP", quality=80)
    return out.getvalue()


def _is_clear(picture: object) -> bool:
    return bool(getattr(picture, "has_transparency_data", False))


if __name__ == "__main__":
    children.serve(draw, pieces=1)
