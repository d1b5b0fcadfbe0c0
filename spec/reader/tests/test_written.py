"""The second reader applies and reverts patches that vpatch wrote; every byte is compared."""

import filecmp
import tempfile
import unittest
from pathlib import Path

from support import FIXTURES

from vpatch_reader import apply
from vpatch_reader.container import Patch

WRITTEN = FIXTURES / "golden" / "written"
FOLDERS = sorted(path.name for path in WRITTEN.iterdir() if (path / "task.vpatch").exists())


def side(folder: str, *names: str) -> Path:
    return next(path for name in names for path in (WRITTEN / folder / name, WRITTEN / folder / f"{name}.safetensors")
                if path.exists())


class Written(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.out = Path(folder.name)

    def assertSame(self, a: Path, b: Path) -> None:
        names = sorted(path.relative_to(a) for path in a.rglob("*")) if a.is_dir() else [Path()]
        if a.is_dir():
            self.assertEqual(names, sorted(path.relative_to(b) for path in b.rglob("*")))
        for name in names:
            self.assertTrue(filecmp.cmp(a / name, b / name, shallow=False), a / name)

    def test_both_directions(self) -> None:
        self.assertGreaterEqual(len(FOLDERS), 7)
        for name in FOLDERS:
            with self.subTest(name):
                patch = WRITTEN / name / "task.vpatch"
                base, target = side(name, "base"), side(name, "result", "target")
                self.assertEqual(apply.run(base, patch, self.out / f"{name}.applied", backward=False), [])
                self.assertSame(target, self.out / f"{name}.applied")
                self.assertEqual(apply.run(target, patch, self.out / f"{name}.reverted", backward=True), [])
                self.assertSame(base, self.out / f"{name}.reverted")

    def test_they_use_everything(self) -> None:
        operations, coders = set(), set()
        for name in FOLDERS:
            with Patch(WRITTEN / name / "task.vpatch") as patch:
                for tensor in patch.tensors:
                    operations.add(tensor.op)
                    coders |= {(chunk.role, patch.chunk(tensor, chunk)[0]) for chunk in tensor.chunks}
        self.assertEqual(operations, {"same", "change", "rows", "add", "remove", "replace"})
        self.assertLessEqual({("d", 1), ("d", 2), ("d", 3), ("d", 4), ("b", 1), ("t", 1)}, coders)


if __name__ == "__main__":
    unittest.main()
