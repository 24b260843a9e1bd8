"""How strictly a run follows a taste: threshold and retries, and three named choices of them.

In: numbers or a name. Out: checked `VibeSettings`. Knows nothing of how a score is made.
"""

from __future__ import annotations

from dataclasses import dataclass

from model.config import DEFAULTS, VIBE_SETTINGS
from model.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class VibeSettings:
    """What is accepted.

    Attributes:
        threshold: least score, −1 to 1. A score is 2·P(like) − 1: the default −0.1 rejects what is liked with
            less than 45 %.
        max_retries: most further tries for a rejected panel, 1 to 10.

    Raises:
        ConfigError: a value is out of range.
    """

    threshold: float = DEFAULTS["vibe_threshold"]
    max_retries: int = DEFAULTS["max_retries"]

    def __post_init__(self) -> None:
        if not -1 <= self.threshold <= 1:  # also refuses NaN
            raise ConfigError(f"vibe threshold: {self.threshold} is out of range; use −1 to 1")
        if not 1 <= self.max_retries <= 10:
            raise ConfigError(f"vibe retries: {self.max_retries} is out of range; use 1 to 10")

    def accepts(self, score: float) -> bool:
        """Whether a picture of this score is kept without another try."""
        return score >= self.threshold


PRESETS = {
    name: VibeSettings(threshold=threshold, max_retries=retries)
    for name, (threshold, retries) in VIBE_SETTINGS.items()
}


def preset(name: str) -> VibeSettings:
    """The settings of that name, in any case.

    Raises:
        ConfigError: there is none.
    """
    if name.casefold() not in PRESETS:
        raise ConfigError(f"vibe settings: '{name}' is unknown; use one of {', '.join(PRESETS)}")
    return PRESETS[name.casefold()]
