"""A panel as PNG bytes that carry their own facts, so that a picture found on a disk can be drawn again.

Text chunks: `parameters`, the line that A1111-style tools read, and `autostudio`, the whole request as JSON.
Deterministic: the same picture and request give the same bytes.
"""

from __future__ import annotations

import io
import json
import re

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from model.pictures import picture_facts
from model.render.request import PanelRequest, canonical

# What readers of `parameters` take for the end of a prompt, wherever it stands.
_ENDS = re.compile(r"\b(negative\s+prompt|steps)\s*[:：]\s*", re.IGNORECASE)


def panel_png(picture: Image.Image, request: PanelRequest, model: str) -> bytes:
    """Encode one drawn panel."""
    info = PngInfo()
    info.add_itxt("parameters", parameters(request, model))
    info.add_itxt("autostudio", canonical(request))
    return encode(picture, info)


def with_facts_of(picture: Image.Image, drawn: bytes) -> bytes:
    """Encode a picture with the text chunks of another, the one that it was made of."""
    info = PngInfo()
    for name, text in picture_facts(drawn).items():
        info.add_itxt(name, text)
    # Enlarged pictures have sixteen times the pixels: half the time is worth a tenth more bytes.
    return encode(picture, info, level=3)


def encode(picture: Image.Image, info: PngInfo | None = None, *, level: int = 6) -> bytes:
    """PNG bytes of an RGB picture. `level`: of zlib, 1 (fast) to 9 (small)."""
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG", pnginfo=info, compress_level=level)
    return buffer.getvalue()


def parameters(request: PanelRequest, model: str) -> str:
    """Prompt, negative prompt and settings in the layout of A1111's `parameters` chunk."""
    sampling = request.sampling
    prompts = [request.prompt, *(region.prompt for region in request.regions if region.prompt)]
    lines = [" BREAK ".join(map(_on_one_line, prompts))]
    if negative := _on_one_line(request.negative):
        lines.append(f"Negative prompt: {negative}")
    lines.append(
        f"Steps: {sampling.steps}, Sampler: {sampling.scheduler}, CFG scale: {sampling.guidance:g}, "
        f"Seed: {request.seed}, Size: {request.width}x{request.height}, Model: {_value(model)}, "
        f"Model hash: {request.weights[:10]}"
    )
    return "\n".join(lines)


def _on_one_line(prompt: str) -> str:
    """A prompt that tools cannot take for anything else: line breaks and two words with a colon end it."""
    line = " ".join(re.sub(r"[\s\x00-\x1f\x85\u2028\u2029]+", " ", prompt).split())
    return _ENDS.sub(r"\1 ", line).strip()


def _value(text: str) -> str:
    """A value of the last line; as A1111 does, in quotation marks where a comma or colon would end it."""
    line = " ".join(text.split())
    return json.dumps(line, ensure_ascii=False) if re.search(r'[,:"\\]', line) else line
