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

python=$("$root/scripts/venv.sh" "python$kind" "$root/python/requirements$kind.txt")
if [ "$build" = --install ]; then exit 0; fi
build=$(cd "$build" && pwd)
cd "$root/python"
export VPATCH_LIBRARY=$build/libvpatchc.so VPATCH_COMMAND=$build/vpatch PYTHONPATH=$root/python/src
export PYTHONDONTWRITEBYTECODE=1 HF_HUB_OFFLINE=1
tests="tests --ignore tests/with_servers"
if [ -z "$kind" ]; then tests="$tests --ignore tests/with_torch"; fi
# shellcheck disable=SC2086  # a list of words, meant to be split
exec "$python" -m pytest -q -p no:cacheprovider $tests "$@"
