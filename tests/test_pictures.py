"""Whatever picture comes in is upright, whole and bounded, at every door it can come in by."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from model.errors import ConfigError, IntegrityError, StoryError
from model.memory.vibe.pictures import as_picture
from model.page.export.sheet import open_picture
from model.pictures import (
    BROUGHT,
    OWN,
    BadPicture,
    picture_facts,
    picture_size,
    read_picture,
    stored_picture,
)
from model.run.portrait import read_portrait
from model.story.schema import load_story

ROOT = Path(__file__).parents[1]
# How a camera that is turned so stores an upright scene: the inverse of what the tag asks for.
STORED = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def scene() -> Image.Image:
    """Taller than wide, red above, blue at its foot, green at its left: no two turnings look alike."""
    picture = Image.new("RGB", (60, 90), "white")
    pen = ImageDraw.Draw(picture)
    pen.rectangle((0, 0, 59, 19), fill=(200, 20, 20))
    pen.rectangle((0, 70, 59, 89), fill=(20, 20, 200))
    pen.rectangle((0, 30, 14, 60), fill=(20, 160, 20))
    return picture


def photograph(orientation: int, form: str) -> bytes:
    how = STORED[orientation]
    picture = scene() if how is None else scene().transpose(how)
    exif = Image.Exif()
    exif[0x0112] = orientation
    written = io.BytesIO()
    picture.save(written, form, exif=exif, **({"quality": 95} if form != "PNG" else {}))
    return written.getvalue()


def apart(one: Image.Image, other: Image.Image) -> float:
    """Mean difference of two pictures of one size, of 255."""
    assert one.size == other.size
    return float(
        np.abs(np.asarray(one.convert("RGB"), float) - np.asarray(other.convert("RGB"), float)).mean()
    )


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", STORED)
def test_photographs_are_upright_whoever_reads_them(orientation: int, form: str, tmp_path: Path) -> None:
    data = photograph(orientation, form)
    path = tmp_path / f"photo.{form.lower()}"
    path.write_bytes(data)
    portrait, _ = read_portrait(path, None)  # characters add, characters sightings --like
    square = Image.open(io.BytesIO(portrait)).crop((15, 0, 75, 90))
    for seen in (
        read_picture(path),
        read_picture(data),
        stored_picture(data),  # what the renderers and encoders take from the library
        as_picture(path),  # likes
        as_picture(as_picture(path)),  # and not turned a second time
        square,
    ):
        assert apart(seen, scene()) < 6
    assert picture_size(path) == (60, 90)


def test_a_turned_reference_is_drawn_with_upright(tmp_path: Path) -> None:
    """The renderers square a story's own file, byte for byte as it was given."""
    from model.render.flux.conditions import square_picture

    upright = square_picture(scene(), 64)
    turned = square_picture(stored_picture(photograph(6, "JPEG")), 64)
    assert apart(upright, turned) < 6


def test_a_broken_exif_block_does_not_keep_a_good_picture_out() -> None:
    written = io.BytesIO()
    scene().save(written, "JPEG", exif=b"Exif\x00\x00MM\x00\x2a\xff\xff\xff\xff" + b"\x01" * 40)
    assert apart(read_picture(written.getvalue()), scene()) < 6


def png(width: int, height: int, *, pixels: bool = True, text: bytes = b"") -> bytes:
    """A valid grey PNG of any size, a few hundred bytes long."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    packer = zlib.compressobj(9)
    rows = packer.compress(bytes(height * (1 + width))) + packer.flush() if pixels else b""
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
        + (chunk(b"zTXt", text) if text else b"")
        + chunk(b"IDAT", rows)
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (png(1, 60000), "1 x 60000 pixels"),
        (png(60000, 1), "60000 x 1 pixels"),
        (png(3, 40000), "one side at most 50 times the other"),
        (png(9000, 9000, pixels=False), "at most 64 megapixels"),
        (png(2**31 - 1, 2**31 - 1, pixels=False), "megapixels"),
        (photograph(1, "PNG")[:-60], "damaged or cut off"),
        (photograph(1, "JPEG")[:-400], "damaged or cut off"),
        (photograph(1, "WEBP")[:-60], "cut off"),
        (b"", "not an image"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not an image"),
        (b"<!DOCTYPE html><html></html>", "not an image"),
        (png(40, 40, text=b"Comment\x00\x00" + zlib.compress(bytes(80_000_000), 9)), "damaged"),
    ],
)
def test_bombs_and_stumps_are_refused_at_every_door(data: bytes, told: str, tmp_path: Path) -> None:
    path = tmp_path / "given.png"
    path.write_bytes(data)
    with pytest.raises(BadPicture, match=told):
        read_picture(data)
    with pytest.raises(ConfigError, match=told):
        read_portrait(path, None)
    with pytest.raises(ConfigError, match=told):
        as_picture(path)
    with pytest.raises(IntegrityError, match=told):
        stored_picture(data)
    (tmp_path / "story.json").write_text(
        '{"title": "x", "characters": {"a": {"name": "A", "description": "a", "references": ["given.png"]}},'
        '"pages": [{"panels": [{"scene": "beach"}]}]}'
    )
    with pytest.raises(StoryError, match=rf"characters\.a\.references\[0\].*{told}"):
        load_story(tmp_path / "story.json")


def test_a_books_own_picture_that_is_damaged_is_said_to_be_drawn_again(tmp_path: Path) -> None:
    path = tmp_path / "p001_01.png"
    path.write_bytes(photograph(1, "PNG")[:-60])
    with pytest.raises(IntegrityError, match="draw the story again"):
        open_picture(path)


def test_large_pictures_are_scaled_down_so_that_a_square_around_them_is_bounded() -> None:
    strip = Image.new("L", (800, 20_000), 90)
    written = io.BytesIO()
    strip.save(written, "PNG")
    seen = read_picture(written.getvalue())
    assert max(seen.size) == BROUGHT.side
    assert seen.size[0] == pytest.approx(800 * BROUGHT.side / 20_000, abs=1)
    assert picture_size(written.getvalue()) == (800, 20_000)
    assert read_picture(written.getvalue(), OWN).size == (800, 20_000)


def test_text_of_a_picture_is_read_without_its_pixels() -> None:
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add_itxt("autostudio", "{…}")
    written = io.BytesIO()
    scene().save(written, "PNG", pnginfo=info)
    assert picture_facts(written.getvalue()) == {"autostudio": "{…}"}


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux tells its peak so")
@pytest.mark.parametrize("size", [(1, 60000), (60000, 1), (2, 32000), (180, 9000), (8000, 8000)])
def test_no_small_file_takes_much_memory(size: tuple[int, int], tmp_path: Path) -> None:
    """The largest that is accepted, and thin ones that are not: less than 2 GB at the most."""
    (tmp_path / "given.png").write_bytes(png(*size))
    code = (
        "import re, sys\nfrom pathlib import Path\n"
        "from model.errors import ConfigError\nfrom model.run.portrait import read_portrait\n"
        "try:\n    read_portrait(Path(sys.argv[1]), None)\nexcept ConfigError:\n    pass\n"
        # Its own peak: what getrusage says would count what this process had when it was forked.
        "print(int(re.search(r'VmHWM:\\s+(\\d+)', Path('/proc/self/status').read_text())[1]) // 1024)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "given.png")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(done.stdout) < 2000
