#!/usr/bin/env bash
# Tests the C kernels with AddressSanitizer and UndefinedBehaviorSanitizer: compiles CKernels, CCompute and CImages
# together with Tests/KernelChecks and runs these checks on guarded memory, with every instruction set that the
# processor has. Prints nothing if all is well.
set -euo pipefail
cd "$(dirname "$0")/.."

build=.build/sanitize
mkdir -p "$build"
clang=$(dirname "$(readlink -f "$(command -v swift)")")/clang
flags=(-g -O0 -fsanitize=address,undefined,float-cast-overflow -fno-sanitize-recover=all -fno-omit-frame-pointer
  -ITests/KernelChecks/include)
for module in CKernels CCompute CImages; do flags+=("-ISources/$module/include"); done

# Compiles one file per processor at a time; skipped if the program is newer than all sources.
newest=$(find Sources/C{Kernels,Compute,Images} Tests/KernelChecks scripts/sanitize.sh -type f -printf '%T@ %p\n' |
  sort -n | tail -n 1 | cut -d ' ' -f 2-)
if [ ! "$build/checks" -nt "$newest" ]; then
  rm -f "$build"/*.o "$build/checks"
  printf '%s\n' Sources/C{Kernels,Compute,Images}/*.c Tests/KernelChecks/*.c Tests/KernelChecks/main/main.c |
    xargs -P "$(nproc)" -I {} sh -c 'f=$1; shift; exec "$@" -c "$f" -o "$0/$(echo "$f" | tr / _).o"' \
      "$build" {} "$clang" "${flags[@]}"
  "$clang" "${flags[@]}" -fuse-ld=lld "$build"/*.o -o "$build/checks" -lpng16 -ljpeg -lwebp -lz -lm
fi
files=$(find fixtures/images -type f \( -name '*.png' -o -name '*.jpg' -o -name '*.webp' \) -size -64k | sort)
# shellcheck disable=SC2086  # a list of names without spaces
exec "$build/checks" $files
