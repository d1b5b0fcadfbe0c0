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

# The C interface. The library is that of the given build.
library=$(swift build "$@" --show-bin-path)
compiler=$(command -v cc || command -v clang)
"$compiler" -std=c11 -Wall -Wextra -Werror -ISources/CVPatch/include Examples/C/decode.c -L"$library" -lvpatchc \
  -Wl,-rpath,"$library" -o "$work/decode"
tensor=model.layers.29.self_attn.q_proj.weight
python3 - fixtures/pair/base.safetensors "$tensor" "$work/base.bin" <<'END'
import json, sys
path, name, output = sys.argv[1:]
with open(path, "rb") as file:
    length = int.from_bytes(file.read(8), "little")
    start, end = json.loads(file.read(length))[name]["data_offsets"]
    file.seek(8 + length + start)
    open(output, "wb").write(file.read(end - start))
END
"$work/decode" "$work/task.vpatch" "$tensor" "$work/base.bin" "$work/tuned.bin" >"$work/out"
says "reverted to the base: yes"
cmp -s "$work/base.bin" "$work/tuned.bin" && { echo "examples: the tensor was not changed" >&2; exit 1; }
if "$work/decode" "$work/task.vpatch" "$tensor" "$work/tuned.bin" "$work/other.bin" 2>"$work/out"; then
  echo "examples: a wrong base was accepted" >&2
  exit 1
fi
says "does not fit the bytes of"
