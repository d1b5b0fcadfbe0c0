"""Tests of the bench itself, on small made checkpoints and with a stand-in for vpatch.

    $(bench/setup.sh) -m unittest discover bench/tests
"""
import dataclasses
import math
import os
import subprocess
import sys
import tempfile
import unittest
from collections import Counter
from pathlib import Path
from typing import TypeVar
from unittest import mock

os.environ["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"  # the stand-in needs this python
sys.path.insert(0, str(Path(__file__).parents[1]))
import numpy as np

import checkpoint
import determinism
import entropy
import measure
import memory
import pairs
import sizes
import timings
import tools
import tune
from run import Context

HERE = Path(__file__).parent
Event = TypeVar("Event")
SMALL = memory.Shape(layers=2, hidden=128, key_value=64, inner=192, vocabulary=512)


def small_pair(folder: Path) -> pairs.Pair:
    """One file with a small model's tensors, and its tuned copy."""
    base, tuned = folder / "base.safetensors", folder / "tuned-sa-proj.safetensors"
    checkpoint.write_file(base, [(name, "BF16", shape, memory.random_weights(at, math.prod(shape)))
                                 for at, (name, shape) in enumerate(SMALL.tensors())], {"format": "pt"})
    tune.tune(base, tuned, steps=5)
    return pairs.Pair("small", base, tuned)


class Quiet(Context):
    """Says nothing; every made pair is the one that is there."""

    def made(self, recipe: str) -> pairs.Pair:
        return dataclasses.replace(self.real_pairs[0], name=f"{recipe} (made)")

    def say(self, words: str) -> None:
        pass


class Case(unittest.TestCase):
    def setUp(self) -> None:
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = Path(scratch.name)
        (self.folder / "scratch").mkdir()

    def context(self, pair: pairs.Pair | None) -> Quiet:
        return Quiet(tools.Vpatch(HERE / "fake_vpatch.py"), tools.peers(), self.folder / "scratch", 2,
                     [pair] if pair else [], "")


class Entropy(Case):
    def test_against_the_definition_weight_by_weight(self) -> None:
        pair = small_pair(self.folder)
        events = []
        for mine, other in checkpoint.changed_tensors(pair.base, pair.tuned):
            before, after = checkpoint.read_bits(pair.base, mine), checkpoint.read_bits(pair.tuned, other)
            for b, t in zip(before.tolist(), after.tolist(), strict=True):
                value = [0x7FFF - bits if bits & 0x8000 else bits for bits in (b, t)]
                events.append(((b >> 7) & 0xFF, value[1] - value[0]))

        def bits(counts: Counter[Event]) -> float:
            return -sum(n * math.log2(n / sum(counts.values())) for n in counts.values())
        joint, exponents = Counter(events), Counter(e for e, _ in events)
        limits = entropy.limits(pair.base, pair.tuned)
        self.assertEqual(limits.weights, len(events))
        self.assertAlmostEqual(limits.changed, sum(d != 0 for _, d in events) / len(events))
        self.assertAlmostEqual(limits.h0, bits(Counter(d for _, d in events)) / len(events))
        self.assertAlmostEqual(limits.h_exponent, (bits(joint) - bits(exponents)) / len(events))

    def test_signed_zeros_are_one_apart(self) -> None:
        self.assertEqual(entropy.ordered(np.array([0x8001, 0x8000, 0x0000, 0x0001], np.uint16)).tolist(),
                         [-2, -1, 0, 1])


class Made(unittest.TestCase):
    def test_whole_or_not_at_all(self) -> None:
        calls: list[Path] = []

        def make(folder: Path) -> None:
            calls.append(folder)
            checkpoint.write_file(folder / "model.safetensors", [("w", "F32", (2,), [bytes(8)])])

        with tempfile.TemporaryDirectory() as scratch:
            out = Path(scratch, "a", "b")
            with self.assertRaisesRegex(ValueError, "expected 00"):
                checkpoint.made(out, make, "00")
            self.assertFalse(out.exists())
            digest = checkpoint.sha256(checkpoint.made(out, make) / "model.safetensors")
            self.assertEqual(os.listdir(out.parent), ["b"])
            checkpoint.made(out, make, digest)
            self.assertEqual(len(calls), 2)
            with self.assertRaises(FileExistsError):
                checkpoint.made(out, make, "00")


class Tune(Case):
    def test_same_bytes_with_one_and_two_threads_and_only_the_recipe_moves(self) -> None:
        pair = small_pair(self.folder)
        one = self.folder / "one"
        tune.tune(pair.base, one, steps=5, threads=1)
        self.assertEqual(checkpoint.sha256(one), pair.tuned_sha256)
        names = [mine.name for mine, _ in checkpoint.changed_tensors(pair.base, pair.tuned)]
        self.assertEqual(len(names), 4 * SMALL.layers)
        self.assertTrue(all(tune.RECIPES["sa-proj"].tensors.fullmatch(name) for name in names))


class Measure(Case):
    def test_the_peak_is_the_childs_and_not_the_benchs(self) -> None:
        ballast = np.ones(60_000_000, np.uint8)
        self.assertLess(measure.run("true").peak, 30e6)
        self.assertGreater(measure.run(sys.executable, "-c", "b = b'1' * 50_000_000").peak, 50e6)
        del ballast

    def test_a_failing_command_is_an_error_with_its_words(self) -> None:
        with self.assertRaisesRegex(measure.BenchError, "exit code 3: no such luck"):
            measure.run("sh", "-c", "echo no such luck >&2; exit 3")


class Sections(Case):
    def test_sizes_timings_determinism_with_all_peers(self) -> None:
        context = self.context(small_pair(self.folder))
        for section in (sizes.section, timings.section, determinism.section):
            found = section(context)
            self.assertTrue(found.bars)
            self.assertTrue(all(table.rows for table in found.tables))
        self.assertEqual([bar.found for bar in found.bars], ["0", "0"])
        self.assertEqual(os.listdir(context.scratch), [])

    def test_memory_on_shards_and_its_cleaning_up(self) -> None:
        context = self.context(None)
        found = memory.section(context, SMALL, limit=200_000)
        self.assertEqual([row["command"] for row in found.tables[0].rows],
                         ["create", "verify --base", "apply", "revert"])
        self.assertEqual(os.listdir(context.scratch), [])
        fails = mock.Mock(side_effect=lambda *_: measure.run("false"))
        with mock.patch.multiple(context.with_vpatch(), revert=fails, decode=fails), \
                self.assertRaises(measure.BenchError):
            memory.section(context, SMALL, limit=200_000)
        self.assertEqual(os.listdir(context.scratch), [])

    def test_a_wrong_result_stops_the_bench(self) -> None:
        context = self.context(small_pair(self.folder))
        wrong = mock.patch.object(context.with_vpatch(), "decode",
                                  lambda base, patch, out: measure.copy_synced(base, out))
        with wrong, self.assertRaisesRegex(measure.BenchError, "does not give the tuned file back"):
            sizes.section(context)


class CommandLine(Case):
    def test_what_is_missing_is_said(self) -> None:
        def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
            return subprocess.run([sys.executable, HERE.parent / "run.py", *arguments], text=True, capture_output=True)
        done = bench("--vpatch", "/nowhere/vpatch")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("bench: /nowhere/vpatch: no such program", done.stderr)
        done = bench("--peers-only", "--pairs", str(self.folder))
        self.assertIn("needs base.safetensors", done.stderr)


if __name__ == "__main__":
    unittest.main()
