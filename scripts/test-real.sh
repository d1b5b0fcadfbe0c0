#!/usr/bin/env bash
# The tests that need real models, or other libraries to compare with. They download them (about 6 GB on disk) and take
# more than an hour. `make test` does not include them.
set -euo pipefail
cd "$(dirname "$0")/.."

python=$(bench/setup.sh)
torch=$(bench/setup.sh torch)
work=$(mktemp -d "${TMPDIR:-/var/tmp}/vpatch-real-XXXXXX")
trap 'rm -rf "$work"' EXIT
test() { swift test -c release -Xswiftc -enable-testing --scratch-path .build-tests --filter "$1"; }

VPATCH_SMOLLM2=$("$python" bench/smollm2.py)
export VPATCH_SMOLLM2
test RealModelTests
"$python" bench/skill.py
VPATCH_DINOV2=$("$python" bench/dinov2.py)
"$torch" bench/dinov2_check.py --reference "$work/dinov2.safetensors"
export VPATCH_DINOV2 VPATCH_DINOV2_REFERENCE=$work/dinov2.safetensors
test RealTowerTests
"$torch" bench/tokenizer_cases.py "$work/tokenizers"
VPATCH_TOKENIZERS=$work/tokenizers test TokenizerComparisonTests
"$torch" bench/image_cases.py "$work/images"
VPATCH_IMAGES=$work/images test PillowTests
"$torch" bench/remedies.py .build/release/vpatch
"$torch" bench/zoo.py check "$work/zoo" --vpatch .build/release/vpatch
"$torch" bench/layouts.py "$work/zoo" --vpatch .build/release/vpatch
"$torch" bench/adapters.py --check
"$(bench/setup.sh modelexpress)" bench/canonical_delta.py
"$torch" -W ignore bench/trainer_settings.py --vpatch .build/release/vpatch
# With the library beside the command, which `swift test` built.
"$python" bench/trainer_outputs.py --vpatch .build-tests/release/vpatch
"$python" bench/adapter_layer.py
# Sharded models. The Python of these tests has vpatch's own package from the sources.
deepspeed=$(bench/setup.sh deepspeed)
scripts/test-zero3.sh .build-tests/release
VPATCH_LIBRARY=$PWD/.build-tests/release/libvpatchc.so VPATCH_COMMAND=$PWD/.build-tests/release/vpatch \
  PYTHONPATH=python/src "$(bench/setup.sh python-torch)" bench/distributed.py identity zero3 memory \
  --smollm2 "$VPATCH_SMOLLM2" --deepspeed "$deepspeed"
mkdir -p "$work/jinja"
"$torch" bench/jinja_cases.py table "$work/jinja/table.jsonl"
"$torch" bench/jinja_cases.py templates "$work/jinja" "$("$python" bench/jinja_templates.py "$work/templates")"
VPATCH_JINJA=$work/jinja test JinjaComparisonTests
"$torch" bench/lesson_cases.py "$work/lessons" "$work/templates"
VPATCH_LESSONS=$work/lessons test LessonComparisonTests
