#!/bin/sh
# Checks all Python sources except those of fixtures/, with the settings in pyproject.toml.
set -eu
root=$(CDPATH= cd -- "$(dirname -- "$0")/.." && pwd)
settings="$root/pyproject.toml"
python=$("$root/scripts/python.sh" checks)
# One folder at a time, since several have modules of the same name.
for folder in attack bench scripts spec/reader study; do
  cd "$root/$folder"
  "$python" -m ruff check --quiet --no-cache --config "$settings" .
  "$python" -m mypy --no-error-summary --cache-dir=/dev/null --config-file "$settings" .
done
# The package, which supports older versions of Python than the scripts.
cd "$root/python"
"$python" -m ruff check --quiet --no-cache --config "$settings" --target-version py310 src tests
MYPYPATH=src:tests:tests/with_torch "$python" -m mypy --no-error-summary --cache-dir=/dev/null \
  --config-file "$settings" --python-version 3.10 --exclude with_servers src tests
# The tests with servers use modules of the bench.
MYPYPATH=src:tests/with_servers "$python" -m mypy --no-error-summary --cache-dir=/dev/null \
  --config-file "$settings" tests/with_servers
