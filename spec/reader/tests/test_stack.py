"""The golden stacks: vpatch's results follow stacks.md; and stacks that must be refused."""

import csv
import math
import struct
import unittest

import support
from support import FIXTURES

import numpy as np

from vpatch_reader import floats, stack, units
from vpatch_reader.apply import Run
from vpatch_reader.checkpoint import Checkpoint
from vpatch_reader.container import Patch

FOLDER = FIXTURES / "golden" / "stacks"


class Golden(support.Refusals):
    folder = FOLDER

    def setUp(self) -> None:
        self.base = Checkpoint(self.folder / "base.safetensors")
        self.addCleanup(self.base.close)
        self.runs = {}
        for path in self.folder.glob("*.vpatch"):
            patch = Patch(path)
            self.addCleanup(patch.file.close)
            self.runs[patch.identity] = Run(patch, self.base, backward=False)
            setattr(self, path.stem, patch.identity)

    def merge(self, it: stack.Stack) -> stack.Merge:
        return stack.Merge(it, [self.runs[name] for name, _ in it.members])

    def test_golden(self) -> None:
        with open(self.folder / "REASONS.tsv", encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
        self.assertEqual({row["file"] for row in rows}, {path.name for path in self.folder.glob("*.stack")})
        for row in rows:
            it = stack.parse((self.folder / row["file"]).read_bytes())
            self.assertEqual(it.identity([name for name, _ in it.members]), row["identity"], row["file"])
            made = (self.folder / row["file"]).with_suffix(".safetensors")
            if not made.exists():
                with self.subTest(row["file"]):
                    self.assertRefused("stack", "", self.merge, it)
                continue
            merge = self.merge(it)
            with Checkpoint(made) as expected:
                there = [name for name in merge.names if merge.tensor(name) is not None]
                self.assertEqual(there, sorted(expected.tensors, key=lambda n: n.encode()))
                for name, (_, info) in expected.tensors.items():
                    with self.subTest(row["file"], tensor=name):
                        self.assertEqual(merge.tensor(name), expected.read(name, 0, info.length))


class Quantised(Golden):
    folder = FIXTURES / "golden" / "stacks-quantised"

    def test_lists_of_the_spec(self) -> None:
        text = (FIXTURES.parent / "spec" / "stacks.md").read_text(encoding="utf-8")
        lists = {"codes": units.CODES, "state": units.STATE, "state-of-any": units.STATE_OF_ANY,
                 "module-codes": units.MODULE_CODES, "module-codes-of-any": units.MODULE_CODES_OF_ANY,
                 "module-state": units.MODULE_STATE}
        for key, words in lists.items():
            block = text.split(f"```\n{key}\n\n")[1].split("```")[0]
            self.assertEqual(block.split(), words, key)

    def test_units(self) -> None:
        for names, found in [
            ({"x.weight": "F8_E4M3", "x.weight_scale_inv": "F32", "x.bias": "F32"},
             [{"x.weight", "x.weight_scale_inv"}]),
            ({"x.weight": "BF16", "x.weight_scale": "F32", "logit_scale": "F32"}, []),
            ({"y.weight": "F8_E4M3", "y.norm.scale": "F32"}, []),
            ({"a.qweight": "F16", "a.scales": "F16", "b.scales": "F16"}, [{"a.qweight", "a.scales"}]),
            ({"e_blocks": "U8", "e_scales": "U8", "e_bias": "BF16"}, [{"e_blocks", "e_scales"}]),
            ({"w": "BF16", "w.absmax": "F32"}, [{"w", "w.absmax"}]),
            ({"x.weight": "F8_E4M3", "x.anything": "F32", "x.bias": "F32"}, [{"x.weight", "x.anything"}]),
            ({"x.weight": "BF16", "x.anything": "F32"}, []),
            ({"x.weight": "I8", "x.n.anything": "F32", "x.weight.n.m": "F32"}, [{"x.weight", "x.weight.n.m"}]),
            ({"e.weight": "F8_E4M3", "e.embed_scale": "BF16"}, []),
        ]:
            self.assertEqual(units.units([names]), found, names)


class Stacks(Golden):
    def test_members_in_another_order(self) -> None:
        it = stack.parse((FOLDER / "sum-scaled.stack").read_bytes())
        other = stack.Stack(it.base, it.method, it.parameters, it.members[::-1])
        self.assertEqual(other.identity([n for n, _ in other.members]), it.identity([n for n, _ in it.members]))
        one, two = self.merge(it), self.merge(other)
        self.assertTrue(all(one.tensor(name) == two.tensor(name) for name in one.names))

    def stack(self, method: str, **scales: float) -> stack.Stack:
        text = f"vpatch-stack 1\nbase {next(iter(self.runs.values())).patch.base}\nmethod {method}\n"
        members = (f"patch {getattr(self, letter)}@{scale!r}\n" for letter, scale in scales.items())
        return stack.parse((text + "".join(members)).encode())

    def test_refused(self) -> None:
        cases = [
            ("cannot be scaled", "sum", {"d": 0.5}),
            ("cannot be moved", "sum toward-base=0.5", {"d": 1.0}),
            ("not all members touch", "linear", {"a": 1.0, "d": 1.0}),
            ("the sum of the scales", "linear", {"a": 1.0, "b": -1.0}),
            ("needs two members", "slerp", {"a": 1.0}),
            ("needs two members", "slerp", {"a": -1.0, "b": 2.0}),
        ]
        for words, method, scales in cases:
            it = self.stack(method, **scales)
            with self.subTest(method, **scales):
                self.assertRefused("stack", words, self.merge, it)
        for words in ("ties density=0", "ties density=1.5", "sum lambda=1", "dare seed=-1", "sum toward-base=2",
                      "karcher"):
            with self.subTest(words):
                self.assertRefused("stack", "", self.stack, words)

    def test_without_part(self) -> None:
        merge = self.merge(self.stack("sum", a=1.0, d=0.0))
        self.assertNotIn("steps", merge.names)


class Texts(support.Refusals):
    def test_refused(self) -> None:
        base = "base " + "0" * 64 + "\n"
        for words, text in [
            ("first statement", base),
            ("first statement", "vpatch-stack 2\n" + base),
            ("unknown statement", "vpatch-stack 1\n" + base + "patches a\n"),
            ("no base", "vpatch-stack 1\nname a\n"),
            ("occurs twice", "vpatch-stack 1\n" + base + base),
            ("followed by 2 words", "vpatch-stack 1\n" + base + "name a b\n"),
        ]:
            with self.subTest(words):
                self.assertRefused("stack-file", words, stack.parse, text.encode())

    def test_members(self) -> None:
        text = "# x\r\nvpatch-stack 1 # y\r\nbase\t b\r\npatch a@2.5\npatch a@b@-1e-3\npatch a#b@inf\npatch c # @7\n"
        it = stack.parse(text.encode())
        self.assertEqual(it.members, [("a", 2.5), ("a@b", -0.001), ("a#b@inf", 1.0), ("c", 1.0)])
        self.assertEqual((it.base, it.method_text), ("b", "sum"))

    def test_decimals(self) -> None:
        for x, text in [(0.5, "0.5"), (1.0, "1"), (0.0001, "0.0001"), (0.00009, "9e-05"), (2.0**53, "9007199254740992"),
                        (2.0**53 + 2, "9.007199254740994e+15"), (5e-324, "5e-324"), (-1e100, "-1e+100"),
                        (100.0, "100")]:
            self.assertEqual(stack.decimal(x), text)
            self.assertEqual(float(text), x)


class Arithmetic(unittest.TestCase):
    def test_examples_of_the_spec(self) -> None:
        key = stack.dare_key(7, b"\x01" * 32, "w")
        self.assertEqual(key, 0x46578255AC50211A)
        z = stack.scramble(key, 8)
        self.assertEqual([int(n) for n in z[:3]], [0x730C818CD1C77859, 0xA7679CCC0CA284AB, 0x8FDB05ECA27FED73])
        self.assertEqual(np.flatnonzero((z >> np.uint64(11)) * 2.0**-53 < 0.5).tolist(), [0, 3, 5, 6, 7])
        for function, x, bits in [(stack.acos, 0.25, 0x3FF51700E0C14B25), (stack.acos, -0.9995, 0x4008E137322BA5F5),
                                  (stack.sin, 1.0, 0x3FEAED548F090CEE), (stack.sin, 3.0, 0x3FC210386DB6D557),
                                  (stack.atan, 1.0, 0x3FE921FB54442D18)]:
            self.assertEqual(struct.pack(">d", function(x)).hex(), f"{bits:016x}")

    def test_every_number_of_a_narrow_dtype_comes_back(self) -> None:
        for dtype in ("F16", "BF16", "F8_E5M2", "F8_E4M3"):
            bits = floats.FLOATS[dtype][0]
            u = np.arange(1 << bits, dtype=f"<u{bits // 8}")
            x = floats.widen(u, dtype)
            numbers = ~np.isnan(x)
            with self.subTest(dtype):
                np.testing.assert_array_equal(floats.narrow(x, dtype)[numbers], u[numbers])
                self.assertTrue((floats.narrow(x, dtype)[~numbers] == floats.CANONICAL_NAN[dtype]).all())

    def test_float16_is_numpys(self) -> None:
        x = np.random.default_rng(1).normal(0, 1, 20_000) * 10.0 ** np.random.default_rng(2).integers(-9, 6, 20_000)
        with np.errstate(over="ignore", under="ignore"):
            np.testing.assert_array_equal(floats.narrow(x, "F16"), x.astype(np.float16).view("<u2"))

    def test_overflow(self) -> None:
        for dtype, x, bits in [("F8_E4M3", 464.0, 0x7E), ("F8_E4M3", 464.1, 0x7F), ("F8_E4M3", -math.inf, 0x7F),
                               ("F8_E5M2", 61440.0, 0x7C), ("F8_E5M2", 61439.9, 0x7B), ("BF16", -3.4e38, 0xFF80),
                               ("F16", -65520.0, 0xFC00), ("F32", 1e39, 0x7F800000)]:
            self.assertEqual(int(floats.narrow(np.array([x]), dtype)[0]), bits, (dtype, x))


if __name__ == "__main__":
    unittest.main()
