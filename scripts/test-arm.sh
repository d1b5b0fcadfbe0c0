#!/bin/sh
# Compares the low-rank kernels on Arm with those on x86: the same bits, with and without AVX2 and AVX-512, with and without fused
# multiplication and addition. The Arm code is built by the toolchain's clang, and runs under qemu-user.
#
# Needs the Debian packages qemu-user, gcc-aarch64-linux-gnu and libc6-dev-arm64-cross; installs them as root.
set -eu
cd "$(dirname -- "$0")/.."

missing=
command -v qemu-aarch64 >/dev/null || missing="$missing qemu-user"
command -v aarch64-linux-gnu-gcc >/dev/null || missing="$missing gcc-aarch64-linux-gnu libc6-dev-arm64-cross"
if [ -n "$missing" ]; then
  if [ "$(id -u)" -ne 0 ]; then
    echo "scripts/test-arm.sh: missing Debian packages; run: sudo apt-get install -y$missing" >&2
    exit 1
  fi
  apt-get update -q >&2
  # shellcheck disable=SC2086  # a list of names, meant to be split
  DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing >&2
fi

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
sources="Sources/CKernels/lowrank_baseline.c Sources/CKernels/lowrank_avx2.c
  Sources/CKernels/lowrank_avx512.c Sources/CKernels/isa.c
  Tests/KernelChecks/lowrank.c Tests/KernelChecks/guarded.c Tests/KernelChecks/main/lowrank_digest.c"
flags="-O2 -std=gnu17 -ISources/CKernels/include -ITests/KernelChecks -ITests/KernelChecks/include"
gcc=$(ls -d /usr/lib/gcc-cross/aarch64-linux-gnu/* | sort -V | tail -1)
arm="--target=aarch64-linux-gnu --gcc-install-dir=$gcc --sysroot=/ -isystem /usr/aarch64-linux-gnu/include
  -B/usr/aarch64-linux-gnu/lib -L/usr/aarch64-linux-gnu/lib -fuse-ld=lld -static"

# shellcheck disable=SC2086  # lists of arguments
{
  clang $flags $sources -o "$folder/x86" -lm
  clang $arm $flags $sources -o "$folder/arm-clang" -lm
  clang $arm $flags -ffp-contract=off $sources -o "$folder/arm-separate" -lm
}
x86=$("$folder/x86")
expected=$(echo "$x86" | head -1)
status=0
compare() {
  if [ "$2" = "$expected" ]; then result=same; else
    result="DIFFERS ($2)"
    status=1
  fi
  printf '%-52s %s\n' "$1" "$result"
}
printf '%-52s %s\n' "x86-64, code for every processor" "$expected"
for line in 2 3; do
  name=$([ $line = 2 ] && echo AVX2 || echo AVX-512)
  digest=$(echo "$x86" | sed -n ${line}p)
  if [ -n "$digest" ]; then compare "x86-64, $name" "$digest"; else echo "x86-64, $name: not on this processor"; fi
done
compare "aarch64 (qemu), clang" "$(qemu-aarch64 "$folder/arm-clang")"
compare "aarch64 (qemu), clang, no fused multiply-add" "$(qemu-aarch64 "$folder/arm-separate")"
exit $status
