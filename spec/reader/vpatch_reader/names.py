"""Section 1: tensor names, dtypes, file names."""

import re
from itertools import pairwise


def is_tensor_name(name: str) -> bool:
    return 1 <= len(name.encode("utf-8")) <= 4096 and "\0" not in name and name != "__metadata__"


def is_dtype(name: str) -> bool:
    return re.fullmatch(r"[A-Za-z0-9_]{1,32}", name) is not None


def is_file_name(name: str) -> bool:
    if not 1 <= len(name.encode("utf-8")) <= 255 or name in (".", ".."):
        return False
    return not any(c in "/\\" or c < " " for c in name)


def ascending(names: list[str]) -> bool:
    """Whether the names are in strictly ascending order of their UTF-8 bytes."""
    keys = [n.encode("utf-8") for n in names]
    return all(a < b for a, b in pairwise(keys))
