"""python3 -m vpatch_reader check PATCH | apply BASE PATCH OUT | revert MODEL PATCH OUT | show PATCH"""

import json
import sys

from . import apply
from .container import Patch
from .refused import Refused

ARGUMENTS = {"check": 1, "show": 1, "apply": 3, "revert": 3}


def main(arguments: list[str]) -> int:
    command, *paths = arguments or [""]
    if ARGUMENTS.get(command) != len(paths):
        print(__doc__, file=sys.stderr)
        return 2
    patch = paths[0] if len(paths) == 1 else paths[1]
    try:
        if command in ("check", "show"):
            with Patch(patch) as p:
                if command == "show":
                    print(json.dumps(p.summary(), indent=2, ensure_ascii=False))
        else:
            for note in apply.run(paths[0], patch, paths[2], backward=command == "revert"):
                print(note, file=sys.stderr)
    except (Refused, OSError) as error:
        print(f"{patch}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
