"""Compares training, generation and scores of language models with PyTorch and transformers. Markdown on stdout.

    $(bench/setup.sh) bench/smollm2.py      once: downloads the model (93 MB)
    bench/models.py                         on .build/release/vpatch; a quarter of an hour, 4 GB of memory

Needs only the standard library; PyTorch is in a separate environment (`bench/setup.sh torch`, about 1 GB).
docs/benchmarks.md describes the measurements.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import blas_speed
import cache
import lora_speed
import machine
import measure
import model_determinism
import model_parity
import model_speed
import qwen3_size
import report
import tools
from measure import BenchError, Run

HERE = Path(__file__).parent
Found = TypeVar("Found")
Sections = Mapping[str, Callable[["Context"], report.Section]]
SECTIONS: Sections = {"training": model_speed.training, "generation": model_speed.generation,
                      "blas": blas_speed.section, "lora": lora_speed.section,
                      "qwen3": qwen3_size.section, "window": qwen3_size.window, "parity": model_parity.section,
                      "determinism": model_determinism.section}


class Torch:
    """PyTorch, a process for each job."""

    def __init__(self, environment: str = "torch") -> None:
        self.python = subprocess.run([HERE / "setup.sh", environment], check=True, text=True,
                                     stdout=subprocess.PIPE).stdout.strip()

    def run(self, task: str, **job: Any) -> tuple[dict[str, Any], Run]:
        """What the worker says, and how the process was measured."""
        # Whatever is there is all that is needed: the hub is not asked.
        found = measure.run(self.python, HERE / "torch_worker.py", json.dumps(dict(task=task, **job)),
                            env={"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": str(job.get("threads", 1))})
        return json.loads(found.output.splitlines()[-1]), found


@dataclass
class Context:
    """What the sections share."""
    vpatch: tools.Vpatch
    torch: Torch
    model: Path
    scratch: Path
    rounds: int
    threads: int
    quiet: float
    tries: int
    seed: int

    def say(self, words: str) -> None:
        print(f"bench: {words}", file=sys.stderr, flush=True)

    def undisturbed(self, work: Callable[[], tuple[Found, Run]]) -> tuple[Found, Run]:
        """`work()`, again while others kept more than `quiet` processors busy, and the least disturbed of all tries.

        It returns a pair, the second of which is the Run.
        """
        best = found = work()
        for _ in range(self.tries - 1):
            if best[1].others <= self.quiet:
                break
            self.say(f"other processes kept {found[1].others:.2f} CPUs busy: measuring again")
            found = work()
            if found[1].others < best[1].others:
                best = found
        return best


def arguments(description: str | None, sections: Iterable[str], model: str) -> argparse.Namespace:
    """`model`: what --model is."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vpatch", default=".build/release/vpatch", metavar="PATH",
                        help="vpatch binary (default: %(default)s)")
    parser.add_argument("--model", metavar="DIR", help=model)
    parser.add_argument("--only", choices=sections, action="append", help="run one section; repeatable")
    parser.add_argument("--rounds", type=int, default=3, metavar="N",
                        help="rounds of the timings (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=2, metavar="N",
                        help="threads of vpatch and of PyTorch (default: %(default)s)")
    parser.add_argument("--quiet", type=float, default=0.3, metavar="X", help="measure again if other "
                        "processes kept more than X CPUs busy (default: %(default)s)")
    parser.add_argument("--tries", type=int, default=3, metavar="N", help="maximum number of tries with --quiet "
                        "(default: %(default)s)")
    parser.add_argument("--first", action="store_true", help="highest priority for the timed processes (needs root)")
    parser.add_argument("--seed", type=int, default=0, metavar="N",
                        help="random seed of the kill times (default: %(default)s)")
    parser.add_argument("--scratch", metavar="DIR", default=os.environ.get("TMPDIR", "/var/tmp"))
    parser.add_argument("--json", metavar="FILE", help="also write the results as JSON")
    parser.add_argument("--check", action="store_true", help="exit code 1 if a requirement is missed")
    return parser.parse_args()


def model_folder(given: str | None) -> Path:
    folder = Path(given).absolute() if given else cache.folder() / "smollm2"
    if not (folder / "model.safetensors").exists():
        raise BenchError(f"{folder}: has no model.safetensors; download it with $(bench/setup.sh) bench/smollm2.py, "
                         "or give --model")
    return folder


def program(title: str, options: argparse.Namespace, sections: Sections, folder: Path, environment: str) -> int:
    """Runs the sections on the model in `folder`, beside PyTorch of that environment; the exit code."""
    measure.goes_first = options.first
    os.environ.pop("OPENBLAS_CORETYPE", None)  # NumPy and others would be slowed down by a wrong one
    with tempfile.TemporaryDirectory(prefix="vpatch-models-", dir=options.scratch) as scratch:
        os.environ["VPATCH_STORE"] = str(Path(scratch, "store"))
        context = Context(tools.Vpatch(options.vpatch), Torch(environment), folder, Path(scratch),
                          options.rounds, options.threads, options.quiet, options.tries, options.seed)
        facts = machine.facts(scratch)
        peer = context.torch.run("version")[0]
        facts["tools"] = f"{context.vpatch.version()}; {peer['version']} ({peer['kernels']})"
        print("\n".join([f"# {title}", "", *(f"- {name}: {value}" for name, value in facts.items())]), flush=True)
        found = {}
        for name in sections:
            if name in (options.only or sections):
                found[name] = sections[name](context)
                print("\n" + found[name].markdown(), flush=True)
    bars = [bar for section in found.values() for bar in section.bars]
    print("\n" + report.bars_table(bars).markdown())
    if options.json:
        plain = {"machine": facts, "sections": {name: section.plain() for name, section in found.items()}}
        Path(options.json).write_text(json.dumps(plain, indent=2, ensure_ascii=False) + "\n")
    return int(options.check and not all(bar.met for bar in bars))


def main() -> int:
    options = arguments(__doc__, SECTIONS, "SmolLM2-135M-Instruct as bench/smollm2.py makes it (default: `smollm2` in "
                        "the cache folder)")
    return program("Models", options, SECTIONS, model_folder(options.model), "torch")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BenchError as error:
        sys.exit(f"bench: {error}")
