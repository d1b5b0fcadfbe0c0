"""Patches into arrays and out again, and what is refused."""

import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import vpatch
from arrays import PAIR, Arrays, read, same
from vpatch import _places, _swap


def test_facts(patch: vpatch.Patch) -> None:
    assert len(patch.identity) == len(patch.base_root) == len(patch.target_root) == 64
    assert (patch.name, patch.recipe, patch.status, patch.records) == ("sa-proj", "sa-proj", "unmeasured", [])
    assert len(patch.touched) == 4 and all(tensor.operation == "change" for tensor in patch.touched)
    assert {tensor.name for tensor in patch.tensors} == set(read(PAIR / "base.safetensors"))
    assert patch.to_dict()["identity"] == patch.identity
    assert patch.identity[:12] in repr(patch)


def test_fingerprints(patch: vpatch.Patch, base: Arrays) -> None:
    for tensor in patch.touched:
        assert vpatch.fingerprint(base[tensor.name]) == tensor.base


def test_round_trip(patch: vpatch.Patch, base: Arrays, tuned: Arrays) -> None:
    model = {name: array.copy() for name, array in base.items()}
    assert patch.is_applied(model) is False
    patch.apply_(model)
    assert same(model, tuned) and patch.is_applied(model) is True
    patch.revert_(model)
    assert same(model, base)


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_threads(patch: vpatch.Patch, base: Arrays, tuned: Arrays, threads: int) -> None:
    patch.apply_(base, threads=threads)
    assert same(base, tuned)


def test_arrays_that_are_not_contiguous(patch: vpatch.Patch, base: Arrays, tuned: Arrays) -> None:
    model = {name: np.asfortranarray(array) for name, array in base.items()}
    patch.apply_(model)
    assert all(np.array_equal(model[name].view(np.uint16), tuned[name].view(np.uint16)) for name in model)
    patch.revert_(model)
    assert all(np.array_equal(model[name].view(np.uint16), base[name].view(np.uint16)) for name in model)


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "module._orig_mod."])
def test_names_of_wrappers(patch: vpatch.Patch, base: Arrays, tuned: Arrays, prefix: str) -> None:
    model = {prefix + name: array for name, array in base.items()}
    patch.apply_(model)
    assert same({name.removeprefix(prefix): array for name, array in model.items()}, tuned)


def test_applied(patch: vpatch.Patch, base: Arrays, tuned: Arrays) -> None:
    before = {name: array.copy() for name, array in base.items()}
    with patch.applied(base) as model:
        assert same(model, tuned)
    assert same(base, before)
    with pytest.raises(KeyError, match="stop"), patch.applied(base):
        raise KeyError("stop")
    assert same(base, before)


def test_applied_twice(patch: vpatch.Patch, base: Arrays) -> None:
    with pytest.raises(vpatch.WrongBase, match="does not hold this patch, but its base"):
        patch.revert_(base)
    patch.apply_(base)
    with pytest.raises(vpatch.WrongBase, match="holds this patch already"):
        patch.apply_(base)


def untouched_by(model: Arrays, error: type[Exception], words: str, patch: vpatch.Patch) -> None:
    before = {name: array.copy() for name, array in model.items()}
    with pytest.raises(error, match=words):
        patch.apply_(model)
    assert same(model, before)


def test_wrong_base(patch: vpatch.Patch, base: Arrays) -> None:
    last = patch.touched[-1].name
    base[last].view(np.uint16).flat[7] ^= 1
    untouched_by(base, vpatch.WrongBase, "other bits in", patch)


def test_missing_tensor(patch: vpatch.Patch, base: Arrays) -> None:
    del base[patch.touched[2].name]
    untouched_by(base, vpatch.Refused, "is not in the model", patch)


def test_other_dtype(patch: vpatch.Patch, base: Arrays) -> None:
    model = {name: array.astype(np.float32) for name, array in base.items()}
    untouched_by(model, vpatch.Refused, r"is F32 in the model and BF16 .*load the model in the base's dtype", patch)


def test_other_shape(patch: vpatch.Patch, base: Arrays) -> None:
    name = patch.touched[0].name
    base[name] = base[name][:-1].copy()
    untouched_by(base, vpatch.Refused, "has the shape", patch)


def test_read_only_memory(patch: vpatch.Patch, base: Arrays) -> None:
    before = {name: array.copy() for name, array in base.items()}
    base[patch.touched[1].name].flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        patch.apply_(base)
    assert same(base, before)


def test_no_model(patch: vpatch.Patch) -> None:
    with pytest.raises(vpatch.Refused, match="give a torch.nn.Module"):
        patch.apply_(7)
    with pytest.raises(vpatch.VPatchError):
        patch.apply_({"a": [1, 2]})


def test_damaged_and_missing_files(damaged: Path, tmp_path: Path) -> None:
    data = bytearray(damaged.read_bytes())
    for place in (0, 40, len(data) // 2, len(data) - 1):
        other = bytearray(data)
        other[place] ^= 0x10
        damaged.write_bytes(other)
        with pytest.raises(vpatch.InvalidFile):
            vpatch.open(damaged)
    for length in (0, 10, 100, len(data) // 2, len(data) - 1):
        damaged.write_bytes(data[:length])
        with pytest.raises(vpatch.InvalidFile):
            vpatch.open(damaged)
    with pytest.raises(vpatch.IOFailure, match="cannot be opened"):
        vpatch.open(tmp_path / "none.vpatch")


def failing(monkeypatch: pytest.MonkeyPatch, at: int, error: BaseException) -> None:
    """Lets the n-th decoded tensor fail."""
    count = 0
    lock = threading.Lock()
    turn = _swap._turn

    def one(*arguments: Any) -> None:
        nonlocal count
        with lock:
            count += 1
            mine = count
        if mine == at:
            raise error
        turn(*arguments)

    monkeypatch.setattr(_swap, "_turn", one)


@pytest.mark.parametrize("at", [1, 2, 3, 4])
@pytest.mark.parametrize("error", [RuntimeError("no memory"), OSError(5, "disk"), KeyboardInterrupt()])
def test_failure_in_the_middle(
    patch: vpatch.Patch, base: Arrays, monkeypatch: pytest.MonkeyPatch, at: int, error: BaseException
) -> None:
    before = {name: array.copy() for name, array in base.items()}
    failing(monkeypatch, at, error)
    with pytest.raises(type(error)):
        patch.apply_(base)
    assert same(base, before)


def test_failed_copy(patch: vpatch.Patch, base: Arrays, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tensor that cannot be decoded where it is: its copy fails the n-th time."""
    model = {name: np.asfortranarray(array) for name, array in base.items()}
    before = {name: array.copy() for name, array in model.items()}
    write = _places.Place.write
    for at in range(1, 5):
        calls = 0

        def failing_write(self: _places.Place, data: Any, at: int = at) -> None:
            nonlocal calls
            calls += 1
            if calls == at:
                raise RuntimeError("the device is gone")
            write(self, data)

        monkeypatch.setattr(_places.Place, "write", failing_write)
        with pytest.raises(RuntimeError, match="the device is gone"):
            patch.apply_(model, threads=1)
        monkeypatch.setattr(_places.Place, "write", write)
        assert same(model, before)


def test_interrupt(patch: vpatch.Patch, base: Arrays, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C while tensors are decoded."""
    before = {name: array.copy() for name, array in base.items()}
    main = threading.main_thread().ident
    turn = _swap._turn
    sent = threading.Event()

    def interrupting(*arguments: Any) -> None:
        turn(*arguments)
        if not sent.is_set():
            sent.set()
            signal.pthread_kill(int(main or 0), signal.SIGINT)

    monkeypatch.setattr(_swap, "_turn", interrupting)
    with pytest.raises(KeyboardInterrupt):
        patch.apply_(base, threads=1)
    assert same(base, before)


def test_own_handler(patch: vpatch.Patch, base: Arrays, tuned: Arrays, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program whose own handler takes Ctrl-C gets what it asked for."""
    seen: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: seen.append(number))
    try:
        turn = _swap._turn

        def interrupting(*arguments: Any) -> None:
            turn(*arguments)
            signal.pthread_kill(int(threading.main_thread().ident or 0), signal.SIGINT)

        monkeypatch.setattr(_swap, "_turn", interrupting)
        patch.apply_(base)
    finally:
        signal.signal(signal.SIGINT, before)
    assert seen and same(base, tuned)


def test_patch_file_replaced_meanwhile(damaged: Path, base: Arrays, tuned: Arrays) -> None:
    patch = vpatch.open(damaged)
    damaged.unlink()
    damaged.write_bytes(b"something else")
    patch.apply_(base)
    assert same(base, tuned)


def identity_of(path: str) -> str:
    patch = vpatch.open(path, threads=4)
    model = read(PAIR / "base.safetensors")
    patch.apply_(model)
    patch.revert_(model)
    return patch.identity


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_processes(patches: dict[str, Path], method: str) -> None:
    path = str(patches["sa-proj"])
    expected = identity_of(path)
    with get_context(method).Pool(2) as pool:
        assert set(pool.map(identity_of, [path] * 4)) == {expected}


def test_open_patch_after_fork(patch: vpatch.Patch, base: Arrays, tuned: Arrays) -> None:
    patch.apply_(base)
    child = os.fork()
    if child == 0:
        try:
            patch.revert_(base)
            patch.apply_(base)
            os._exit(0 if same(base, tuned) else 1)
        except BaseException:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_first_work_after_a_fork(tmp_path: Path) -> None:
    """What several threads do for the first time in the child. Swift remembers the number of the thread that forked,
    which is another in the child: without care it waits there for ever."""
    # Equal tensors, so that the threads come to each place at the same time.
    script = """
import os, signal, sys
import numpy as np
import vpatch

rng = np.random.default_rng(0)
base, tuned = ({f"{i}": rng.standard_normal((64, 64)).astype(np.float16) for i in range(8)} for _ in range(2))
vpatch.fingerprint(base["0"])
for child in range(30):
    if os.fork() == 0:
        signal.alarm(20)
        vpatch.create(base, tuned, f"{sys.argv[1]}/{child}.vpatch")
        os._exit(0)
    status = os.waitstatus_to_exitcode(os.wait()[1])
    assert status == 0, f"the child {child} ended with {status}"
"""
    subprocess.run([sys.executable, "-c", script, tmp_path], check=True)


def test_many_threads(patches: dict[str, Path]) -> None:
    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(identity_of, [str(patches["sa-proj"])] * 32))) == 1


def test_a_thousand_swaps(patches: dict[str, Path], base: Arrays) -> None:
    """No growth of memory, and the base's bits at the end. In test_torch.py with five patches of a whole model."""
    before = {name: array.copy() for name, array in base.items()}
    opened = [vpatch.open(path) for path in patches.values()]

    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

    start = 0
    for i in range(300):
        with opened[i % 2].applied(base):
            pass
        if i == 50:
            start = resident()
    assert same(base, before)
    assert resident() - start < 8 << 20
