"""The error for everything that is refused: the rule, and what was found."""

RULES = {
    # 3.2, in the order in which they are checked
    "too-short": "3.2 (1)",
    "magic": "3.2 (1)",
    "preamble-digest": "3.2 (2)",
    "major-version": "3.2 (3)",
    "must-understand": "3.2 (4)",
    "reserved": "3.2 (4)",
    "flags": "3.2 (4)",
    "header-length": "3.2 (5)",
    "header-digest": "3.2 (5)",
    "header-frame": "3.2 (5)",
    "header-json": "3.2 (6)",
    "header-shape": "3.2 (6)",
    "number-limit": "3.2 (6)",
    "overflow": "3.2 (6)",
    "name": "3.2 (7)",
    "name-order": "3.2 (7)",
    "operation": "3.2 (7)",
    "chunks": "3.2 (7)",
    "total": "3.2 (7)",
    "copy": "3.2 (7)",
    "adapter": "3.2 (7)",
    "low-rank": "3.2 (7)",
    "layout": "3.2 (8)",
    "base-root": "3.2 (9)",
    "target-root": "3.2 (9)",
    "identity": "3.2 (9)",
    "chunk-digest": "3.2 (10)",
    "annex-digest": "3.2 (10)",
    "annotations-digest": "3.2 (10)",
    "annex-frame": "3.2 (11)",
    "annex-json": "3.2 (11)",
    "annex-shape": "3.2 (11)",
    "annex-blobs": "3.2 (11)",
    "annex-files": "3.2 (11)",
    "annex-index": "3.2 (11)",
    "annex-side": "3.2 (11)",
    "annex-headers": "3.2 (11)",
    "annex-adapter": "3.2 (11)",
    "annotations-json": "3.2 (12)",
    # found only by decoding
    "coder": "5",
    "chunk-length": "5",
    "chunk-frame": "5",
    "sparse": "5",
    "ulp-model": "5.1.1",
    "ulp-layout": "5.1.1",
    "ulp-context": "5.1.1",
    "ulp-symbol": "5.1.2",
    "ulp-table": "5.1.3",
    "ulp-state": "5.1.4",
    "ulp-words": "5.1.4",
    "ulp-extra": "5.1.4",
    "ulp-choice": "5.1.5",
    "low-rank-layout": "5.2.2",
    "low-rank-choice": "5.2.3",
    "result": "3.2, end",
    "adapter-digest": "6",
    # about the checkpoint or the command, not the patch
    "wrong-base": "2",
    "other-layout": "6",
    "no-adapter": "6",
    "safetensors": "safetensors",
    "index": "index",
    "output": "output",
    # stacks.md
    "stack": "stacks 3, 4",
    "stack-file": "stacks 6",
}


class Refused(Exception):
    """`rule` is a key of RULES."""

    def __init__(self, rule: str, message: str) -> None:
        assert rule in RULES, rule
        super().__init__(f"{message} [{rule}, section {RULES[rule]}]")
        self.rule, self.message = rule, message


def require(condition: object, rule: str, message: str) -> None:
    if not condition:
        raise Refused(rule, message)
