"""Patches that pass `check` and must be refused when they are used: each has one defect in one chunk.

All apply to the same base.safetensors: "f" BF16 [256] and "i" I16 [32]. If only a backward
reader can find the defect, the test reverts the patch from target.safetensors.
"""

import itertools
import struct
from collections.abc import Callable, Sequence
from typing import Any

import craft
import craft_ulp
import numpy as np
from craft import Checkpoint, Draft, Tensor, raw_frame
from golden_refused import Make, small_frame

Field = tuple[int, int]  # a value, and its number of bits
CASES: list[tuple[str, str, str, str, str, Make]] = []  # file, section, rule, command, reason, maker


def case(name: str, section: str, rule: str, reason: str, make: Make, command: str = "apply") -> None:
    CASES.append((name, section, rule, command, reason, make))


def _f() -> tuple[Tensor, Tensor]:
    """Weights around the edge of a binade, moved by a few ulps, mostly towards the edge; some move far.
    So the base of a target near the edge may be on either side, which needs choice bits."""
    rng = np.random.default_rng(20261122)
    base = (0x3F00 + rng.integers(-24, 24, 256)).astype("<u2")
    move = np.where(rng.random(256) < 0.4, 0, rng.integers(-2, 7, 256)) * np.where(base < 0x3F00, 1, -1)
    move[[7, 50, 51]] = [40, -100, 19]
    return craft.array("BF16", base), craft.array("BF16", (base + move).astype("<u2"))


F, F2 = _f()
I = Tensor("I16", (32,), bytes(64))  # noqa: E741 (integers, as F are floats)
I2 = Tensor("I16", (32,), bytes(6) + b"\1\0" + bytes(48) + b"\xff\xff" + bytes(6))
BASE = Checkpoint({"f": F, "i": I})
TARGET = Checkpoint(BASE.tensors | {"f": F2})
ULP: dict[str, Any] = {"tables": 2}


def changed(name: str, target: Tensor, stored: bytes) -> bytes:
    """One tensor changes; its only chunk is `stored`."""
    d = Draft(BASE, Checkpoint(BASE.tensors | {name: target}), frame=small_frame)
    e = next(e for e in d.tensors if e["name"] == name)
    e["chunks"], d.payload = [], b""
    d.append(e, "d", stored, len(target.data))
    assert len(stored) <= len(target.data) + 16, len(stored)
    return d.seal()


def added(stored: bytes) -> bytes:
    z = Tensor("BF16", (24,), bytes(48))
    d = Draft(BASE, Checkpoint(BASE.tensors | {"z": z}), frame=small_frame)
    e = d.tensors[-1]
    e["chunks"], d.payload = [], b""
    d.append(e, "t", stored, 48)
    return d.seal()


def right(name: str, coder: str, target: Tensor) -> bytes:
    return craft.difference_chunk(coder, BASE.tensors[name].data, target.data, BASE.tensors[name], small_frame)


def runs_frame(data: bytes, *, size: int | None = -1, window: int) -> bytes:
    """A short frame with one block for each run of equal bytes, and with this window."""
    frame = raw_frame(b"", size=len(data) if size == -1 else size, window=window)[:-3]
    runs = [bytes(run) for _, run in itertools.groupby(data)]
    for i, run in enumerate(runs):
        frame += (len(run) << 3 | 1 << 1 | (i == len(runs) - 1)).to_bytes(3, "little") + run[:1]
    return frame


# --- section 5 --------------------------------------------------------------------------------
RAW_I = right("i", "raw", I2)
ZIGZAG_I = craft.planes(craft.zigzag(craft.differences(I.data, I2.data, I)), 2)
case("coder_unknown", "5", "coder", "coder 5", lambda: changed("i", I2, b"\5" + RAW_I[1:]))
case("coder_unknown_6", "5", "coder", "coder 6", lambda: changed("i", I2, b"\6" + RAW_I[1:]))
case("coder_ulp_of_integers", "5", "coder", "ulp for I16", lambda: changed("i", I2, b"\3" + RAW_I[1:]))
case("coder_zero_in_t", "5", "coder", "zero in a chunk of plain bytes", lambda: added(b"\0"))
case("coder_ulp_in_t", "5", "coder", "ulp in a chunk of plain bytes", lambda: added(b"\3" + bytes(48)))
case("coder_sparse_in_t", "5", "coder", "sparse in a chunk of plain bytes",
     lambda: added(b"\4" + small_frame(b"\1\0\0\0\0\1\0")))
case("zero_with_data", "5", "chunk-length", "zero with a byte of data", lambda: changed("i", I2, b"\0\0"))
case("raw_too_short", "5", "chunk-length", "raw of 62 bytes for 64", lambda: changed("i", I2, RAW_I[:-2]))
case("raw_too_long", "5", "chunk-length", "raw of 66 bytes for 64", lambda: changed("i", I2, RAW_I + b"\0\0"))
case("raw_too_long_in_t", "5", "chunk-length", "raw of 49 bytes for 48, in t", lambda: added(b"\1" + bytes(49)))
case("planes_too_short", "5", "chunk-frame", "planes decode to 63 bytes for 64",
     lambda: changed("i", I2, b"\2" + small_frame(ZIGZAG_I[:-1])))
case("planes_too_long", "5", "chunk-frame", "planes decode to 66 bytes for 64",
     lambda: changed("i", I2, b"\2" + small_frame(ZIGZAG_I + b"\0\0")))
case("planes_size_bomb", "5", "chunk-frame", "the zstd frame says 2^60 bytes",
     lambda: changed("i", I2, b"\2" + raw_frame(ZIGZAG_I[:40], size=2**60)))
case("planes_size_lies", "5", "chunk-frame", "the zstd frame says 64 bytes and holds 62",
     lambda: changed("i", I2, b"\2" + raw_frame(ZIGZAG_I[:-2], size=64)))
case("planes_window_bomb", "5", "chunk-frame", "the zstd frame asks for a window of 3.75 TB",
     lambda: changed("i", I2, b"\2" + runs_frame(ZIGZAG_I, window=0xFF)))
case("planes_window_over_limit", "5", "chunk-frame", "the zstd frame asks for a window of 9 MiB",
     lambda: changed("i", I2, b"\2" + runs_frame(ZIGZAG_I, window=13 << 3 | 1)))
case("planes_no_content_size", "1", "chunk-frame", "the zstd frame does not say its size",
     lambda: changed("i", I2, b"\2" + runs_frame(ZIGZAG_I, size=None, window=0)))
case("planes_two_frames", "1", "chunk-frame", "a second frame",
     lambda: changed("i", I2, b"\2" + small_frame(ZIGZAG_I) + small_frame(b"")))
case("planes_not_zstd", "5", "chunk-frame", "planes stored as they are", lambda: changed("i", I2, b"\2" + ZIGZAG_I))


def sparse(plain: bytes) -> Make:
    return lambda: changed("i", I2, b"\4" + small_frame(plain))


ONE, TWO = b"\1\0\0\0", b"\2\0\0\0"
case("sparse_empty", "5", "sparse", "no count", sparse(b"\0\0"))
case("sparse_count_zero", "5", "sparse", "no change", sparse(bytes(4)))
case("sparse_count_bomb", "5", "sparse", "2^32 - 1 changes among 32 elements", sparse(b"\xff\xff\xff\xff\0\1\0"))
case("sparse_gap_past_end", "5", "sparse", "the second gap leads to element 32 of 32",
     sparse(TWO + b"\3\x1c" + b"\2\1\0\0"))
case("sparse_gap_overflow", "5", "sparse", "a gap of 2^35 - 1", sparse(ONE + b"\xff\xff\xff\xff\x7f" + b"\2\0"))
case("sparse_gap_six_bytes", "5", "sparse", "a gap in six bytes", sparse(ONE + b"\x83\x80\x80\x80\x80\1" + b"\2\0"))
case("sparse_gap_superfluous_zero", "5", "sparse", "the gap 3 in two bytes", sparse(TWO + b"\x83\0\x17" + b"\2\1\0\0"))
case("sparse_gap_cut_off", "5", "sparse", "the last gap's last byte has its high bit set",
     sparse(TWO + b"\3\x97" + b"\2\1\0\0"))
case("sparse_zero_difference", "5", "sparse", "a difference of 0", sparse(b"\3\0\0\0" + b"\3\0\x16" + b"\2\0\1\0\0\0"))
case("sparse_value_missing", "5", "sparse", "a byte of the differences is missing", sparse(TWO + b"\3\x17" + b"\2\1\0"))
case("sparse_trailing_byte", "5", "sparse", "a byte behind the differences",
     sparse(TWO + b"\3\x17" + b"\2\1\0\0" + b"\0"))
case("sparse_size_bomb", "5", "chunk-frame", "the zstd frame says 2^60 bytes",
     lambda: changed("i", I2, b"\4" + raw_frame(TWO + b"\3\x17" + b"\2\1\0\0", size=2**60)))


# --- section 5.1: the model, bit by bit -------------------------------------------------------


def table(first: int = 128, length: int = 1, rest: int = 0, fields: Sequence[Field] = ()) -> list[Field]:
    return [(first, 8), (length - 1, 8), (rest, 8), *fields]


def model(*, k: int = 1, m: int = 1, group: int | None = None, maps: Sequence[Sequence[Field]] | None = None,
          tables: Sequence[Sequence[Field]] | None = None, classes: Sequence[Field] = (), padding: int = 0) -> bytes:
    bits = craft_ulp.Bits()
    fields = [(k - 1, 2), (m - 1, 5)] + ([(group // 32 - 1, 22)] if group else [])
    fields += [f for one in maps or [one_map(125, 0, 0)] for f in one]
    fields += [f for t in tables or [table()] for f in t] + list(classes)
    for value, n in fields:
        bits.put(value, n)
    bits.value |= padding << bits.length
    return bits.bytes()


def by_hand(target: Tensor | None = None, states: list[int] | None = None, words: Sequence[int] = (),
            **of: Any) -> Make:
    """A chunk of one symbol that has all slots, so no state changes. Every element increases by one ulp."""

    def make() -> bytes:
        of.setdefault("tables", [table(129)])
        tail = struct.pack("<32I", *(states or [65536] * 32)) + struct.pack(f"<{len(words)}H", *words)
        return changed("f", target or far(1), b"\3" + model(**of) + bytes(8) + tail)

    return make


def far(d: int) -> Tensor:
    """The target if every element of F moves by d."""
    return moved([d] * 256)


def moved(ds: list[int]) -> Tensor:
    out = []
    for o, d in zip(craft.orders(F.data, F), ds, strict=True):
        u = (o + d) % 65536
        out.append(u ^ 0x7FFF if u >> 15 else u)
    return craft.array("BF16", np.array(out, "<u2"))


def difference(d: int) -> Make:
    """A valid ulp chunk, except that element 20 moves by `d`, which is out of range."""

    def make() -> bytes:
        ds = craft.differences(F.data, F2.data, F)
        ds[20] = d
        target = moved(ds)
        stored = b"\3" + craft_ulp.encode(F.data, craft.orders(target.data, F), ds, "BF16", **ULP)
        return changed("f", target, stored)

    return make


def bit_length(n: int) -> Field:
    """n itself, not relative to the one before."""
    return (3 | n << 2, 6)


ONE_MORE, ONE_LESS, AS_BEFORE, MANTISSA = (1, 3), (5, 3), (0, 1), (0, 3)


def one_map(first: int, *tables: int) -> tuple[Field, ...]:
    runs = ((0, 1) if a == b else (1 | b << 1, 6) for a, b in itertools.pairwise(tables))
    return (first, 8), (len(tables) - 1, 8), (tables[0], 5), *runs


case("ulp_model_cut_off", "5.1.1", "ulp-model", "the chunk ends in a context map",
     lambda: changed("f", F2, b"\3" + model()[:3]))
case("ulp_map_past_255", "5.1.1", "ulp-model", "a context map of scales 200 to 264",
     by_hand(maps=[one_map(200, *[0] * 65)]))
case("ulp_map_table", "5.1.1", "ulp-model", "a context map names table 1 of one", by_hand(maps=[one_map(125, 1, 0)]))
case("ulp_map_table_later", "5.1.1", "ulp-model", "a context map names table 30 of one, for its second scale",
     by_hand(maps=[one_map(125, 0, 30)]))
case("ulp_tables_32", "5.1.1", "ulp-model", "32 tables", by_hand(m=32, tables=[table(129)] * 32))
case("ulp_no_context", "5.1.1", "ulp-context",
     "the context map gives no table to scale 126, which elements of the base have: refused at once, or for the result",
     by_hand(F2, maps=[one_map(125, 0, 31)]))
case("ulp_no_context_outside", "5.1.1", "ulp-context",
     "the context map ends at scale 125: refused at once, or for the result", by_hand(F2, maps=[one_map(125, 0)]))
case("ulp_class", "5.1.1", "ulp-model", "a group of class 3, there are three",
     by_hand(k=3, group=256, maps=[one_map(125, 0, 0)] * 3, classes=[(3, 2)]))
case("ulp_classes_cut_off", "5.1.1", "ulp-model", "the chunk ends in the classes",
     lambda: changed("f", F2, b"\3" + model(k=2, group=32, maps=[one_map(125, 0, 0)] * 2)))
case("ulp_model_padding", "5.1.1", "ulp-model", "the padding of the model is not zero", by_hand(padding=1))
case("ulp_extra_past_range", "5.1.2", "ulp-symbol", "extra bits that make d = -32769", difference(-32769))
case("ulp_symbol_255", "5.1.3", "ulp-table", "symbol 255 in BF16", by_hand(tables=[table(255)]))
case("ulp_table_symbols_below", "5.1.3", "ulp-table",
     "a table that begins at symbol 89, with frequency 0: BF16 has 90 to 166",
     by_hand(tables=[table(89, 41, 40, [bit_length(0), *[AS_BEFORE] * 39])]))
case("ulp_table_symbols_above", "5.1.3", "ulp-table",
     "a table that ends at symbol 167, with frequency 0: BF16 has 90 to 166",
     by_hand(tables=[table(129, 39, 0, [bit_length(0), *[AS_BEFORE] * 37])]))
case("ulp_table_j", "5.1.3", "ulp-table", "J is L", by_hand(tables=[table(129, 1, 1)]))
case("ulp_table_sum_over", "5.1.3", "ulp-table", "frequencies beside J add up to 4096",
     by_hand(tables=[table(127, 3, 2, [bit_length(12), MANTISSA, AS_BEFORE, MANTISSA])]))
case("ulp_table_bits_13", "5.1.3", "ulp-table", "a frequency of 13 bits, given as such",
     by_hand(tables=[table(128, 2, 1, [bit_length(13), MANTISSA])]))
case("ulp_table_bits_above", "5.1.3", "ulp-table", "one more than 12 bits",
     by_hand(tables=[table(127, 3, 2, [bit_length(12), MANTISSA, ONE_MORE, MANTISSA])]))
case("ulp_table_bits_below", "5.1.3", "ulp-table", "one less than 0 bits",
     by_hand(tables=[table(127, 3, 2, [bit_length(0), ONE_LESS])]))
case("ulp_initial_state", "5.1.4", "ulp-state", "an initial state of 1, which the word 0 would make right",
     by_hand(states=[1] + [65536] * 31, words=[0]))
case("ulp_final_state", "5.1.4", "ulp-state", "a final state that is not 2^16", by_hand(states=[65537] + [65536] * 31))
case("ulp_no_table_at_all", "5.1.5", "ulp-choice", "the context map gives no scale a table",
     by_hand(F2, maps=[one_map(0, 31)]), "revert")
no_way: dict[str, Any] = {"m": 2, "maps": [one_map(125, 0, 1)], "tables": [table(128 - 15), table(128 + 15)]}
case("ulp_no_table_consistent", "5.1.5", "ulp-choice",
     "by 15 down from scale 125, by 15 up from 126: nothing leads to some of the targets", by_hand(F2, **no_way),
     "revert")

# --- 5.1.4 and 5.1.5: a valid chunk, spoiled --------------------------------------------------


def spoiled(edit: Callable[[dict[str, Any]], object]) -> Make:
    """The valid ulp chunk of F → F2, with one part changed."""
    return lambda: changed("f", F2, craft.difference_chunk("ulp", F.data, F2.data, F, small_frame, spoil=edit, **ULP))


def set_to(key: str, change: Callable[[Any], Any]) -> Make:
    return spoiled(lambda p: p.__setitem__(key, change(p[key])))


def longest(f: bytes) -> bytes:
    """Sets the highest bit of the last byte, which is padding."""
    return f[:-1] + bytes([f[-1] | 128])


case("ulp_cut_off", "5.1.1", "ulp-layout", "the chunk ends in the states",
     lambda: changed("f", F2, b"\3" + model() + bytes(20)))
case("ulp_extra_length", "5.1.1", "ulp-layout", "R leads past the end of the chunk",
     spoiled(lambda p: p.update(R=2**32 - 1)))
case("ulp_choice_length", "5.1.1", "ulp-layout", "C leads past the end of the chunk",
     spoiled(lambda p: p.update(C=2**32 - 1)))
case("ulp_half_word", "5.1.1", "ulp-layout", "one byte behind the last word", spoiled(lambda p: p.update(behind=b"\0")))
case("ulp_words_missing", "5.1.4", "ulp-words", "the last word is missing", set_to("words", lambda w: w[:-1]))
case("ulp_words_left", "5.1.4", "ulp-words", "a word is left over", set_to("words", lambda w: w + [0]))
case("ulp_extra_missing", "5.1.4", "ulp-extra", "the last byte of the extra bits is missing",
     set_to("extra", lambda e: e[:-1]))
case("ulp_extra_left", "5.1.4", "ulp-extra", "eight extra bits are left over", set_to("extra", lambda e: e + b"\0"))
case("ulp_extra_padding", "5.1.4", "ulp-extra", "the padding of the extra bits is not zero", set_to("extra", longest))


case("ulp_choice_missing", "5.1.5", "ulp-choice", "the last byte of the choice bits is missing",
     set_to("choice", lambda c: c[:-1]), "revert")
case("ulp_choice_left", "5.1.5", "ulp-choice", "eight choice bits are left over",
     set_to("choice", lambda c: c + b"\0"), "revert")
case("ulp_choice_padding", "5.1.5", "ulp-choice", "the padding of the choice bits is not zero",
     set_to("choice", longest), "revert")
case("ulp_choice_wrong", "5.1.4", "ulp-state", "the first choice bit is the wrong one",
     set_to("choice", lambda c: bytes([c[0] ^ 1]) + c[1:]), "revert")
# --- the end of 3.2 ---------------------------------------------------------------------------
case("result_wrong", "3.2, end", "result", "the chunk is valid and gives other bytes than promised",
     lambda: changed("i", I2, b"\1" + b"\1\0" + RAW_I[3:]))
case("result_wrong_added", "3.2, end", "result", "an added tensor with other bytes than promised",
     lambda: added(b"\1" + bytes(47) + b"\1"))
