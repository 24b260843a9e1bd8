"""Fuzzers of what is binary: GGUF, safetensors, LoRA files, pictures; and of what a hub answers."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from safetensors.torch import save

from tests.fuzz.harness import as_text, damaged, fuzz, reshaped


def gguf() -> bytes:
    import numpy as np
    from gguf import GGUFWriter

    path = Path(__import__("tempfile").mkdtemp()) / "a.gguf"
    writer = GGUFWriter(path, "flux")
    writer.add_uint32("general.alignment", 32)
    writer.add_string("general.name", "x")
    writer.add_array("list", [1, 2, 3])
    writer.add_tensor("double_blocks.0.img_attn.proj.weight", np.zeros((4, 32), np.float32))
    writer.add_tensor("img_in.bias", np.zeros(4, np.float16))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path.read_bytes()


def test_gguf(tmp_path: Path) -> None:
    from quantization.gguf_source import GgufSource
    from quantization.sources import read_tensor

    path = tmp_path / "a.gguf"

    def read(data: bytes) -> None:
        path.write_bytes(data)
        source = GgufSource(path)
        assert isinstance(source.level, str)
        for name in list(source.shapes)[:4]:
            read_tensor(source, name)

    fuzz("gguf", damaged([gguf()]), read)


HEADER = {
    "__metadata__": {"format": "pt"},
    "a.weight": {"dtype": "F32", "shape": [4, 8], "data_offsets": [0, 128]},
    "b": {"dtype": "F16", "shape": [3], "data_offsets": [128, 134]},
}


def with_header(tree: Any) -> bytes:
    text = as_text(tree)
    return len(text).to_bytes(8, "little") + text + bytes(134)


def test_safetensors(tmp_path: Path) -> None:
    """As a source to quantize, as names to recognise a model by, and as a download that is looked at."""
    from download.verify import by_its_looks
    from model.render.headers import tensor_names
    from quantization.sources import open_source, read_tensor

    path = tmp_path / "a.safetensors"

    def read(data: bytes) -> None:
        path.write_bytes(data)
        assert isinstance(by_its_looks(path), str)
        source = open_source(path)
        for name in list(source.shapes)[:4]:
            read_tensor(source, name)
        tensor_names(path)

    fuzz("safetensors", reshaped([HEADER]).map(with_header) | damaged([with_header(HEADER)]), read)


def lora_files() -> list[bytes]:
    proj, qkv = "lora_unet_double_blocks_0_img_attn_proj", "diffusion_model.double_blocks.0.img_attn.qkv"
    ones = torch.ones
    return [
        save(
            {
                f"{proj}.lora_down.weight": ones(2, 16),
                f"{proj}.lora_up.weight": ones(16, 2),
                f"{proj}.alpha": ones(()),
            }
        ),
        save({f"{qkv}.lora_A.weight": ones(2, 16), f"{qkv}.lora_B.weight": ones(48, 2)}),
        save(
            {f"{proj}.lokr_w1": ones(4, 4), f"{proj}.lokr_w2_a": ones(4, 2), f"{proj}.lokr_w2_b": ones(2, 4)}
        ),
        save(
            {
                f"{proj}.lora_down.weight": ones(2, 16),
                f"{proj}.lora_up.weight": ones(16, 2),
                f"{proj}.dora_scale": ones(16, 1),
            }
        ),
        save(
            {
                f"base_model.model.transformer_blocks.0.attn.to_q.lora_{one}.weight": ones(*shape)
                for one, shape in (("A", (2, 16)), ("B", (16, 2)))
            },
            metadata={
                "lora_adapter_metadata": json.dumps(
                    {"transformer.lora_alpha": 4, "transformer.alpha_pattern": {"to_q": 2}}
                )
            },
        ),
    ]


def test_lora(tmp_path: Path) -> None:
    from diffusers import FluxTransformer2DModel

    from model.config import Adapter
    from model.render.lora.merge import merge_adapters

    model = FluxTransformer2DModel(
        patch_size=1,
        in_channels=4,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=8,
        num_attention_heads=2,
        joint_attention_dim=8,
        pooled_projection_dim=8,
        axes_dims_rope=(2, 2, 4),
    )
    clean = {name: value.clone() for name, value in model.state_dict().items()}
    path = tmp_path / "a.safetensors"

    def read(data: bytes) -> None:
        path.write_bytes(data)
        try:
            merge_adapters({"transformer": model}, (Adapter(path=str(path), weight=0.5),), "flux")
        finally:
            model.load_state_dict(clean)

    def renamed(parts: tuple[bytes, str, str]) -> bytes:
        """Other names of the same length stay valid headers: the readers of names get further."""
        data, old, new = parts
        return data.replace(old.encode(), new.encode()[: len(old)].ljust(len(old), b"_"))

    words = st.sampled_from(
        ["lora_down", "double_blocks", "alpha", "img_attn", "lokr_w1", "lora_A", "proj", "weight"]
    )
    others = st.sampled_from(
        ["lora_up__", "single_blocks", "hada_w1_a", "diff", "dora_scale", "txt_attn", "bias__"]
    )
    files = lora_files()
    named = st.tuples(st.sampled_from(files), words, others).map(renamed)
    fuzz("lora", damaged(files) | named, read)


def pictures() -> list[bytes]:
    exif = Image.Exif()
    exif[0x0112] = 6
    text = PngInfo()
    text.add_itxt("autostudio", "{}")
    text.add_text("autostudio-page", "ab")
    text.add_text("autostudio-notes", "[]")
    text.add_text("autostudio-sheet", "c$@}W")
    base = Image.effect_noise((24, 32), 80).convert("RGB")
    found: list[bytes] = []
    for form, how in (
        ("PNG", {"pnginfo": text}), ("JPEG", {"exif": exif}), ("WEBP", {"exif": exif}), ("GIF", {}),
        ("BMP", {}),
        ("TIFF", {"exif": exif}), ("PPM", {}), ("TGA", {}), ("ICO", {}), ("PCX", {}), ("AVIF", {}),
    ):  # fmt: skip
        data = io.BytesIO()
        base.save(data, form, **how)
        found.append(data.getvalue())
    return found


def test_pictures(tmp_path: Path) -> None:
    """Every reader: what is brought, what is kept, what a book holds; and squares made of them."""
    from model.errors import ConfigError, IntegrityError
    from model.page.export.imprint import read_imprint
    from model.page.export.sheet import open_picture
    from model.pictures import BadPicture, picture_facts, picture_size, read_picture
    from model.render.flux.conditions import square_picture

    path = tmp_path / "a.png"

    def read(data: bytes) -> None:
        path.write_bytes(data)
        read_imprint(path)
        for look in (picture_size, picture_facts):
            with contextlib.suppress(BadPicture):
                look(data)
        try:
            square_picture(read_picture(data), 16)
        except BadPicture as bad:
            with contextlib.suppress(IntegrityError):  # a book's own may be of shapes that none brings
                open_picture(path)
            raise ConfigError(str(bad)) from bad

    fuzz("pictures", damaged(pictures()), read)


LISTING = {
    "id": "studio/comic",
    "sha": "c0ffee" + "0" * 34,
    "private": False,
    "gated": False,
    "tags": ["x"],
    "siblings": [
        {"rfilename": "config.json", "size": 8, "blobId": "ab" * 20},
        {
            "rfilename": "a.safetensors",
            "size": 9,
            "blobId": "cd" * 20,
            "lfs": {"size": 9, "sha256": "ef" * 32, "pointerSize": 1},
        },
    ],
    "cardData": {"license": "mit"},
    "config": {},
    "downloads": 1,
    "lastModified": "2026-11-01T00:00:00.000Z",
}


def test_hub_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What stands behind the status 200 of a hub, a proxy or a login page, through the real client."""
    import httpx2
    from huggingface_hub import constants

    from download.catalog import Source
    from download.fetch import Fetcher
    from download.hub import Hub
    from model.errors import WeightsMissing

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    answer = [b""]
    source = Source(repository="studio/comic", files=("config.json",), licence="apache-2.0")
    hub = Hub(endpoint="http://hub.invalid", pause=lambda _: None)

    class Session:
        """The client's own session class would dial; its answers are real."""

        def request(self, method: str, url: str, **_: Any) -> httpx2.Response:
            return httpx2.Response(200, content=answer[0], request=httpx2.Request(method, url))

        def get(self, url: str, **more: Any) -> httpx2.Response:
            return self.request("GET", url, **more)

    monkeypatch.setattr("huggingface_hub.hf_api.get_session", Session)

    def read(data: bytes) -> None:
        answer[0] = data
        listing = hub.listing(source)
        if "config.json" in listing.files:
            Fetcher(tmp_path, hub)._make_room([])
            raise WeightsMissing("a listing")

    pages = [b"<!DOCTYPE html><html></html>", b"[]", b"null", b"", b"3", b'"x"', b"[" * 5000, b"{" * 10]
    fuzz("hub answers", reshaped([LISTING]).map(as_text) | damaged([as_text(LISTING), *pages]), read)
    assert not list(tmp_path.rglob("*"))
