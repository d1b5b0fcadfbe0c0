#!/bin/sh
# Builds libvpatch.so, or with `command` the command, with the runtimes of Swift and C++ inside, and prints its path. They
# run on every Linux with glibc 2.34. The library exports the functions of vpatch.h, and nothing else.
#
#   scripts/build-library.sh [command]
set -eu
cd "$(dirname "$0")/.."
scripts/install-deps.sh >&2
build=$PWD/.build-wheel
# The linker takes the first libstdc++ that it finds: the archive, where a folder has nothing else.
mkdir -p "$build/static"
ln -sf "$("$(command -v cc || command -v clang)" -print-file-name=libstdc++.a)" "$build/static/libstdc++.a"
# `--static-swift-stdlib` has no effect on dynamic libraries. For --wrap see Sources/CSystem/oldest_glibc.c.
set -- "${1:-library}" -c release --scratch-path "$build" -Xswiftc -static-stdlib -Xswiftc -use-ld=lld \
  -Xlinker "-L$build/static" -Xlinker --wrap=hypot -Xlinker --wrap=hypotf -Xlinker -s
case $1 in
  library)
    shift
    swift build "$@" --product vpatchc -Xlinker --version-script="$PWD/Sources/CVPatch/exports.map" \
      -Xlinker -soname=libvpatch.so >&2
    echo "$build/release/libvpatchc.so" ;;
  command)
    shift
    swift build "$@" --product vpatch >&2
    echo "$build/release/vpatch" ;;
  *)
    echo "usage: scripts/build-library.sh [command]" >&2
    exit 64 ;;
esac
