"""`run.py quantize SRC --report`: what each level costs, in bytes, in weights and in pictures.

In: a checkpoint that can draw. Out: in a folder a GGUF file a level, NAME-report.json, .md with the table,
and .png with the pictures: the same panels and seeds, a column a level, beside those of the source's own
numbers. `--gguf` finds the files and the errors there.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from model.commands.quantize_draw import STEPS, Drawer
from model.files import write_bytes
from quantization.levels import LEVELS, Level

# K levels take 256 values at once, the others 32, and rows that are no multiple stay in half precision. So a
# K level of a small model may take more bits than its name says: each family is a table of its own.
FAMILIES = (
    ("F16", "Q8_0", "Q5_1", "Q5_0", "Q4_1", "Q4_0"),
    ("Q6_K", "Q5_K_S", "Q4_K_S", "Q3_K_S", "Q2_K"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One level.

    Attributes:
        bytes: of its file; bits: of the file a weight, whatever the level is called.
        fallen_back: matrices that stayed in half precision for their rows.
        error: of the matrices' weights, RMSE over RMS.
        psnr, ssim: mean over the panels; psnr is infinite where no pixel differs.
        distance: 1 − cosine in the checkpoint's CLIP, mean over the panels.
    """

    level: str
    bytes: int
    bits: float
    fallen_back: int
    error: float
    psnr: float
    ssim: float
    distance: float


def report(
    source: Path,
    folder: Path,
    *,
    levels: Sequence[Level],
    panels: int,
    device: str,
    say: Callable[[str], None],
    imatrix: Path | None = None,
) -> tuple[Measured, ...]:
    """Make and measure every level; files are written into `folder`.

    Args:
        imatrix: how much each column matters; for those levels that heed it.
    Raises:
        ConfigError: the source is no checkpoint that draws.
        AutoStudioError: see `convert` and the renderer.
    """
    from quantization.convert import convert, weight_error

    drawer = Drawer(source, device, panels)
    levels = _below(drawer.transformer, levels, say)
    wanted = drawer.draw(None)
    found: list[Measured] = []
    shown: dict[str, Sequence[Image.Image]] = {"source": wanted}
    for level in levels:
        file = folder / f"{drawer.name}-{level.name}.gguf"
        matter = imatrix if level.type.weighted else None
        made = convert(drawer.transformer, file, level, imatrix=matter, device=device)
        pictures = drawer.draw(file)
        shown[level.name] = pictures
        found.append(
            Measured(
                level=level.name,
                bytes=made.bytes,
                bits=round(8 * made.bytes / made.weights, 3),
                fallen_back=made.fallen_back,
                error=round(weight_error(drawer.transformer, file, level), 6),
                **drawer.compared(wanted, pictures),
            )
        )
        say(_line(found[-1]))
    _write(folder, drawer, found, shown, imatrix)
    return tuple(found)


def _below(file: Path, levels: Sequence[Level], say: Callable[[str], None]) -> Sequence[Level]:
    """The levels with no more bits than the source: more of them would hold the same numbers."""
    from model.run.fit import weights_file

    own = weights_file(file).level if file.suffix == ".gguf" else None
    if own is None:
        return levels
    most = LEVELS[own].type.bits
    if above := [level.name for level in levels if level.type.bits > most]:
        say(f"{file.name} is {own} itself; left out: {', '.join(above)}")
    return [level for level in levels if level.type.bits <= most]


def _line(row: Measured) -> str:
    return (
        f"{row.level}: {row.bytes / 1e6:.1f} MB, {row.bits:.2f} bits a weight, error {row.error:.4f}, "
        f"PSNR {row.psnr:.1f} dB, SSIM {row.ssim:.3f}, CLIP distance {row.distance:.4f}"
    )


def table(rows: Sequence[Measured]) -> str:
    """Markdown, a part a family, in the order of bits."""
    lines: list[str] = []
    for family in FAMILIES:
        of_family = [row for row in rows if row.level in family]
        if not of_family:
            continue
        lines += [
            "",
            "| level | MB | bits a weight | error of weights | PSNR, dB | SSIM | CLIP distance |",
            "| --- | --- | --- | --- | --- | --- | --- |",
        ]
        lines += [
            f"| {row.level} | {row.bytes / 1e6:.1f} | {row.bits:.2f} | {row.error:.4f} | "
            f"{'same' if math.isinf(row.psnr) else f'{row.psnr:.1f}'} | {row.ssim:.3f} | {row.distance:.4f} |"
            for row in sorted(of_family, key=lambda row: -row.bits)
        ]
    return "\n".join(lines[1:]) + "\n"


def _write(
    folder: Path,
    drawer: Drawer,
    rows: Sequence[Measured],
    shown: Mapping[str, Sequence[Image.Image]],
    imatrix: Path | None,
) -> None:
    """Table, facts and pictures."""
    how = (
        f"{len(drawer.requests)} panels of First Light, {STEPS} steps, the same seeds, no references; beside "
        f"the pictures of the source's own numbers ({drawer.transformer.name})."
    )
    if imatrix is not None:
        how += f" K levels weigh columns by {imatrix.name}."
    facts = {
        "model": drawer.name,
        "fingerprint": drawer.checkpoint.fingerprint,
        "how": how,
        # JSON has no infinity.
        "levels": [asdict(row) | {"psnr": None if math.isinf(row.psnr) else row.psnr} for row in rows],
    }
    base = folder / f"{drawer.name}-report"
    write_bytes(base.with_suffix(".json"), (json.dumps(facts, indent=1) + "\n").encode())
    write_bytes(base.with_suffix(".md"), f"# {drawer.name}\n\n{how}\n\n{table(rows)}".encode())
    picture = grid(shown)
    from io import BytesIO

    buffer = BytesIO()
    picture.save(buffer, "PNG")
    write_bytes(base.with_suffix(".png"), buffer.getvalue())


def grid(shown: Mapping[str, Sequence[Image.Image]], *, height: int = 160) -> Image.Image:
    """A row a panel, a column a level with its name on top."""
    rows = list(zip(*shown.values(), strict=True))
    widths = [max(round(row[0].width * height / row[0].height) for row in rows)] * len(shown)
    top, gap = 22, 4
    sheet = Image.new(
        "RGB", (sum(widths) + gap * (len(widths) + 1), top + (height + gap) * len(rows)), "white"
    )
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(14)
    for column, name in enumerate(shown):
        left = gap + column * (widths[0] + gap)
        pen.text((left, 3), name, fill="black", font=font)
        for number, row in enumerate(rows):
            size = (round(row[column].width * height / row[column].height), height)
            sheet.paste(
                row[column].resize(size, Image.Resampling.LANCZOS), (left, top + number * (height + gap))
            )
    return sheet


def levels_of(name: str | None) -> tuple[Level, ...]:
    """What to report on: one level, or all."""
    if name is not None:
        from quantization.levels import level_of

        return (level_of(name),)
    return tuple(LEVELS[level] for family in FAMILIES for level in family)
