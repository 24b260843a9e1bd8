"""Which crops of accepted panels are offered, and the search among them, with the starter's own encoder."""

from __future__ import annotations

import io
import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from model.events import Events
from model.geometry import Box
from model.memory.characters.database import Characters
from model.memory.characters.looks import Look
from model.memory.characters.sightings import Sightings
from model.memory.store.library import Library
from model.render.png import encode
from model.render.request import PanelRequest, Region, Sampling
from model.run.draw import Drawn
from model.run.measure import measure_all
from model.run.models import Models
from model.run.plan import read_plan
from model.run.portrait import read_portrait
from model.run.settle import settle
from model.run.sightings import keep_sightings, nearest_sightings
from model.story.plan import Plan
from model.vision.crop import masked
from model.vision.judge import Measured, Sighting
from scripts.starter.judge.scenes import make_scene
from scripts.starter.world.reference import reference
from scripts.starter.world.scene import render
from scripts.starter.world.truth import ground_truth

LIMIT = 0.5
STORY = {
    "version": 1,
    "title": "One",
    "characters": {"mika": {"name": "Mika", "description": "girl"}},
    "pages": [{"panels": [{"characters": [{"id": "mika"}]}] * 2}],
}


class Desk:
    """A library with Mika, a plan of two panels with her, and the starter with a limit on identity."""

    def __init__(self, folder: Path, library: Library, events: Events) -> None:
        self.library = library
        self.models = self.with_model("starter", events)
        self.models.checkpoint = replace(self.models.checkpoint, identity=LIMIT)
        scene = make_scene(9_000_040, 256, 256)
        figure, self.truth = scene.figures[-1], ground_truth(scene)[-1]
        self.picture = Image.fromarray(render(scene))
        self.crop = masked(self.picture, self.truth.mask, self.truth.box)
        shown = np.asarray(reference(figure.identity, random.Random(1), ink=scene.ink))
        self.reference = library.store(encode(Image.fromarray(shown)))
        self.characters = Characters(library)
        self.mika = self.characters.rehearsed(
            Look(name="Mika", description="girl"), story="one", picture=self.reference, candidates=()
        ).id
        (folder / "story.json").write_text(json.dumps(STORY))
        self.plan: Plan = read_plan(folder / "story.json", seed=0, shapes=self.models.checkpoint.shapes)

    def with_model(self, model: str, events: Events) -> Models:
        return Models(settle(model=model), self.library, events)

    def seen(self, crop: Image.Image | None = None, *, found: int = 1, **facts: float) -> Measured:
        one = Sighting(
            box=Box(0.2, 0.1, 0.5, 0.8),
            overlap=facts.get("overlap", 0.9),
            identity=facts.get("identity", 0.8),
            crop=self.library.store(encode(crop or self.crop)),
        )
        return Measured(found=found, sightings=(one,))

    def keep(self, *measured: Measured, accepted: tuple[str, ...] = ("p001_01", "p001_02")) -> str:
        drawn = {
            panel.id: Drawn(key=f"{number:064x}", measured=one)
            for number, (panel, one) in enumerate(zip(self.plan.panels, measured, strict=True))
        }
        cast = {"mika": (self.mika, self.reference)}
        return keep_sightings(
            self.plan, cast, drawn, accepted=accepted, models=self.models, library=self.library
        )


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with Library.open(tmp_path / "library") as library:
        yield Desk(tmp_path, library, Events())


def test_good_crops_of_accepted_panels_are_offered_once_and_change_no_reference(desk: Desk) -> None:
    told = desk.keep(desk.seen(), desk.seen(), accepted=("p001_02",))
    assert told == "characters: 1 sightings offered"
    (one,) = Sightings(desk.library).of(desk.mika)
    assert (one.place, one.similarity) == ("one p001_02", 0.8)
    assert one.quality >= 0.55
    again = desk.keep(desk.seen(), desk.seen())
    assert again == "characters: 1 sightings offered; 1 there already"
    kept = desk.characters.get(desk.mika)
    assert kept is not None
    assert (kept.pictures, len(desk.characters.versions(desk.mika))) == ((desk.reference,), 1)


def test_the_gate(desk: Desk) -> None:
    blurred = desk.crop.resize((128, 128)).filter(ImageFilter.GaussianBlur(2))
    assert desk.keep(desk.seen(blurred), desk.seen(identity=LIMIT - 0.01)) == (
        "characters: 1 not offered: identity below 0.50; 1 not offered: sharpness below 0.55"
    )
    assert desk.keep(desk.seen(found=2), desk.seen(overlap=0.5)) == (
        "characters: 1 not offered: others in the panel; 1 not offered: place below 0.55"
    )
    assert desk.keep(desk.seen(), desk.seen(), accepted=()) == ""
    desk.models.checkpoint = replace(desk.models.checkpoint, identity=None)
    assert desk.keep(desk.seen(), desk.seen()) == (
        "characters: 2 not offered: identity cannot be judged with these weights"
    )
    assert len(Sightings(desk.library)) == 0


def test_another_encoder_embeds_the_crops_anew_and_never_compares_across(
    desk: Desk, tiny: Path, tmp_path: Path
) -> None:
    stranger = desk.crop.transpose(Image.Transpose.FLIP_TOP_BOTTOM)
    desk.keep(desk.seen(), desk.seen(stranger))
    asked = encode(desk.crop)
    other = desk.with_model(str(tiny), Events())
    for models in (desk.models, other, desk.models):
        found = nearest_sightings(asked, 5, models=models, library=desk.library)
        assert [one.place for one, _ in found] == ["one p001_01", "one p001_02"]
        assert found[0][1] == pytest.approx(1.0, abs=2e-3)
    assert other.space != desk.models.space
    spaces = desk.library.rows("SELECT space, count(*) AS n FROM sighting_vectors GROUP BY space")
    assert {row["space"]: row["n"] for row in spaces} == {other.space: 2, desk.models.space: 2}


def test_a_figure_is_cut_out_of_a_picture_that_somebody_brings(desk: Desk, tmp_path: Path) -> None:
    desk.picture.save(tmp_path / "panel.png")
    data, how = read_portrait(tmp_path / "panel.png", desk.models)
    made = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    assert how.startswith("cut out along the figure")
    assert made.shape[0] == made.shape[1] < 256
    # White around the figure, where the panel has a background.
    assert (made[:3, :3] == 255).all()
    whole, how = read_portrait(tmp_path / "panel.png", None)
    assert (how, Image.open(io.BytesIO(whole)).size) == ("the whole picture", (256, 256))


@pytest.mark.parametrize("scores", [True, False])
def test_heads_are_looked_for_where_somebody_can_score_them(desk: Desk, scores: bool) -> None:
    class Looking:
        def __init__(self) -> None:
            self.scores, self.looked = scores, 0

        def heads(self, pictures: Sequence[Image.Image], figures: Sequence[Sequence[Box]]) -> list[list[Box]]:
            self.looked += 1
            return [list(row) for row in figures]

        def score(self, pictures: Sequence[Image.Image], heads: Sequence[Sequence[Box]]) -> list[list[float]]:
            return [[0.25] * len(row) for row in heads]

    looking = Looking()
    desk.models.heads = looking
    request = PanelRequest(
        weights="w",
        width=256,
        height=256,
        prompt="",
        negative="",
        regions=(Region(box=desk.truth.box, prompt="girl"),),
        seed=0,
        sampling=Sampling(steps=1, guidance=1.0),
    )
    (measured,) = measure_all([request], [desk.picture], desk.models, desk.library)
    assert measured.sightings[0].box is not None
    assert measured.sightings[0].face == (0.25 if scores else None)
    assert looking.looked == int(scores)
