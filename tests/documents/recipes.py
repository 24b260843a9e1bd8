"""How each command of the documents is run by a test: what it needs first, and what must come of it.

`RECIPES` is the table: a pattern of the whole command, and the function that runs it. The first one that fits
is taken; a command that none fits fails its test. `autostudio` and `python -m autostudio` are `run.py`.
"""

from __future__ import annotations

import http.client
import importlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from packaging.requirements import Requirement

from download.catalog import CATALOG, named
from model import cli
from model.memory.characters.database import Characters
from model.memory.characters.looks import Candidate, Look
from model.memory.characters.sightings import NewSighting, Sightings
from model.memory.panels.books import bind_book
from model.memory.panels.cache import Embedding, NewPanel, PanelCache
from model.memory.panels.index import export_index
from model.memory.store.library import Library
from model.run.keep import book_of
from tests.documents.place import Place
from tests.documents.reading import ROOT
from tests.download.fake_hub import FakeHub, fill

Recipe = Callable[[Place, list[str]], None]

PROGRAM = re.compile(r"^(?:autostudio|python -m autostudio|python run\.py)(?= |$)")
SETS = {"small": ("sd15plus",), "sdxl": ("sdxlplus",), "flux": ("flux-schnell",), "eyes": ()}
# A Python that notes its words, and runs only what the scripts themselves ask it.
SHIM = """#!/bin/sh
printf '%s\\n' "$*" | tail -n 1 >> "{note}"
case "$*" in *tomllib*|*hashlib*|*version_info*|*-V*) exec "{python}" "$@" ;; esac
"""
FACT = "Mika lost her glasses."
# What each command about panels says.
PANELS = {
    "list": "4f1c4f1c4f1c", "similar": "070707070707", "pin": "pinned 4f1c4f1c4f1c", "unpin": "4f1c4f1c4f1c",
    "gc": "0 panels evicted", "books": "1 pictures", "forget": "1 pictures",
    "diversity": "+0.700  alike  p002_04", "export": "2 panels", "import": "0 panels added, 2 known already",
}  # fmt: skip


def run_command(place: Place, command: str) -> None:
    """Run it by the first recipe that fits."""
    place.prepare()
    plain = PROGRAM.sub("run.py", command)
    for pattern, recipe in RECIPES.items():
        if re.fullmatch(pattern, plain):
            recipe(place, shlex.split(plain)[1:] if plain.startswith("run.py") else shlex.split(plain))
            return
    pytest.fail(f"no recipe runs `{command}`: add one to RECIPES in tests/documents/recipes.py")


# --- books


def draws(place: Place, words: list[str]) -> None:
    """Draw a story of two panels, or rehearse its cast: one step each."""
    command = words[:1] if words[:1] in (["cast"], ["draw"]) else []
    stories = [word for word in words if word.endswith(".json")]
    for story in stories:
        if not story.startswith("examples/"):
            place.story(story)
    if not stories:
        place.story()
        words = [*command, "my_story.json", *words[len(command) :]]
    blind = "--model" in words
    typed = place.quick(place.weights(words), command or ["draw"], blind=blind)
    report = json.loads(place.run([*typed, "--json"] if "--json" not in typed else typed).splitlines()[-1])
    out = place.folder / report["out"]
    made = "cast/mika.png" if command == ["cast"] else "pages/page_001.png"
    assert (out / made).is_file()
    assert report["failed"] == 0


def lays_out(place: Place, words: list[str]) -> None:
    place.story()
    report = json.loads(place.run([*words, "--json"]))
    assert (place.folder / report["out"] / "layout" / "page_001.png").is_file()


def exports(place: Place, words: list[str]) -> None:
    """Another form of a book that was drawn before."""
    place.story()
    place.run(place.quick(["my_story.json", "--out", "outputs/first-light"], ["draw"], blind=True))
    book = place.folder / "outputs" / "first-light"
    shutil.rmtree(book / "pages")
    for path in (*book.glob("book.*"), book / "index.html"):
        path.unlink()
    before = set(place.folder.rglob("*"))
    place.run(words)
    out = place.folder / words[words.index("--out") + 1] if "--out" in words else book
    assert set(out.rglob("*")) - before, "nothing was written"


def repairs(place: Place, words: list[str]) -> None:
    """Part of a panel of a book that was drawn before."""
    place.story()
    place.run(place.quick(["my_story.json", "--out", "outputs/first-light"], ["draw"], blind=False))
    place.picture("painted.png", "white")
    place.run(words)
    record = json.loads((place.folder / "outputs/first-light/run.json").read_text(encoding="utf-8"))
    panel = next(one for one in record["panels"] if one["id"] == "p001_02")
    assert len(panel["candidates"]) > 1
    assert panel["request"]["repair"]["picture"] != panel["picture"]


# --- what is remembered


def vibes(place: Place, words: list[str]) -> None:
    """With one picture liked and one disliked, and a friend's likes in a file."""
    for name, colour in (("good.png", "red"), ("bad.png", "blue"), ("new.png", "green")):
        place.picture(name, colour)
    place.run(["vibe", "like", "good.png", "--category", "portraits"])
    place.run(["vibe", "dislike", "bad.png"])
    place.run(["vibe", "export", "friend.json"])
    told = place.run(words if "--json" in words else [*words, "--json"])
    assert isinstance(json.loads(told.splitlines()[-1]), dict)
    for word in words:
        assert not word.endswith((".png", ".json")) or (place.folder / word).is_file(), word


def characters(place: Place, words: list[str]) -> None:
    """In a library that knows Mika, two candidates and a sighting of her."""
    data = [place.picture(name, colour) for name, colour in (("mika.png", "red"), ("side.png", "blue"))]
    place.picture("coat.png", "green")
    with Library.open(place.folder / "outputs" / "library") as library:
        drawn = [library.store(one) for one in data]
        candidates = [Candidate(picture=picture, similarity=0.5) for picture in drawn]
        look = Look(name="Mika", description="girl with red hair")
        mika = Characters(library).rehearsed(look, story="one", picture=drawn[0], candidates=candidates)
        seen = NewSighting(
            character=mika.id, crop=drawn[1], panel="key", place="one p001_01", similarity=0.9, quality=0.9
        )
        Sightings(library).add([seen])
    assert "Mika" in place.run(words)
    if "--out" in words:
        shown = {path.name for path in (place.folder / words[words.index("--out") + 1]).iterdir()}
        assert shown == {"candidate_1.png", "candidate_2.png", "reference_1.png"}


def chronicle(place: Place, words: list[str]) -> None:
    """In a library where one fact was given before."""
    place.run(["chronicle", "add", FACT, "--who", "Mika", "--told", "Ren"])
    told = place.run(words)
    assert {"add": "there already", "forget": "added/"}.get(words[1], FACT) in told


def panels(place: Place, words: list[str]) -> None:
    """In a library of two panels that look alike, one of them in a book."""
    book = place.folder / "outputs" / "first-light"
    data = place.picture("good.png"), place.picture("other.png", "darkred")
    with Library.open(place.folder / "outputs" / "library") as library:
        for key, one, at in (("4f1c" * 16, data[0], (1, 0)), ("07" * 32, data[1], (0.9, 0.1))):
            embedding = Embedding(space="s", vector=np.array(at, np.float16))
            PanelCache(library).add(NewPanel(key=key, picture=one, prompt="", params={}, embedding=embedding))
        bind_book(library, book_of(book), [library.store(data[1])])
        if "import" in words:
            export_index(library, place.folder / "shared")
    book.mkdir()
    facts = {"diversity": {"window": 8, "level": 0.6, "similarity": {"p002_04": 0.7}}}
    (book / "run.json").write_text(json.dumps(facts))
    assert PANELS[words[1]] in place.run(words)


# --- weights


def downloads(place: Place, words: list[str]) -> None:
    """From a hub on this machine that has what is named, small. A process: the hub is in its environment."""
    if "--list" in words:
        assert "flux-schnell" in place.run(words)
        return
    level = words[words.index("--gguf") + 1] if "--gguf" in words else None
    sets = [word for word in words[1:] if word in CATALOG]
    assert sets
    hub: FakeHub = place.request.getfixturevalue("hub")
    fill(hub, [source for name in sets for source in named(name).at(level)])
    done = fetched(place, hub, [sys.executable, str(ROOT / "run.py"), *words])
    assert done.returncode == 0, done.stderr
    assert hub.bodies()


def common_sets(place: Place, words: list[str]) -> None:
    """`scripts/setup_models.sh`, in a checkout of its own with this Python."""
    hub: FakeHub = place.request.getfixturevalue("hub")
    level = "Q4_K_S" if words[1] == "flux" else None
    fill(hub, [one for name in SETS[words[1]] for one in named(name).at(level)])
    fill(hub, [one for name in ("grounding-dino", "sam", "clip") for one in named(name).at(None)])
    checkout = place.folder / "checkout"
    files = {
        "bin/python": f'#!/bin/sh\nexec "{sys.executable}" "$@"\n',
        words[0]: (ROOT / words[0]).read_text(encoding="utf-8"),
        "run.py": f"import sys\nsys.path.insert(0, {str(ROOT)!r})\n"
        "from model.cli import main\nsys.exit(main())\n",
    }
    for name, text in files.items():
        path = checkout / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        path.chmod(0o755)
    path = f"{checkout / 'bin'}{os.pathsep}{os.environ['PATH']}"
    done = fetched(place, hub, [str(checkout / words[0]), *words[1:]], PATH=path)
    assert done.returncode == 0, done.stderr
    assert hub.bodies()


def fetched(
    place: Place, hub: FakeHub, words: list[str], **environment: str
) -> subprocess.CompletedProcess[str]:
    """A process that knows the hub from its environment, with a token that every licence accepts."""
    hub.tokens["hf_mine"] = set(hub.gated)
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("HF_", "TRANSFORMERS_"))
    }
    mine = {"HF_ENDPOINT": hub.endpoint, "HF_HOME": str(place.folder / "home"), "HF_TOKEN": "hf_mine"}
    return subprocess.run(words, env={**kept, **mine, **environment}, capture_output=True, text=True)


def quantizes(place: Place, words: list[str]) -> None:
    """The tiny checkpoint in the starter's place."""
    tiny: Path = place.request.getfixturevalue("tiny")
    source = words[1]
    if source.endswith((".safetensors", ".gguf")):
        place.flux_file(source)
    else:
        assert (ROOT / source).exists()
        words = [words[0], str(tiny), *words[2:]]
    place.run([*words, *(() if "--panels" in words else ("--panels", "1")), "--device", "cpu"])
    out = place.folder / words[words.index("-o") + 1]
    made = [out] if out.suffix == ".gguf" else list(out.glob("*.gguf"))
    assert made
    assert all(path.read_bytes()[:4] == b"GGUF" for path in made)


# --- the machine


def doctors(place: Place, words: list[str]) -> None:
    """Nothing is wrong in an empty home, and nothing is mended."""
    facts = json.loads(place.run([*words, "--json"]))
    assert facts["ok"]


def mends_a_colab(place: Place, words: list[str]) -> None:
    """The doctor by another name, in a process, for it changes how torch is looked at."""
    script = [sys.executable, str(ROOT / words[1]), *words[2:], "--json"]
    done = subprocess.run(script, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["ok"]


def helps(place: Place, words: list[str]) -> None:
    assert "usage" in place.help_of(words[:-1])


def shows_version(place: Place, words: list[str]) -> None:
    with pytest.raises(SystemExit) as left:
        cli.main(words)
    assert left.value.code == 0


def installs(place: Place, words: list[str]) -> None:
    """What pip is told exists: a file of requirements, this project, or a package that it names."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    lines = [*project["dependencies"], *(line for some in extras.values() for line in some)]
    told = [word for word in words[words.index("install") + 1 :] if word not in ("-r", "-e", "-U")]
    assert told
    for word in told:
        name, _, extra = word.rstrip("]").partition("[")
        here = name == "." or (ROOT / name).is_file() or name in {Requirement(line).name for line in lines}
        assert here or name == project["name"], f"pip does not find {word}"
        assert not extra or set(extra.split(",")) <= set(extras), word


def scripts(place: Place, words: list[str]) -> None:
    """`scripts/check` and `scripts/quickstart`: the shell's part, with a Python that notes its words."""
    checkout = place.folder / "checkout"
    shutil.copytree(ROOT / "scripts", checkout / "scripts", ignore=shutil.ignore_patterns("starter", "bench"))
    shutil.copy(ROOT / "pyproject.toml", checkout)
    (checkout / "requirements.txt").touch()
    note, python = checkout / "note.txt", checkout / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(SHIM.format(note=note, python=sys.executable))
    python.chmod(0o755)
    for tool in ("chromium", "pdftotext", "epubcheck"):
        shutil.copy(python, checkout / tool)
    path = f"{checkout}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [str(checkout / words[0]), *words[1:]],
        env={**os.environ, "PATH": path},
        cwd=place.folder,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    last = note.read_text().splitlines()[-1]
    assert ("pytest" if words[0].endswith("check") else "run.py") in last
    for word in words[1:]:
        assert word == "--all" or word in last, word


def parses(place: Place, words: list[str]) -> None:
    """Trainings and benches take hours: their parser takes the words, and knows every flag among them."""
    module = words[2] if words[1] == "-m" else words[1].removesuffix(".py").replace("/", ".")
    rest = words[3:] if words[1] == "-m" else words[2:]
    main = importlib.import_module(module).main
    place.monkeypatch.setattr(sys, "argv", [module, *rest, "--help"])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 0
    known = re.findall(r"--\w+", place.capsys.readouterr().out)
    assert [word for word in rest if word.startswith("--") and word not in known] == []


def refreshes(place: Place, words: list[str]) -> None:
    """The generated parts are fresh, so the command changes nothing."""
    pages = sorted((ROOT / "docs").glob("*.md"))
    before = [page.read_bytes() for page in pages]
    subprocess.run([sys.executable, *words[1:]], cwd=ROOT, check=True)
    assert [page.read_bytes() for page in pages] == before


def opens(place: Place, words: list[str]) -> None:
    """The studio answers at the address that it prints, and ends when it is told to."""
    typed = [*words, "--port", "0", *([] if "--no_open" in words else ["--no_open"])]
    command = [sys.executable, str(ROOT / "run.py"), *typed]
    with subprocess.Popen(command, cwd=place.folder, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout
            host, _, token = server.stdout.readline().strip().removeprefix("http://").partition("/")
            connection = http.client.HTTPConnection(host, timeout=60)
            connection.request("GET", "/healthz")
            assert json.loads(connection.getresponse().read())["ok"]
            connection.close()
            assert bool(token) == ("--host" in words)
        finally:
            server.terminate()


def is_in_the_dockerfile(place: Place, words: list[str]) -> None:
    """There may be no docker here: the file has what the command names, and starts what is documented."""
    text = (ROOT / "Dockerfile").read_text()
    assert f"#   {shlex.join(words)}" in text
    assert "EXPOSE 7860" in text
    started = json.loads(re.findall(r"^CMD (.*)$", text, re.MULTILINE)[0])
    assert cli.module_of("studio").parser().parse_args(started[3:]).host == "0.0.0.0"


def is_the_shells(place: Place, words: list[str]) -> None:
    """Getting the project and going there: nothing of ours runs."""


# The pattern fits the whole command, `run.py` standing for the program however it is called.
RECIPES: dict[str, Recipe] = {
    r"run\.py(?: \w+)? --help": helps,
    r"run\.py --version": shows_version,
    r"run\.py layout .*": lays_out,
    r"run\.py export .*": exports,
    r"run\.py repair .*": repairs,
    r"run\.py vibe .*": vibes,
    r"run\.py characters .*": characters,
    r"run\.py chronicle .*": chronicle,
    r"run\.py panels .*": panels,
    r"run\.py download .*": downloads,
    r"run\.py quantize .*": quantizes,
    r"run\.py doctor.*": doctors,
    r"run\.py studio(?: --.*)?": opens,
    r"docker .*": is_in_the_dockerfile,
    r"run\.py.*": draws,
    r"python scripts/fix_colab_deps\.py.*": lambda place, words: doctors(
        place, ["doctor", "--fix", *words[2:]]
    ),
    r"scripts/setup_models\.sh .*": common_sets,
    r"(?:\./)?scripts/(?:check|quickstart).*": scripts,
    r"(?:python -m |uv )?pip install .*": installs,
    r"python -m scripts\.docs": refreshes,
    r"python (?:-m scripts\.|scripts/).*": parses,
    r"(?:git clone|cd) .*": is_the_shells,
}
