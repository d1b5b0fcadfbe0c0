#!/bin/sh
# Builds libvpatch.so with the Swift runtime inside, and prints its path. Only the functions of vpatch.h are exported.
#
#   scripts/build-library.sh
set -eu
cd "$(dirname "$0")/.."
scripts/install-deps.sh >&2
# `--static-swift-stdlib` has no effect on dynamic libraries.
swift build -c release --scratch-path .build-wheel --product vpatchc -Xswiftc -static-stdlib -Xswiftc -use-ld=lld \
  -Xlinker --version-script="$PWD/Sources/CVPatch/exports.map" -Xlinker -soname=libvpatch.so -Xlinker -s >&2
echo "$PWD/.build-wheel/release/libvpatchc.so"
