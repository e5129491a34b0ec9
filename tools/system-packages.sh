#!/bin/sh
# Installs the parts of the system that the tests use (real broker, browser, fonts), where this user may; else names the one line.
# Quiet when all are there. Always goes on: a test that lacks a part says so itself.
set -u
need=""
want() { # command, packages
    command -v "$1" >/dev/null 2>&1 || [ -x "/usr/sbin/$1" ] || need="$need $2"
}
want mosquitto mosquitto
want mosquitto_pub mosquitto-clients
want chromium chromium
want fusermount3 fuse3
want pdftotext poppler-utils
ls /usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc >/dev/null 2>&1 || need="$need fonts-noto-cjk"
if [ -n "${CI:-}" ]; then # a second PostgreSQL beside the wheel's
    ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 || need="$need postgresql"
fi
[ -z "$need" ] && exit 0
line="apt-get install -y --no-install-recommends$need"
as=""
if [ "$(id -u)" != 0 ]; then
    as="sudo -n"
    $as true 2>/dev/null || as=none
fi
if ! command -v apt-get >/dev/null 2>&1 || [ "$as" = none ]; then
    echo "system: some tests need more of the system; as root: $line"
    exit 0
fi
echo "system: installing$need"
log=$(mktemp)
DEBIAN_FRONTEND=noninteractive
export DEBIAN_FRONTEND
# shellcheck disable=SC2086
if $as $line >"$log" 2>&1 </dev/null || { $as apt-get update >"$log" 2>&1 </dev/null && $as $line >>"$log" 2>&1 </dev/null; }; then
    rm -f "$log"
    exit 0
fi
tail -n 5 "$log"
rm -f "$log"
echo "system: that did not work; some tests need it; as root: $line"
exit 0
