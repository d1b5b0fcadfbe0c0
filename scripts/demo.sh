#!/usr/bin/env bash
# Makes, applies and reverts a patch, then stacks three. Each command is shown before its output. The exit code is not 0
# if anything is not exact.
#
#   scripts/demo.sh            on fixtures/pair: tensors of one layer of a real fine-tune, in a second
#   scripts/demo.sh smollm2    on the whole of SmolLM2-135M-Instruct, downloaded; bench/tune.py makes tuned copies. Then
#                              it trains a patch, generates with it, and writes a report: about two minutes more
#
# It works in a temporary folder, and keeps patches and pages in .build/demo.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
model=${1:-pair}
vpatch=${VPATCH:-$root/.build/release/vpatch}
keep=$root/.build/demo

if [ -t 1 ]; then bold=$'\e[1m' dim=$'\e[2m' red=$'\e[31m' green=$'\e[32m' off=$'\e[0m'; else bold= dim= red= green= off=; fi
say() { printf '\n%s%s%s\n' "$dim" "$*" "$off"; }
ok() { printf '%s%s%s\n' "$green" "$*" "$off"; }
fail() { printf '%sdemo: %s%s\n' "$red" "$*" "$off" >&2; exit 1; }
show() { printf '%s$ %s%s\n' "$bold" "$*" "$off"; }
run() { show "$@"; "$@"; }
vpatch() { "$vpatch" "$@"; }

[ -x "$vpatch" ] || fail "$vpatch: does not exist; build it with: swift build -c release"
tmp=$(mktemp -d "${TMPDIR:-/var/tmp}/vpatch-demo-XXXXXX")
trap 'rm -rf "$tmp"' EXIT
trap 'exit 130' INT TERM HUP

# The models: base, tuned and mlp are files or folders; in folders, $file is the name of the weights.
case $model in
  pair)
    base=base.safetensors tuned=tuned.safetensors applied=applied.safetensors reverted=reverted.safetensors
    mlp=mlp.safetensors other=other.safetensors live=live.safetensors never=never.safetensors file=
    cp "$root/fixtures/pair/base.safetensors" "$tmp/$base"
    cp "$root/fixtures/pair/tuned-sa-proj.safetensors" "$tmp/$tuned"
    cp "$root/fixtures/pair/tuned-gate-up.safetensors" "$tmp/$mlp"
    what="Base: tensors of the last layer of SmolLM2-135M-Instruct. Tuned: the same tensors after real fine-tuning of
the attention projections (AdamW, learning rate 2e-5, 150 steps)."
    ;;
  smollm2)
    base=base tuned=tuned applied=applied reverted=reverted
    mlp=mlp other=other live=live never=never file=/model.safetensors
    python=$("$root/bench/setup.sh")
    ln -s "$("$python" "$root/bench/smollm2.py")" "$tmp/$base"
    "$python" "$root/bench/tune.py" "$tmp/$base" "$tmp/$tuned" --recipe sa-proj >/dev/null
    "$python" "$root/bench/tune.py" "$tmp/$base" "$tmp/$mlp" --recipe gate-up >/dev/null
    what="Base: SmolLM2-135M-Instruct, a Hugging Face folder. Tuned: a copy whose attention projections were changed by
150 AdamW steps with random gradients (bench/tune.py), which gives the statistics of real training."
    ;;
  *) fail "MODEL=$model: unknown; known are pair (the default) and smollm2" ;;
esac
cd "$tmp"
export VPATCH_STORE=$tmp/.store # not the user's store

# Compares files byte for byte, and folders file by file, except the provenance that vpatch adds.
same() {
  if [ -d "$1" ]; then
    run diff -r --exclude=vpatch.json "$1" "$2" || fail "$1 and $2 differ"
  else
    run cmp "$1" "$2" || fail "$1 and $2 differ"
  fi
  ok "identical"
}

say "$what"
say "Make a patch, and check that only the attention projections changed:"
run vpatch create $base $tuned -o task.vpatch --recipe sa-proj --name counting

say "Made with one thread, the patch has the same bytes:"
again=(vpatch create $base $tuned -o again.vpatch --recipe sa-proj --name counting --threads 1 --json)
show "${again[@]}" ">again.json"
"${again[@]}" >again.json
run cmp task.vpatch again.vpatch || fail "two runs made different patches"
ok "identical"

say "Show the patch:"
run vpatch show task.vpatch

say "Apply it to the base. The result is the tuned model, byte for byte:"
run vpatch apply $base task.vpatch -o $applied
same $applied $tuned

say "Revert it. This needs only the model and the patch, not the base:"
run vpatch revert $applied task.vpatch -o $reverted
same $reverted $base

say "Show what the fine-tuning changed:"
run vpatch diff $base $tuned --html change.html

say "vpatch refuses a model that is not the base, and writes nothing. This one differs in one byte of one weight:"
cp -rL $base $other
at=$({ cmp -l $base$file $tuned$file || true; } 2>/dev/null | awk 'NR == 1 { print $1 - 1 }')
dd if="$tuned$file" of="$other$file" bs=1 count=1 skip="$at" seek="$at" conv=notrunc status=none
code=0
run vpatch apply $other task.vpatch -o wrong 2>&1 || code=$?
echo "(exit code $code)"
[ $code -eq 3 ] || fail "a wrong base must be refused with exit code 3"
[ ! -e wrong ] || fail "an output was written despite the error"

say "Another fine-tune of the same base changed the MLP. Make two patches, of its gate and its up projections:"
run vpatch create $base $mlp -o gate.vpatch --only '.*gate_proj.weight' --drop-others --name gate --quiet
run vpatch create $base $mlp -o up.vpatch --only '.*up_proj.weight' --drop-others --name up --quiet

say "Patches of one base can be stacked, in any order. All three are in the store, under their names:"
run vpatch stack new three --base $base counting@0.8 gate up

say "Switch a copy of the base to this stack, in place. Only tensors that change are read and written:"
cp -rL $base $live
run vpatch switch $live three

say "Remove one member from the middle. The model equals, byte for byte, one that never had it:"
run vpatch revert $live gate
run vpatch apply $base counting@0.8 up -o $never --quiet
same $live $never

say "Revert to the base:"
run vpatch revert $live
same $live $base

if [ "$model" = smollm2 ]; then
  examples=$root/fixtures/training
  question='How many times is lamp in this list? shoe, lamp, cup, lamp, lamp'
  say "Train a patch: only the attention projections, on rows that teach counting. The suite is evaluated before and
after, and the results are recorded in the patch:"
  run vpatch train $base --recipe sa-proj --data "$examples/counting.jsonl" -o trained.vpatch --name trained \
    --steps 60 --batch 6 --lr 5e-5 --suite "$examples/suite.toml"

  say "Generate without the patch and with it:"
  run vpatch generate $base "$question" --patch trained --both --max-tokens 40

  say "Check it against limits, in percentage points. The gate uses the worse ends of intervals; 11 is undecided:"
  code=0
  run vpatch gate trained --max-forgetting 10 --min-learning 10 || code=$?
  echo "(exit code $code)"

  say "Write a report about it:"
  run vpatch report trained --base $base -o report.html
fi

say "Compare sizes:"
number() { sed -n "s/.*\"$1\": *\([0-9]*\).*/\1/p" again.json | head -n 1; }
raw=$(number tuned_bytes)
row() {
  awk -v what="$1" -v bytes="$2" -v raw="$raw" 'BEGIN {
    for (left = bytes; length(left) > 3; left = substr(left, 1, length(left) - 3))
      text = "," substr(left, length(left) - 2) text
    printf "  %-40s %12s bytes  %5.1f %%\n", what, left text, 100 * bytes / raw }'
}
row "the tuned tensors themselves" "$raw"
if command -v zstd >/dev/null; then
  zstd -q -3 --patch-from=$base$file $tuned$file -o peer.zst 2>/dev/null
  row "zstd -3 --patch-from" "$(stat -c %s peer.zst)"
fi
row "vpatch, both directions, with header" "$(stat -c %s task.vpatch)"

mkdir -p "$keep"
kept=(task.vpatch change.html)
[ "$model" = smollm2 ] && kept+=(trained.vpatch report.html)
cp "${kept[@]}" "$keep/"
say "All results are exact. These files are kept in the repository's folder:"
printf '.build/demo/%s\n' "${kept[@]}"
