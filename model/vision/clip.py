"""Pictures and words as vectors of one space: an open_clip model read from a folder, offline.

In: PIL pictures of any mode and shape, or texts. Out: float32 unit vectors, so that a dot product is a
cosine. Knows nothing of characters, panels or what counts as similar. Import it where it is used: it loads
torch.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors import SafetensorError
from safetensors.torch import load_file
from transformers import CLIPTokenizer

from model.errors import IntegrityError, WeightsMissing
from model.files import sha256_of

CONFIG = "open_clip_config.json"
WEIGHTS = ("model.safetensors", "open_clip_model.safetensors")
BATCH = 32
# open_clip's defaults, for folders whose config does not name its own.
MEAN, STD = open_clip.OPENAI_DATASET_MEAN, open_clip.OPENAI_DATASET_STD
ORIGINAL_VOCABULARY = 49408  # of CLIP's own tokenizer, which open_clip carries with it


def visible(image: Image.Image) -> Image.Image:
    """The picture as it looks on white paper: RGB, 8 bit, whatever mode it came in."""
    if image.mode.startswith("I;16"):  # convert() would clip 16-bit grey at 255
        image = Image.fromarray((np.asarray(image) // 257).astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    return image.convert("RGB")


def on_square(image: Image.Image, side: int) -> Image.Image:
    """The whole picture in the middle of a white square of `side` pixels: padded, never cropped.

    Raises:
        ValueError: the picture has no pixels.
    """
    if 0 in image.size:
        raise ValueError(f"a picture of {image.width} × {image.height} pixels has nothing to embed")
    image, longest = visible(image), max(image.size)
    square = Image.new("RGB", (longest, longest), "white")
    square.paste(image, ((longest - image.width) // 2, (longest - image.height) // 2))
    return square.resize((side, side), Image.Resampling.BICUBIC)


class ImageEncoder:
    """An open_clip model: pictures and texts → unit vectors.

    Args:
        folder: holds `open_clip_config.json` and safetensors weights, as open_clip's hub folders do.
        tokenizer: folder of a CLIPTokenizer for `encode_texts`; default `folder/tokenizer`, or CLIP's own
            vocabulary if the model was made for that.
        device: where the model runs.

    Attributes:
        space: id of the embedding space, 16 hex digits of the weights' sha256. Vectors are comparable only
            within one space.
        width: length of the vectors.
        side: pixels of the square that pictures are resized to.

    Raises:
        WeightsMissing: the config or the weights are not in the folder.
        IntegrityError: they are not what they should be.
    """

    def __init__(self, folder: Path, *, tokenizer: Path | None = None, device: str = "cpu") -> None:
        self.folder, self.device = folder, device
        weights = _weights_of(folder)
        config = _config_of(folder)
        self.space = sha256_of(weights)[:16]
        self._model = _load(config["model_cfg"], weights).eval().to(device)
        preprocess = config.get("preprocess_cfg", {})
        self._mean = torch.tensor(preprocess.get("mean", MEAN)).view(3, 1, 1)
        self._std = torch.tensor(preprocess.get("std", STD)).view(3, 1, 1)
        self.side = _side_of(config, folder)
        self.width = int(config["model_cfg"]["embed_dim"])
        self._text = config["model_cfg"]["text_cfg"]
        self._tokenizer_folder = tokenizer or folder / "tokenizer"
        self._tokenizer: CLIPTokenizer | None = None

    @torch.inference_mode()
    def encode_images(self, images: Sequence[Image.Image]) -> NDArray[np.float32]:
        """Embed pictures.

        Args:
            images: N ≥ 0 pictures of any mode and shape. Each is padded to a square with white, transparency
                becomes white, then it is resized: equal visible pictures give equal vectors.
        Returns:
            (N, width) float32, rows of length 1, in the order of `images`.
        Raises:
            ValueError: a picture has no pixels.
        Deterministic on one device, up to rounding that depends on N.
        """
        rows = [np.zeros((0, self.width), np.float32)]
        for start in range(0, len(images), BATCH):
            squares = [np.array(on_square(image, self.side)) for image in images[start : start + BATCH]]
            batch = torch.from_numpy(np.stack(squares)).permute(0, 3, 1, 2).float().div_(255)
            batch = batch.sub_(self._mean).div_(self._std).to(self.device)
            rows.append(self._model.encode_image(batch, normalize=True).cpu().numpy())
        return np.concatenate(rows)

    @torch.inference_mode()
    def encode_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed texts, each cut at the model's context length.

        Returns:
            (N, width) float32, rows of length 1, in the order of `texts`.
        Raises:
            WeightsMissing: the model has a vocabulary of its own and its tokenizer is not here.
        """
        rows = [np.zeros((0, self.width), np.float32)]
        for start in range(0, len(texts), BATCH):
            tokens = self._tokens(list(texts[start : start + BATCH])).to(self.device)
            rows.append(self._model.encode_text(tokens, normalize=True).cpu().numpy())
        return np.concatenate(rows)

    def _tokens(self, texts: list[str]) -> torch.Tensor:
        length = self._text.get("context_length", open_clip.tokenizer.DEFAULT_CONTEXT_LENGTH)
        vocabulary = self._text.get("vocab_size", ORIGINAL_VOCABULARY)
        if self._tokenizer is None and self._tokenizer_folder.is_dir():
            self._tokenizer = CLIPTokenizer.from_pretrained(self._tokenizer_folder, local_files_only=True)
        if self._tokenizer is not None:
            return tokenize(self._tokenizer, texts, length)
        if vocabulary != ORIGINAL_VOCABULARY:
            raise WeightsMissing(
                f"{self._tokenizer_folder}: no tokenizer found for a vocabulary of {vocabulary}; "
                "put the model's tokenizer folder there, or name it when loading"
            )
        return open_clip.tokenizer.SimpleTokenizer(context_length=length)(texts)


def tokenize(tokenizer: CLIPTokenizer, texts: Sequence[str], length: int) -> torch.Tensor:
    """Token ids, (N, length) int64: cut or padded to `length`, end-of-text kept."""
    encoded = tokenizer(list(texts), padding="max_length", max_length=length, truncation=True)
    return torch.tensor(encoded["input_ids"])


def _weights_of(folder: Path) -> Path:
    for name in WEIGHTS:
        if (folder / name).is_file():
            return folder / name
    raise WeightsMissing(
        f"{folder}: no image encoder found there; expected {CONFIG} and {WEIGHTS[0]}; "
        "fetch it again or name another folder"
    )


def _config_of(folder: Path) -> dict[str, Any]:
    path = folder / CONFIG
    if not path.is_file():
        raise WeightsMissing(
            f"{path}: not found; an open_clip folder needs it beside its weights; fetch it again"
        )
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
        shapes = config["model_cfg"]["vision_cfg"], config["model_cfg"]["text_cfg"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise IntegrityError(f"{path}: not an open_clip config ({error!r}); fetch it again") from error
    if any(shape.get("hf_model_name") or shape.get("timm_model_name") for shape in shapes):
        raise IntegrityError(
            f"{path}: its towers come from other libraries; use a plain ViT CLIP such as ViT-B-32"
        )
    return config


def _side_of(config: dict[str, Any], folder: Path) -> int:
    size = config["model_cfg"]["vision_cfg"].get("image_size", 224)
    if isinstance(size, int):
        return size
    if size[0] != size[1]:
        raise IntegrityError(f"{folder / CONFIG}: pictures of {size[0]} × {size[1]} found, a square expected")
    return int(size[0])


def _load(config: dict[str, Any], weights: Path) -> open_clip.CLIP | open_clip.CustomTextCLIP:
    shape = dict(config)
    custom = shape.pop("custom_text", False)
    try:
        model = open_clip.CustomTextCLIP(**shape) if custom else open_clip.CLIP(**shape)
        model.load_state_dict(load_file(weights))
    except (TypeError, RuntimeError, SafetensorError) as error:
        reason = " ".join(str(error).split())[:300]
        raise IntegrityError(
            f"{weights}: does not hold the model that {CONFIG} describes ({reason})"
        ) from error
    return model
