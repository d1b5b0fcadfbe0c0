"""Runs the command."""

import os
import sys


def _run() -> int:
    try:
        # PyTorch and transformers take seconds to import, in which Ctrl-C is not an error of Python.
        from vpatch.train.command import main  # noqa: PLC0415
    except KeyboardInterrupt:
        if os.environ.get("RANK", "0") == "0":
            print("vpatch: interrupted before the first step; nothing was written", file=sys.stderr)
        return 130
    return main()


if __name__ == "__main__":
    sys.exit(_run())
