#!/usr/bin/env bash
# What is needed beside Python, from Debian's packages where that is allowed.
#   machine.sh run    Pango and Chinese fonts, for reports as PDF. Never fails: without them a report is HTML and JSON.
#   machine.sh test   also PostgreSQL 15 or newer, Chromium, and libfprint with its virtual reader. Says what is missing.
set -euo pipefail

newest_postgres() {
  { ls -d /usr/lib/postgresql/*/bin/initdb 2>/dev/null; command -v initdb || true; } |
    while read -r initdb; do "$initdb" --version | sed -E 's/^[^0-9]*([0-9]+).*/\1/'; done | sort -n | tail -1
}
library() { /sbin/ldconfig -p 2>/dev/null | grep -q "$1"; }
libfprint_speaks() {
  /usr/bin/python3 -c 'import gi; gi.require_version("FPrint", "2.0"); from gi.repository import FPrint' 2>/dev/null
}

what=${1:?run or test}
missing=()
packages=()
need() { missing+=("$1"); shift; packages+=("$@"); }

{ library libpango-1.0.so.0 && library libpangoft2-1.0.so.0 && library libharfbuzz-subset.so.0; } ||
  need "Pango" libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0
[ -n "$(find /usr/share/fonts -iname '*noto*cjk*' -print -quit 2>/dev/null)" ] || need "the Noto CJK fonts" fonts-noto-cjk
if [ "$what" = test ]; then
  [ "$(newest_postgres || true)" -ge 15 ] 2>/dev/null || need "PostgreSQL 15 or newer" postgresql
  [ -x /usr/bin/chromium ] || need "Chromium at /usr/bin/chromium" chromium
  libfprint_speaks || need "libfprint for /usr/bin/python3" python3 python3-gi libfprint-2-2 gir1.2-fprint-2.0
fi
[ ${#missing[@]} -gt 0 ] || exit 0

list=$(IFS=,; echo "${missing[*]}" | sed 's/,/, /g')
if [ "$what" = run ]; then
  purpose="Reports as PDF need" failed=0
else
  purpose="The tests need" failed=1
fi
root=()
if [ "$(id -u)" -ne 0 ]; then root=(sudo -n); fi
if ! command -v apt-get >/dev/null || { [ ${#root[@]} -gt 0 ] && ! sudo -n true 2>/dev/null; }; then
  echo "$purpose $list: on Debian, apt-get install ${packages[*]}." >&2
  exit $failed
fi

echo "Installing $list"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# A package source that does not answer need not be the one with these packages.
if ! { "${root[@]}" apt-get update -qq || true
       "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}"; } >"$log" 2>&1; then
  tail -20 "$log" >&2
  echo "$purpose $list, and apt-get could not install ${packages[*]}." >&2
  exit $failed
fi
