"""Train the whole starter on, in one go: pool, VAE decoder, Flux, face judge, export, calibration, report.

    python -m scripts.starter.train --minutes 9 --device cuda      # the same command resumes
    python -m scripts.starter.train --minutes 600                  # on a processor, over night

Goes on from the weights in `model/starter/`; what it makes lies in `--out`, the finished checkpoint in
`--out`/starter, its figures beside those of the shipped one in `--out`/report.md. Nothing in `model/starter/`
is touched: that is for somebody who has read the report (`scripts/starter/export.py`).

Every stage is a command of its own that may also be run by hand. While a card trains, the processors render:
the pool grows and is renewed all the time. What each stage may take is a share of the minutes; time that went
into an interrupted run counts.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from model.render.weights import STARTER
from scripts.starter.precision import chosen

# Shares of the whole time; the rest is for starting, export, calibration and report.
VAE, FLUX, PANELS, FACES = 0.13, 0.60, 0.07, 0.06
SHARD, KEEP = 4000, 40  # scenes; shards: 160,000 scenes at most
LEAST_SHARDS = 1  # before Flux begins
SLOW = 30.0  # minutes from which on a processor's shards may be as large as a card's
FROZEN = ("text.t5", "text.clip")


class Stages:
    """Which stages are done and how long each has run so far, kept in a file for the next call.

    Args:
        out: folder of the whole training.
        minutes: of the whole training.
    """

    def __init__(self, out: Path, minutes: float) -> None:
        self.path, self.minutes = out / "stages.json", minutes
        self.spent: dict[str, float] = {}
        self.done: list[str] = []
        if self.path.exists():
            kept = json.loads(self.path.read_text(encoding="utf-8"))
            self.spent, self.done = kept["spent"], kept["done"]

    def left(self, name: str, share: float) -> float:
        """Minutes that a stage still has."""
        return max(0.0, share * self.minutes - self.spent.get(name, 0.0))

    def run(self, name: str, module: str, *arguments: object) -> None:
        """Run a command if it has not been done, and note how long it took, were it interrupted.

        Raises:
            subprocess.CalledProcessError: it failed.
        """
        if name in self.done:
            return
        sys.stdout.write(f"— {name}\n")
        sys.stdout.flush()
        begun = time.monotonic()
        try:
            subprocess.run(command(module, *arguments), check=True)
            self.done.append(name)
        finally:
            self.spent[name] = self.spent.get(name, 0.0) + (time.monotonic() - begun) / 60
            self._write()

    def _write(self) -> None:
        text = json.dumps({"spent": self.spent, "done": self.done}, indent=1)
        self.path.write_text(text + "\n", encoding="utf-8")


def command(module: str, *arguments: object) -> list[str]:
    """The command line of one of our modules."""
    return [sys.executable, "-m", module, *map(str, arguments)]


class Painters:
    """A process that makes shards as long as anything trains; new ones push out the oldest."""

    def __init__(self, out: Path, workers: int, shard: int, where: Sequence[str]) -> None:
        self.out = out
        made = [int(path.stem.split("_")[1]) for path in out.glob("shard_*.pt")]
        first = max(made, default=49_999) + 1
        low = [] if os.name == "nt" else ["nice", "-n", "5"]
        self.process = subprocess.Popen(
            [
                *low,
                *command("scripts.starter.pool", "--out", out, "--first", first, "--shards", 10_000),
                *("--count", str(shard), "--keep", str(KEEP), "--workers", str(workers), *where),
            ]
        )

    def wait_for(self, shards: int) -> None:
        """Until there are so many.

        Raises:
            RuntimeError: the process has ended before.
        """
        while len(list(self.out.glob("shard_*.pt"))) < shards:
            if self.process.poll() is not None:
                raise RuntimeError(f"the pool's process ended with {self.process.returncode}; see above")
            time.sleep(0.5)

    def stop(self) -> None:
        """End it; a shard that is half done is lost."""
        self.process.terminate()
        self.process.wait()


def assemble(out: Path, *, face: Path, vae: Path, flux: Path) -> list[object]:
    """A copy of the shipped starter to write the new parts into, and what export is asked to write."""
    shutil.copytree(STARTER, out, dirs_exist_ok=True)
    return ["--out", out, "--flux", flux / "checkpoint.pt", "--vae", vae, "--face", face, "--text", STARTER]


def report(out: Path, stages: Stages, prompts: int) -> None:
    """Draw the same prompts with the shipped and with the new weights; write both rows of figures."""
    rows: list[str] = []
    for name, folder in (("shipped", STARTER), ("trained", out / "starter")):
        asked = command(
            "scripts.bench.starter", "--n", prompts, "--model", folder, "--library", out / "library"
        )
        found = subprocess.run(asked, check=True, capture_output=True, text=True)
        rows.append(f"| {name} | `{found.stdout.strip().splitlines()[-1]}` |")
    judged = (out / "face" / "config.json").read_text(encoding="utf-8")
    spent = ", ".join(f"{name} {minutes:.1f}" for name, minutes in stages.spent.items())
    text = [
        "# Report",
        "",
        f"Minutes: {spent}.",
        "",
        "| weights | figures |",
        "|---|---|",
        *rows,
        "",
        "Face judge:",
    ]
    (out / "report.md").write_text("\n".join([*text, "", f"```\n{judged}```", ""]), encoding="utf-8")


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Train the whole starter on, in one go.")
    parser.add_argument("--minutes", type=float, required=True, help="in all, earlier calls included")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--out", type=Path, default=Path("lab/all"))
    parser.add_argument("--workers", type=int, default=max(1, (os.cpu_count() or 2) - 2), help="that render")
    parser.add_argument("--prompts", type=int, help="of the report; default: 24 on a processor, 96 on a card")
    parser.add_argument("--rate", type=float, help="of Flux; default: 1e-3 on a processor, 2e-3 on a card")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    flags = _arguments(argv)
    out, device, card = flags.out, flags.device, flags.device != "cpu"
    out.mkdir(parents=True, exist_ok=True)
    dtype, why = chosen("auto", device)
    precision = str(dtype).removeprefix("torch.")
    sys.stdout.write(f"precision: {why}\n")
    stages = Stages(out, flags.minutes)
    shard = SHARD if card or flags.minutes > SLOW else max(32, int(20 * flags.minutes))
    pool, held_out = out / "pool", out / "held_out"
    where = ("--device", device, "--precision", precision)
    stages.run(
        "held out", "scripts.starter.pool", "--out", held_out, "--held_out", "--count", min(shard, 400),
        "--workers", flags.workers, *where,
    )  # fmt: skip
    painters = Painters(pool, flags.workers, shard, where)
    try:
        _train(flags, stages, painters, precision)
    finally:
        painters.stop()
    made = assemble(out / "starter", face=out / "face", vae=out / "vae", flux=out / "flux")
    stages.run("export", "scripts.starter.export", *made)
    stages.run(
        "calibration",
        "scripts.starter.calibrate",
        "--model",
        out / "starter",
        "--library",
        out / "library",
        "--write",
    )
    report(out, stages, flags.prompts or (96 if card else 24))
    sys.stdout.write((out / "report.md").read_text(encoding="utf-8"))
    return 0


def _train(flags: argparse.Namespace, stages: Stages, painters: Painters, precision: str) -> None:
    """Decoder, transformer and face judge, while the pool grows."""
    out, device, card = flags.out, flags.device, flags.device != "cpu"
    where = ("--device", device, "--precision", precision)
    vae, flux, pool = out / "vae", out / "flux", out / "pool"
    # Course counts the minutes of earlier calls by itself.
    stages.run(
        "decoder", "scripts.starter.train_vae", "--minutes", VAE * stages.minutes, "--out", vae,
        "--init", STARTER / "vae", "--decoder_only", "--adversarial", 0.01, "--rate", 1e-3 if card else 7e-4,
        "--batch", 64 if card else 8, "--workers", min(4, flags.workers) if card else 0,
        "--panels", 2000 if card else 400, *where,
    )  # fmt: skip
    painters.wait_for(LEAST_SHARDS)
    # The learning rate goes on where it stood: the run began as long ago as it has lasted.
    until = time.time() + 60 * stages.left("Flux", FLUX)
    stages.run(
        "Flux", "scripts.starter.train_flux", "--out", flux, "--pool", pool, "--held_out", out / "held_out",
        "--until", until, "--begun", until - 60 * FLUX * stages.minutes, "--freeze", *FROZEN,
        "--rate", flags.rate or (2e-3 if card else 1e-3), "--batch_scale", 8 if card else 1,
        "--workers", 6 if card else 0, *(() if card else ("--no_compile",)), *where,
    )  # fmt: skip
    size = 48 if card else 6
    for name, scenes, share in (("heads", pool, 0.8), ("held-out heads", out / "held_out", 0.2)):
        stages.run(
            name, "scripts.starter.faces.panels", "--pool", scenes, "--out", out / name.replace(" ", "_"),
            "--checkpoint", flux / "checkpoint.pt", "--vae", vae, STARTER / "vae", "--rounds", 200,
            "--minutes", share * stages.left(name, PANELS), "--size", size, *where,
        )  # fmt: skip
    stages.run(
        "face judge", "scripts.starter.faces.train", "--panels", out / "heads", "--held_out", out /
        "held-out_heads", "--out", out / "face", "--minutes", stages.left("face judge", FACES), "--device",
        device,
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
