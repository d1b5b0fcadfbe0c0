#!/bin/sh
# Prints a python that can run the second reader: that of a virtual environment outside the repository, made if need be.
# bench/setup.sh makes the same environment with more in it; whichever runs first, both find what they need.
#
#   scripts/python.sh          the python alone
#   scripts/python.sh checks   with what checks Python sources (attack/requirements.txt)
set -eu

root=$(CDPATH= cd -- "$(dirname -- "$0")/.." && pwd)
venv="${XDG_CACHE_HOME:-$HOME/.cache}/vpatch/venv"
install() { "$venv/bin/pip" install --quiet --disable-pip-version-check --requirement "$1" >&2; }

if ! "$venv/bin/python" -c 'import numpy, zstandard' 2>/dev/null; then
  echo "making $venv" >&2
  rm -rf "$venv"
  mkdir -p "$(dirname "$venv")"
  python3 -m venv "$venv" >&2
  install "$root/spec/reader/requirements.txt"
fi
# The stamp is a copy of what was installed.
if [ "${1:-}" = checks ] && ! cmp -s "$root/attack/requirements.txt" "$venv/checks.txt"; then
  install "$root/attack/requirements.txt"
  cp "$root/attack/requirements.txt" "$venv/checks.txt"
fi
echo "$venv/bin/python"
