"""Patches in and out of a server under load: exactness, mixtures, time.

    scripts/test-servers.sh bench [vllm|sglang] [--rounds N]

Serves SmolLM2-135M. Eight clients ask all the time, each with a prompt of its own, for 16 tokens with their
log-probabilities. Meanwhile a patch goes in and out, N times (100; SGLang: 20). Then the log-probabilities of an idle
server and the root of its weights must be those from before.

Which weights gave an answer: on a CPU a log-probability depends a little on what else is in the batch. So both models
are first asked under the same load, without swaps; what they say is kept, as exact numbers. An answer during the swaps
is then
  known      equal to the last digit to one that one of the two models gave
  near       not seen before, but at most NOISE from one model's answer with the same tokens, and at least FAR from the
             other's
  unclear    neither: counted, and the run fails
An answer of mixed weights is far from both. Prints a table in Markdown.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import smollm2
from moved import make_patch
from servers import Server

PROMPTS = [
    "The capital of France is", "Water boils at a temperature of", "The three primary colours are",
    "Once upon a time there was",
    "To make bread you need", "The largest planet of the solar system is", "A good way to learn a language is",
    "In the year 1969, people",
]
TOKENS = 16
NOISE, FAR = 0.15, 0.3
Answer = tuple[tuple[str, ...], tuple[float, ...]]


class Load:
    """Clients that ask all the time."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._stop = threading.Event()
        self.answers: list[tuple[str, Answer, str | None]] = []
        self._threads = [threading.Thread(target=self._run, args=(prompt,)) for prompt in PROMPTS]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self, prompt: str) -> None:
        while not self._stop.is_set():
            tokens, values, version = self._server.answer(prompt, TOKENS)
            self.answers.append((prompt, (tokens, values), version))


def known_answers(server: Server, seconds: float) -> dict[str, set[Answer]]:
    """What the model says under load, and alone."""
    with Load(server) as load:
        time.sleep(seconds)
    found: dict[str, set[Answer]] = {prompt: set() for prompt in PROMPTS}
    for prompt, answer, _ in load.answers:
        found[prompt].add(answer)
    for prompt in PROMPTS:
        found[prompt].add(server.answer(prompt, TOKENS)[:2])
    return found


def distance(answer: Answer, known: set[Answer]) -> float:
    """The largest difference to the nearest known answer with the same tokens; infinite without one."""
    return min((max(abs(a - b) for a, b in zip(answer[1], values, strict=True)) for tokens, values in known
                if tokens == answer[0]), default=float("inf"))


def judged(prompt: str, answer: Answer, sides: list[dict[str, set[Answer]]]) -> tuple[str, int | None]:
    """How an answer is told, and from which side it is."""
    inside = [side for side, known in enumerate(sides) if answer in known[prompt]]
    if len(inside) == 1:
        return "known", inside[0]
    far = [distance(answer, known[prompt]) for known in sides]
    nearest = far.index(min(far))
    if far[nearest] <= NOISE and far[1 - nearest] >= FAR:
        return "near", nearest
    return "unclear", None


def timed(body: Callable[[], object]) -> float:
    begin = time.perf_counter()
    body()
    return time.perf_counter() - begin


def must(reply: dict[str, object]) -> dict[str, object]:
    if not reply["ok"]:
        sys.exit(f"serving: {reply['error']}")
    return reply


def run(kind: str, rounds: int, work: Path, model: Path, patch: Path, tuned: Path) -> bool:
    """The bench of one server. Returns whether all is as it must be."""
    with Server(kind, model, work) as server:
        before = must(server.ask({"action": "status", "verify": "all"}))["root"]
        probe = server.answer(PROMPTS[0], TOKENS)[:2]
        base = known_answers(server, 40)
        inside = must(server.put(patch))
        tuned_probe = server.answer(PROMPTS[0], TOKENS)[:2]
        other = known_answers(server, 40)
        must(server.take())
        in_load: dict[str, list[float]] = {"in": [], "out": []}
        wrong_version = 0
        memory = server.memory()
        with Load(server) as load:
            begin = time.perf_counter()
            for _ in range(rounds):
                in_load["in"].append(timed(lambda: must(server.put(patch))))
                time.sleep(0.3)
                in_load["out"].append(timed(lambda: must(server.take())))
                time.sleep(0.3)
            seconds = time.perf_counter() - begin
        memory = server.memory() - memory
        counts: Counter[str] = Counter()
        for prompt, answer, version in load.answers:
            how, side = judged(prompt, answer, [base, other])
            counts[how] += 1
            counts[f"side {side}"] += 1
            if version is not None and how != "unclear" and (version == inside["weight_version"]) != (side == 1):
                wrong_version += 1
            if how == "unclear":
                print(f"unclear: {prompt!r} {answer} {[distance(answer, known[prompt]) for known in (base, other)]}",
                      file=sys.stderr)
        after = must(server.ask({"action": "status", "verify": "all"}))
        exact = server.answer(PROMPTS[0], TOKENS)[:2] == probe and before == after["root"]
        idle = {"in": [], "out": [], "reload": []}  # type: dict[str, list[float]]
        for _ in range(7):
            idle["in"].append(timed(lambda: must(server.put(patch))))
            idle["out"].append(timed(lambda: must(server.take())))
            idle["reload"].append(timed(lambda: server.reload(tuned)))
            reloaded = server.answer(PROMPTS[0], TOKENS)[:2]
            server.reload(model)
    ms = {key: f"{statistics.median(values) * 1000:.0f} ms" for key, values in idle.items()}
    loaded = {key: f"{statistics.median(values) * 1000:.0f} ms" for key, values in in_load.items()}
    fine = exact and counts["unclear"] == 0 and wrong_version == 0 and reloaded == tuned_probe
    versions = str(wrong_version) if kind == "sglang" else "not reported by vLLM"
    print(f"""
{kind}: SmolLM2-135M, {patch.stem}, {os.cpu_count()} cores

| | |
|---|---|
| rounds (in and out) under load of {len(PROMPTS)} clients | {rounds} in {seconds:.0f} s |
| log-probabilities when idle, root of the weights | {'as before, to the last digit' if exact else 'DIFFERENT'} |
| the tuned model, as after a reload from disk | {'the same numbers' if reloaded == tuned_probe else 'DIFFERENT'} |
| answers | {sum(counts[how] for how in ('known', 'near', 'unclear'))}: {counts['side 0']} of the base, \
{counts['side 1']} of the tuned model, {counts['unclear']} unclear or mixed |
| equal to the last digit to an answer without swaps | {counts['known']}; near one model, far from the other: \
{counts['near']} |
| answers with the weight version of the other side | {versions} |
| memory of the server | grew by {memory / 1e6:.0f} MB |
| median time in, out, under load (with the wait for requests in flight) | {loaded['in']}, {loaded['out']} |
| median time in, out, idle | {ms['in']}, {ms['out']} |
| median time of the server's own reload from disk | {ms['reload']} |
""", flush=True)
    return fine


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("server", nargs="?", choices=["vllm", "sglang"], help="default: both")
    parser.add_argument("--rounds", type=int, help="default: 100 with vLLM, 20 with SGLang")
    options = parser.parse_args()
    model = smollm2.directory()
    with tempfile.TemporaryDirectory(dir="/var/tmp", prefix="vpatch-serving-") as folder:
        work = Path(folder)
        patch = make_patch(model, "sa-proj", work / "sa-proj.vpatch", seed=1)
        tuned = work / "tuned"
        command = os.environ["VPATCH_COMMAND"]
        subprocess.run([command, "apply", model, patch, "-o", tuned], check=True, stdout=subprocess.DEVNULL)
        kinds = [options.server] if options.server else ["vllm", "sglang"]
        rounds = {"vllm": options.rounds or 100, "sglang": options.rounds or 20}
        fine = [run(kind, rounds[kind], work, model, patch, tuned) for kind in kinds]
    print(json.dumps(dict(zip(kinds, fine, strict=True))), file=sys.stderr)
    sys.exit(0 if all(fine) else "serving: not as it must be")


if __name__ == "__main__":
    main()
