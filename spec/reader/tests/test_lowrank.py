"""Low-rank changes and adapters: random ones and edges, against an encoder that computes one element at a time."""

import random
import struct
import time
import unittest
from pathlib import Path
from typing import Any

import support

import craft
import craft_features
import craft_lowrank
import craft_ulp
import numpy as np
from craft import Checkpoint, Tensor
from craft_lowrank import Factors
from test_apply import Files

from vpatch_reader import apply, export, factors, lowrank
from vpatch_reader.chunks import decode_difference
from vpatch_reader.container import Patch
from vpatch_reader.elements import kind
from vpatch_reader.floats import narrow
from vpatch_reader.refused import Refused

DTYPES = ("BF16", "F16", "F32")


def random_factors(rng: random.Random, dtype: str, shape: tuple[int, ...]) -> tuple[Factors, dict[str, Tensor]]:
    """Factors of random layout: transposed or not, one tensor for both or not, with a gap between experts."""
    *outer, rows, columns = shape
    count, rank = int(np.prod(outer, dtype=int)), rng.choice((1, 2, 3, 7))
    adapter: dict[str, Tensor] = {}
    views = []
    for index, lines in enumerate((rows, columns)):
        held = rng.choice(DTYPES)
        offset, gap = rng.choice((0, 3)), rng.choice((0, 5))
        slice_ = lines * rank + gap
        line, step = rng.choice(((rank, 1), (1, lines)))
        size = offset + count * slice_
        spread = 10.0 ** rng.uniform(-3, 1)
        values = np.random.default_rng(rng.randrange(2**32)).normal(0, spread, size)
        adapter[f"factor.{index}"] = craft.array(held, narrow(values, held))
        views.append([index, offset, slice_, line, step])
    scale = rng.choice((1.0, -0.5, 2.0, 1 / 3))
    return Factors(rank, rng.choice(("sum", "change")), scale, views[0], views[1],
                   rng.choice(("raw", "planes", "ulp", "sparse"))), adapter


def tuned(f: Factors, base: Tensor, adapter: dict[str, Tensor], seed: int, share: float) -> Tensor:
    """The predictions, of which a share is some ulps away."""
    predicted = craft_lowrank.join(f.predictions(base, [*adapter.values()]), base)
    bits = np.frombuffer(predicted.data, f"<u{base.width}").copy()
    rng = np.random.default_rng(seed)
    where = rng.random(bits.size) < share
    bits[where] += rng.integers(1, 4, int(where.sum())).astype(bits.dtype)
    return Tensor(base.dtype, base.shape, bits.tobytes())


class RoundTrips(Files):
    def both_ways(self, base: Tensor, f: Factors, adapter: dict[str, Tensor], target: Tensor, **options: Any) -> None:
        one, two = Checkpoint({"w": base}), Checkpoint({"w": target})
        b, t, p, out = (self.path / n for n in ("b", "t", "p", "o"))
        one.write(b)
        two.write(t)
        p.write_bytes(craft_features.FeatureDraft(one, two, adapter, {"w": f}, **options).seal())
        for source, result, backward in ((b, t, False), (t, b, True)):
            apply.run(source, p, out, backward)
            self.assertEqual(out.read_bytes(), result.read_bytes())
            out.unlink()

    def test_random_factors(self) -> None:
        rng = random.Random(5)
        coders = []
        for case in range(60):
            dtype = DTYPES[case % 3]
            shape = rng.choice(((1, 1), (7, 5), (2, 3, 4), (2, 2, 3, 2), (1, 33), (16, 1), (9, 11)))
            f, adapter = random_factors(rng, dtype, shape)
            base = craft.array(dtype, support.weights(dtype, int(np.prod(shape)), case), shape)
            target = tuned(f, base, adapter, case, rng.choice((0.0, 0.05, 0.7)))
            if target.data == base.data:
                continue
            chunk = rng.choice((4 * 2**20, 4 * rng.randrange(1, 9)))
            with self.subTest(case=case, dtype=dtype, shape=shape, f=f, chunk=chunk):
                self.both_ways(base, f, adapter, target, chunk=chunk, frame=craft.packed_frame)
            with Patch(self.path / "p") as patch:
                coders += [patch.chunk(t, c)[0] for t in patch.tensors for c in t.chunks]
        self.assertGreater(coders.count(5), 0.5 * len(coders))

    def test_special_bases_and_changes(self) -> None:
        """Every special value, changed by nothing, too little, much, too much, an infinity and a NaN."""
        for dtype in DTYPES:
            values = support.special(dtype)
            changes = np.array([0, -0.0, 1e-300, 1e-45, -1e-40, 6e-8, -6.1e-5, 1e-3, -1, 1, 65519, -65520, 3e38,
                                -3.4e38, 1e300, np.inf, -np.inf, np.nan])
            for rounding in ("sum", "change"):
                f = Factors(1, rounding, 1.0, [0, 0, 0, 1, 0], [1, 0, 0, 1, 0])
                base = craft.array(dtype, np.repeat(values, changes.size), (values.size, changes.size))
                ones = craft.array("F32", np.ones(values.size, "<f4"))
                with np.errstate(all="ignore"):
                    adapter = {"u": ones, "v": craft.array("F32", changes.astype("<f4"))}
                for scale in (1.0, 2.0**-30, 2.0**40):
                    f.scale = scale
                    with self.subTest(dtype=dtype, rounding=rounding, scale=scale):
                        self.both_ways(base, f, adapter, tuned(f, base, adapter, 1, 0.1))

    def test_predictions_ascend(self) -> None:
        """What 5.2.3 relies on, for all bases of 16 bits."""
        for dtype in ("BF16", "F16"):
            k = kind(dtype)
            every = lowrank.unsigned(np.arange(-(1 << 15), 1 << 15), k)
            for change in (1e-42, -3e-5, 0.37, -1.0, 1000.5, -7e4, 3e38):
                p = lowrank.Prediction(dtype, np.full(every.size, change))
                orders = lowrank.signed(p.target(every), k)
                self.assertTrue(np.all(np.diff(orders) >= 0), (dtype, change))
                for at in range(0, every.size, 4099):
                    found = craft_lowrank.bases(int(lowrank.unsigned(orders[at : at + 1], k)[0]), change, dtype)
                    self.assertEqual((np.flatnonzero(orders == orders[at])[[0, -1]] - (1 << 15)).tolist(),
                                     [found[0], found[-1]])

    def test_truncated_binary(self) -> None:
        for n in range(2, 70):
            bits = craft_ulp.Bits()
            for c in range(n):
                craft_lowrank.put_truncated(bits, c, n)
            found = lowrank.choices(np.full(n, n), bits.bytes())
            self.assertEqual(found.tolist(), list(range(n)))

    def test_the_sum_is_in_order(self) -> None:
        """1e8 + 1 - 1e8 in another order, or in float32, would not be 1 + 2^-20."""
        f = Factors(4, "sum", 1.0, [0, 0, 0, 0, 1], [0, 4, 0, 0, 1])
        adapter = [craft.array("F32", np.array([1e8, 1, -1e8, 2**-20, 1, 1, 1, 1], "<f4"))]
        self.assertEqual(f.changes(Tensor("F32", (1, 1), bytes(4)), adapter), [1 + 2**-20])
        value = np.frombuffer(adapter[0].data, "<f4").astype(float)
        read = factors.Factors(4, "sum", 1.0, *(factors.View(*v) for v in (f.u, f.v)))
        product = lowrank.Product(read, "F32", (1, 1), value, value)
        self.assertEqual(product.prediction(0, 1).change.tolist(), [1 + 2**-20])


class Broken(Files):
    """Defects of single chunks; patches with defective chunks are in fixtures/golden/refused-on-decode-features."""

    def setUp(self) -> None:
        super().setUp()
        f, adapter = random_factors(random.Random(8), "BF16", (9, 5))
        base = craft.array("BF16", support.weights("BF16", 45, 1), (9, 5))
        target = tuned(f, base, adapter, 1, 0.3)
        changes = f.changes(base, [*adapter.values()])
        self.stored = craft_lowrank.chunk(base.data, target.data, changes, base, "ulp", craft.packed_frame, None)
        self.sides = ((base.data, target.data, False), (target.data, base.data, True))
        self.predict = lambda: lowrank.Prediction("BF16", np.array(changes))

    def test_every_truncation(self) -> None:
        for known, other, backward in self.sides:
            self.assertEqual(decode_difference(self.stored, kind("BF16"), known, backward, self.predict), other)
            for end in range(len(self.stored)):
                with self.assertRaises(Refused):
                    decode_difference(self.stored[:end], kind("BF16"), known, backward, self.predict)

    def test_every_flipped_bit_gives_a_refusal_or_elements(self) -> None:
        for bit in range(8 * len(self.stored)):
            spoiled = bytearray(self.stored)
            spoiled[bit // 8] ^= 1 << bit % 8
            for known, _, backward in self.sides:
                try:
                    out = decode_difference(bytes(spoiled), kind("BF16"), known, backward, self.predict)
                    self.assertEqual(len(out), 90)
                except Refused:
                    pass


class Speed(unittest.TestCase):
    def test_speed(self) -> None:
        """Prints seconds for a matrix of half a chunk of the largest size, in both directions."""
        rows, columns, rank = 1024, 1024, 16
        rng = np.random.default_rng(1)
        u, v = (rng.normal(0, 0.01, n * rank) for n in (rows, columns))
        views = [factors.View(0, 0, 0, rank, 1), factors.View(1, 0, 0, rank, 1)]
        product = lowrank.Product(factors.Factors(rank, "sum", 2.0, *views), "BF16", (rows, columns), u, v)
        base = support.weights("BF16", rows * columns, 2)
        begun = time.monotonic()
        prediction = product.prediction(0, base.size)
        target = prediction.target(base)
        middle = time.monotonic()
        with self.assertRaises(Refused):  # the choice bits are missing
            product.prediction(0, base.size).base(target, b"")
        backward = time.monotonic() - middle
        forward = middle - begun
        print(f"low-rank, {base.size:,} weights, rank {rank}: forward {forward:.2f} s, backward {backward:.2f} s")
        self.assertLess(backward, 60)


class Adapters(Files):
    def draft(self, **options: Any) -> craft_features.FeatureDraft:
        f, adapter = random_factors(random.Random(3), "BF16", (4, 3))
        base = craft.array("BF16", support.weights("BF16", 12, 1), (4, 3))
        target = tuned(f, base, adapter, 1, 0.5)
        adapter["saved"] = craft.array("I64", np.arange(5, dtype="<i8"))
        return craft_features.FeatureDraft(Checkpoint({"w": base}), Checkpoint({"w": target}), adapter, {"w": f},
                                           **options)

    def patch(self, d: craft_features.FeatureDraft) -> Path:
        path = self.path / "p.vpatch"
        path.write_bytes(d.seal())
        return path

    def test_export(self) -> None:
        for options in ({}, {"held": "planes", "held_chunk": 40, "frame": craft.packed_frame}):
            d = self.draft(**options)
            header = craft.header_text(d.held, order=["saved", *list(d.held)[:-1]], metadata={"format": "pt"}, pad=64)
            d.add_files(b'{"r": 3}\n', header)
            out = self.path / f"adapter{len(options)}"
            export.run(self.patch(d), out)
            self.assertEqual((out / "adapter_config.json").read_bytes(), b'{"r": 3}\n')
            whole = (out / "adapter_model.safetensors").read_bytes()
            self.assertEqual(whole, craft.file_bytes(header, d.held))
            self.assertEqual(struct.unpack_from("<Q", whole)[0], len(header))
            self.assertRefused("output", "already exists", export.run, self.path / "p.vpatch", out)
            with Patch(self.path / "p.vpatch") as patch:
                self.assertEqual(patch.summary()["adapter"], {"tensors": 3, "files": True})

    def test_nothing_to_export(self) -> None:
        out = self.path / "adapter"
        self.assertRefused("no-adapter", "does not hold", export.run, self.patch(self.draft()), out)
        self.assertFalse(out.exists())

    def test_another_file_is_not_exported(self) -> None:
        d = self.draft()
        d.add_files(b"{}", craft.header_text(d.held))
        d.manifest["adapter"]["sha256"] = "0" * 64
        out = self.path / "adapter"
        self.assertRefused("adapter-digest", "adapter_model.safetensors", export.run, self.patch(d), out)
        self.assertFalse(out.exists())


if __name__ == "__main__":
    unittest.main()
