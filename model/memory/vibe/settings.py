"""How strictly a run follows a taste: threshold and retries, and three named choices of them.

In: numbers or a name. Out: checked `VibeSettings`. Knows nothing of how a score is made.
"""

from __future__ import annotations

from dataclasses import dataclass

from model.errors import ConfigError

THRESHOLD = -0.1
RETRIES = 3


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

    threshold: float = THRESHOLD
    max_retries: int = RETRIES

    def __post_init__(self) -> None:
        if not -1 <= self.threshold <= 1:  # also refuses NaN
            raise ConfigError(f"vibe threshold: {self.threshold} is out of range; use −1 to 1")
        if not 1 <= self.max_retries <= 10:
            raise ConfigError(f"vibe retries: {self.max_retries} is out of range; use 1 to 10")

    def accepts(self, score: float) -> bool:
        """Whether a picture of this score is kept without another try."""
        return score >= self.threshold


# Quality takes only what is liked with 65 % and spends up to seven pictures on it. Speed turns away only
# what is clearly disliked (under 40 %). Exploration stands at neutral, so that what no memory speaks of may
# pass.
PRESETS = {
    "quality": VibeSettings(threshold=0.3, max_retries=6),
    "speed": VibeSettings(threshold=-0.2, max_retries=2),
    "exploration": VibeSettings(threshold=0.0, max_retries=4),
}


def preset(name: str) -> VibeSettings:
    """The settings of that name, in any case.

    Raises:
        ConfigError: there is none.
    """
    if name.casefold() not in PRESETS:
        raise ConfigError(f"vibe settings: '{name}' is unknown; use one of {', '.join(PRESETS)}")
    return PRESETS[name.casefold()]
