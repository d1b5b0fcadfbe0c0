#!/bin/sh
# Prints the path of a Python that can run the second reader. It is in a virtual environment outside the repository,
# which is created if it is missing. bench/setup.sh adds more packages to the same environment, in any order.
#
#   scripts/python.sh          with the packages of the second reader
#   scripts/python.sh checks   also with ruff and mypy (attack/requirements.txt)
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
# The stamp is a copy of the requirements that were installed.
if [ "${1:-}" = checks ] && ! cmp -s "$root/attack/requirements.txt" "$venv/checks.txt"; then
  install "$root/attack/requirements.txt"
  cp "$root/attack/requirements.txt" "$venv/checks.txt"
fi
echo "$venv/bin/python"
