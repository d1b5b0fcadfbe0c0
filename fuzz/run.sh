#!/bin/sh
# Fuzzes the two parsers, and the decoders of images, with libFuzzer: fuzz/run.sh [inputs for each, default 1000000]
# What crashes is left in .build-fuzz/findings.
set -eu
cd "$(dirname "$0")/.."
runs=${1:-1000000}
export VPATCH_FUZZ=1 SWIFT_BACKTRACE=enable=no
# The toolchain's libFuzzer, without a main of its own.
library=$(ls "$(dirname "$(readlink -f "$(command -v swift)")")"/../lib/clang/*/lib/linux/libclang_rt.fuzzer_no_main-"$(uname -m)".a)
swift build -c release --scratch-path .build-fuzz --product vpatch-fuzz --sanitize=address \
  -Xswiftc -sanitize-coverage=edge,inline-8bit-counters,pc-table,trace-cmp -Xlinker "$library"
tool=.build-fuzz/release/vpatch-fuzz
mkdir -p .build-fuzz/findings
for target in safetensors patch image; do
  corpus=.build-fuzz/corpus-$target
  rm -rf "$corpus"
  mkdir -p "$corpus"
  case $target in
    safetensors) find fixtures -name '*.safetensors' -size -16k ;;
    patch) find fixtures/golden -name '*.vpatch' -size -16k ;;
    image) find fixtures/images -type f -size -16k ! -name '*.py' ! -name '*.jsonl' ;;
  esac | while read -r file; do cp "$file" "$corpus/$(echo "$file" | tr / _)"; done
  echo "== $target: $(ls "$corpus" | wc -l) seeds, $runs inputs"
  start=$(date +%s)
  ASAN_OPTIONS=detect_leaks=0 "$tool" $target "$corpus" -runs="$runs" -max_len=16384 -timeout=10 -rss_limit_mb=2048 \
    -seed=1 -print_final_stats=1 -verbosity=0 -artifact_prefix=.build-fuzz/findings/$target-
  echo "== $target: $(($(date +%s) - start)) s"
done
