#!/usr/bin/env bash
# What the tests need beside Python: PostgreSQL 15 or newer, Chromium, and fonts with Chinese characters.
# Installs them from Debian's packages where that is allowed; otherwise says in one sentence what to install.
set -euo pipefail

newest_postgres() {
  { ls -d /usr/lib/postgresql/*/bin/initdb 2>/dev/null; command -v initdb || true; } |
    while read -r initdb; do "$initdb" --version | sed -E 's/^[^0-9]*([0-9]+).*/\1/'; done | sort -n | tail -1
}

missing=()
packages=()
[ "$(newest_postgres || true)" -ge 15 ] 2>/dev/null || { missing+=("PostgreSQL 15 or newer"); packages+=(postgresql); }
[ -x /usr/bin/chromium ] || { missing+=("Chromium at /usr/bin/chromium"); packages+=(chromium); }
[ -n "$(find /usr/share/fonts -iname '*noto*cjk*' -print -quit 2>/dev/null)" ] ||
  { missing+=("the Noto CJK fonts"); packages+=(fonts-noto-cjk); }
[ ${#missing[@]} -gt 0 ] || exit 0

list=$(IFS=,; echo "${missing[*]}" | sed 's/,/, /g')
root=()
if [ "$(id -u)" -ne 0 ]; then root=(sudo -n); fi
if ! command -v apt-get >/dev/null || { [ ${#root[@]} -gt 0 ] && ! sudo -n true 2>/dev/null; }; then
  echo "The tests need $list: on Debian, apt-get install ${packages[*]}." >&2
  exit 1
fi

echo "Installing $list"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# A package source that does not answer need not be the one with these packages.
if ! { "${root[@]}" apt-get update -qq || true
       "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}"; } >"$log" 2>&1; then
  tail -20 "$log" >&2
  echo "The tests need $list, and apt-get could not install ${packages[*]}." >&2
  exit 1
fi
