#!/usr/bin/env bash
# A patch, end to end, then three in a stack, each command shown before what it prints. Exit code ≠ 0 if anything is not
# exact.
#
#   scripts/demo.sh            on fixtures/pair: tensors of one layer of a real fine-tune, in a second
#   scripts/demo.sh smollm2    on the whole of SmolLM2-135M-Instruct, fetched; bench/tune.py makes its tuned copies. Then it
#                              trains a patch of its own, asks it, and writes the report: about two minutes more
#
# Everything happens in a temporary folder; patches and pages stay in .build/demo.
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

[ -x "$vpatch" ] || fail "$vpatch: no such program; make it with: swift build -c release"
tmp=$(mktemp -d "${TMPDIR:-/var/tmp}/vpatch-demo-XXXXXX")
trap 'rm -rf "$tmp"' EXIT
trap 'exit 130' INT TERM HUP

# What the demo works on: base, tuned and mlp, files or folders; $file is the weights' name within, if they are folders.
case $model in
  pair)
    base=base.safetensors tuned=tuned.safetensors applied=applied.safetensors reverted=reverted.safetensors
    mlp=mlp.safetensors other=other.safetensors live=live.safetensors never=never.safetensors file=
    cp "$root/fixtures/pair/base.safetensors" "$tmp/$base"
    cp "$root/fixtures/pair/tuned-sa-proj.safetensors" "$tmp/$tuned"
    cp "$root/fixtures/pair/tuned-gate-up.safetensors" "$tmp/$mlp"
    what="The base: tensors of the last layer of SmolLM2-135M-Instruct. Tuned: the same after real fine-tuning of the
attention projections (AdamW 2e-5, 150 steps)."
    ;;
  smollm2)
    base=base tuned=tuned applied=applied reverted=reverted
    mlp=mlp other=other live=live never=never file=/model.safetensors
    python=$("$root/bench/setup.sh")
    ln -s "$("$python" "$root/bench/smollm2.py")" "$tmp/$base"
    "$python" "$root/bench/tune.py" "$tmp/$base" "$tmp/$tuned" --recipe sa-proj >/dev/null
    "$python" "$root/bench/tune.py" "$tmp/$base" "$tmp/$mlp" --recipe gate-up >/dev/null
    what="The base: SmolLM2-135M-Instruct, a Hugging Face folder. Tuned: a copy whose attention projections were moved in
150 AdamW steps with drawn gradients (bench/tune.py), to the statistics of real training."
    ;;
  *) fail "MODEL=$model: pair (the default) or smollm2" ;;
esac
cd "$tmp"
export VPATCH_STORE=$tmp/.store # and not the user's own

# Files byte for byte; folders file by file, but for the provenance that vpatch adds.
same() {
  if [ -d "$1" ]; then
    run diff -r --exclude=vpatch.json "$1" "$2" || fail "$1 and $2 differ"
  else
    run cmp "$1" "$2" || fail "$1 and $2 differ"
  fi
  ok "identical"
}

say "$what"
say "Make a patch, and prove that the attention projections are all that changed:"
run vpatch create $base $tuned -o task.vpatch --recipe sa-proj --name counting

say "The same patch made by one thread has the same bytes:"
again=(vpatch create $base $tuned -o again.vpatch --recipe sa-proj --name counting --threads 1 --json)
show "${again[@]}" ">again.json"
"${again[@]}" >again.json
run cmp task.vpatch again.vpatch || fail "two runs gave two patches"
ok "identical"

say "What is it?"
run vpatch show task.vpatch

say "Put it on the base. The result is the tuned model, byte for byte:"
run vpatch apply $base task.vpatch -o $applied
same $applied $tuned

say "Take it off again: only the model and the patch are needed, not the base."
run vpatch revert $applied task.vpatch -o $reverted
same $reverted $base

say "What did the fine-tuning change?"
run vpatch diff $base $tuned --html change.html

say "A model that is not the base is refused, and nothing is written. This one differs in one byte of one weight:"
cp -rL $base $other
at=$({ cmp -l $base$file $tuned$file || true; } 2>/dev/null | awk 'NR == 1 { print $1 - 1 }')
dd if="$tuned$file" of="$other$file" bs=1 count=1 skip="$at" seek="$at" conv=notrunc status=none
code=0
run vpatch apply $other task.vpatch -o wrong 2>&1 || code=$?
echo "(exit code $code)"
[ $code -eq 3 ] || fail "a wrong base must be refused with exit code 3"
[ ! -e wrong ] || fail "something was written in spite of the error"

say "Another fine-tune of the same base changed the MLP. Its gate and its up projections, each as a patch of its own:"
run vpatch create $base $mlp -o gate.vpatch --only '.*gate_proj.weight' --drop-others --name gate --quiet
run vpatch create $base $mlp -o up.vpatch --only '.*up_proj.weight' --drop-others --name up --quiet

say "Patches of one base make a stack, in any order. All three were taken into a store, and go by their names there:"
run vpatch stack new three --base $base counting@0.8 gate up

say "Turn a copy of the base into that stack, in place. Only the tensors that change are read and written:"
cp -rL $base $live
run vpatch switch $live three

say "Take one out of the middle. The model is, byte for byte, one that never had it:"
run vpatch revert $live gate
run vpatch apply $base counting@0.8 up -o $never --quiet
same $live $never

say "And back to the base:"
run vpatch revert $live
same $live $base

if [ "$model" = smollm2 ]; then
  examples=$root/fixtures/training
  question='How many times is lamp in this list? shoe, lamp, cup, lamp, lamp'
  say "Now train one: the attention projections alone, on rows that count. The suite is measured before and after, and
bound to the patch:"
  run vpatch train $base --recipe sa-proj --data "$examples/counting.jsonl" -o trained.vpatch --name trained \
    --steps 60 --batch 6 --lr 5e-5 --suite "$examples/suite.toml"

  say "Ask it, without the patch and with it:"
  run vpatch generate $base "$question" --patch trained --both --max-tokens 40

  say "Is it within limits, in percentage points? The gate looks at the intervals' worse ends; 11 is undecided:"
  code=0
  run vpatch gate trained --max-forgetting 10 --min-learning 10 || code=$?
  echo "(exit code $code)"

  say "A page about it:"
  run vpatch report trained --base $base -o report.html
fi

say "Sizes side by side:"
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
row "vpatch, header and way back included" "$(stat -c %s task.vpatch)"

mkdir -p "$keep"
kept=(task.vpatch change.html)
[ "$model" = smollm2 ] && kept+=(trained.vpatch report.html)
cp "${kept[@]}" "$keep/"
say "All exact. What was made stays, below the repository's folder:"
printf '.build/demo/%s\n' "${kept[@]}"
