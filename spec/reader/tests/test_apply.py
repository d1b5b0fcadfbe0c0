"""Applies and reverts whole checkpoints, byte for byte; and wrong inputs."""

import contextlib
import io
import json
import tempfile
from pathlib import Path
from typing import Any

import support
from support import DTYPES, FLOATS, LENGTHS, Refusals

import craft
import numpy as np

from vpatch_reader import apply
from vpatch_reader.__main__ import main
from vpatch_reader.container import Patch
from vpatch_reader.refused import Refused


def tensor(dtype: str, shape: tuple[int, ...], seed: int = 0) -> craft.Tensor:
    return craft.array(dtype, support.weights(dtype, int(np.prod(shape, dtype=int)), seed), shape)


def tuned(t: craft.Tensor, seed: int = 1) -> craft.Tensor:
    k = np.dtype(f"<u{t.width}")
    return craft.Tensor(t.dtype, t.shape, support.nudge(np.frombuffer(t.data, k), seed).tobytes())


def contents(path: Path) -> Any:
    return path.read_bytes() if path.is_file() else {p.name: p.read_bytes() for p in sorted(path.iterdir())}


class Files(Refusals):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name)

    def there_and_back(self, base: craft.Checkpoint, target: craft.Checkpoint, **options: Any) -> list[Path]:
        names = [self.path / f"{n}{len(list(self.path.iterdir()))}"
                 for n in ("base", "target", "patch", "made", "back")]
        base.write(names[0])
        target.write(names[1])
        names[2].write_bytes(craft.make(base, target, **options))
        before, after = contents(names[0]), contents(names[1])
        self.assertEqual(apply.run(names[0], names[2], names[3], backward=False), [])
        self.assertEqual(contents(names[3]), after)
        self.assertEqual(apply.run(names[3], names[2], names[4], backward=True), [])
        self.assertEqual(contents(names[4]), before)
        return names


class RoundTrips(Files):
    def test_all_dtypes_and_lengths_in_one_file(self) -> None:
        for coder in ("raw", "planes", "sparse", "ulp"):
            with self.subTest(coder=coder):
                dtypes = FLOATS if coder == "ulp" else DTYPES
                base = {f"{d}.{n}": tensor(d, (n,), n) for d in dtypes for n in LENGTHS}
                target = {name: tuned(t) if i % 3 else t for i, (name, t) in enumerate(base.items())}
                plain = "raw" if coder == "raw" else "planes"
                frame = craft.packed_frame
                self.there_and_back(craft.Checkpoint(base), craft.Checkpoint(target), coder=coder, plain=plain,
                                    frame=frame)

    def test_chunks_shorter_than_the_tensor(self) -> None:
        base = {"w": tensor("BF16", (50, 37))}
        target = {"w": tuned(base["w"])}
        for coder in ("raw", "planes", "ulp"):
            for chunk in (2, 34, 600, 1000):
                if chunk > 2 or coder == "raw":
                    self.there_and_back(craft.Checkpoint(base), craft.Checkpoint(target), coder=coder, plain="planes",
                                        chunk=chunk)

    def test_every_operation(self) -> None:
        base = {
            "changed": tensor("F32", (3, 4)), "dropped": tensor("F16", (5,)), "embed": tensor("BF16", (6, 8), 1),
            "head": tensor("BF16", (9, 8), 2), "kept": tensor("F64", (2,)), "retyped": tensor("F32", (4,)),
            "reshaped": tensor("I8", (4, 2)), "ranked": tensor("U8", (4,)), "scalar": tensor("F32", ()),
            "empty": tensor("F16", (0, 3)),
            "from_none": tensor("U8", (0, 2)), "odd": tensor("F4", (4,), 3), "odd_changed": tensor("F4", (4,), 3),
            "odd_length": craft.Tensor("X9", (4,), b"123"), "zero": craft.Tensor("F32", (2**40, 0, 2**40), b""),
        }
        grown = craft.Tensor("BF16", (11, 8), tuned(base["embed"]).data + tensor("BF16", (5, 8), 4).data)
        shrunk = craft.Tensor("BF16", (4, 8), base["head"].data[:64])
        target = {
            "added": tensor("BOOL", (7,)), "changed": tuned(base["changed"]), "embed": grown, "head": shrunk,
            "kept": base["kept"],
            "retyped": tensor("BF16", (4,)), "reshaped": craft.Tensor("I8", (2, 4), base["reshaped"].data),
            "ranked": craft.Tensor("U8", (2, 2), base["ranked"].data),
            "scalar": tuned(base["scalar"]), "empty": craft.Tensor("F16", (3, 0), b""),
            "added_empty": craft.Tensor("F32", (2, 0, 2), b""),
            "added_scalar": tensor("F32", ()), "from_none": tensor("U8", (3, 2)),
            "odd": craft.Tensor("F4", (6,), tuned(base["odd"]).data + b"!?"),
            "odd_changed": tuned(base["odd_changed"]), "odd_length": craft.Tensor("X9", (4,), b"1234"),
            "zero": craft.Tensor("F32", (2**40, 0), b""),
        }
        for coder in ("raw", "planes", "sparse"):
            self.there_and_back(craft.Checkpoint(base), craft.Checkpoint(target), coder=coder)
        ops = {e["name"]: e["op"] for e in craft.Draft(craft.Checkpoint(base), craft.Checkpoint(target)).tensors}
        self.assertEqual(set(ops.values()), {"same", "change", "rows", "add", "remove", "replace"})
        self.assertEqual([ops[n] for n in ("odd", "odd_changed", "odd_length")], ["replace", "change", "replace"])

    def test_nothing_changes_and_no_tensors(self) -> None:
        base = {"w": tensor("F32", (2,))}
        self.there_and_back(craft.Checkpoint(base), craft.Checkpoint(base))
        self.there_and_back(craft.Checkpoint({}), craft.Checkpoint({}))
        self.there_and_back(craft.Checkpoint({}), craft.Checkpoint(base))

    def test_headers_and_file_order_come_back(self) -> None:
        base = {"a": tensor("F32", (2,)), "b": tensor("F16", (3,)), "ü": tensor("U8", (1,))}
        target = base | {"b": tuned(base["b"])}
        one = {"": craft.header_text(base, order=["ü", "b", "a"], metadata={"format": "pt", "": "\u0001"}, pad=64)}
        two = {"": craft.header_text(target, order=["b", "a", "ü"], pad=1)}
        self.there_and_back(craft.Checkpoint(base, one), craft.Checkpoint(target, two))

    def test_directories_shards_index_and_side_files(self) -> None:
        base = {f"layer.{i}.weight": tensor("BF16", (4, 5), i) for i in range(4)}
        target = {n: tuned(t) for n, t in list(base.items())[1:]} | {"new": tensor("F32", (2,))}
        names = list(base)
        a, b = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"
        side = {"config.json": b"{}", "only_base.txt": b"x", "same.txt": b"="}
        one = craft.sharded(base, {a: names[:2], b: names[2:]}, side=side)
        more = {"config.json": b'{"more": 1}', "chat.jinja": "ü".encode(), "same.txt": b"="}
        two = craft.sharded(target, {a: ["new"], b: names[1:]}, side=more)
        plain = craft.Checkpoint(target, {"model.safetensors": craft.header_text(target)}, side=more)
        self.there_and_back(one, two)
        self.there_and_back(one, plain)
        self.there_and_back(plain, one)


class Inputs(Files):
    """The checkpoint is not the one that the patch was made from."""

    def setUp(self) -> None:
        super().setUp()
        self.base = {"a": tensor("F32", (2,)), "b": tensor("BF16", (40,))}
        self.target = self.base | {"b": tuned(self.base["b"])}
        self.patch = self.path / "p.vpatch"
        self.patch.write_bytes(craft.make(craft.Checkpoint(self.base), craft.Checkpoint(self.target)))
        self.out = self.path / "out"

    def run_on(self, tensors: dict[str, craft.Tensor], files: dict[str, bytes] | None = None,
               backward: bool = False) -> list[str]:
        path = self.path / "in"
        craft.Checkpoint(tensors, files or {}).write(path)
        return apply.run(path, self.patch, self.out, backward)

    def test_another_layout_is_kept(self) -> None:
        files = {"": craft.header_text(self.base, order=["b", "a"], metadata={"mine": "yes"})}
        self.assertIn("own layout", *self.run_on(self.base, files))
        self.assertEqual(self.out.read_bytes(), craft.file_bytes(files[""], self.target))

    def test_another_layout_needs_change_only(self) -> None:
        self.patch.write_bytes(craft.make(craft.Checkpoint(self.base), craft.Checkpoint({"a": self.base["a"]})))
        files = {"": craft.header_text(self.base, pad=4096)}
        self.assertRefused("other-layout", "remove of 'b' needs that", self.run_on, self.base, files)

    def test_wrong_bases(self) -> None:
        other = tensor("BF16", (40,), 99)
        wrong = {
            "other bytes": self.base | {"b": other},
            "lacks the tensor 'a'": {"b": self.base["b"]},
            "has the tensor 'c'": self.base | {"c": other},
            "is F32 [1, 2]": self.base | {"a": craft.Tensor("F32", (1, 2), bytes(8))},
        }
        for words, tensors in wrong.items():
            self.assertRefused("wrong-base", words, self.run_on, tensors)
        self.assertRefused("wrong-base", "other bytes", self.run_on, self.target)
        self.assertRefused("wrong-base", "other bytes", self.run_on, self.base, backward=True)
        self.assertEqual(sorted(p.name for p in self.path.iterdir()), ["in", "p.vpatch"])

    def test_nothing_is_overwritten(self) -> None:
        self.out.write_bytes(b"mine")
        self.assertRefused("output", "already exists", self.run_on, self.base)
        self.assertEqual(self.out.read_bytes(), b"mine")

    def test_nothing_is_left_when_the_result_is_wrong(self) -> None:
        draft = craft.Draft(craft.Checkpoint(self.base), craft.Checkpoint(self.target))
        draft.tensors[1]["target"]["fingerprint"] = "0" * 64
        self.patch.write_bytes(draft.seal())
        self.assertRefused("result", "did not become", self.run_on, self.base)
        self.assertEqual(sorted(p.name for p in self.path.iterdir()), ["in", "p.vpatch"])

    def side_files(self, mine: dict[str, bytes], **header: Any) -> tuple[dict[str, bytes], list[str]]:
        """The patch changes note, adds new and removes old. Returns the resulting side files, and the notes."""
        files = [{"model.safetensors": craft.header_text(tensors)} for tensors in (self.base, self.target)]
        one = craft.Checkpoint(self.base, files[0], side={"note": b"1", "old": b"3"})
        two = craft.Checkpoint(self.target, files[1], side={"note": b"2", "new": b"4"})
        self.patch.write_bytes(craft.make(one, two))
        folder = self.path / f"in{len(list(self.path.iterdir()))}"
        craft.Checkpoint(self.base, {"model.safetensors": craft.header_text(self.base, **header)},
                         side=mine).write(folder)
        out = folder.with_suffix(".out")
        notes = apply.run(folder, self.patch, out, False)
        return {n: d for n, d in contents(out).items() if n != "model.safetensors"}, notes

    def test_a_changed_side_file_stays_and_is_said(self) -> None:
        self.assertEqual(self.side_files({"note": b"1", "old": b"3", "own": b"5"}),
                         ({"note": b"2", "new": b"4", "own": b"5"}, []))
        self.assertEqual(self.side_files({"note": b"2", "new": b"4"}), ({"note": b"2", "new": b"4"}, []))
        for mine, after, words in (
            ({"note": b"mine", "old": b"3"}, {"note": b"mine", "new": b"4"}, "note was changed"),
            ({"old": b"3"}, {"new": b"4"}, "note is missing"),
            ({"note": b"1", "old": b"mine"}, {"note": b"2", "new": b"4", "old": b"mine"}, "old was changed"),
            ({"note": b"1", "old": b"3", "new": b"mine"}, {"note": b"2", "new": b"mine"}, "new was changed"),
        ):
            found, notes = self.side_files(mine)
            self.assertEqual(found, after)
            self.assertIn(words, *notes)

    def test_side_files_do_not_ask_for_the_layout(self) -> None:
        found, notes = self.side_files({"note": b"1", "old": b"3"}, pad=512)
        self.assertEqual(found, {"note": b"2", "new": b"4"})
        self.assertIn("own layout", *notes)


class Command(Files):
    def call(self, *arguments: str | Path) -> tuple[int, str, str]:
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main([str(a) for a in arguments])
        return code, out.getvalue(), err.getvalue()

    def test_commands(self) -> None:
        base = {"w": tensor("F32", (3,))}
        target = {"w": tuned(base["w"])}
        b, t, p, made, back = (self.path / n for n in "btpmk")
        craft.Checkpoint(base).write(b)
        craft.Checkpoint(target).write(t)
        draft = craft.Draft(craft.Checkpoint(base), craft.Checkpoint(target))
        draft.annotations = b'{ "name": "x", "unknown": [1.5e3, null] }'
        p.write_bytes(draft.seal())
        self.assertEqual(self.call("check", p), (0, "", ""))
        self.assertEqual(self.call("apply", b, p, made), (0, "", ""))
        self.assertEqual(self.call("revert", made, p, back), (0, "", ""))
        self.assertEqual((made.read_bytes(), back.read_bytes()), (t.read_bytes(), b.read_bytes()))
        code, out, _ = self.call("show", p)
        self.assertEqual((code, json.loads(out)["annotations"]["name"]), (0, "x"))
        p.write_bytes(p.read_bytes() + b"\n")
        code, _, err = self.call("check", p)
        self.assertEqual(code, 1)
        self.assertRegex(err, r"\A.*p: the annotations end at \d+, the file at \d+ \[layout, section 3\.2 \(8\)\]\n\Z")
        self.assertEqual(self.call("check")[0], 2)
        self.assertEqual(self.call("check", self.path / "none")[0], 1)


class EveryByte(Files):
    def test_a_flipped_bit_anywhere_is_found(self) -> None:
        base = {"a": tensor("F32", (2,)), "b": tensor("BF16", (40,))}
        data = craft.make(craft.Checkpoint(base), craft.Checkpoint(base | {"b": tuned(base["b"])}))
        p = self.path / "p"
        for i in range(len(data)):
            spoiled = bytearray(data)
            spoiled[i] ^= 1 << i % 8
            p.write_bytes(spoiled)
            with self.assertRaises(Refused, msg=f"byte {i}"):
                Patch(p)
        for end in range(len(data)):
            p.write_bytes(data[:end])
            with self.assertRaises(Refused, msg=f"{end} bytes"):
                Patch(p)


if __name__ == "__main__":
    import unittest

    unittest.main()
