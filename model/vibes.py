"""The vibe memory by the import path that earlier programs know; `model/run/vibe.py` has the code.

from model.vibes import get_vibe_memory
get_vibe_memory().add_like("good.png", category="portraits", weight=1.5)
"""

from model.run.vibe import (
    DEFAULT_CLIP,
    DEFAULT_PATH,
    VibeMemory,
    add_dislike_from_image_path,
    add_like_from_image_path,
    clear_memory,
    default_encoder,
    encoder_name,
    get_memory_stats,
    get_vibe_memory,
    is_vibe_memory_enabled,
    starter_encoder,
    vibe_path,
)

__all__ = [
    "DEFAULT_CLIP",
    "DEFAULT_PATH",
    "VibeMemory",
    "add_dislike_from_image_path",
    "add_like_from_image_path",
    "clear_memory",
    "default_encoder",
    "encoder_name",
    "get_memory_stats",
    "get_vibe_memory",
    "is_vibe_memory_enabled",
    "starter_encoder",
    "vibe_path",
]
