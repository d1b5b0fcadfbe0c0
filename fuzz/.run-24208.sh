#!/bin/sh
# Fuzzes the parsers and decoders with libFuzzer, under AddressSanitizer. What crashes is left in /work/h/findings.
#   fuzz/run.sh                       a million inputs for each
#   fuzz/run.sh 500000 tokenizer key  so many for some
set -eu
cd "$(dirname "$0")/.."
runs=${1:-1000000}
[ $# -eq 0 ] || shift
export VPATCH_FUZZ=1 SWIFT_BACKTRACE=enable=no
# The toolchain's libFuzzer, without a main of its own.
library=$(ls "$(dirname "$(readlink -f "$(command -v swift)")")"/../lib/clang/*/lib/linux/libclang_rt.fuzzer_no_main-"$(uname -m)".a)
: swift build -c release --scratch-path .build-fuzz --product vpatch-fuzz --sanitize=address \
  -Xswiftc -sanitize-coverage=edge,inline-8bit-counters,pc-table,trace-cmp -Xlinker "$library"
tool=/work/h/a11/vpatch-fuzz
mkdir -p /work/h/findings

# The chat templates that the fixtures have inside of their JSON files.
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

# The files that a target begins with.
seeds() {
  case $1 in
    safetensors) find fixtures -name '*.safetensors' -size -16k ;;
    patch) find fixtures/golden -name '*.vpatch' -size -16k ;;
    image) find fixtures/images -type f -size -16k ! -name '*.py' ! -name '*.jsonl' ;;
    json) find fixtures -name '*.json' -size -16k ;;
    results) find fixtures/results -name '*.json' -size -16k ;;
    stack) find fixtures/golden/stacks -name '*.stack' ;;
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
  corpus=/work/h/corpora/corpus-$target
  rm -rf "$corpus"
  mkdir -p "$corpus"
  seeds "$target" | while read -r file; do cp "$file" "$corpus/$(echo "$file" | sed 's/^[.]//' | tr / _)"; done
  # Bytes of an input; seconds for one; MiB of one allocation.
  longest=16384 slowest=10 largest=512
  case $target in
    # One a line.
    pattern) longest=512 && split -l 1 -d -a 3 fuzz/seeds/patterns.txt "$corpus/" ;;
    rows) split -l 1 -d -a 3 fuzz/seeds/rows.jsonl "$corpus/" ;;
    tokenizer) longest=65536 ;;
    catalogue) longest=262144 ;;
    jinja | jinjaSyntax) slowest=1 largest=64 ;;
  esac
  echo "== $target: $(ls "$corpus" | wc -l) seeds, $runs inputs"
  start=$(date +%s)
  ASAN_OPTIONS=detect_leaks=0 "$tool" "$target" "$corpus" -runs="$runs" -max_len="$longest" -timeout=60 -report_slow_units=1 \
    -rss_limit_mb=2048 -malloc_limit_mb="$largest" -seed=1 -print_final_stats=1 -verbosity=0 \
    -artifact_prefix=/work/h/findings/$target-
  echo "== $target: $(($(date +%s) - start)) s"
done
