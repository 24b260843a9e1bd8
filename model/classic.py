"""The classes by which earlier programs know the variants: a row of the table each, and the same run.

    from model import AUTOSTUDIOFLUX
    AUTOSTUDIOFLUX(model_variant="schnell").make_book("story.json")

In: what the command line's flags say, as keywords. Out: books, casts, pictures. Making one loads nothing;
what is loaded stays for every story that follows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model.config import Settings, variant_named
from model.errors import ConfigError
from model.memory.store.library import Library
from model.render.variants import VARIANTS
from model.run.models import Resident
from model.run.progress import Reporter
from model.run.report import Report
from model.run.settle import settle
from model.studio import make_book, make_cast

if TYPE_CHECKING:
    from PIL import Image

    from model.render.request import PanelRequest


class AUTOSTUDIO:
    """Stable Diffusion 1.5 with IP-Adapter.

    Args:
        model: a folder, file or hub name of this kind; None = what `run.py download` fetched.
        said: the flags of `run.py` without their dashes, by the names of `model.config.resolve`.
    Raises:
        ConfigError: a value is out of range, or `model` is of another kind than this class.
        WeightsMissing, IntegrityError: see `settle` and `checkpoint_of`.
    """

    def __init__(self, model: str | Path | None = None, *, model_variant: str = "", **said: Any) -> None:
        rows = [row.name for row in VARIANTS.values() if row.classic == type(self).__name__]
        family = VARIANTS[rows[0]].family
        named = [row for row in rows if row in (model_variant, f"{family}-{model_variant}")]
        if model_variant and not named:
            raise ConfigError(f"model_variant: {type(self).__name__} has no '{model_variant}'")
        place = str(model) if model is not None else (named or rows)[0]
        self.settings: Settings = settle(model=place, model_variant=model_variant if model else "", **said)
        if self.settings.variant not in rows and variant_named(place) is None:
            # Files cannot always say which adapter they are for; the class does.
            self.settings = settle(model=place, model_variant=rows[0], **said)
        if self.settings.variant not in rows:
            raise ConfigError(
                f"model: {place} is {self.settings.variant}, {type(self).__name__} draws {rows[0]}"
            )
        self.reporter = Reporter()
        self.library = Library.open(self.settings.library)
        self.models = Resident(self.settings, self.library, self.reporter)

    def make_book(self, story: str | Path, out: str | Path | None = None) -> Report:
        """Draw a story, or what is missing of it; see `model.studio.make_book`."""
        return self._run(make_book, story, out)

    def make_cast(self, story: str | Path, out: str | Path | None = None) -> Report:
        """Rehearse a story's cast and stop; see `model.studio.make_cast`."""
        return self._run(make_cast, story, out)

    def generate(self, requests: Sequence[PanelRequest]) -> tuple[Image.Image, ...]:
        """Draw panels of one size and one sampling, without a library's memory of them."""
        return self.models.renderer.draw(requests)

    def _run(self, make: Any, story: str | Path, out: str | Path | None) -> Report:
        settings = self.settings if out is None else replace(self.settings, out=Path(out))
        with self.reporter:
            return make(Path(story), settings, self.library, self.models, self.reporter)


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
