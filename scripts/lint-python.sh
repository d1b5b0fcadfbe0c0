#!/bin/sh
# Checks the Python sources that are typed: attack/.
set -eu
cd "$(dirname "$0")/../attack"
python=$(../scripts/python.sh checks)
"$python" -m ruff check --no-cache .
"$python" -m mypy --cache-dir=/dev/null .
