#!/bin/sh
# Fuzzes the parsers and decoders with libFuzzer and AddressSanitizer. Inputs that crash are kept in
# .build-fuzz/findings.
#   fuzz/run.sh                       a million inputs for each target
#   fuzz/run.sh 500000 tokenizer key  500,000 inputs for two targets
set -eu
cd "$(dirname "$0")/.."
runs=${1:-1000000}
[ $# -eq 0 ] || shift
export VPATCH_FUZZ=1 SWIFT_BACKTRACE=enable=no
# The toolchain's libFuzzer, without a main function.
library=$(ls "$(dirname "$(readlink -f "$(command -v swift)")")"/../lib/clang/*/lib/linux/libclang_rt.fuzzer_no_main-"$(uname -m)".a)
swift build -c release --scratch-path .build-fuzz --product vpatch-fuzz --sanitize=address \
  -Xswiftc -sanitize-coverage=edge,inline-8bit-counters,pc-table,trace-cmp -Xlinker "$library"
tool=.build-fuzz/release/vpatch-fuzz
mkdir -p .build-fuzz/findings

# The chat templates in JSON files of the fixtures.
templates=.build-fuzz/templates
rm -rf "$templates"
mkdir -p "$templates"
python3 - "$templates" fixtures/jinja/*.json fixtures/chat/*/tokenizer_config.json <<'PYTHON'
import json, pathlib, sys
for i, path in enumerate(sys.argv[2:]):
    file = json.loads(pathlib.Path(path).read_text())
    text = file.get("source", file.get("chat_template")) if isinstance(file, dict) else None
    if isinstance(text, str):
        pathlib.Path(sys.argv[1], f"{i}.jinja").write_text(text)
PYTHON

# The seed files of a target.
seeds() {
  case $1 in
    safetensors) find fixtures -name '*.safetensors' -size -16k ;;
    torchFile) find fixtures/torch fixtures/torch-2.4 \( -name '*.bin' -o -name '*.pt' \) -size -16k ;;
    pickle) python3 fuzz/pickles.py .build-fuzz/pickles && find .build-fuzz/pickles -type f ;;
    distributed) find fixtures/torch fixtures/torch-2.4 -name .metadata -size -16k ;;
    distributedPart) find fixtures/torch fixtures/torch-2.4 -name '__1_0.distcp' -size -16k ;;
    patch) find fixtures/golden -name '*.vpatch' -size -16k ;;
    image) find fixtures/images -type f -size -16k ! -name '*.py' ! -name '*.jsonl' ;;
    json) find fixtures -name '*.json' -size -16k ;;
    results) find fixtures/results -name '*.json' -size -16k ;;
    stack) find fixtures/golden/stacks -name '*.stack' ;;
    lowRank) find fixtures/pair fixtures/golden/accepted-features fixtures/adapters -type f -size -8k ;;
    adapter) find fixtures/adapters -name adapter_config.json ;;
    chunk) find fixtures/pair fixtures/golden/accepted -type f -size -8k ;;
    key) find fixtures/signing -name '*.pem' ;;
    suite) find fuzz/seeds fixtures suites study -name '*.toml' ;;
    tokenizer) find fixtures/tokenizers -name tokenizer.json -size -60k ;;
    template | jinja | jinjaSyntax) find fixtures/jinja fixtures/chat "$templates" -name '*.jinja' ;;
    config) find fixtures -name config.json ;;
    processor) find fixtures -name '*preprocessor*.json' ;;
    annotations | journal | provenance | catalogue) find fuzz/seeds -name "$1*" ;;
  esac
}

[ $# -gt 0 ] || set -- $("$tool" 2>&1 | sed 's/^vpatch-fuzz \([^ ]*\).*/\1/; s/|/ /g')
for target; do
  corpus=.build-fuzz/corpus-$target
  rm -rf "$corpus"
  mkdir -p "$corpus"
  seeds "$target" | while read -r file; do cp "$file" "$corpus/$(echo "$file" | sed 's/^[.]//' | tr / _)"; done
  # Limits: bytes of an input, seconds for an input, MiB of an allocation.
  longest=16384 slowest=10 largest=512
  case $target in
    # Files with one seed a line.
    pattern) longest=512 && split -l 1 -d -a 3 fuzz/seeds/patterns.txt "$corpus/" ;;
    rows) split -l 1 -d -a 3 fuzz/seeds/rows.jsonl "$corpus/" ;;
    tokenizer) longest=65536 ;;
    catalogue) longest=262144 ;;
    jinja | jinjaSyntax) slowest=1 largest=64 ;;
  esac
  echo "== $target: $(ls "$corpus" | wc -l) seeds, $runs inputs"
  start=$(date +%s)
  ASAN_OPTIONS=detect_leaks=0 "$tool" "$target" "$corpus" -runs="$runs" -max_len="$longest" -timeout="$slowest" \
    -rss_limit_mb=2048 -malloc_limit_mb="$largest" -seed=1 -print_final_stats=1 -verbosity=0 \
    -artifact_prefix=.build-fuzz/findings/$target-
  echo "== $target: $(($(date +%s) - start)) s"
done
