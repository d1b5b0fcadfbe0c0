#!/usr/bin/env bash
# All tests: the Swift packages and the built command, the second reader, the formatting. Stops at the first failure.
set -euo pipefail
cd "$(dirname "$0")/.."

step() { printf '\n== %s\n' "$*" >&2; }

scripts/install-deps.sh
step "swift build --build-tests"
swift build --build-tests
step "swift test"
swift test --skip-build
step "the second reader: spec/reader/tests"
python=$(scripts/python.sh)
(cd spec/reader && "$python" -m unittest discover -s tests)
step "the kernels in C, under sanitizers"
scripts/sanitize.sh
step "swift format lint"
scripts/lint.sh
step "all passed in $SECONDS s"
