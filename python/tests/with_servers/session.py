"""The session of docs/serving.md: ask, patch in, ask, patch out, ask. Prints it, and fails if the end is not the start.

    scripts/test-servers.sh FOLDER session [vllm|sglang]
"""

import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from moved import make_patch
from servers import Server

QUESTION = "The capital of France is"


def main(kind: str) -> None:
    model = Path(os.environ["VPATCH_SMOLLM2"])
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        work = Path(folder)
        patch = make_patch(model, "sa-proj", work / "task.vpatch", seed=1)
        with Server(kind, model, work) as server:
            def ask() -> tuple[tuple[str, ...], tuple[float, ...]]:
                tokens, values, _ = server.answer(QUESTION, 6)
                words = "".join(tokens) if kind == "vllm" else " ".join(tokens)
                print(f"$ ask '{QUESTION}'\n{words!r}\n{list(values)}", flush=True)
                return tokens, values

            def change(text: str, reply: dict[str, Any]) -> None:
                if not reply["ok"]:
                    sys.exit(f"session: {reply['error']}")
                names = ", ".join(item["name"] for item in reply["applied"]) or "the base"
                version = server.weight_version()[:12]
                print(f"$ {text}\nholds {names}; root {reply['root'][:12]}; weight version {version}")

            print(f"# {kind} holds SmolLM2-135M; {time.strftime('%d %B %Y')}")
            first = ask()
            change("swap in task.vpatch", server.put(patch))
            ask()
            change("swap out", server.take())
            last = ask()
            change("status, all tensors hashed", server.ask({"action": "status", "verify": "all"}))
    if first != last:
        sys.exit("session: the base does not answer as before")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "vllm")
