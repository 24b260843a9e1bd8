"""The classes by which earlier programs know the variants: each is a `Studio` with a row of the table.

    from model import AUTOSTUDIOFLUX
    AUTOSTUDIOFLUX(model_variant="schnell").make_book("story.json")

In: what the command line's flags say, as keywords. Out: books, casts, pictures. Making one loads nothing;
what is loaded stays for every story that follows.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model.config import Settings
from model.errors import ConfigError
from model.run.book import Report
from model.run.models import Models
from model.studio import Studio
from model.terminal import Terminal
from model.variants import VARIANTS, variant_named

if TYPE_CHECKING:
    from PIL import Image

    from model.render.request import PanelRequest


class AUTOSTUDIO:
    """Stable Diffusion 1.5 with IP-Adapter.

    Args:
        model: a folder, file or hub name of this kind; None = what `run.py download` fetched.
        model_variant: of the rows that this class draws; None = the first.
        flags: those of `run.py`, by their names without dashes.
    Raises:
        ConfigError: a flag is wrong, or `model` is of another kind than this class.
        WeightsMissing, IntegrityError: see `settle`.
    """

    def __init__(self, model: str | Path | None = None, *, model_variant: str = "", **flags: Any) -> None:
        rows = [row for row in VARIANTS.values() if row.classic == type(self).__name__]
        named = [row for row in rows if model_variant in ("", row.name, row.model_variant)]
        if not named:
            raise ConfigError(f"--model_variant: {type(self).__name__} has no '{model_variant}'")
        self._terminal = Terminal()
        place, variant = (named[0].name, "") if model is None else (str(model), model_variant)
        self.studio = self._open(place, variant, flags)
        names = [row.name for row in rows]
        if self.studio.settings.variant not in names and variant_named(place) is None:
            # Files cannot always say which adapter they are for; the class does.
            self.studio = self._open(place, names[0], flags)
        if self.studio.settings.variant not in names:
            raise ConfigError(
                f"--model: {place} is {self.studio.settings.variant}, {type(self).__name__} draws {names[0]}"
            )
        _ = self.studio.checkpoint

    def _open(self, model: str, model_variant: str, flags: dict[str, Any]) -> Studio:
        return Studio.open(events=self._terminal, model=model, model_variant=model_variant, **flags)

    @property
    def settings(self) -> Settings:
        """What the flags came to."""
        return self.studio.settings

    @property
    def models(self) -> Models:
        """The networks, each loaded when it is first needed."""
        return self.studio.models

    def make_book(self, story: str | Path, out: str | Path | None = None) -> Report:
        """Draw a story, or what is missing of it; see `Studio.draw`."""
        with self._terminal:
            return self.studio.draw(self.studio.plan(story), out=out).report

    def make_cast(self, story: str | Path, out: str | Path | None = None) -> Report:
        """Rehearse a story's cast and stop; see `Studio.rehearse`."""
        with self._terminal:
            return self.studio.rehearse(self.studio.plan(story), out=out)

    def generate(self, requests: Sequence[PanelRequest]) -> tuple[Image.Image, ...]:
        """Draw panels of one size and one sampling, without a library's memory of them."""
        return self.studio.generate(requests)


class AUTOSTUDIOPlus(AUTOSTUDIO):
    """Stable Diffusion 1.5 with IP-Adapter Plus."""


class AUTOSTUDIOXL(AUTOSTUDIO):
    """SDXL with IP-Adapter."""


class AUTOSTUDIOXLPlus(AUTOSTUDIO):
    """SDXL with IP-Adapter Plus (ViT-H)."""


class AUTOSTUDIOFLUX(AUTOSTUDIO):
    """Flux dev, or schnell by `model_variant`, with Redux."""


class AUTOSTUDIOFLUXPlus(AUTOSTUDIO):
    """Flux Kontext with reference latents."""
