"""Python and its packages: which are here, whether they are new enough, whether they fit each other.

In: the metadata of what is installed, and pyproject.toml's bounds. Out: findings. Imports none of them.
"""

from __future__ import annotations

import importlib.metadata
import platform
import re
import sys
import tomllib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from model.commands.doctor.findings import ROOT, Finding, ok, pip_command, pip_words, wrong

if TYPE_CHECKING:
    from packaging.requirements import Requirement

OLDEST = (3, 11)
# They come together, from one index; see `torch_pair`.
PAIR = ("torch", "torchvision")


class Installed:
    """The packages of this Python, or of the given folders."""

    def __init__(self, path: Sequence[str] | None = None) -> None:
        found = importlib.metadata.distributions(path=list(path)) if path is not None else None
        self._of = {
            _plain(one.metadata["Name"]): one
            for one in (found if found is not None else importlib.metadata.distributions())
            if one.metadata["Name"]
        }

    def version(self, name: str) -> str | None:
        """Of a package; None: it is not here."""
        one = self._of.get(_plain(name))
        return None if one is None else one.version

    def wants(self, name: str) -> list[str]:
        """What a package says that it needs."""
        one = self._of.get(_plain(name))
        return [] if one is None else list(one.requires or ())


def bounds() -> list[str]:
    """What this project needs: of its pyproject.toml, or of its own metadata where it is installed."""
    project = ROOT / "pyproject.toml"
    if project.is_file():
        return tomllib.loads(project.read_text(encoding="utf-8"))["project"]["dependencies"]
    try:
        return importlib.metadata.requires("autostudio") or []
    except importlib.metadata.PackageNotFoundError:
        return []


def python() -> Iterator[Finding]:
    """The interpreter."""
    text = f"Python {platform.python_version()} at {sys.executable}"
    if sys.version_info < OLDEST:
        needed = ".".join(map(str, OLDEST))
        yield wrong(
            "python", f"{text}; needed is {needed} or newer", "install one from https://www.python.org"
        )
    else:
        yield ok("python", text)


def packages(installed: Installed, needed: Sequence[str]) -> Iterator[Finding]:
    """Each package of `needed`, and whether what it needs itself is here in a version that it takes."""
    from packaging.requirements import Requirement

    wanted = [
        one for one in map(Requirement, needed) if one.marker is None or one.marker.evaluate({"extra": ""})
    ]
    lacking = [one for one in wanted if not _fits(one, installed)]
    if lacking:
        names = ", ".join(_described(one, installed) for one in lacking)
        # torch is never changed by --fix: which build is right, only the person knows.
        mended = [str(one) for one in lacking if _plain(one.name) not in PAIR]
        yield wrong(
            "packages",
            f"{len(lacking)} of {len(wanted)} packages are absent or too old: {names}",
            pip_command(*(str(one) for one in lacking)),
            pip_words(*mended) if mended else (),
        )
    else:
        yield ok("packages", f"{len(wanted)} packages, none absent or too old")
    yield from _mutual(wanted, installed)


def torch_pair(installed: Installed) -> Iterator[Finding]:
    """torch and torchvision, by their versions alone; whether they work is asked by `probe`."""
    torch, vision = (installed.version(name) for name in PAIR)
    if torch is None or vision is None:
        return
    builds = [version.partition("+")[2] for version in (torch, vision)]
    if all(builds) and builds[0] != builds[1]:
        yield wrong(
            "torch",
            f"torch {torch} and torchvision {vision} are builds for different devices",
            together(torch),
        )


def together(torch: str | None) -> str:
    """The command that brings a torchvision which fits this torch, in one go from one index."""
    public = (torch or "").partition("+")[0]
    return pip_command("--force-reinstall", f"torch=={public}" if public else "torch", "torchvision")


def _mutual(wanted: Sequence[Requirement], installed: Installed) -> Iterator[Finding]:
    from packaging.requirements import InvalidRequirement, Requirement

    for one in wanted:
        for line in installed.wants(one.name):
            try:
                asked = Requirement(line)
            except InvalidRequirement:
                continue  # an old package's spelling; pip minds it, not we
            if asked.marker is not None and not asked.marker.evaluate({"extra": ""}):
                continue
            if not _fits(asked, installed):
                yield wrong(
                    "packages",
                    f"{one.name} {installed.version(one.name)} needs {_described(asked, installed)}",
                    together(installed.version("torch"))
                    if _plain(asked.name) in PAIR
                    else pip_command("--upgrade", one.name, str(asked)),
                )


def _fits(asked: Requirement, installed: Installed) -> bool:
    here = installed.version(asked.name)
    return here is not None and asked.specifier.contains(here, prereleases=True)


def _described(asked: Requirement, installed: Installed) -> str:
    here = installed.version(asked.name)
    return f"{asked.name}{asked.specifier} ({f'{here} is here' if here else 'absent'})"


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
