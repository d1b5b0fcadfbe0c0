#!/usr/bin/env bash
# All tests: the Swift packages and the built command, attacks, the second reader, what the bench and the study are made
# of, the formatting. Stops at the first failure. At the end the ten slowest tests, and how long each step took.
set -euo pipefail
cd "$(dirname "$0")/.."

work=$(mktemp -d "${TMPDIR:-/tmp}/vpatch-tests-XXXXXX")
trap 'rm -rf "$work"' EXIT
started= name=
end_step() { [ -z "$name" ] || printf '%5d s  %s\n' $((SECONDS - started)) "$name" >>"$work/steps"; }
step() {
  end_step
  started=$SECONDS name=$*
  printf '\n== %s\n' "$*" >&2
}

# Those are for real models and other people's libraries: scripts/test-real.sh.
real='RealModelTests|RealTowerTests|TokenizerComparisonTests|JinjaComparisonTests|LessonComparisonTests|PillowTests/comparison'

# What is tested is what is released, and optimised it takes a quarter of the time.
release=(-c release -Xswiftc -enable-testing --scratch-path .build-tests)

scripts/install-deps.sh
python=$(bench/setup.sh)

# What needs no Swift runs beside it: a release build leaves a core idle for much of its time.
beside() (
  set -e
  step "the second reader: spec/reader/tests"
  (cd spec/reader && "$python" -m unittest discover -s tests)
  step "the kernels in C, under sanitizers"
  scripts/sanitize.sh
  step "the bench's own tests: bench/tests"
  "$python" -m unittest discover bench/tests
  step "the study's own tests: study/tests"
  "$python" -m unittest discover study/tests
  step "Python: ruff, mypy"
  scripts/lint-python.sh
  step "swift format lint"
  scripts/lint.sh
  end_step
)
beside >"$work/beside" 2>&1 &
others=$!
trap 'kill "$others" 2>/dev/null || true; rm -rf "$work"' EXIT

step "swift build --build-tests"
swift build "${release[@]}" --build-tests
step "swift test"
swift test "${release[@]}" --skip-build --skip "$real" 2>&1 | tee "$work/swift"
step "attacks, short: attack/run.py"
attack/run.py --binary .build-tests/release/vpatch
end_step
wait "$others" || { status=$?; cat "$work/beside"; exit "$status"; }
cat "$work/beside"

# A test that was not run is named: its processor lacks what it needs.
if grep -E '^[^ ]+ Test .* skipped' "$work/swift" >"$work/skipped"; then
  printf '\n== not run on this processor\n' >&2
  cat "$work/skipped" >&2
fi
printf '\n== the ten slowest tests, which run beside each other\n' >&2
sed -nE '/Test run with/d; s/^.* Test (.*) passed after ([0-9.]+) seconds\.$/\2 s  \1/p' "$work/swift" |
  sort -rn | sed -n 1,10p >&2
printf '\n== steps\n' >&2
cat "$work/steps" >&2
printf '\n== all passed in %d s\n' "$SECONDS" >&2
