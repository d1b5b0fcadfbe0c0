#!/usr/bin/env bash
# Builds the programs of Examples/, which use the library as any other package does, and runs them on fixtures.
#
#     scripts/examples.sh [OPTION…]     options of swift build; with those of scripts/test.sh, its build is used
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
work=$(mktemp -d "${TMPDIR:-/tmp}/vpatch-examples-XXXXXX")
trap 'rm -rf "$work"' EXIT
swift build --package-path Examples "$@"
programs=$(swift build --package-path Examples "$@" --show-bin-path)

says() {
  grep -qF -- "$1" "$work/out" || { cat "$work/out" >&2; echo "examples: \"$1\" is missing above" >&2; exit 1; }
}

"$programs/PatchAndRevert" fixtures/pair/base.safetensors fixtures/pair/tuned-sa-proj.safetensors "$work" >"$work/out"
says "applied and reverted, bit for bit"
cp "$root/fixtures/golden/stacks/base.safetensors" "$work/live.safetensors"
"$programs/StackAndSwitch" "$work/live.safetensors" fixtures/golden/stacks/a.vpatch fixtures/golden/stacks/b.vpatch \
  "$work/store" >"$work/out"
says "consistent: true"
says "the base again"
"$programs/WhatChanged" "$work/task.vpatch" README.md "$work/none.vpatch" >"$work/out"
says "change model.layers"
says "README.md: not a patch"
says "cannot be read: does not exist"
