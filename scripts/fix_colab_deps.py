"""Mend the packages of a Colab: `run.py doctor --fix`, for people who look for a script of this name.

    python scripts/fix_colab_deps.py            # look, mend, look again
    python scripts/fix_colab_deps.py --json     # further words go to run.py doctor

Colab's own torch stays; a torchvision that does not fit it (`operator torchvision::nms does not exist`) is
installed anew beside it, absent packages are added. Out: the doctor's lines; exit code 3 while something is
wrong. Needs nothing but Python to start.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from model.cli import main

if __name__ == "__main__":
    sys.exit(main(["doctor", "--fix", *sys.argv[1:]]))
