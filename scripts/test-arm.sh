#!/bin/sh
# Compares every C kernel on Arm with those on x86, bit for bit, and lists them. The Arm code is built by the toolchain's
# clang, with and without fused multiplication and addition where the source leaves that open, and runs under qemu-user.
#
# All instruction sets give the same bits, except matrix products on x86 without fused multiply-add (baseline): Arm has
# that, so its products are compared with those of AVX2. The 16-bit ulp decoder has a kernel for AVX2 only; elsewhere
# Swift code decodes. Products of bf16 numbers have other bits with AVX512-BF16, so only their values are compared.
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
sources="Sources/CKernels/*.c Sources/CCompute/*.c Tests/KernelChecks/lowrank.c Tests/KernelChecks/merge.c
  Tests/KernelChecks/guarded.c Tests/KernelChecks/main/digests.c"
flags="-O2 -std=gnu17 -ISources/CKernels/include -ISources/CCompute/include -ITests/KernelChecks/include"
gcc=$(ls -d /usr/lib/gcc-cross/aarch64-linux-gnu/* | sort -V | tail -1)
arm="--target=aarch64-linux-gnu --gcc-install-dir=$gcc --sysroot=/ -isystem /usr/aarch64-linux-gnu/include
  -B/usr/aarch64-linux-gnu/lib -L/usr/aarch64-linux-gnu/lib -fuse-ld=lld -static"

# shellcheck disable=SC2086  # lists of arguments
{
  clang $flags $sources -o "$folder/x86" -lm
  clang $arm $flags $sources -o "$folder/arm" -lm
  clang $arm $flags -ffp-contract=off $sources -o "$folder/arm-separate" -lm
}
"$folder/x86" >"$folder/x86.txt"
for kind in arm arm-separate; do qemu-aarch64 "$folder/$kind" | sed "s/ [^ ]* / $kind /" >"$folder/$kind.txt"; done
# A line for each kernel: the instruction sets whose bits are the same, and those whose are not.
awk '
  { digest[$1, $2] = $3; if (!($1 in seen)) { seen[$1] = 1; order[++count] = $1 } sets[$1] = sets[$1] " " $2 }
  END {
    for (i = 1; i <= count; i++) {
      kernel = order[i]
      expected = digest[kernel, "arm"]
      same = other = ""
      n = split(sets[kernel], names, " ")
      for (j = 1; j <= n; j++) {
        if (digest[kernel, names[j]] == expected) same = same " " names[j]
        else other = other " " names[j]
      }
      isProduct = kernel == "gemm_f32" || kernel == "gemv"
      isWrong = other != "" && !(isProduct && other == " baseline") || expected ~ /^0*$/
      if (expected == "" || isWrong) status = 1
      printf "%-22s same:%s%s\n", kernel, same, other == "" ? "" : (isWrong ? "  DIFFERS:" : "  without fused multiply-add:") other
    }
    printf "%d kernels\n", count
    exit status
  }' "$folder/x86.txt" "$folder/arm.txt" "$folder/arm-separate.txt"
