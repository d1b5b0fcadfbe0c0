#!/bin/sh
# Prints the path of a Python with the packages of a requirements file, in a virtual environment in the user's cache
# folder. It is made if it is missing, or if the file has changed.
#
#   scripts/venv.sh NAME REQUIREMENTS
set -eu
venv="${XDG_CACHE_HOME:-$HOME/.cache}/vpatch/$1"
# The stamp is a copy of the requirements that were installed: another list, another installation.
if ! cmp -s "$2" "$venv/requirements.txt"; then
  echo "making $venv" >&2
  rm -rf "$venv"
  mkdir -p "$(dirname "$venv")"
  python3 -m venv "$venv" >&2
  "$venv/bin/pip" install --quiet --disable-pip-version-check --requirement "$2" >&2
  cp "$2" "$venv/requirements.txt"
fi
echo "$venv/bin/python"
