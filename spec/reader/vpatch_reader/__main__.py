"""python3 -m vpatch_reader check PATCH | show PATCH | export PATCH OUT
python3 -m vpatch_reader apply BASE PATCH OUT | revert MODEL PATCH OUT
"""

import json
import sys

from . import apply, export
from .container import Patch
from .refused import Refused

ARGUMENTS = {"check": 1, "show": 1, "apply": 3, "revert": 3, "export": 2}


def main(arguments: list[str]) -> int:
    command, *paths = arguments or [""]
    if ARGUMENTS.get(command) != len(paths):
        print(__doc__, file=sys.stderr)
        return 2
    patch = paths[1] if len(paths) == 3 else paths[0]
    try:
        if command in ("check", "show"):
            with Patch(patch) as p:
                if command == "show":
                    print(json.dumps(p.summary(), indent=2, ensure_ascii=False))
        elif command == "export":
            export.run(patch, paths[1])
        else:
            for note in apply.run(paths[0], patch, paths[2], backward=command == "revert"):
                print(note, file=sys.stderr)
    except (Refused, OSError) as error:
        print(f"{patch}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
