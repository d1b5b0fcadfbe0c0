"""The command `vpatch` that the wheel holds."""

import os
import sys
from pathlib import Path

from vpatch.errors import IOFailure


def path_of_command() -> str:
    """The program. VPATCH_COMMAND names another one.

    Raises:
        IOFailure: if the package has none.
    """
    path = os.environ.get("VPATCH_COMMAND") or str(Path(__file__).parent / "_native" / "vpatch")
    if not os.access(path, os.X_OK):
        raise IOFailure(f"{path} cannot be run; install the wheel, or set VPATCH_COMMAND to the program")
    return path


def main() -> None:
    """Becomes the command, with the same arguments."""
    path = path_of_command()
    os.execv(path, ["vpatch", *sys.argv[1:]])


if __name__ == "__main__":
    main()
