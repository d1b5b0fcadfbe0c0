#!/usr/bin/env bash
# The tests of the program: the Swift modules and the built command, examples, the Python package, formatting, structure.
# Stops at the first failure. Prints the ten slowest tests and the time of each step at the end.
#
#   scripts/test.sh          make test
#   scripts/test.sh all      make test-all: also the Python package with PyTorch, the second reader, C kernels with
#                            sanitizers, short attacks, and the scripts of the bench and the study
set -euo pipefail
cd "$(dirname "$0")/.."

work=$(mktemp -d "${TMPDIR:-/tmp}/vpatch-tests-XXXXXX")
trap 'rm -rf "$work"' EXIT
started= name=
end_step() {
  [ -z "$name" ] || printf '%5d s  %s\n' $((SECONDS - started)) "$name" >>"$work/steps"
  name=
}
step() {
  end_step
  started=$SECONDS name=$*
  printf '\n== %s\n' "$*" >&2
}

# Tests that need real models and other libraries: scripts/test-real.sh runs them.
real='RealModelTests|RealTowerTests|TokenizerComparisonTests|JinjaComparisonTests|LessonComparisonTests|PillowTests/comparison'

# Tests run on the release build, as it is shipped; optimised they take a quarter of the time.
# Without debug information, which takes a tenth of the build.
release=(-c release -Xswiftc -enable-testing -Xswiftc -gnone --scratch-path "$PWD/.build-tests")

scripts/install-deps.sh
python=$(bench/setup.sh)
all=${1:-}

# Steps that need no Swift run in parallel: a release build leaves a core idle for much of its time.
beside() (
  set -e
  step "environment of the Python package's tests"
  scripts/test-python.sh --install ${all:+torch}
  if [ "$all" = all ]; then
    step "second reader: spec/reader/tests"
    (cd spec/reader && "$python" -m unittest discover -s tests)
    step "C kernels with sanitizers"
    scripts/sanitize.sh
    step "C kernels on Arm, under qemu"
    scripts/test-arm.sh
    step "tests of the bench: bench/tests"
    "$python" -m unittest discover bench/tests
    step "tests of the study: study/tests"
    "$python" -m unittest discover study/tests
    step "Python: ruff, mypy"
    scripts/lint-python.sh
  fi
  step "swift format lint"
  scripts/lint.sh
  step "arrows between modules and folders, plain words, public interface"
  "$python" scripts/arrows.py
  "$python" scripts/check-words.py
  "$python" scripts/check-public.py
  end_step
)
beside >"$work/beside" 2>&1 &
others=$!
trap 'kill "$others" 2>/dev/null || true; rm -rf "$work"' EXIT

step "swift build --build-tests"
swift build "${release[@]}" --build-tests
step "swift test"
swift test "${release[@]}" --skip-build --skip "$real" 2>&1 | tee "$work/swift"
step "Examples/, on the product VPatch"
scripts/examples.sh "${release[@]}"
if [ "$all" = all ]; then
  step "short attacks: attack/run.py"
  attack/run.py --binary .build-tests/release/vpatch
fi
end_step
wait "$others" || { status=$?; cat "$work/beside"; exit "$status"; }
cat "$work/beside"
step "Python package: python/tests"
scripts/test-python.sh .build-tests/release ${all:+torch}
end_step

# Names the tests that were skipped because the processor lacks something.
if grep -E '^[^ ]+ Test .* skipped' "$work/swift" >"$work/skipped"; then
  printf '\n== skipped on this processor\n' >&2
  cat "$work/skipped" >&2
fi
printf '\n== the ten slowest tests (they run in parallel)\n' >&2
sed -nE '/Test run with/d; s/^.* Test (.*) passed after ([0-9.]+) seconds\.$/\2 s  \1/p' "$work/swift" |
  sort -rn | sed -n 1,10p >&2
printf '\n== steps\n' >&2
cat "$work/steps" >&2
printf '\n== all passed in %d s\n' "$SECONDS" >&2
