# Makes the project's .venv. Sourced by scripts/quickstart and scripts/check, never run by itself.
#
# Sets ROOT (the checkout) and PYTHON (the environment's interpreter, once `ensure_venv` has run).
# A stamp inside .venv holds the checksum of what was installed; while it fits, nothing is fetched.

ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)"

_find_venv_python() {
    local place
    for place in "$ROOT/.venv/bin/python" "$ROOT/.venv/Scripts/python.exe"; do
        if [ -x "$place" ] && "$place" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            PYTHON="$place"
            return 0
        fi
    done
    return 1
}

_make_venv() {
    local name tried=""
    for name in python3.13 python3.12 python3.11 python3 python; do
        # A Python that is old, or a shim that runs nothing, is passed over.
        "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue
        echo "making .venv with $name ($("$name" -V 2>&1))" >&2
        if "$name" -m venv --clear "$ROOT/.venv" >&2 && _find_venv_python; then
            return 0
        fi
        tried="$tried $name"
    done
    if [ -n "$tried" ]; then
        echo "cannot make $ROOT/.venv with$tried; on Debian and Ubuntu install the package python3-venv, then run this again" >&2
    else
        echo "no Python 3.11 or newer found on PATH (looked for python3.13, python3.12, python3.11, python3, python); install one from https://www.python.org/downloads/ and run this again" >&2
    fi
    return 3
}

# Prints the checksum of requirements.txt and of the words given besides.
_checksum() {
    "$PYTHON" -c '
import hashlib, sys
with open(sys.argv[1], "rb") as file:
    print(hashlib.sha256(file.read() + sys.argv[2].encode()).hexdigest())
' "$ROOT/requirements.txt" "$1"
}

# ensure_venv [dev]: make .venv if it is absent or broken, and install what is not there yet.
ensure_venv() {
    local dev="" wanted stamp="$ROOT/.venv/installed.sha256"
    _find_venv_python || _make_venv || return 3
    if [ "${1:-}" = dev ]; then
        stamp="$ROOT/.venv/installed-dev.sha256"
        dev="$("$PYTHON" -c '
import sys, tomllib
with open(sys.argv[1], "rb") as file:
    print("\n".join(tomllib.load(file)["project"]["optional-dependencies"]["dev"]))
' "$ROOT/pyproject.toml")" || return 3
    fi
    wanted="$(_checksum "$dev")" || return 3
    if [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ]; then
        return 0
    fi
    echo "installing into .venv" >&2
    local requirement extras=()
    while IFS= read -r requirement; do
        [ -n "$requirement" ] && extras+=("$requirement")
    done <<<"$dev"
    # One command for all of it, so that torch and torchvision come from one index.
    if ! "$PYTHON" "$ROOT/scripts/install.py" --also ${extras[@]+"${extras[@]}"} >&2; then
        echo "installation failed; the lines above say why (network, disk space, or no packages for $("$PYTHON" -V 2>&1)); mend it and run this again" >&2
        return 3
    fi
    _checksum "" >"$ROOT/.venv/installed.sha256"
    printf '%s\n' "$wanted" >"$stamp"
}
