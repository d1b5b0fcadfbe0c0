"""Copies (3.4): random ones beside every operation, and inputs that are not the original."""

import random
import unittest

import support  # noqa: F401 (puts the reader on sys.path)

import craft
import craft_features
from craft import Checkpoint, Tensor
from test_apply import Files, tensor, tuned

from vpatch_reader import apply
from vpatch_reader.container import Patch
from vpatch_reader.refused import Refused


def random_pair(rng: random.Random, seed: int) -> tuple[Tensor | None, Tensor | None]:
    """An original: its base and its target, one of which may be missing."""
    dtype = rng.choice(("BF16", "F32", "I8", "X9_odd"))
    base = tensor(dtype, (rng.randrange(1, 6), 4), seed)
    grown = Tensor(dtype, (base.shape[0] + 2, 4), tuned(base).data + tensor(dtype, (2, 4), seed + 1).data)
    recast = tensor("F16", (3,), seed)
    return rng.choice(((base, base), (base, tuned(base)), (base, grown), (grown, base), (base, recast), (base, None),
                       (None, base)))


class Copies(Files):
    def test_random_copies(self) -> None:
        rng = random.Random(4)
        for seed in range(12):
            sides: tuple[dict[str, Tensor], dict[str, Tensor]] = ({}, {})
            copies = {}
            for i in range(8):
                pair = random_pair(rng, 100 * seed + i)
                original, copy = rng.sample((f"a{i}", f"b{i}"), 2)  # either may be first
                here = [side for side in (0, 1) if pair[side]]
                kept = rng.choice([[s] for s in here] + [here])
                for side, of_pair in enumerate(pair):
                    if of_pair:
                        sides[side][original] = of_pair
                    if of_pair and side in kept:
                        sides[side][copy] = of_pair
                if craft.operation(*(side.get(copy) for side in sides)) != "same":
                    copies[copy] = original
            base, target = (Checkpoint(dict(sorted(s.items()))) for s in sides)
            draft = craft_features.FeatureDraft(base, target, copies=copies, coder="sparse", frame=craft.packed_frame)
            patch, b, t, made, back = (self.path / f"{n}{seed}" for n in ("patch", "base", "target", "made", "back"))
            patch.write_bytes(draft.seal())
            base.write(b)
            target.write(t)
            with self.subTest(copies=copies):
                with Patch(patch) as p:
                    self.assertEqual({e.name: e.copy for e in p.tensors if e.copy}, copies)
                apply.run(b, patch, made, backward=False)
                self.assertEqual(made.read_bytes(), t.read_bytes())
                apply.run(t, patch, back, backward=True)
                self.assertEqual(back.read_bytes(), b.read_bytes())

    def test_the_original_of_a_copy_is_checked(self) -> None:
        """It stays the same, so nothing else would find that it is another one before the result is wrong."""
        embed = tensor("BF16", (4, 3))
        base, target = {"embed": embed}, {"embed": embed, "head": embed}
        patch, wrong = self.path / "p", self.path / "w"
        draft = craft_features.FeatureDraft(Checkpoint(base), Checkpoint(target), copies={"head": "embed"})
        patch.write_bytes(draft.seal())
        Checkpoint({"embed": tuned(embed)}).write(wrong)
        self.assertRefused("wrong-base", "other bytes", apply.run, wrong, patch, self.path / "o", False)

    def test_a_flipped_bit_anywhere_is_found(self) -> None:
        embed = tensor("BF16", (2, 3))
        patch = self.path / "p"
        d = craft_features.FeatureDraft(Checkpoint({"e": embed}), Checkpoint({"e": embed, "h": embed}),
                                        {"f": tensor("F32", (4,))}, copies={"h": "e"})
        d.add_files(b"{}", craft.header_text(d.held))
        data = d.seal()
        for i in range(len(data)):
            spoiled = bytearray(data)
            spoiled[i] ^= 1 << i % 8
            patch.write_bytes(spoiled)
            with self.assertRaises(Refused, msg=f"byte {i}"):
                Patch(patch)


if __name__ == "__main__":
    unittest.main()
