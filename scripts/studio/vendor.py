"""Makes `model/web/static/vendor/` from npm packages: `python -m scripts.studio.vendor`.

Browsers resolve no bare names without an import map, and the page's security policy allows no inline script,
so the imports between the libraries become relative. Nothing else of them is changed. Of Lucide's icons, the
ones that the page uses become one sprite.
"""

from __future__ import annotations

import re
from pathlib import Path

from scripts.studio.packages import PACKAGES, ensure

HERE = Path(__file__).parent
STATIC = HERE.parents[1] / "model" / "web" / "static"

SCRIPTS = {
    "preact.js": "preact/dist/preact.mjs",
    "hooks.js": "preact/hooks/dist/hooks.mjs",
    "htm.js": "htm/dist/htm.module.js",
    "signals-core.js": "@preact/signals-core/dist/signals-core.mjs",
    "signals.js": "@preact/signals/dist/signals.mjs",
}
LICENCES = {
    "LICENSE-preact.txt": "preact/LICENSE",
    "LICENSE-htm.txt": "htm/LICENSE",
    "LICENSE-signals.txt": "@preact/signals/LICENSE",
    "LICENSE-lucide.txt": "lucide-static/LICENSE",
}
NAMES = {"preact": "preact.js", "preact/hooks": "hooks.js", "@preact/signals-core": "signals-core.js"}


def script(source: str) -> str:
    """A library with relative imports and without the address of its source map."""
    found = re.sub(r'from"([^".][^"]*)"', lambda match: f'from"./{NAMES[match[1]]}"', source)
    return re.sub(r"\n?//# sourceMappingURL=.*\n?", "\n", found)


def used_icons() -> list[str]:
    """Every quoted word of the page's scripts that is an icon's name, so a few too many."""
    known = {path.stem for path in (PACKAGES / "lucide-static" / "icons").glob("*.svg")}
    words = {
        word
        for path in STATIC.rglob("*.js")
        if path.parent.name != "vendor"
        for word in re.findall(r'"([a-z0-9-]+)"', path.read_text("utf-8"))
    }
    return sorted(words & known)


def sprite(names: list[str]) -> str:
    """One SVG with a symbol for each icon."""
    symbols: list[str] = []
    for name in names:
        text = (PACKAGES / "lucide-static" / "icons" / f"{name}.svg").read_text("utf-8")
        inner = re.sub(r"\s*\n\s*", "", text[text.index(">", text.index("<svg")) + 1 : text.index("</svg>")])
        symbols.append(f'<symbol id="icon-{name}" viewBox="0 0 24 24">{inner}</symbol>')
    return '<svg xmlns="http://www.w3.org/2000/svg">\n' + "\n".join(symbols) + "\n</svg>\n"


def made() -> dict[str, str]:
    """Every file of `vendor/` that comes from a package, by its name."""
    files = {name: script((PACKAGES / path).read_text("utf-8")) for name, path in SCRIPTS.items()}
    files |= {name: (PACKAGES / path).read_text("utf-8") for name, path in LICENCES.items()}
    return files | {"icons.svg": sprite(used_icons())}


if __name__ == "__main__":
    ensure()
    for name, text in made().items():
        (STATIC / "vendor" / name).write_text(text, "utf-8")
