#!/usr/bin/env bash
# The tests that need servers: vLLM and SGLang on this machine, on the CPU, with SmolLM2-135M. They download about 2 GB and
# take about 15 minutes. `make test` does not include them.
#
#   scripts/test-servers.sh FOLDER [pytest's arguments]    FOLDER holds libvpatchc.so and vpatch: .build-tests/release
#   scripts/test-servers.sh FOLDER session [vllm|sglang]    the session of docs/serving.md
#   scripts/test-servers.sh FOLDER bench [vllm|sglang] [--rounds N]    bench/serving.py: swaps under load, measured
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
build=$(cd "$1" && pwd)
shift

python=$("$root/bench/setup.sh")
tests=$("$root/scripts/venv.sh" python "$root/python/requirements.txt")
VPATCH_VLLM=$("$root/scripts/venv.sh" vllm "$root/bench/requirements-vllm.txt")
VPATCH_SGLANG=$("$root/scripts/venv.sh" sglang "$root/bench/requirements-sglang.txt")
pip=(-m pip --quiet --disable-pip-version-check)
"$VPATCH_VLLM" "${pip[@]}" uninstall --yes torchvision torchaudio torchcodec 2>/dev/null
"$VPATCH_SGLANG" "${pip[@]}" install --no-deps sglang==0.5.23
export VPATCH_VLLM VPATCH_SGLANG VPATCH_LIBRARY=$build/libvpatchc.so VPATCH_COMMAND=$build/vpatch
export PYTHONDONTWRITEBYTECODE=1
VPATCH_SMOLLM2=$("$python" "$root/bench/smollm2.py")
export VPATCH_SMOLLM2

if [ "${1:-}" = bench ]; then
  shift
  exec "$python" "$root/bench/serving.py" "$@"
fi
cd "$root/python"
# The fixtures are a plugin: a second conftest.py would be a second module of that name for mypy.
export PYTHONPATH=$root/python/src:$root/bench:$root/python/tests/with_servers
if [ "${1:-}" = session ]; then
  shift
  PYTHONPATH=$root/bench exec "$python" tests/with_servers/session.py "$@"
fi
exec "$tests" -m pytest -q -p no:cacheprovider -p serving_fixtures tests/with_servers "$@"
