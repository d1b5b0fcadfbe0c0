"""Two adapters together: vpatch's stack beside PEFT's add_weighted_adapter. Markdown on stdout.

    $(bench/setup.sh torch) bench/adapter_stack.py [--vpatch PATH]      needs bench/smollm2.py once

Two of the fine-tunes of adapter_runs.py, each as a patch. `vpatch apply BASE A B` adds their rounded weights. PEFT
combines the factors and merges the result: by `cat` it is the same sum, rounded once at the end; by `linear` the
factors themselves are mixed, which is another model. Prints how many of the merged weights differ, and by how much.
"""
import argparse
import os
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from peft import PeftModel

import adapter_runs
import cache
import entropy
import measure
from adapters import contents

RUNS = ["r16-attention-23", "r16-attention-60"]
WAYS = ["cat", "linear"]


def combined(base: Path, adapters: list[Path], way: str, out: Path) -> dict[str, np.ndarray]:
    """The bits of PEFT's model with both adapters."""
    model = PeftModel.from_pretrained(adapter_runs.load(base, torch.bfloat16), adapters[0], adapter_name="a")
    model.load_adapter(adapters[1], adapter_name="b")
    model.add_weighted_adapter(["a", "b"], [1.0, 1.0], "both", combination_type=way)
    model.set_adapter("both")
    model.merge_and_unload(adapter_names=["both"]).save_pretrained(out)
    return contents(out)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vpatch", default=".build/release/vpatch", metavar="PATH")
    options = parser.parse_args()
    adapter_runs.quiet()
    base = cache.folder() / "smollm2"
    recipes = {recipe.name: recipe for recipe in adapter_runs.RECIPES}
    adapters = [adapter_runs.adapter(base, recipes[name]) for name in RUNS]
    with tempfile.TemporaryDirectory(prefix="vpatch-stack-", dir=os.environ.get("TMPDIR", "/var/tmp")) as scratch:
        work = Path(scratch)
        patches = [work / f"{name}.vpatch" for name in RUNS]
        for adapter, patch in zip(adapters, patches, strict=True):
            measure.run(options.vpatch, "create", base, adapter, "-o", patch, "--keep-adapter", "--no-store", "--quiet")
        measure.run(options.vpatch, "apply", base, *patches, "-o", work / "stack", "--quiet",
                    env={"VPATCH_STORE": str(work / "store")})
        stack, before = contents(work / "stack"), contents(base)
        names = [name for name, bits in before.items() if not np.array_equal(bits, stack[name])]
        total = sum(before[name].size for name in names)
        print(f"{' and '.join(RUNS)}: {total:,} merged weights\n")
        print("| PEFT combines by | weights that differ from the stack | by one ulp | largest difference, ulps |")
        print("|---|---|---|---|")
        for way in WAYS:
            other = combined(base, adapters, way, work / way)
            ulps = [np.abs(entropy.ordered(other[name]) - entropy.ordered(stack[name])) for name in names]
            differ = sum(int(np.count_nonzero(part)) for part in ulps)
            one = sum(int(np.count_nonzero(part == 1)) for part in ulps)
            largest = max(int(part.max()) for part in ulps)
            print(f"| `{way}` | {differ:,} ({100 * differ / total:.2f} %) | {100 * one / max(differ, 1):.1f} % "
                  f"| {largest:,} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
