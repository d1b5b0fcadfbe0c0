#!/usr/bin/env bash
# The tests of the Python package, on a library and a command that were built.
#
#   scripts/test-python.sh FOLDER          without PyTorch; FOLDER holds libvpatchc.so and vpatch: .build-tests/release
#   scripts/test-python.sh FOLDER torch    also those with PyTorch, transformers, TRL and lm-evaluation-harness (1 GB)
#   scripts/test-python.sh --install [torch]    only makes the virtual environment
#
# Further arguments go to pytest. The virtual environments are in the user's cache folder.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
build=$1 kind=
if [ "${2:-}" = torch ]; then kind=-torch; fi
shift $((${#kind} ? 2 : 1))

venv="${XDG_CACHE_HOME:-$HOME/.cache}/vpatch/python$kind"
requirements="$root/python/requirements$kind.txt"
# The stamp is a copy of the requirements that were installed.
if ! cmp -s "$requirements" "$venv/requirements.txt"; then
  echo "making $venv" >&2
  rm -rf "$venv"
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check --requirement "$requirements"
  cp "$requirements" "$venv/requirements.txt"
fi
if [ "$build" = --install ]; then exit 0; fi
build=$(cd "$build" && pwd)
cd "$root/python"
export VPATCH_LIBRARY=$build/libvpatchc.so VPATCH_COMMAND=$build/vpatch PYTHONPATH=$root/python/src
export PYTHONDONTWRITEBYTECODE=1 HF_HUB_OFFLINE=1
if [ -n "$kind" ]; then tests=tests; else tests="tests --ignore tests/with_torch"; fi
# shellcheck disable=SC2086  # a list of words, meant to be split
exec "$venv/bin/python" -m pytest -q -p no:cacheprovider $tests "$@"
