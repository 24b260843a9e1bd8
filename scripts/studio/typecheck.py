"""Types of the page's JavaScript, checked by `tsc`: `python -m scripts.studio.typecheck [--needed]`.

Without `--needed`, a machine that cannot fetch the packages is told so, and nothing fails.
"""

from __future__ import annotations

import sys

from scripts.studio.packages import NoPackages, tsc

if __name__ == "__main__":
    try:
        sys.exit(tsc())
    except NoPackages as lacking:
        print(f"the page's types are not checked: {lacking}", file=sys.stderr)
        sys.exit(3 if "--needed" in sys.argv else 0)
