"""Each golden file is refused by its own rule, or accepted; and make_golden.py writes exactly these files."""

import csv
import filecmp
import json
import tempfile
import unittest
from pathlib import Path

from support import FIXTURES

import golden_features
import make_golden
import zstandard

from vpatch_reader import apply
from vpatch_reader.checkpoint import Checkpoint
from vpatch_reader.container import Patch
from vpatch_reader.refused import RULES, Refused

GOLDEN = FIXTURES / "golden"
DECODED = ("refused-on-decode", "refused-on-decode-features")
MADE_WITH_ZSTD = (1, 5, 7)


def reasons(folder: Path) -> list[dict[str, str]]:
    with open(folder / "REASONS.tsv", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


class Golden(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.out = Path(folder.name) / "out"

    def assertRuleOf(self, error: Refused, row: dict[str, str]) -> None:
        self.assertEqual(error.rule, row["rule"], str(error))
        # The rules of a frame are in sections 1 and 5.
        self.assertTrue(row["section"].startswith(RULES[error.rule]) or error.rule == "chunk-frame", row)

    def test_refused(self) -> None:
        rows = reasons(GOLDEN / "refused")
        self.assertEqual({r["file"] for r in rows}, {p.name for p in (GOLDEN / "refused").glob("*.vpatch")})
        for row in rows:
            with self.subTest(row["file"]):
                with self.assertRaises(Refused) as caught:
                    Patch(GOLDEN / "refused" / row["file"])
                self.assertRuleOf(caught.exception, row)

    def test_every_rule_has_its_file(self) -> None:
        rules = {r["rule"] for folder in ("refused", *DECODED) for r in reasons(GOLDEN / folder)}
        of_the_checkpoint = {"wrong-base", "other-layout", "safetensors", "index", "output", "no-adapter"}
        of_commands = {"adapter-digest"}  # test_lowrank.py
        of_stacks = {"stack", "stack-file"}  # test_stack.py
        self.assertEqual(set(RULES) - of_the_checkpoint - of_commands - of_stacks, rules)

    def test_refused_on_decode(self) -> None:
        for name in DECODED:
            self.refused_on_decode(GOLDEN / name)

    def refused_on_decode(self, folder: Path) -> None:
        rows = reasons(folder)
        self.assertEqual({r["file"] for r in rows}, {p.name for p in folder.glob("*.vpatch")})
        for row in rows:
            with self.subTest(row["file"]):
                Patch(folder / row["file"]).file.close()
                model = folder / ("base.safetensors" if row["command"] == "apply" else "target.safetensors")
                with self.assertRaises(Refused) as caught:
                    apply.run(model, folder / row["file"], self.out, row["command"] == "revert")
                self.assertRuleOf(caught.exception, row)
                self.assertEqual(list(self.out.parent.iterdir()), [])

    def test_accepted_by_flag(self) -> None:
        for name, rewritable in (("read_only_safe", False), ("ignorable", True)):
            with Patch(GOLDEN / "accepted-by-flag" / f"{name}.vpatch") as patch:
                self.assertEqual(patch.rewritable, rewritable)

    def test_accepted(self) -> None:
        base, target = (GOLDEN / "refused-on-decode" / f"{n}.safetensors" for n in ("base", "target"))
        identities = set()
        for path in sorted((GOLDEN / "accepted").glob("*.vpatch")):
            with self.subTest(path.name), Patch(path) as patch:
                identities.add(patch.identity)
                for model, result, backward in ((base, target, False), (target, base, True)):
                    apply.run(model, path, self.out, backward)
                    self.assertEqual(self.out.read_bytes(), result.read_bytes())
                    self.out.unlink()
        self.assertEqual(len(identities), 1)  # it does not depend on encoded bytes and annotations

    def test_accepted_features(self) -> None:
        folder = GOLDEN / "accepted-features"
        rows = reasons(folder)
        self.assertEqual({r["file"] for r in rows}, {p.name for p in folder.glob("*.vpatch")})
        identities = set()
        for row in rows:
            base, target = folder / row["base"], folder / row["target"]
            with self.subTest(row["file"]), Patch(folder / row["file"]) as patch:
                identities.add(patch.identity)
                self.assertTrue(any(t.copy for t in patch.tensors) or patch.adapter)
                for model, result, backward in ((base, target, False), (target, base, True)):
                    self.assertEqual(apply.run(model, folder / row["file"], self.out, backward), [])
                    self.assertEqual(self.out.read_bytes(), result.read_bytes())
                    self.out.unlink()
        self.assertEqual(len(identities), 2)

    def test_accepted_features_use_what_they_say(self) -> None:
        """Each low-rank chunk inside another coder, choices among one, two and more bases; none falls back to raw."""
        inner = set()
        for row in reasons(GOLDEN / "accepted-features"):
            with Patch(GOLDEN / "accepted-features" / row["file"]) as patch:
                for t in (t for t in patch.tensors if t.low_rank):
                    stored = [patch.chunk(t, c) for c in t.chunks]
                    coders = {s[0] for s in stored}
                    self.assertEqual(coders - {5}, {1} if row["file"] == "lowrank_plain_chunk.vpatch" else set())
                    inner |= {s[5 + int.from_bytes(s[1:5], "little")] for s in stored if s[0] == 5}
        self.assertEqual(inner, {0, 1, 2, 3, 4})
        counts: set[int] = set()
        for name, f in golden_features.products([*golden_features.ALL], golden_features.ADAPTER, "zero").items():
            counts |= {*f.counts(golden_features.LOW_BASE[name], [*golden_features.ADAPTER.values()])}
        self.assertLessEqual({1, 2, 3, 4, 5}, counts)
        self.assertGreater(max(counts), 1000)

    def open_all(self, folder: Path, pattern: str) -> None:
        rows = {row.get("file") or row["folder"]: row["reason"] for row in reasons(folder)}
        self.assertEqual(set(rows), {p.name for p in folder.glob(pattern)} - {"REASONS.tsv"})
        for name, reason in rows.items():
            with self.subTest(name):
                if name.startswith("valid_"):
                    Checkpoint(folder / name).close()
                    continue
                self.assertTrue(reason)
                with self.assertRaises(Refused) as caught:
                    Checkpoint(folder / name)
                self.assertIn(caught.exception.rule, ("safetensors", "index"))

    def test_hostile_safetensors(self) -> None:
        self.open_all(FIXTURES / "hostile-safetensors", "*.safetensors")

    def test_hostile_index(self) -> None:
        self.open_all(FIXTURES / "hostile-index", "*")

    @unittest.skipUnless(zstandard.ZSTD_VERSION == MADE_WITH_ZSTD, "another version of zstd compresses differently")
    def test_they_are_what_is_written(self) -> None:
        make_golden.write(self.out)
        written = {p.relative_to(self.out) for p in self.out.rglob("*") if p.is_file()}
        for name in sorted(written):
            self.assertTrue(filecmp.cmp(self.out / name, FIXTURES / name, shallow=False), name)
        self.assertLess(sum((FIXTURES / name).stat().st_size for name in written), 560_000)

    def test_summary_is_json(self) -> None:
        with Patch(GOLDEN / "accepted" / "annotations_any_json.vpatch") as patch:
            self.assertEqual(json.loads(json.dumps(patch.summary()))["annotations"]["name"], "ü ü")


if __name__ == "__main__":
    unittest.main()
