# Programs that only tests need: a browser, poppler, epubcheck. Sourced by `scripts/check --all`.

# Prints the Debian packages of what is not on the PATH.
missing_tools() {
    local browser found=""
    for browser in chromium chromium-browser google-chrome google-chrome-stable chrome; do
        command -v "$browser" >/dev/null && found=yes
    done
    [ -n "$found" ] || echo chromium
    command -v pdftotext >/dev/null || echo poppler-utils
    command -v epubcheck >/dev/null || echo epubcheck
}

# Installs them with apt where it is there and we may; else says which tests will be skipped. Never fails.
ensure_tools() {
    local packages
    packages="$(missing_tools | tr '\n' ' ')"
    [ -n "$packages" ] || return 0
    if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
        echo "installing what tests need: $packages" >&2
        # Word splitting is meant: one word a package.
        # shellcheck disable=SC2086
        apt-get update -qq >&2 &&
            DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $packages >&2 || true
        packages="$(missing_tools | tr '\n' ' ')"
        [ -n "$packages" ] || return 0
    fi
    echo "not installed, so their tests are skipped: $packages" >&2
}
