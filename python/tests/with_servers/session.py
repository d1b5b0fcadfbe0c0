"""The session of docs/serving.md: ask, patch in, ask, patch out, ask, with the command. Prints it.

    scripts/test-servers.sh FOLDER session [vllm|sglang]

Fails if the base does not answer as before, to the last digit, or if the tuned model answers as the base does.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from moved import make_patch
from servers import Server

QUESTION = "The capital of France is"
PORT = 8000


def main(kind: str) -> None:
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        # What is printed has names in this folder, and no paths of this machine.
        work = Path(folder)
        os.chdir(work)
        model = Path("SmolLM2-135M")
        model.symlink_to(os.environ["VPATCH_SMOLLM2"])
        make_patch(model, "sa-proj", work / "task.vpatch", seed=1)
        with Server(kind, model, work, port=PORT) as server:
            def ask() -> tuple[tuple[str, ...], tuple[float, ...]]:
                tokens, values, _ = server.answer(QUESTION, 6)
                words = "".join(tokens) if kind == "vllm" else " ".join(tokens)
                print(f"$ ask '{QUESTION}'\n{words!r}\n{list(values)}", flush=True)
                return tokens, values

            def swap(*arguments: str) -> None:
                print("$ vpatch serve-swap", server.url, *arguments, flush=True)
                command = [os.environ["VPATCH_COMMAND"], "serve-swap", server.url, *arguments]
                done = subprocess.run(
                    command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
                print(done.stdout.rstrip(), flush=True)
                if done.returncode:
                    sys.exit(f"session: exit code {done.returncode}")

            print(f"# {kind} serves SmolLM2-135M; {time.strftime('%-d %B %Y')}")
            swap("--status")
            base = ask()
            swap("task.vpatch")
            tuned = ask()
            swap("--status")
            swap("--revert")
            last = ask()
            swap("--status", "--full")
    if base != last or tuned == base:
        sys.exit("session: the base does not answer as before, or the tuned model does not differ")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "vllm")
