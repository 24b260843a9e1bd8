"""The benchmark's panels through the studio's own path: rehearse, draw, judge, keep.

In: wanted panels. Out: pictures. References are drawn by the model itself, as in a run: nothing of the drawn
world reaches it but words and boxes. What was drawn before comes from the library.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from PIL import Image

from model.errors import PanelFailed
from model.files import NO_BLOB, BlobId
from model.render.request import Detail, PanelRequest, Region, Sampling
from model.run.accept import Outcome, PanelJob, draw_accepted
from model.run.context import Context
from model.run.rehearse import rehearse
from model.run.requests import background_prompt, detail_of, sampling_of, with_prompt
from model.story.plan import CastMember, Plan, panel_seed
from scripts.bench.held_out import Wanted, style_of

LONG_PROMPT = 96  # tokens of a global prompt that describes everybody


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One way to draw: which of the parts that hold a panel together are on.

    Attributes:
        references: characters are shown to the model, not only described.
        masked: region prompts and references speak to their boxes only.
        regions: there are regions at all; else one prompt says everything.
        words: region prompts say how somebody looks; else only what they do, and references carry the rest.
        retries: a panel that the run's own judge refuses is drawn again, as often as the settings allow.
        detail: small heads are drawn once more, if the settings say so.
        scheduler, steps: of the sampler; empty or 0 = what the settings say.
    """

    name: str
    references: bool = True
    masked: bool = True
    regions: bool = True
    words: bool = True
    retries: bool = False
    detail: bool = False
    scheduler: str = ""
    steps: int = 0


EVERYTHING = Way(name="everything on", retries=True, detail=True)
FIRST_DRAW = Way(name="everything on, first draw")
NO_REFERENCES = Way(name="no references", references=False)
NO_MASK = Way(name="no block mask", masked=False)
TEXT_ONLY = Way(name="text only", references=False, masked=False, regions=False)


class Drawer:
    """The studio, asked for single panels instead of stories."""

    def __init__(self, context: Context) -> None:
        self.context, self.models, self.library = context, context.models, context.library
        checkpoint = self.models.checkpoint
        self.sampling = replace(sampling_of(context.settings), max_sequence_length=checkpoint.global_tokens)
        # The prompt that has to say everything would not fit otherwise; `sampling` keeps the others short.
        self.models.checkpoint = replace(checkpoint, global_tokens=LONG_PROMPT)
        self.references: dict[str, BlobId] = {}
        self.detail = detail_of(context.settings, self.models)

    def rehearse(self, panels: Sequence[Wanted]) -> None:
        """Draw a reference for everybody who has none yet, in the style of the panel."""
        for ink in (False, True):
            cast = {
                person.key: CastMember(
                    key=person.key, name=person.key, prompt=person.description, references=()
                )
                for panel in panels
                for person in panel.people
                if panel.ink == ink and person.key not in self.references
            }
            plan = Plan(
                title="bench", slug="bench", language="en", reading_direction="ltr", style=style_of(ink),
                page_size="b5", cast=tuple(cast.values()), pages=(), notes=(),
            )  # fmt: skip
            found = rehearse(plan, self.sampling, self.context, detail=self.detail)
            self.references |= {key: reference.picture for key, reference in found.items()}

    def draw(self, panels: Sequence[Wanted], way: Way = EVERYTHING) -> list[Image.Image]:
        """One picture a panel.

        Raises:
            PanelFailed: a panel could not be drawn.
        """
        outcomes = self.outcomes(panels, way)
        return [self.picture(outcomes[panel.id].best.drawn.blob, panel.id) for panel in panels]

    def outcomes(
        self, panels: Sequence[Wanted], way: Way = EVERYTHING, *, first: int = 0
    ) -> Mapping[str, Outcome]:
        """Every panel's tries, by its id. `first`: which attempt a run would count it as."""
        if way.references:
            self.rehearse(panels)
        settings = self.context.settings
        settings = settings if way.retries else replace(settings, max_retries=0)
        jobs = {panel.id: self._job(panel, way, first) for panel in panels}
        return draw_accepted(jobs, replace(self.context, settings=settings))

    def _job(self, panel: Wanted, way: Way, first: int) -> PanelJob:
        def attempt(number: int) -> PanelRequest:
            return request_for(
                panel,
                self.references,
                way,
                weights=self.models.checkpoint.fingerprint,
                sampling=self.sampling,
                seed=panel_seed(self.context.settings.seed, panel.id, first + number),
                background=background_prompt(self.models.checkpoint, style_of(panel.ink), panel.place),
                detail=self.detail,
            )

        names = tuple(person.key for person in panel.people) if way.regions else ()
        return PanelJob(names=names, request_for=attempt)

    def picture(self, blob: BlobId, name: str) -> Image.Image:
        """A panel's picture from the library.

        Raises:
            PanelFailed: there is none.
        """
        if not blob:
            raise PanelFailed(f"{name} could not be drawn; what was said above tells why")
        return Image.open(io.BytesIO(self.library.load(blob))).convert("RGB")


def request_for(
    panel: Wanted,
    references: Mapping[str, BlobId],
    way: Way,
    *,
    weights: str,
    sampling: Sampling,
    seed: int,
    background: str = "",
    detail: Detail | None = None,
) -> PanelRequest:
    """The request a run would make of the panel, without what `way` leaves out."""
    prompts = panel.region_prompts if way.words else panel.passing_prompts
    regions = tuple(
        Region(box=person.box, prompt=prompt, reference=references[person.key] if way.references else NO_BLOB)
        for person, prompt in zip(panel.people, prompts, strict=True)
    )
    sampling = replace(
        sampling,
        masked=way.masked,
        scheduler=way.scheduler or sampling.scheduler,
        steps=way.steps or sampling.steps,
    )
    if not way.regions:
        sampling = replace(sampling, max_sequence_length=LONG_PROMPT)
    return PanelRequest(
        weights=weights,
        width=panel.width,
        height=panel.height,
        prompt=panel.prompt if way.regions else panel.whole_prompt,
        negative="",
        regions=regions if way.regions else (),
        seed=seed,
        sampling=sampling,
        background=background if way.regions else "",
        detail=with_prompt(detail, style_of(panel.ink), panel.place) if way.detail and regions else None,
    )
