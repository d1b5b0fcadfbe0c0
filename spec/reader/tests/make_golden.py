"""Writes fixtures/: patches that must be refused, patches that must be accepted, hostile checkpoints.

python3 spec/reader/tests/make_golden.py [FOLDER]    (with the same zstd, the bytes are always the same)
"""

import shutil
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import support  # noqa: F401 (puts the reader on sys.path)
from support import FIXTURES

import craft
import golden_decode
import golden_features
import golden_features_decode
import golden_refused
import hostile
from craft import Draft

# --- patches that must be accepted ------------------------------------------------------------


def flagged(at: int, value: int = 1) -> bytes:
    return golden_refused.put(at, bytes([value]))()


BY_FLAG = {
    "read_only_safe.vpatch": ("3", "bit 0 of the flags that are safe when reading: read, never rewritten",
                              lambda: flagged(24)),
    "ignorable.vpatch": ("3", "bit 63 of the flags that may be ignored: read and rewritten", lambda: flagged(39, 0x80)),
}


def change(coder: str, base: craft.Checkpoint = golden_decode.BASE, target: craft.Checkpoint = golden_decode.TARGET,
           **options: Any) -> Callable[[], bytes]:
    return lambda: Draft(base, target, coder=coder, **{"frame": golden_refused.small_frame} | options).seal()


def checked_frame(data: bytes) -> bytes:
    return craft.packed_frame(data, 19, checksum=True)


def annotated() -> bytes:
    d = Draft(golden_decode.BASE, golden_decode.TARGET, frame=golden_refused.small_frame)
    d.annotations = '{ "unknown": [1.5e3, -0, null, true], "name": "\\u00fc ü" }\n'.encode()
    return d.seal()


ACCEPTED = {
    "raw": ("5", "one chunk", change("raw")),
    "raw_two_chunks": ("3.1", "chunks of 400 and 112 bytes", change("raw", chunk=400)),
    "planes": ("5", "one chunk", change("planes")),
    "planes_checksum": ("1", "zstd frames with a content checksum", change("planes", frame=checked_frame)),
    "sparse": ("5", "one chunk", change("sparse")),
    "ulp": ("5.1", "one class, one table", change("ulp", tables=1)),
    "ulp_two_tables": ("5.1", "one class, two tables, choice bits", change("ulp", tables=2)),
    "ulp_tables_31": ("5.1", "as many tables as there can be, most of them unused", change("ulp", tables=31)),
    "ulp_classes_2": ("5.1", "two classes in groups of 32", change("ulp", tables=2, classes=2)),
    "ulp_classes_3": ("5.1", "three classes in groups of 96", change("ulp", tables=2, classes=3, group=96)),
    "ulp_classes_4": ("5.1", "four classes in groups of 32", change("ulp", tables=2, classes=4)),
    "ulp_scales_without_table": ("5.1", "four classes, each with tables only for the scales it has",
                                 change("ulp", tables=2, classes=4, holes=True)),
    "annotations_any_json": ("7", "annotations that are not canonical, with floats", annotated),
}


def write(root: Path) -> None:
    made: dict[str, bytes] = {}

    def table(folder: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        made[f"{folder}/REASONS.tsv"] = "".join("\t".join(row) + "\n" for row in [head, *rows]).encode()

    table("golden/refused", ("file", "section", "rule", "reason"),
          [(f"{name}.vpatch", section, rule, reason) for name, section, rule, reason, _ in golden_refused.CASES])
    for name, _, _, _, data in golden_refused.CASES:
        made[f"golden/refused/{name}.vpatch"] = data if isinstance(data, bytes) else data()
    for folder, cases, base, target in (
        ("golden/refused-on-decode", golden_decode.CASES, golden_decode.BASE, golden_decode.TARGET),
        ("golden/refused-on-decode-features", golden_features_decode.CASES, golden_features_decode.BASE,
         golden_features_decode.TARGET),
    ):
        table(folder, ("file", "section", "rule", "command", "reason"),
              [(f"{name}.vpatch", section, rule, command, reason) for name, section, rule, command, reason, _ in cases])
        for name, _, _, _, _, make in cases:
            made[f"{folder}/{name}.vpatch"] = make()
        for name, c in (("base", base), ("target", target)):
            made[f"{folder}/{name}.safetensors"] = craft.file_bytes(c.files[""], c.tensors)
    accepted = {f"{name}.vpatch": rest for name, rest in ACCEPTED.items()}
    for folder, rows in (("golden/accepted-by-flag", BY_FLAG), ("golden/accepted", accepted)):
        table(folder, ("file", "section", "reason"), [(name, *rest[:2]) for name, rest in rows.items()])
        for name, (_, _, make) in rows.items():
            made[f"{folder}/{name}"] = make()
    folder = "golden/accepted-features"
    table(folder, ("file", "section", "base", "target", "reason"),
          [(f"{name}.vpatch", section, f"{models}_base.safetensors", f"{models}_target.safetensors", reason)
           for name, (section, models, reason, _) in golden_features.ACCEPTED.items()])
    for name, (_, _, _, make) in golden_features.ACCEPTED.items():
        made[f"{folder}/{name}.vpatch"] = make()
    for name, tensors in golden_features.MODELS.items():
        made[f"{folder}/{name}.safetensors"] = craft.file_bytes(craft.header_text(tensors), tensors)
    table("hostile-safetensors", ("file", "reason"), [row[:2] for row in hostile.FILES])
    for name, _, data in hostile.FILES:
        made[f"hostile-safetensors/{name}"] = data
    table("hostile-index", ("folder", "reason"), [row[:2] for row in hostile.INDEXES])
    for name, _, files in hostile.INDEXES:
        made |= {f"hostile-index/{name}/{file}": data for file, data in files.items()}

    for folder in sorted({str(Path(name).parent) for name in made}):
        shutil.rmtree(root / folder, ignore_errors=True)
    for name, data in made.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)


if __name__ == "__main__":
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else FIXTURES)
