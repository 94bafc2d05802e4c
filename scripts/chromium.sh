#!/bin/sh
# Prints the path of a Chromium that starts. Its headless shell first, the machine's own or (as root) Debian's: it draws
# no window around a page, which costs a page a second of a core in the whole browser. Else the machine's own browser,
# else Playwright's, else Debian's.
# Usage: scripts/chromium.sh [python with Playwright]
set -eu
python=${1:-.venv/bin/python}

starts() {
    [ -n "$1" ] && [ -x "$1" ] && "$1" --version >/dev/null 2>&1
}

machines_own() {
    for name in "$@"; do
        path=$(command -v "$name" || true)
        if starts "$path"; then echo "$path"; return 0; fi
    done
    return 1
}

playwrights() {
    path=$("$python" -c 'from playwright.sync_api import sync_playwright as start
with start() as playwright: print(playwright.chromium.executable_path)' 2>/dev/null || true)
    if starts "$path"; then echo "$path"; return 0; fi
    return 1
}

debians() {
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || return 1
    echo "installing Debian's $*" >&2
    { timeout 300 apt-get update && DEBIAN_FRONTEND=noninteractive timeout 600 apt-get install -y --no-install-recommends "$@"; } >&2 || true
    machines_own "$@"
}

if starts "${CHROMIUM:-}"; then echo "$CHROMIUM"; exit 0; fi
machines_own chromium-headless-shell chrome-headless-shell && exit 0
# The browser itself as well: it has a back-forward cache, which the shell has not.
debians chromium-headless-shell chromium && exit 0
machines_own chromium chromium-browser google-chrome google-chrome-stable && exit 0
playwrights && exit 0
echo "no Chromium here: downloading Playwright's" >&2
"$python" -m playwright install chromium >&2 2>&1 && playwrights && exit 0
debians chromium && exit 0
echo "make: no Chromium could be found or installed: install chromium, or set CHROMIUM to one's path" >&2
exit 1
