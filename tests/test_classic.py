"""The names of earlier programs: importing `model` loads nothing, each class is a row of the table."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import model
from model.config import Settings
from model.errors import ConfigError, WeightsMissing
from model.render.request import PanelRequest, Sampling
from model.variants import VARIANTS
from tests.render.flux_checkpoints import REPOSITORIES, in_cache


def test_importing_model_is_light_and_the_names_are_there() -> None:
    told = (
        "import sys, model; assert set(model.CLASSIC) <= set(dir(model)); "
        "heavy = {'torch', 'diffusers', 'numpy', 'model.classic'} & set(sys.modules); assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", told], check=True, cwd=Path(__file__).parents[1])
    assert set(model.CLASSIC) == {row.classic for row in VARIANTS.values() if row.classic}
    for name in model.CLASSIC:
        assert getattr(model, name).__name__ == name
    with pytest.raises(AttributeError, match="AUTOSTUDIOFLUXX"):
        model.AUTOSTUDIOFLUXX  # noqa: B018


@pytest.fixture
def home(flux_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HF_HOME", str(flux_cache))
    monkeypatch.setenv("AUTOSTUDIO_CACHE", str(tmp_path / "memory"))
    monkeypatch.chdir(tmp_path)
    return flux_cache


def settings_of(name: str, **said: object) -> Settings:
    return getattr(model, name)(device="cpu", **said).settings


def test_each_class_is_its_row(home: Path) -> None:
    assert settings_of("AUTOSTUDIOFLUX").variant == "flux-dev"
    assert settings_of("AUTOSTUDIOFLUX", model_variant="schnell").variant == "flux-schnell"
    assert settings_of("AUTOSTUDIOFLUXPlus").variant == "flux-kontext"
    folder = in_cache(home, REPOSITORIES["flux-schnell"])
    assert settings_of("AUTOSTUDIOFLUX", model=folder).variant == "flux-schnell"
    # The files cannot say that they are for reference latents; the class does.
    assert settings_of("AUTOSTUDIOFLUXPlus", model=folder).variant == "flux-kontext"
    with pytest.raises(ConfigError, match="AUTOSTUDIOFLUX has no 'kontext'"):
        settings_of("AUTOSTUDIOFLUX", model_variant="kontext")
    with pytest.raises(ConfigError, match="is starter, AUTOSTUDIOXL draws sdxl"):
        settings_of("AUTOSTUDIOXL", model="starter")
    with pytest.raises(WeightsMissing, match="download sd15plus"):
        settings_of("AUTOSTUDIOPlus")


def test_a_class_draws(home: Path) -> None:
    studio = model.AUTOSTUDIOFLUX(model_variant="schnell", device="cpu")
    request = PanelRequest(
        weights=studio.models.checkpoint.fingerprint, width=64, height=64, prompt="comic beach", negative="",
        regions=(), seed=1, sampling=Sampling(steps=1, guidance=1.0),
    )  # fmt: skip
    (picture,) = studio.generate([request])
    assert picture.size == (64, 64)
