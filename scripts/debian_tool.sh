#!/bin/sh
# Prints the path of a program that starts; installs Debian's package of it when there is none and we are root.
# Usage: scripts/debian_tool.sh PROGRAM PACKAGE   (promtool prometheus; haproxy haproxy; amtool prometheus-alertmanager)
set -eu
program=$1
package=$2
PATH=$PATH:/usr/sbin:/usr/local/sbin

if command -v "$program"; then exit 0; fi
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "no $program here: installing Debian's $package" >&2
    # A package's own service is not started: only the program is wanted.
    policy=/usr/sbin/policy-rc.d
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod +x "$policy"
        trap 'rm -f "$policy"' EXIT
    fi
    { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$package"; } >&2 || true
    if command -v "$program"; then exit 0; fi
fi
echo "$program could not be found or installed: install $package" >&2
exit 1
