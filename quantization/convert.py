"""From a checkpoint to a quantized GGUF file, tensor by tensor.

In go a path and a level, out comes a file that ComfyUI-GGUF, diffusers or transformers reads. Memory: the
tensor that is read, its bytes, and the working space of `encode`; the rest stays on disk.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from model.errors import ConfigError
from model.files import sha256_of
from quantization.imatrix import read_importance
from quantization.kquants import encode
from quantization.levels import TYPES, Level
from quantization.rules import FilePlan, Planned, names_in_diffusers, plan_file
from quantization.sources import Source, open_source, read_tensor
from quantization.writing import write_gguf

QUANTIZATION_VERSION = 2  # of ggml's block types


@dataclass(frozen=True, slots=True, kw_only=True)
class Converted:
    """What was made.

    Attributes:
        source: sha256 of the source; of several files that over theirs.
        tensors: name of a block type → tensors of it.
        fallen_back: tensors whose rows the level's type cannot hold; they are F16.
        unweighted: quantized tensors that the importance file does not name; None without one.
        resumed: tensors that an earlier attempt had written.
        left_out: tensors of the source that belong to other models.
    """

    path: Path
    level: str
    architecture: str
    bytes: int
    weights: int
    source: str
    tensors: dict[str, int]
    fallen_back: int
    unweighted: int | None
    resumed: int
    left_out: int


def convert(
    source: Path,
    out: Path,
    level: Level,
    *,
    imatrix: Path | None = None,
    device: str = "auto",
    report: Callable[[str, int, int], None] = lambda name, done, total: None,
) -> Converted:
    """Quantize a checkpoint into a GGUF file.

    Args:
        source: a safetensors or GGUF file, an index of shards, or a folder in diffusers' layout.
        imatrix: how much each column matters, see `imatrix`; for K levels.
        device: auto, cuda, mps or cpu.
        report: called with each tensor's name, the weights done, and all of them.
    Raises:
        ConfigError: the source is not usable, or the importance does not fit.
        StorageError: the disk is full or refuses.
    The same bytes on one device, one version of torch and one number of its threads, however often it is
    interrupted.
    """
    if imatrix is not None and not level.type.weighted:
        raise ConfigError(f"--imatrix: {level.name} has no use for importance; choose a K level")
    opened = open_source(source)
    device = _resolved(device)
    if out.resolve() in {file.resolve() for file in opened.files}:
        raise ConfigError(f"{out}: that is the source itself; choose another output")
    plan = plan_file(opened.shapes, level, config=_config(opened), origin=opened.metadata)
    importance = None if imatrix is None else read_importance(imatrix)
    digest = _digest(opened.files)
    fields = _fields(plan, level, digest, imatrix)
    total = sum(_weights(tensor) for tensor in plan.tensors)
    finished = 0

    def make(tensor: Planned) -> Tensor:
        matter = None if importance is None else _importance_of(tensor, importance)
        values = _values(opened, tensor).to(device)
        try:
            return encode(values, tensor.type, importance=matter)
        except (ValueError, RecursionError) as error:
            raise ConfigError(f"{source}: {tensor.name} {error}") from error

    def done(tensor: Planned) -> None:
        nonlocal finished
        finished += _weights(tensor)
        report(tensor.name, finished, total)

    resumed = write_gguf(out, fields, plan.tensors, make, done)
    kinds = [tensor.type.name for tensor in plan.tensors]
    quantized = [tensor for tensor in plan.tensors if tensor.type == level.type and len(tensor.shape) > 1]
    return Converted(
        path=out,
        level=level.name,
        architecture=plan.architecture,
        bytes=out.stat().st_size,
        weights=total,
        source=digest,
        tensors={kind: kinds.count(kind) for kind in TYPES if kind in kinds},
        fallen_back=sum(tensor.fallen_back for tensor in plan.tensors),
        unweighted=None
        if importance is None
        else sum(_importance_of(tensor, importance) is None for tensor in quantized),
        resumed=resumed,
        left_out=plan.left_out,
    )


def weight_error(source: Path, made: Path, level: Level) -> float:
    """RMSE of the matrices' weights in a file that `convert` made, over their RMS in its source."""
    opened, written = open_source(source), open_source(made)
    plan = plan_file(opened.shapes, level, config=_config(opened), origin=opened.metadata)
    error = power = 0.0
    for tensor in plan.tensors:
        if len(tensor.shape) > 1:
            values = _values(opened, tensor).float()
            error += float((read_tensor(written, tensor.name).float() - values).square().sum())
            power += float(values.square().sum())
    return math.sqrt(error / power) if power else 0.0


def _fields(plan: FilePlan, level: Level, digest: str, imatrix: Path | None) -> dict[str, Any]:
    """The file's metadata. All that decides its bytes is in it: it tells jobs apart."""
    fields = {
        "general.architecture": plan.architecture,
        "general.quantization_version": QUANTIZATION_VERSION,
        "general.file_type": level.file_type,
        "autostudio.level": level.name,
        "autostudio.source.sha256": digest,
    }
    if imatrix is not None:
        fields["autostudio.imatrix.sha256"] = sha256_of(imatrix)
    return fields | plan.fields


def _values(source: Source, tensor: Planned) -> Tensor:
    """The tensor of the plan from its parts."""
    dtypes = {source.dtypes[part] for part in tensor.parts}
    if len(dtypes) > 1:
        raise ConfigError(f"{tensor.name}: its parts are of types {sorted(map(str, dtypes))}, expected one")
    # Read into one piece of memory: stacking afterwards would need it twice.
    values = torch.empty(tensor.shape, dtype=dtypes.pop())
    row = 0
    for part in tensor.parts:
        height = source.shapes[part][0] if source.shapes[part] else 1
        source.fill(part, values[row : row + height])
        row += height
    if tensor.swapped:
        values = values.roll(len(values) // 2, 0)
    # (What fp8 holds, half precision does, too.)
    if tensor.type.name == "F16" and values.dtype.itemsize > 1 and values.numel():
        largest = max(float(values.amax()), -float(values.amin()))
        if largest > torch.finfo(torch.float16).max:
            raise ConfigError(f"{tensor.name}: holds {largest:.3g}, more than half precision can")
    return values


def _importance_of(tensor: Planned, importance: dict[str, Tensor]) -> Tensor | None:
    """By the name in the file, or by that of a part: stacked parts are fed the same."""
    if not tensor.type.weighted:
        return None
    names = (tensor.name, *tensor.parts, *names_in_diffusers(tensor.name))
    return next((importance[name] for name in names if name in importance), None)


def _weights(tensor: Planned) -> int:
    number = 1
    for side in tensor.shape:
        number *= side
    return number


def _resolved(device: str) -> str:
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    present = {"cuda": torch.cuda.is_available, "mps": torch.backends.mps.is_available, "cpu": lambda: True}
    if not present[device]():
        raise ConfigError(f"--device: {device} is not on this machine; choose another, or auto")
    return device


def _config(source: Source) -> dict[str, Any] | None:
    path = source.files[0].parent / "config.json"
    if not path.is_file():
        return None
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: not JSON ({error}); download it again") from error


def _digest(files: tuple[Path, ...]) -> str:
    digests = [sha256_of(file) for file in files]
    return digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()
