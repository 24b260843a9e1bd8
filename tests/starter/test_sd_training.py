"""The small Stable Diffusion of the drawn world: trained as it is drawn, exported as others publish."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from model.files import BlobId
from model.geometry import Box
from model.render.request import PanelRequest, Region, Sampling
from model.render.sd.attention import Regional, install
from model.render.sd.renderer import SDRenderer
from model.render.sd.text import Prompts
from model.render.weights import STARTER
from model.run.settle import checkpoint_of, settle
from model.vision.clip import ImageEncoder
from scripts.starter.optimizer import MuonAdam
from scripts.starter.pool import CELLS, draw_one
from scripts.starter.sd.export import adapter_state, export_sd
from scripts.starter.sd.eyes import image_encoder, see
from scripts.starter.sd.forward import Told
from scripts.starter.sd.network import Network
from scripts.starter.sd.scenes import Batch, Scenes
from scripts.starter.sd.words import Words, made_up, new_encoder, new_tokenizer, teach
from scripts.starter.train_sd import Training
from tests.render.sd_checkpoints import OLD_ARRAYS, difference, picture

pytestmark = OLD_ARRAYS
SMALL: dict[str, Any] = {
    "sample_size": 8, "in_channels": 16, "out_channels": 16, "cross_attention_dim": 16,
    "block_out_channels": (16, 32), "layers_per_block": 1, "attention_head_dim": 2, "norm_num_groups": 4,
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
}  # fmt: skip
SEEN = 24


def small_network() -> Network:
    """Small, and nowhere zero, so that every part shows."""
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        network = Network(SMALL, seen=SEEN)
        for parameter in network.parameters():
            if not parameter.any():
                parameter.normal_(std=0.1)
    return network


def told_to(height: int, width: int) -> Told:
    """Two panels of two people: words and references, with shares and places of all kinds."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        grids = (height * width, (height + 1) // 2 * ((width + 1) // 2))
        shares = {cells: torch.rand(2, cells, 4).softmax(-1) for cells in grids}
        places = {cells: (torch.rand(2, cells, 2) > 0.5).float() for cells in grids}
        prompts, pictures = torch.randn(2, 4, 6, 16), torch.randn(2, 2, 5, SEEN)
    return Told(prompts=prompts, shares=shares, pictures=pictures, places=places)


@pytest.mark.parametrize(("height", "width"), [(8, 8), (6, 10), (7, 9)])
def test_training_predicts_what_the_renderer_predicts(height: int, width: int) -> None:
    network, told = small_network(), told_to(height, width)
    latents, times = torch.randn(2, 16, height, width), torch.tensor([10, 700])
    with torch.no_grad():
        trained = network(latents, times, told)
        unet: Any = network.unet
        unet._load_ip_adapter_weights([split(adapter_state(network))])
        install(unet)
        regional = Regional(
            prompts=told.prompts[:, 1:],
            valid=None,
            shares={cells: share[..., 1:].transpose(1, 2)[..., None] for cells, share in told.shares.items()},
            places={cells: place.transpose(1, 2)[:, :, None] for cells, place in told.places.items()},
            reference_scale=1.0,
        )
        drawn = unet(
            latents,
            times,
            encoder_hidden_states=told.prompts[:, 0],
            cross_attention_kwargs={"regional": regional},
            added_cond_kwargs={"image_embeds": [told.pictures]},
            return_dict=False,
        )[0]
    assert drawn.std() > 0.05
    assert (trained - drawn).abs().max() < 2e-4


def split(state: dict[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    """As diffusers' loader hands a file's tensors to the UNet."""
    return {
        part: {name.removeprefix(f"{part}."): value for name, value in state.items() if name.startswith(part)}
        for part in ("image_proj", "ip_adapter")
    }


def test_the_image_encoder_sees_what_the_starters_clip_sees() -> None:
    ours, theirs = image_encoder(STARTER / "clip"), ImageEncoder(STARTER / "clip")
    pictures = torch.rand(2, 3, 128, 128, generator=torch.Generator().manual_seed(0)) * 2 - 1
    visual: Any = theirs._model.visual
    with torch.no_grad():
        states = visual._embeds(pictures)
        for block in visual.transformer.resblocks[:-1]:
            states = block(states)
    assert (see(ours, pictures).float() - states).abs().max() < 0.01 * states.abs().max()


@pytest.fixture(scope="module")
def words() -> Words:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        tokenizer = new_tokenizer(100)
        made = Words(tokenizer, new_encoder(tokenizer))
    made.encoder.eval().requires_grad_(False)
    return made


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shard of twelve scenes, and what is seen of their references; nobody looks at the pictures."""
    folder = tmp_path_factory.mktemp("pool")
    generator = torch.Generator().manual_seed(0)
    abouts, offset = [], 0
    for seed in range(12):
        _, about, references = draw_one(seed)
        abouts.append(about | {"reference": offset})
        offset += len(references)
    shard = {
        "latents": torch.randn(1, 1, 64, generator=generator).half().repeat(len(abouts), CELLS, 1),
        "references": torch.randn(offset, 16, 64, generator=generator).half(),
        "about": abouts,
    }
    torch.save(shard, folder / "shard_00000.pt")
    torch.save(torch.randn(offset, 5, SEEN, generator=generator).half(), folder / "seen_shard_00000.pt")
    return folder


def scenes_of(pool: Path, words: Words) -> Scenes:
    return Scenes(pool, pool, words, torch.zeros(5, SEEN), random.Random(0), shift=0.0)


def test_a_step_lowers_the_loss(pool: Path, words: Words) -> None:
    torch.manual_seed(0)
    training = Training(Network(SMALL | {"cross_attention_dim": 192}, seen=SEEN), dtype=torch.float32)
    batch = scenes_of(pool, words).batch(4)
    before = training.step(batch, 2e-3)
    after = [training.step(batch, 5e-3) for _ in range(20)][-1]
    assert 0.9 < before < 1.3  # it begins by predicting nothing of what has a variance of one
    assert after < 0.8 * before


def test_words_come_back(tmp_path: Path, words: Words) -> None:
    words.save(tmp_path)
    again, caption = Words.load(tmp_path), made_up(random.Random(5))
    assert again.ids(caption) == words.ids(caption)
    one, other = (some.states([some.ids(caption)])[0] for some in (words, again))
    assert (one - other).abs().max() < 0.1


def test_every_way_of_telling_is_complete(pool: Path, words: Words) -> None:
    scenes = scenes_of(pool, words)
    kinds: set[str] = set()
    for _ in range(30):
        batch: Batch = scenes.batch(2)
        rows, columns = batch.latents.shape[2:]
        for cells in (rows * columns, rows * columns // 4):
            share = batch.told.shares[cells]
            assert share.shape == (2, cells, batch.told.prompts.shape[1])
            assert torch.allclose(share.sum(-1), torch.ones(2, cells))
            assert batch.told.places[cells].shape[1] == cells
        assert batch.weight.mean().item() == pytest.approx(1, abs=1e-4)
        kinds.add("one prompt" if batch.told.prompts.shape[1] == 1 else "regions")
        kinds |= {"references"} if batch.told.pictures.shape[1] else set()
    assert kinds == {"one prompt", "regions", "references"}


def test_captions_are_read_as_the_renderer_reads_prompts(words: Words) -> None:
    """Token by token, however long they are."""
    rng, prompts = random.Random(3), Prompts([(words.tokenizer, words.encoder)], silent=False, device="cpu")
    captions = [made_up(rng) for _ in range(40)]
    assert any(len(words.ids(caption)) > 30 for caption in captions)
    for caption in captions:
        told = prompts.of(caption.text).states
        states, valid = words.states([words.ids(caption)])
        assert valid is None
        assert (states[0].float() - told).abs().max() < 0.1  # bfloat16 in training
    both, valid = words.states([words.ids(captions[0]), [5] * 40])
    assert both.shape[1] == 64
    assert valid is not None
    assert valid.sum(1).tolist() == [32, 64]


def test_reading_is_learnt() -> None:
    torch.manual_seed(0)
    tokenizer = new_tokenizer(100)
    fresh = Words(tokenizer, new_encoder(tokenizer))
    assert teach(fresh, 20, batch=16) > 0.4  # from 0.05 or so; 400 steps of 64 read everything
    assert not any(parameter.requires_grad for parameter in fresh.encoder.parameters())


def test_the_export_draws_in_the_renderer(tmp_path: Path, words: Words) -> None:
    """The folder is recognised, its words and its masked references reach the picture."""
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = Network(SMALL | {"cross_attention_dim": 192}, seen=192)
        for parameter in network.parameters():
            if not parameter.any():
                parameter.normal_(std=0.1)
        for pair in network.adapter:
            for layer in pair:  # pyright: ignore[reportGeneralTypeIssues]
                layer.weight.mul_(8)
    export_sd(network, words, STARTER, tmp_path)
    settings = settle(model=str(tmp_path))
    assert settings.variant == "sd15plus"
    people = {name: picture(name) for name in ("red", "blue")}
    renderer = SDRenderer(checkpoint_of(settings), load_reference=people.__getitem__)
    assert renderer.parts.scheduler["prediction_type"] == "v_prediction"
    request = PanelRequest(
        weights="", width=128, height=128, prompt="colour comic, two characters, beach", negative="",
        regions=tuple(
            Region(box=Box(left, 0.0, 0.5, 1.0), prompt="girl with red hair", reference=BlobId("red"))
            for left in (0.0, 0.5)
        ),
        seed=1, sampling=Sampling(steps=2, guidance=2.0, scheduler="euler"),
    )  # fmt: skip
    other = replace(request, regions=(request.regions[0], replace(request.regions[1], reference="blue")))
    words_moved = replace(request, prompt="manga ink style, no one, close-up, snow")
    plain, moved, said = (renderer.draw([one])[0] for one in (request, other, words_moved))
    assert difference(plain, said) > 0
    assert difference(plain, moved) > 0


def test_a_training_goes_on_where_it_stopped() -> None:
    torch.manual_seed(0)
    first = Network(SMALL, seen=SEEN)
    optimizer = MuonAdam(first.named_parameters())
    names = {name for name, _ in first.named_parameters()}
    assert set(optimizer.averaged()) == names == set(first.state_dict())  # a checkpoint has all
