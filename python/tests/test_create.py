"""Patches made from tensors in memory: the same as from files."""

from pathlib import Path

import numpy as np
import pytest
import vpatch
from arrays import PAIR, Arrays, same

BASE = PAIR / "base.safetensors"


def test_forms_of_the_tuned_side(patch: vpatch.Patch, base: Arrays, tuned: Arrays, tmp_path: Path) -> None:
    trained = {tensor.name: tuned[tensor.name] for tensor in patch.touched}
    forms = {
        "mapping": vpatch.create(BASE, tuned, tmp_path / "a.vpatch", recipe="sa-proj"),
        "iterator": vpatch.create(BASE, iter(tuned.items()), tmp_path / "b.vpatch", recipe="sa-proj"),
        "any order": vpatch.create(BASE, reversed(list(tuned.items())), tmp_path / "c.vpatch", recipe="sa-proj"),
        "trained alone": vpatch.create(BASE, trained, tmp_path / "d.vpatch", recipe="sa-proj", partial=True),
        "base in memory": vpatch.create(base, tuned, tmp_path / "e.vpatch", recipe="sa-proj"),
        "wrapped": vpatch.create(
            BASE, {"module." + name: value for name, value in tuned.items()}, tmp_path / "f.vpatch", recipe="sa-proj"),
        "strided": vpatch.create(
            BASE, {name: np.asfortranarray(value) for name, value in tuned.items()}, tmp_path / "g.vpatch"),
    }
    assert {form: made.identity for form, made in forms.items()} == dict.fromkeys(forms, patch.identity)
    assert not [path for path in tmp_path.iterdir() if path.suffix != ".vpatch"], "temporary files are left"


def test_an_iterator_is_not_kept(tuned: Arrays, tmp_path: Path, patch: vpatch.Patch) -> None:
    def reused() -> object:
        for name, value in tuned.items():
            copy = value.copy()
            yield name, copy
            copy.view(np.uint16)[...] = 0xFFFF

    assert vpatch.create(BASE, reused(), tmp_path / "a.vpatch").identity == patch.identity


def test_float32_masters(base: Arrays, tuned: Arrays, tmp_path: Path, patch: vpatch.Patch) -> None:
    masters = {tensor.name: tuned[tensor.name].astype(np.float32) for tensor in patch.touched}
    made = vpatch.create(BASE, masters, tmp_path / "a.vpatch", recipe="sa-proj", partial=True, cast_to_base=True)
    assert made.identity == patch.identity
    assert sorted(made.to_dict()["annotations"]["made"]["cast"]) == sorted(masters)


def test_refused(base: Arrays, tuned: Arrays, tmp_path: Path, patch: vpatch.Patch) -> None:
    out = tmp_path / "a.vpatch"
    with pytest.raises(vpatch.Refused, match="outside the recipe gate-up"):
        vpatch.create(BASE, tuned, out, recipe="gate-up")
    with pytest.raises(vpatch.Refused, match="same tensors as the base"):
        vpatch.create(BASE, base, out)
    with pytest.raises(vpatch.Misuse, match="is not a recipe; there are sa-proj"):
        vpatch.create(BASE, tuned, out, recipe="attention")
    with pytest.raises(vpatch.Refused, match="no tensor was given"):
        vpatch.create(BASE, {}, out)
    with pytest.raises(vpatch.Refused, match="was given twice"):
        vpatch.create(BASE, [*tuned.items(), *tuned.items()], out)
    with pytest.raises(vpatch.Refused, match="not a model"):
        vpatch.create(BASE, 7, out)
    with pytest.raises(vpatch.Refused, match="has the dtype complex64"):
        vpatch.create(BASE, {"a": np.zeros(3, np.complex64)}, out)
    with pytest.raises(vpatch.IOFailure, match="does not exist"):
        vpatch.create(tmp_path / "none", tuned, out)
    with pytest.raises(vpatch.InvalidFile, match="training record"):
        vpatch.create(BASE, tuned, out, training={"steps": 3})
    assert not out.exists() and not list(tmp_path.iterdir())
    vpatch.create(BASE, tuned, out)
    with pytest.raises(vpatch.Refused, match="exists"):
        vpatch.create(BASE, tuned, out)
    vpatch.create(BASE, tuned, out, replace=True)


def test_an_iterator_that_fails(tuned: Arrays, tmp_path: Path) -> None:
    def failing() -> object:
        yield from list(tuned.items())[:5]
        raise RuntimeError("out of data")

    with pytest.raises(RuntimeError, match="out of data"):
        vpatch.create(BASE, failing(), tmp_path / "a.vpatch")
    assert not list(tmp_path.iterdir())


def test_name_and_note(tuned: Arrays, tmp_path: Path) -> None:
    made = vpatch.create(BASE, tuned, tmp_path / "a.vpatch", name="räume", note="größer")
    assert made.name == "räume" and made.to_dict()["annotations"]["note"] == "größer"


def test_merge(patches: dict[str, Path], base: Arrays, tmp_path: Path) -> None:
    before = {name: array.copy() for name, array in base.items()}
    one, two = (vpatch.open(path) for path in patches.values())
    stack = vpatch.merge([one, (two, 0.5)], BASE)
    assert stack.identity == vpatch.merge([(two, 0.5), one], BASE, tmp_path / "s.vpatch").identity
    stack.apply_(base)
    assert not same(base, before)
    stack.revert_(base)
    assert same(base, before)
    assert vpatch.merge([one], BASE).identity == one.identity
    with pytest.raises(vpatch.Refused, match="ties"):
        vpatch.merge([one, two], BASE, method="tiles")
    with pytest.raises(vpatch.Refused, match="twice"):
        vpatch.merge([one, one], BASE)
    with pytest.raises(vpatch.Refused, match="no patch"):
        vpatch.merge([], BASE)


def test_select(patch: vpatch.Patch) -> None:
    names = [tensor.name for tensor in patch.tensors]
    assert vpatch.select("sa-proj", names) == [tensor.name for tensor in patch.touched]
    assert vpatch.select("sa-proj", ["module." + name for name in names]) == [
        "module." + tensor.name for tensor in patch.touched]
    with pytest.raises(vpatch.Misuse, match="is not a recipe"):
        vpatch.select("nothing", names)
