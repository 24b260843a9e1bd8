"""Which crops of accepted panels are offered, and the search among them, with the starter's own encoder."""

from __future__ import annotations

import io
import json
import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from model.config import resolve
from model.geometry import Box
from model.memory.characters.database import Characters
from model.memory.characters.looks import Look
from model.memory.characters.sightings import Sightings
from model.memory.store.library import Library
from model.render.png import encode
from model.run.draw import Drawn
from model.run.models import Resident
from model.run.plan import plan_for
from model.run.portrait import read_portrait
from model.run.progress import Reporter
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


class Studio:
    """A library with Mika, a plan of two panels with her, and the starter with a limit on identity."""

    def __init__(self, folder: Path, library: Library, reporter: Reporter) -> None:
        self.library = library
        self.models = self.with_model("starter", reporter)
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
        self.plan: Plan = plan_for(folder / "story.json", resolve(), self.models.checkpoint)

    def with_model(self, model: str, reporter: Reporter) -> Resident:
        return Resident(resolve(model=model), self.library, reporter)

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
def studio(tmp_path: Path) -> Iterator[Studio]:
    with Library.open(tmp_path / "library") as library, Reporter() as reporter:
        yield Studio(tmp_path, library, reporter)


def test_good_crops_of_accepted_panels_are_offered_once_and_change_no_reference(studio: Studio) -> None:
    told = studio.keep(studio.seen(), studio.seen(), accepted=("p001_02",))
    assert told == "characters: 1 sightings offered"
    (one,) = Sightings(studio.library).of(studio.mika)
    assert (one.place, one.similarity) == ("one p001_02", 0.8)
    assert one.quality >= 0.55
    again = studio.keep(studio.seen(), studio.seen())
    assert again == "characters: 1 sightings offered; 1 there already"
    kept = studio.characters.get(studio.mika)
    assert kept is not None
    assert (kept.pictures, len(studio.characters.versions(studio.mika))) == ((studio.reference,), 1)


def test_the_gate(studio: Studio) -> None:
    blurred = studio.crop.resize((128, 128)).filter(ImageFilter.GaussianBlur(2))
    assert studio.keep(studio.seen(blurred), studio.seen(identity=LIMIT - 0.01)) == (
        "characters: 1 not offered: identity below 0.50; 1 not offered: sharpness below 0.55"
    )
    assert studio.keep(studio.seen(found=2), studio.seen(overlap=0.5)) == (
        "characters: 1 not offered: others in the panel; 1 not offered: place below 0.55"
    )
    assert studio.keep(studio.seen(), studio.seen(), accepted=()) == ""
    studio.models.checkpoint = replace(studio.models.checkpoint, identity=None)
    assert studio.keep(studio.seen(), studio.seen()) == (
        "characters: 2 not offered: identity cannot be judged with these weights"
    )
    assert len(Sightings(studio.library)) == 0


def test_another_encoder_embeds_the_crops_anew_and_never_compares_across(
    studio: Studio, tiny: Path, tmp_path: Path
) -> None:
    stranger = studio.crop.transpose(Image.Transpose.FLIP_TOP_BOTTOM)
    studio.keep(studio.seen(), studio.seen(stranger))
    asked = encode(studio.crop)
    with Reporter() as reporter:
        other = studio.with_model(str(tiny), reporter)
        for models in (studio.models, other, studio.models):
            found = nearest_sightings(asked, 5, models=models, library=studio.library)
            assert [one.place for one, _ in found] == ["one p001_01", "one p001_02"]
            assert found[0][1] == pytest.approx(1.0, abs=2e-3)
        assert other.space != studio.models.space
    spaces = studio.library.rows("SELECT space, count(*) AS n FROM sighting_vectors GROUP BY space")
    assert {row["space"]: row["n"] for row in spaces} == {other.space: 2, studio.models.space: 2}


def test_a_figure_is_cut_out_of_a_picture_that_somebody_brings(studio: Studio, tmp_path: Path) -> None:
    studio.picture.save(tmp_path / "panel.png")
    data, how = read_portrait(tmp_path / "panel.png", studio.models)
    made = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    assert how.startswith("cut out along the figure")
    assert made.shape[0] == made.shape[1] < 256
    # White around the figure, where the panel has a background.
    assert (made[:3, :3] == 255).all()
    whole, how = read_portrait(tmp_path / "panel.png", None)
    assert (how, Image.open(io.BytesIO(whole)).size) == ("the whole picture", (256, 256))
