#!/usr/bin/env bash
# The tests of ZeRO-3, in an environment with DeepSpeed (1 GB), which compiles a part of itself: minutes at first.
#
#   scripts/test-zero3.sh FOLDER    FOLDER holds libvpatchc.so and vpatch
#
# Further arguments go to pytest.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
build=$(cd "$1" && pwd)
shift
python=$("$root/bench/setup.sh" deepspeed)
cd "$root/python"
# DeepSpeed finds ninja on the path.
PATH=$(dirname "$python"):$PATH
export PATH VPATCH_LIBRARY=$build/libvpatchc.so VPATCH_COMMAND=$build/vpatch PYTHONPATH=$root/python/src
export PYTHONDONTWRITEBYTECODE=1 HF_HUB_OFFLINE=1 DS_ACCELERATOR=cpu OMP_NUM_THREADS=1
exec "$python" -m pytest -q -p no:cacheprovider tests/with_torch/test_zero3.py "$@"
