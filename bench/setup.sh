#!/bin/sh
# Makes what the bench needs: three Debian packages, and a Python virtual environment in the user's cache folder.
#
#   bench/setup.sh            prints the path of the environment's python, and nothing else, on stdout
#   bench/setup.sh mergekit   the same for bench/merge.py's other side, an environment of its own (about 1 GB)
#   bench/setup.sh torch      the same for bench/models.py's other side (about 1 GB)
#   bench/setup.sh NAME       the same for requirements-NAME.txt: ms-swift and llama-factory (bench/trainer_outputs.py),
#                             modelexpress (bench/canonical_delta.py)
#   bench/setup.sh deepspeed  the same with DeepSpeed, for ZeRO-3 (scripts/test-zero3.sh, bench/distributed.py)
#   bench/setup.sh python-torch   the environment of scripts/test-python.sh torch, which has TRL
#
# Runs in a moment when everything is there already. Installs Debian packages only when it is root; otherwise it says
# what to type and stops.
set -eu

here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
requirements="$here/requirements${1:+-$1}.txt"
if [ "${1:-}" = python-torch ]; then requirements="$here/../python/requirements-torch.txt"; fi

missing=
command -v zstd >/dev/null || missing="$missing zstd"
command -v xdelta3 >/dev/null || missing="$missing xdelta3"
python3 -c 'import ensurepip, venv' 2>/dev/null || missing="$missing python3-venv"
command -v cc >/dev/null || command -v clang >/dev/null || missing="$missing gcc libc6-dev"
if [ -n "$missing" ]; then
  if [ "$(id -u)" -ne 0 ]; then
    echo "bench/setup.sh: missing Debian packages; run: sudo apt-get install -y$missing" >&2
    exit 1
  fi
  echo "installing$missing" >&2
  apt-get update -q >&2
  # shellcheck disable=SC2086  # a list of names, meant to be split
  DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing >&2
fi

exec "$here/../scripts/venv.sh" "${1:-venv}" "$requirements"
