"""GroundingDINO as its authors have it: an official `.pth` checkpoint through the package groundingdino-py.

groundingdino-py 0.4.0 was written for an older transformers: its wrapper round BERT calls methods that are
gone. All that its wrapper did was to give BERT a separate mask for every sentence; `SentenceBert` does
that by passing BERT a mask with one more dimension. The package's pure PyTorch attention is used, nothing is
compiled, and nothing is fetched: BERT's weights are in the checkpoint, its shape and its words in a folder.
In: a checkpoint. Out: a `grounding.Network`.
"""

from __future__ import annotations

import argparse
import contextlib
import pickle
import threading
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import BertConfig, BertModel, BertTokenizer, GroundingDinoImageProcessor

from model.errors import IntegrityError, PackageMissing, WeightsMissing
from model.pickled import BadPickle, check_file, check_tensors

BERT = "bert-base-uncased"
VOCABULARIES = ("tokenizer.json", "vocab.txt")
# Patch embedding's width → the package's own configuration.
CONFIGS = {96: "GroundingDINO_SwinT_OGC.py", 128: "GroundingDINO_SwinB_cfg.py"}
EMBEDDING = "backbone.0.patch_embed.proj.weight"
UNUSED = ("bert.pooler.",)  # weights that detection never reads
# Names of the package's modules are replaced while a model is built; two threads must not do so at once.
_building = threading.Lock()
_UNREADABLE = (RuntimeError, EOFError, ValueError, OSError, LookupError, TypeError, AttributeError)


class SentenceBert(BertModel):
    """BERT whose sentences do not see each other: takes a mask (N, length, length) as well as (N, length)."""

    def forward(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, input_ids: Any = None, attention_mask: Any = None, **rest: Any
    ) -> Any:
        """As BertModel; `attention_mask` true where a token (row) may look at another (column)."""
        if attention_mask is not None and attention_mask.ndim == 3:
            attention_mask = attention_mask[:, None]
        return super().forward(input_ids=input_ids, attention_mask=attention_mask, **rest)


class OriginalNetwork:
    """The authors' GroundingDINO as a `grounding.Network`."""

    # In a batch the package hands one text's mask to another text's head, so it gets one picture at a time.
    batch = 1

    def __init__(self, model: Any, device: str) -> None:
        self.model, self.device = model, device
        self.tokenizer: Any = model.tokenizer
        self.processor: Any = GroundingDinoImageProcessor()  # 800 to 1333 pixels, as the authors resize
        self.longest: int = model.max_text_len

    def answer(self, pixels: Tensor, questions: Sequence[str]) -> tuple[Tensor, Tensor]:
        """See `grounding.Network.answer`."""
        with _old_ways():
            out = self.model(pixels, captions=list(questions))
        return out["pred_logits"], out["pred_boxes"]


def load_original(
    checkpoint: Path, *, bert: Path | None = None, device: str = "cpu", settings: Any = None
) -> OriginalNetwork:
    """Read an official checkpoint.

    Args:
        checkpoint: a `.pth` of tensors; nothing else in it is run.
        bert: folder with BERT's `config.json` and vocabulary; default `bert-base-uncased` beside the file.
        device: where it runs.
        settings: the package's configuration (an SLConfig) for other sizes than Swin-T's and Swin-B's.
    Raises:
        WeightsMissing: BERT's folder is not there.
        IntegrityError: the file is no GroundingDINO checkpoint, or one of another size.
        PackageMissing: groundingdino-py is not installed.
    """
    bert = bert or checkpoint.parent / BERT
    tokenizer, config = _open_bert(bert)
    state = _read(checkpoint)
    _require_package()
    settings = settings or _settings_for(state, checkpoint)
    settings.device, settings.use_checkpoint, settings.use_transformer_ckpt = device, False, False
    model = _build(settings, tokenizer, config)
    try:
        facts = model.load_state_dict(state, strict=False)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:300]
        raise IntegrityError(f"{checkpoint}: weights of another size than expected ({reason})") from error
    missing = [name for name in facts.missing_keys if not name.startswith(UNUSED)]
    if missing:
        raise IntegrityError(
            f"{checkpoint}: {len(missing)} weights missing, such as {missing[0]}; fetch it again"
        )
    return OriginalNetwork(model.eval().to(device), device)


def _open_bert(folder: Path) -> tuple[BertTokenizer, BertConfig]:
    present = (folder / "config.json").is_file()
    if not present or not any((folder / name).is_file() for name in VOCABULARIES):
        raise WeightsMissing(
            f"{folder}: config.json and {' or '.join(VOCABULARIES)} of {BERT} not found there; an official "
            "GroundingDINO checkpoint needs them (not BERT's weights); put them there, or name another folder"
        )
    try:
        config = BertConfig.from_pretrained(folder, local_files_only=True)
        tokenizer: Any = BertTokenizer.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, TypeError) as error:
        raise IntegrityError(f"{folder}: not a BERT folder ({error}); fetch it again") from error
    return tokenizer, config


def _read(checkpoint: Path) -> dict[str, Tensor]:
    """The checkpoint's weights by name, without the prefix of training on several devices."""
    try:
        with torch.serialization.safe_globals([argparse.Namespace]):
            check_file(checkpoint)
            held = torch.load(checkpoint, weights_only=True, map_location="cpu")
        state = check_tensors(checkpoint, {"model": held["model"]})["model"]
        return {name.removeprefix("module."): state[name] for name in state}
    except (pickle.UnpicklingError, BadPickle, *_UNREADABLE) as error:
        reason = " ".join(str(error).split())[:200]
        raise IntegrityError(
            f"{checkpoint}: not a GroundingDINO checkpoint of plain tensors ({reason}); fetch it again"
        ) from error


def _require_package() -> None:
    try:
        with _old_ways():
            import groundingdino.models  # noqa: F401
    except ImportError as error:
        raise PackageMissing(
            f"an official GroundingDINO checkpoint needs the package groundingdino-py 0.4 ({error}); "
            "type: pip install groundingdino-py"
        ) from error


def _settings_for(state: Mapping[str, Tensor], checkpoint: Path) -> Any:
    import groundingdino
    from groundingdino.util.slconfig import SLConfig

    width = state[EMBEDDING].shape[0] if EMBEDDING in state else 0
    if width not in CONFIGS:
        raise IntegrityError(
            f"{checkpoint}: neither Swin-T nor Swin-B found in it ({EMBEDDING} has {width} rows, expected "
            f"{' or '.join(map(str, CONFIGS))}); fetch an official checkpoint"
        )
    return SLConfig.fromfile(str(Path(groundingdino.__file__).parent / "config" / CONFIGS[width]))


def _build(settings: Any, tokenizer: Any, config: BertConfig) -> Any:
    """The package's own model, with this BERT instead of one that it would fetch and wrap."""
    from groundingdino.models import build_model
    from groundingdino.models.GroundingDINO import groundingdino as module

    replaced = {
        (module, "BertModelWarper"): lambda bert_model: bert_model,
        (module.get_tokenlizer, "get_tokenlizer"): lambda _: tokenizer,
        (module.get_tokenlizer, "get_pretrained_language_model"): lambda _: SentenceBert(config),
    }
    with _building, _old_ways():
        before = {place: getattr(*place) for place in replaced}
        try:
            for place, value in replaced.items():
                setattr(*place, value)
            return build_model(settings)
        finally:
            for place, value in before.items():
                setattr(*place, value)


@contextlib.contextmanager
def _old_ways() -> Iterator[None]:
    """Without the warnings that the package earns by calling what is deprecated."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=FutureWarning)
        warnings.filterwarnings("ignore", message="torch.meshgrid", category=UserWarning)
        yield
