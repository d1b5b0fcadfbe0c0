#!/bin/sh
# Prints a python that can run the second reader: that of a virtual environment outside the repository, made if need be.
# bench/setup.sh makes the same environment with more in it; whichever runs first, both find what they need.
set -eu

root=$(CDPATH= cd -- "$(dirname -- "$0")/.." && pwd)
venv="${XDG_CACHE_HOME:-$HOME/.cache}/vpatch/venv"

if ! "$venv/bin/python" -c 'import numpy, zstandard' 2>/dev/null; then
  echo "making $venv" >&2
  rm -rf "$venv"
  mkdir -p "$(dirname "$venv")"
  python3 -m venv "$venv" >&2
  "$venv/bin/pip" install --quiet --disable-pip-version-check --requirement "$root/spec/reader/requirements.txt" >&2
fi
echo "$venv/bin/python"
