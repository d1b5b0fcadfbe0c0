"""Every coder in both directions, with all dtypes, awkward lengths and special values."""

import time
import unittest
from typing import Any

import support
from support import DTYPES, FLOATS, LENGTHS, Refusals

import craft
import craft_ulp
import numpy as np

from vpatch_reader.chunks import decode_bytes, decode_difference
from vpatch_reader.elements import kind, order, scale
from vpatch_reader.refused import Refused


def chunk(coder: str, base: np.ndarray, target: np.ndarray, dtype: str, **ulp: Any) -> bytes:
    t = craft.Tensor(dtype, base.shape, b"")
    return craft.difference_chunk(coder, base.tobytes(), target.tobytes(), t, craft.packed_frame, **ulp)


class Elements(unittest.TestCase):
    def test_order_of_small_floats(self) -> None:
        for dtype in ("F16", "BF16", "F8_E4M3", "F8_E5M2"):
            k = kind(dtype)
            u = np.arange(2**k.bits, dtype=k.unsigned)
            o = order(u, k)
            np.testing.assert_array_equal(order(o, k), u)
            signed = o.view(f"<i{k.width}").astype(int)
            self.assertEqual(signed[0], 0)
            self.assertEqual(signed[1 << (k.bits - 1)], -1)  # -0 is directly below +0
            np.testing.assert_array_equal(signed, craft.orders(u.tobytes(), craft.Tensor(dtype, (), b"")))

    def test_scales(self) -> None:
        for dtype in FLOATS:
            k, values = kind(dtype), support.special(dtype)
            expected = [craft_ulp.scale_of(int(u), dtype) for u in values]
            self.assertEqual(scale(values, k).tolist(), expected)
        self.assertEqual(scale(np.array([0, 0x8000, 1, 0x807F, 0x80, 0x100, 0xFFFF], "<u2"), kind("BF16")).tolist(),
                         [0, 0, 1, 1, 1, 2, 255])

    def test_order_is_that_of_values(self) -> None:
        values = np.sort(np.random.default_rng(1).normal(0, 1, 999).astype("<f4"))
        o = order(values.view("<u4"), kind("F32")).view("<i4")
        self.assertTrue(np.all(np.diff(o.astype(np.int64)) > 0))


class RoundTrips(unittest.TestCase):
    def both_ways(self, coder: str, base: np.ndarray, target: np.ndarray, dtype: str, **ulp: Any) -> None:
        stored = chunk(coder, base, target, dtype, **ulp)
        with self.subTest(coder=coder, dtype=dtype, count=base.size, **ulp):
            k = kind(dtype)
            self.assertEqual(decode_difference(stored, k, base.tobytes(), False), target.tobytes())
            self.assertEqual(decode_difference(stored, k, target.tobytes(), True), base.tobytes())

    def test_plain_coders_over_dtypes_and_lengths(self) -> None:
        for dtype in DTYPES:
            for count in LENGTHS:
                base = support.weights(dtype, count, count)
                for coder in ("raw", "planes", "sparse"):
                    self.both_ways(coder, base, support.nudge(base, count + 1), dtype)
                self.both_ways("zero", base, base, dtype)

    def test_ulp_over_dtypes_and_lengths(self) -> None:
        for dtype in FLOATS:
            for count in LENGTHS:
                base = support.weights(dtype, count, count)
                for tables in (1, 2, 5):
                    self.both_ways("ulp", base, support.nudge(base, count), dtype, tables=tables)

    def test_ulp_classes_and_groups(self) -> None:
        for dtype in FLOATS:
            for classes in (1, 2, 3, 4):
                for group, holes in ((32, True), (96, False), (96, True), (4096, False)):
                    base = support.weights(dtype, 1023, classes)
                    target = support.nudge(base, group)
                    self.both_ways("ulp", base, target, dtype, classes=classes, tables=7, group=group, holes=holes)

    def test_ulp_thirty_one_tables_and_far_differences(self) -> None:
        for dtype in FLOATS:
            base = support.weights(dtype, 2000, 3)
            for holes in (False, True):
                self.both_ways("ulp", base, support.nudge(base, 4, far=0.9), dtype, tables=31, classes=4, holes=holes)
                self.both_ways("ulp", base, base, dtype, tables=31, holes=holes)

    def test_special_values_against_one_another(self) -> None:
        for dtype in DTYPES:
            values = support.special(dtype)
            base, target = (m.reshape(-1) for m in np.meshgrid(values, values))
            for coder in ["raw", "planes", "sparse"] + ["ulp"] * (dtype in FLOATS):
                self.both_ways(coder, base, target, dtype)
            if dtype in FLOATS:
                for classes in (1, 4):
                    self.both_ways("ulp", base, target, dtype, tables=31, classes=classes, holes=True)

    def test_sparse_gaps_of_every_length(self) -> None:
        base = np.zeros(2_200_000, "u1")
        target = base.copy()
        target[[0, 127, 256, 20_000, 20_001, 2_199_999]] = 1
        self.both_ways("sparse", base, target, "U8")

    def test_plain_bytes(self) -> None:
        for dtype in DTYPES:
            for count in LENGTHS:
                data = support.weights(dtype, count, 5).tobytes()
                t = craft.Tensor(dtype, (count,), data)
                for coder in ("raw", "planes"):
                    stored = craft.plain_chunk(coder, data, t, craft.packed_frame)
                    self.assertEqual(decode_bytes(stored, kind(dtype), len(data)), data)

    def test_speed(self) -> None:
        """Prints seconds for both directions, also with the largest number of classes and tables."""
        for count, options in ((262_144, {"tables": 6}), (65_536, {"tables": 31, "classes": 4, "group": 1024})):
            self.time_of(count, **options)

    def time_of(self, count: int, **options: Any) -> None:
        base = support.weights("BF16", count, 9)
        step = np.random.default_rng(2).integers(-40, 41, base.size).astype("<u2")
        target = base + step * (np.arange(base.size) % 2).astype("<u2")
        stored = chunk("ulp", base, target, "BF16", **options)
        k = kind("BF16")
        begun = time.monotonic()
        self.assertEqual(decode_difference(stored, k, base.tobytes(), False), target.tobytes())
        middle = time.monotonic()
        self.assertEqual(decode_difference(stored, k, target.tobytes(), True), base.tobytes())
        forward, backward = middle - begun, time.monotonic() - middle
        print(f"ulp, {count:,} weights, {options}: forward {forward:.2f} s, backward {backward:.2f} s")
        self.assertLess(middle - begun, 15)


class Symbols(unittest.TestCase):
    def test_every_difference_of_eight_and_sixteen_bits(self) -> None:
        for bits, largest in ((8, 22), (16, 38), (32, 70)):
            half = 1 << (bits - 1)
            for d in {*range(-min(half, 70000), min(half, 70000)), -half, half - 1, -half + 1}:
                s, v, _ = craft_ulp.split(d)
                self.assertEqual(craft_ulp.join(s, craft_ulp.low_bits(v), bits), d)
            self.assertEqual(craft_ulp.split(-half)[0], 128 - largest)
            self.assertEqual(craft_ulp.split(half - 1)[0], 128 + largest - 1)


class Broken(Refusals):
    """Defects of single chunks; patches with defective chunks are in fixtures/golden/refused-on-decode."""

    def test_every_truncation_of_an_ulp_chunk(self) -> None:
        base = support.weights("BF16", 129, 1)
        target = support.nudge(base, 2)
        stored = chunk("ulp", base, target, "BF16", classes=2, tables=3)
        for known, backward in ((base, False), (target, True)):
            for end in range(len(stored)):
                with self.assertRaises(Refused):
                    decode_difference(stored[:end], kind("BF16"), known.tobytes(), backward)

    def test_ulp_is_for_floats_of_up_to_32_bits(self) -> None:
        for dtype in ("F64", "I16", "BOOL", "X9"):
            words = "a dtype it is not defined for"
            self.assertRefused("coder", words, decode_difference, b"\3" + bytes(99), kind(dtype), bytes(64), False)

    def test_every_flipped_bit_gives_a_refusal_or_elements(self) -> None:
        """No other exception: the reader has a rule for every defect."""
        base = support.weights("F8_E4M3", 40, 1)
        target = support.nudge(base, 2)
        for coder in ("ulp", "planes", "sparse", "raw"):
            stored = chunk(coder, base, target, "F8_E4M3")
            for bit in range(8 * len(stored)):
                spoiled = bytearray(stored)
                spoiled[bit // 8] ^= 1 << bit % 8
                for known, backward in ((base, False), (target, True)):
                    try:
                        out = decode_difference(bytes(spoiled), kind("F8_E4M3"), known.tobytes(), backward)
                        self.assertEqual(len(out), 40)
                    except Refused:
                        pass


if __name__ == "__main__":
    unittest.main()
