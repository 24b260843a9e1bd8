"""The cast is rehearsed first: every character without a picture of its own is drawn alone, and one
drawing becomes its reference for the whole book.

Candidates are drawn on a plain background; of those that show one character, the one nearest to the
description in the CLIP space is cut out along that background and kept. Once each character has a
reference, no panel waits for another. Who has a reference in the library keeps it (`model/run/cast.py`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from model.events import Failure
from model.files import NO_BLOB, BlobId
from model.geometry import Box
from model.memory.panels.cache import NewPanel, PanelCache
from model.pictures import stored_picture
from model.render.png import encode
from model.render.request import Detail, PanelRequest, Region, Sampling
from model.run.cast import keep_rehearsal, recast
from model.run.context import Context
from model.run.draw import Drawn, draw_all
from model.run.measure import measurer_of
from model.run.requests import background_prompt, with_prompt
from model.story.plan import CastMember, Plan, panel_seed

# Raise this when choosing or cutting out changes, so that kept references are not mistaken for it.
_CHOOSING = 3
# What a well drawn face is worth beside the cosine with the description, which differs by some .05.
_FACE = 0.1
_STAGE = Box(0.2, 0.06, 0.6, 0.92)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """How one character looks.

    Attributes:
        picture: the reference picture in the library; empty when every candidate failed.
        source: "story" (the user's own picture), "rehearsal", or "library" (kept from before).
        candidates: the rehearsal drawings.
        similarities: cosine of each candidate with the description.
        chosen: index of the kept candidate.
        drawn: how many candidates were drawn by this run.
        character: the number under which the library knows the character; 0: it has no reference.
        note: why it is not as the story says; empty when it is.
    """

    picture: BlobId
    source: str
    candidates: tuple[BlobId, ...] = ()
    similarities: tuple[float, ...] = ()
    chosen: int = 0
    drawn: int = 0
    character: int = 0
    note: str = ""


def rehearse(
    plan: Plan,
    sampling: Sampling,
    context: Context,
    panels: Callable[[Mapping[str, Reference]], Iterable[PanelRequest]] = lambda known: (),
    *,
    detail: Detail | None = None,
) -> Mapping[str, Reference]:
    """A reference for every member of the cast, by key.

    Args:
        panels: what will be drawn after the rehearsals, as far as it is known from the references that are
            there before them; its prompts are encoded together with those of the rehearsals.
        detail: how small heads are drawn once more; see `detail_of`.
    """
    models, library, events = context.models, context.library, context.events
    found: dict[str, Reference] = {}
    with events.stage("cast"):
        for member in plan.cast:
            kept = recast(member, plan, models.checkpoint, library)
            if kept is not None:
                found[member.key] = Reference(
                    picture=kept.picture, source=kept.source, character=kept.character, note=kept.note
                )
    rehearsed = [member for member in plan.cast if member.key not in found]
    requests = {member.key: _candidates(member, plan, sampling, context, detail) for member in rehearsed}
    names = {request.key: f"cast/{key}" for key, several in requests.items() for request in several}
    alone = [request for several in requests.values() for request in several]
    cache = PanelCache(library)
    if missing := [request for request in alone if cache.get(request.key) is None]:
        models.prefetch([*missing, *panels(found)])
    drawn = draw_all(alone, context, stage="cast", names=names)
    with events.stage("cast"):
        for member in rehearsed:
            outcomes = [drawn[request.key] for request in requests[member.key]]
            new = sum(1 for outcome in outcomes if outcome.blob and not outcome.cached)
            shown = [outcome for outcome in outcomes if outcome.blob]
            if shown:
                first = _first_look(found.get(member.written), outcomes)
                chosen = _choose(member, shown, new, first, context)
                number = keep_rehearsal(
                    member,
                    plan,
                    models.checkpoint,
                    library,
                    picture=chosen.picture,
                    candidates=chosen.candidates,
                    similarities=chosen.similarities,
                )
                found[member.key] = replace(chosen, character=number)
            else:
                failure = outcomes[0].failure
                events.emit(Failure(name=f"cast/{member.key}", message=f"no reference: {failure}"))
                found[member.key] = Reference(picture=NO_BLOB, source="rehearsal")
    return found


def _candidates(
    member: CastMember, plan: Plan, sampling: Sampling, context: Context, detail: Detail | None
) -> tuple[PanelRequest, ...]:
    """The member alone, standing, on a plain background, with `candidates` different seeds."""
    settings, models = context.settings, context.models
    width, height = min(models.checkpoint.shapes, key=lambda shape: abs(shape[0] / shape[1] - 1))
    return tuple(
        PanelRequest(
            weights=models.checkpoint.fingerprint,
            width=width,
            height=height,
            prompt=f"{plan.style}, one character, wide shot, plain background",
            negative="",
            background=background_prompt(models.checkpoint, plan.style, "plain background"),
            regions=(Region(box=_STAGE, prompt=f"{member.prompt}, standing"),),
            # A remembered look begins from the noise of the first one: the same person, but for what changed.
            seed=panel_seed(settings.seed, f"cast/{member.written}", attempt),
            sampling=sampling,
            detail=with_prompt(detail, plan.style, "plain background"),
        )
        for attempt in range(settings.candidates)
    )


def _first_look(reference: Reference | None, outcomes: Sequence[Drawn]) -> int | None:
    """Of a remembered look's candidates, which one the rehearsal of the first look settled on."""
    if reference is None or len(reference.candidates) != len(outcomes):
        return None
    return reference.chosen if all(outcome.blob for outcome in outcomes) else None


def _choose(
    member: CastMember,
    shown: Sequence[Drawn],
    new: int,
    first: int | None,
    context: Context,
) -> Reference:
    """Keep the candidate that shows one character, is near to the description and has a well drawn face; the
    choice is cached.

    Args:
        first: a candidate that comes before nearer ones, if it shows one character.
    """
    models, library = context.models, context.library
    cache = PanelCache(library)
    blobs = tuple(drawn.blob for drawn in shown)
    alone = [drawn.measured is None or drawn.measured.found in (None, 1) for drawn in shown]
    faces = [_face(drawn) for drawn in shown]
    facts: list[Any] = [_CHOOSING, measurer_of(models), member.prompt, blobs, alone, faces]
    choice = json.dumps(facts if first is None else [*facts, first], ensure_ascii=False)
    key = hashlib.sha256(f"reference {choice}".encode()).hexdigest()
    record = cache.get(key)
    if record is None:
        from model.vision.crop import cut_out

        pictures = [stored_picture(library.load(blob)) for blob in blobs]
        encoder = models.encoder
        cutouts = [cut_out(picture) for picture in pictures]
        description = encoder.encode_texts([models.checkpoint.normalised(member.prompt)])[0]
        similarities: list[float] = (encoder.encode_images(cutouts) @ description).tolist()
        worth = [near + _FACE * face for near, face in zip(similarities, faces, strict=True)]
        chosen = max(range(len(blobs)), key=lambda index: (alone[index], index == first, worth[index]))
        record = cache.add(
            NewPanel(
                key=key,
                picture=encode(cutouts[chosen]),
                prompt=member.prompt,
                params={"similarities": [round(value, 4) for value in similarities], "chosen": chosen},
            )
        )
    kept: Any = record.params
    return Reference(
        picture=record.blob,
        source="rehearsal",
        candidates=blobs,
        similarities=tuple(kept["similarities"]),
        chosen=kept["chosen"],
        drawn=new,
    )


def _face(drawn: Drawn) -> float:
    """How well the face of a candidate is drawn; 0 where nobody can say."""
    sightings = drawn.measured.sightings if drawn.measured else ()
    return next((one.face for one in sightings if one.face is not None), 0.0)
