"""The patches that `check` must refuse: each has one defect, and correct digests."""

import json
import struct
from collections.abc import Callable
from typing import Any

import craft
import zstandard
from craft import Checkpoint, Draft, Entry, Frame, Tensor, raw_frame

Make = Callable[[], bytes]
Edit = Callable[[Draft], object]
Model = Checkpoint | dict[str, Tensor]

CASES: list[tuple[str, str, str, str, bytes | Make]] = []  # file, section, rule, reason, bytes or their maker


def case(name: str, section: str, rule: str, reason: str, data: bytes | Make) -> None:
    CASES.append((name, section, rule, reason, data))


# --- the patch to spoil: one BF16 tensor of four elements, "w", the same on both sides ---------

W = Tensor("BF16", (4,), bytes.fromhex("803f004000c0803e"))
W2 = Tensor("BF16", (4,), bytes.fromhex("813f004000c07f3e"))
CHANGE: dict[str, Any] = {"target": {"w": W2}}  # … or changed, where the defect needs it
SCALAR = Tensor("U8", (), b"\x07")


def small_frame(data: bytes) -> bytes:
    return craft.packed_frame(data, 19)


def draft(base: Model | None = None, target: Model | None = None, **options: Any) -> Draft:
    base, target = base or {"w": W}, target or {"w": W}
    base = base if isinstance(base, Checkpoint) else Checkpoint(base)
    target = target if isinstance(target, Checkpoint) else Checkpoint(target)
    return Draft(base, target, frame=small_frame, **options)


def directory(tensors: dict[str, Tensor], side: dict[str, bytes] | None = None,
              files: dict[str, list[str]] | None = None) -> Checkpoint:
    """Two shards with an index."""
    names = sorted(tensors)
    shards = files or {"x-1.safetensors": names[:1], "x-2.safetensors": names[1:]}
    where = {t: n for n, ts in shards.items() for t in ts}
    headers = {n: craft.header_text({t: tensors[t] for t in ts}, pad=1) for n, ts in shards.items()}
    return Checkpoint(tensors, headers, json.dumps({"weight_map": where}).encode(), side or {})


def parts(edit: Edit, **of: Any) -> Make:
    """Spoil a draft in place, then seal it."""

    def make() -> bytes:
        d = draft(**of)
        edit(d)
        return d.seal()

    return make


def entry(edit: Callable[[Entry], object], **of: Any) -> Make:
    return parts(lambda d: edit(d.tensors[0]), **of)


def chunk(at: int, value: object, **of: Any) -> Make:
    """Put a value into the first chunk's entry in the header."""
    return entry(lambda e: e["chunks"][0].__setitem__(at, value), **CHANGE, **of)


def sealed(of: dict[str, Any] | None = None, **spoil: Any) -> Make:
    return lambda: draft(**of or {}).seal(**spoil)


def put(at: int, data: bytes) -> Make:
    """Put bytes into the preamble, before its digest is computed."""
    return sealed(preamble=lambda head: head[:at] + data + head[at + len(data) :])


def header(edit: Callable[[Entry], object], of: dict[str, Any] | None = None) -> Make:
    return sealed(of, header=edit)


def text(old: bytes, new: bytes, of: dict[str, Any] | None = None) -> Make:
    """Replace a part of the header's JSON text, once."""

    def spoil(json_text: bytes) -> bytes:
        assert json_text.count(old) >= 1, (old, json_text)
        return json_text.replace(old, new, 1)

    return sealed(of, text=spoil)


def frame(spoil: Frame) -> Make:
    """Change only the header's frame."""
    return sealed(header_frame=spoil)


def cut(n: int) -> Make:
    return lambda: draft().seal()[:n]


def flip(find: Callable[[bytes], int]) -> Make:
    """Flip one bit of the finished file, at the offset that `find` returns."""

    def make() -> bytes:
        data = bytearray(draft(**CHANGE).seal())
        data[find(bytes(data))] ^= 1
        return bytes(data)

    return make


def places(data: bytes) -> dict[str, int]:
    stored = struct.unpack_from("<Q", data, 40)[0]
    found = json.loads(zstandard.decompress(bytes(data[128 : 128 + stored])))
    return {"payload": 128 + stored, "annex": 128 + stored + found["payload"]}


# (1)
case("empty_file", "3.2 (1)", "too-short", "no bytes at all", b"")
case("shorter_than_preamble", "3.2 (1)", "too-short", "127 bytes", cut(127))
case("magic_text_mode", "3.2 (1)", "magic", "0D 0A became 0A, as a transfer in text mode does",
     lambda: draft().seal().replace(b"\r\n", b"\n", 1) + b"\0")
case("magic_seven_bits", "3.2 (1)", "magic", "the first byte lost its high bit", put(0, b"\x09"))
# (2)
case("preamble_digest", "3.2 (2)", "preamble-digest", "a bit of the preamble's digest flipped", flip(lambda _: 96))
case("preamble_flipped_bit", "3.2 (2)", "preamble-digest", "an ignorable flag set after the digest was taken",
     flip(lambda _: 32))
# (3)
case("major_version_0", "3.2 (3)", "major-version", "major version 0", put(8, b"\0\0"))
case("major_version_2", "3.2 (3)", "major-version", "major version 2", put(8, b"\2\0"))
case("major_version_257", "3.2 (3)", "major-version", "major version 257: its low byte is 1", put(8, b"\1\1"))
# (4)
case("flag_must_understand", "3.2 (4)", "flags", "the flag low-rank, bit 0, and no adapter", put(16, b"\1"))
case("flag_must_understand_63", "3.2 (4)", "must-understand", "an unknown flag that must be understood, bit 63",
     put(23, b"\x80"))
case("reserved_not_zero", "3.2 (4)", "reserved", "reserved byte 15 is not zero", put(15, b"\1"))
case("reserved_not_zero_56", "3.2 (4)", "reserved", "reserved byte 56 is not zero", put(56, b"\1"))
# (5)
case("header_length_bomb", "3.2 (5)", "header-length", "a header that decodes to 2^63 bytes",
     put(48, struct.pack("<Q", 2**63)))
case("header_length_over_limit", "3.2 (5)", "header-length", "a header that decodes to 64 MiB + 1 byte",
     put(48, struct.pack("<Q", 2**26 + 1)))
case("header_past_end", "3.2 (5)", "header-length", "the stored header leads past the end of the file",
     put(40, struct.pack("<Q", 2**20)))
case("header_stored_overflow", "3.2 (5)", "header-length", "128 + H overflows 64 bits",
     put(40, struct.pack("<Q", 2**64 - 100)))
case("header_digest", "3.2 (5)", "header-digest", "a bit of the header's digest flipped, the preamble's digest right",
     sealed(preamble=lambda h: h[:64] + bytes([h[64] ^ 1]) + h[65:]))
case("header_not_zstd", "3.2 (5)", "header-frame", "the header is stored as it is", frame(lambda t: t))
case("header_zstd_window_bomb", "3.2 (5)", "header-frame", "the zstd frame asks for a window of 3.75 TB",
     frame(lambda t: raw_frame(t, window=0xFF)))
case("header_zstd_window_over_limit", "3.2 (5)", "header-frame", "the zstd frame asks for a window of 72 MiB",
     frame(lambda t: raw_frame(t, window=16 << 3 | 1)))
case("header_zstd_no_content_size", "3.2 (5)", "header-frame", "the zstd frame does not say its size",
     frame(lambda t: raw_frame(t, size=None, window=0)))
case("header_zstd_dictionary", "3.2 (5)", "header-frame", "the zstd frame asks for dictionary 5",
     frame(lambda t: (f := raw_frame(t, flags=1))[:5] + b"\5" + f[5:]))
case("header_zstd_two_frames", "3.2 (5)", "header-frame", "an empty frame behind the first",
     frame(lambda t: raw_frame(t) + raw_frame(b"")))
case("header_zstd_skippable_frame", "3.2 (5)", "header-frame", "a skippable frame before the frame",
     frame(lambda t: b"\x50\x2a\x4d\x18\0\0\0\0" + raw_frame(t)))
case("header_zstd_trailing_byte", "3.2 (5)", "header-frame", "a byte behind the frame",
     frame(lambda t: raw_frame(t) + b"\0"))
case("header_zstd_cut_off", "3.2 (5)", "header-frame", "the frame's last byte is missing",
     frame(lambda t: raw_frame(t)[:-1]))
case("header_decodes_longer", "3.2 (5)", "header-frame", "decodes to one byte more than the preamble says",
     frame(lambda t: raw_frame(t + b" ")))
case("header_decodes_shorter", "3.2 (5)", "header-frame", "decodes to one byte less than the preamble says",
     frame(lambda t: raw_frame(t[:-1])))
case("header_content_size_lies", "3.2 (5)", "header-frame", "the frame says the right size and holds a byte more",
     frame(lambda t: raw_frame(t + b" ", size=len(t))))
# (6)
case("header_not_utf8", "3.2 (6)", "header-json", "a byte FF in a string", text(b'"name":"w"', b'"name":"\xff"'))
case("header_overlong_utf8", "3.2 (6)", "header-json", "C1 B7 for w: an overlong form is not UTF-8",
     text(b'"name":"w"', b'"name":"\xc1\xb7"'))
case("header_byte_order_mark", "3.2 (6)", "header-json", "a byte order mark", text(b"{", b"\xef\xbb\xbf{"))
case("header_cut_off", "3.2 (6)", "header-json", "the JSON's last brace is missing", sealed(text=lambda t: t[:-1]))
case("header_empty", "3.2 (6)", "header-json", "a header of zero bytes", sealed(text=lambda t: b""))
case("header_duplicate_key", "3.2 (6)", "header-json", "a key twice with the same value",
     text(b'"format":"vpatch"', b'"format":"vpatch","format":"vpatch"'))
case("header_duplicate_key_in_tensor", "3.2 (6)", "header-json", "a tensor's name twice",
     text(b'"name":"w"', b'"name":"w","name":"w"'))
case("header_duplicate_key_escaped", "3.2 (6)", "header-json", "a key twice, once written with an escape",
     text(b'"name":"w"', b'"name":"w","n\\u0061me":"w"'))
case("header_not_canonical_space", "3.2 (6)", "header-json", "a space behind a colon",
     text(b'"name":"w"', b'"name": "w"'))
case("header_not_canonical_newline", "3.2 (6)", "header-json", "a newline behind the end",
     sealed(text=lambda t: t + b"\n"))
case("header_not_canonical_order", "3.2 (6)", "header-json", "keys out of order",
     text(b'"name":"w","op":"same"', b'"op":"same","name":"w"'))
case("header_not_canonical_escape", "3.2 (6)", "header-json", "an escape where none is needed",
     text(b'"name":"w"', b'"name":"\\u0077"'))
case("header_not_canonical_hex", "3.2 (6)", "header-json", "\\u001F with an upper-case digit",
     text(b'"name":"w"', b'"name":"\\u001F"'))
case("header_not_canonical_control", "3.2 (6)", "header-json", "\\u000a where \\n is the one way",
     text(b'"name":"w"', b'"name":"\\u000a"'))
case("header_lone_surrogate", "3.2 (6)", "header-json", "an unpaired surrogate, escaped",
     text(b'"name":"w"', b'"name":"\\ud800"'))
case("header_raw_control", "3.2 (6)", "header-json", "a newline in a string, not escaped",
     text(b'"name":"w"', b'"name":"\n"'))
case("header_number_fraction", "3.2 (6)", "header-json", "4.0 in a shape", text(b'"shape":[4]', b'"shape":[4.0]'))
case("header_number_negative", "3.2 (6)", "header-json", "-4 in a shape", text(b'"shape":[4]', b'"shape":[-4]'))
case("header_number_minus_zero", "3.2 (6)", "header-json", "-0 as an offset", text(b'["d",0,', b'["d",-0,', CHANGE))
case("header_number_leading_zero", "3.2 (6)", "header-json", "04 in a shape", text(b'"shape":[4]', b'"shape":[04]'))
case("header_number_over_limit", "3.2 (6)", "header-json", "2^53 in a shape",
     text(b'"shape":[4]', b'"shape":[9007199254740992]'))
case("header_deep_nesting", "3.2 (6)", "header-json", "nested 33 deep: 29 arrays for a shape",
     text(b'"shape":[4]', b'"shape":' + b"[" * 29 + b"]" * 29))
case("header_deep_nesting_bomb", "3.2 (6)", "header-json", "200 open arrays",
     text(b'"shape":[4]', b'"shape":' + b"[" * 200 + b"]" * 200))
case("header_not_an_object", "3.2 (6)", "header-shape", "an array", sealed(text=lambda t: b"[]"))
case("header_unknown_key", "3.2 (6)", "header-shape", "a member that is not defined",
     header(lambda h: h.update(extra=1)))
case("header_missing_key", "3.2 (6)", "header-shape", "no identity", header(lambda h: h.pop("identity")))
case("header_format", "3.2 (6)", "header-shape", "another format", header(lambda h: h.update(format="vpatcH")))
case("header_payload_object", "3.2 (6)", "header-shape", "payload is an object, not its length",
     header(lambda h: h.update(payload={"stored": h["payload"]})))
case("header_annex_missing_key", "3.2 (6)", "header-shape", "no annex.stored",
     header(lambda h: h["annex"].pop("stored")))
case("header_annex_offset", "3.2 (6)", "header-shape", "an offset of the annex",
     header(lambda h: h["annex"].update(offset=128)))
case("number_as_boolean", "3.2 (6)", "header-shape", "true as an offset", chunk(1, True))
case("name_as_number", "3.2 (6)", "header-shape", "a name that is a number",
     header(lambda h: h["tensors"][0].update(name=1)))
case("digest_upper_case", "3.2 (6)", "header-shape", "a digest in upper case",
     header(lambda h: h.update(base=h["base"].upper())))
case("digest_short", "3.2 (6)", "header-shape", "a digest of 63 digits", header(lambda h: h.update(base=h["base"][1:])))
case("op_unknown", "3.2 (6)", "header-shape", "an operation that is not defined",
     entry(lambda e: e.update(op="patch"), **CHANGE))
case("tensor_unknown_key", "3.2 (6)", "header-shape", "an unknown member of a tensor",
     entry(lambda e: e.update(coder=1)))
case("tensor_missing_chunks", "3.2 (6)", "header-shape", "change without chunks",
     entry(lambda e: e.pop("chunks"), **CHANGE))
case("change_without_target", "3.2 (6)", "header-shape", "change without a target",
     header(lambda h: h["tensors"][0].pop("target"), CHANGE))
case("same_with_target", "3.2 (6)", "header-shape", "same with a target", entry(lambda e: e.update(target=W.side())))
case("same_with_chunks", "3.2 (6)", "header-shape", "same with chunks", entry(lambda e: e.update(chunks=[])))
case("add_with_base", "3.2 (6)", "header-shape", "add with a base",
     header(lambda h: h["tensors"][0].update(op="add"), CHANGE))
case("remove_with_target", "3.2 (6)", "header-shape", "remove with a target",
     header(lambda h: h["tensors"][0].update(op="remove"), CHANGE))
case("chunk_four_items", "3.2 (6)", "header-shape", "a chunk of four items",
     entry(lambda e: e["chunks"][0].pop(), **CHANGE))
case("chunk_role_unknown", "3.2 (6)", "header-shape", "role x", chunk(0, "x"))
case("bytes_three_items", "3.2 (6)", "header-shape", "bytes of three items", entry(lambda e: e.update(
    bytes=[8, 8, 8]), base={"w": Tensor("X", (4,), W.data)}, target={"w": Tensor("X", (4,), W2.data)}))
case("chunk_decoded_zero", "3.2 (6)", "number-limit", "a chunk that decodes to nothing",
     entry(lambda e: e["chunks"].append(["d", 9, 1, 0, e["chunks"][0][4]]), **CHANGE))
case("chunk_decoded_over_limit", "3.2 (6)", "number-limit", "a chunk that decodes to 4 MiB + 2 bytes",
     chunk(3, 2**22 + 2))
case("chunk_stored_zero", "3.2 (6)", "number-limit", "a chunk stored in no bytes",
     entry(lambda e: e["chunks"].append(["d", 9, 0, 8, craft.sha(b"")]), **CHANGE))


def stored_too_long(d: Draft) -> None:
    d.tensors[0]["chunks"], d.payload = [], b""
    d.append(d.tensors[0], "d", b"\1" + bytes(24), 8)


case("chunk_stored_over_bound", "3.2 (6)", "number-limit", "a chunk of 8 bytes stored in 25",
     parts(stored_too_long, **CHANGE))
case("annex_decoded_over_limit", "3.2 (6)", "number-limit", "an annex of 128 MiB + 1 byte",
     header(lambda h: h["annex"].update(decoded=2**27 + 1)))
case("shape_overflow", "3.2 (6)", "overflow", "2^32 times 2^32 elements: the product wraps to 0",
     entry(lambda e: e["base"].update(shape=[2**32, 2**32]), base={"w": Tensor("U8", (2**32, 2**32), b"")},
           target={"w": Tensor("U8", (2**32, 2**32), b"")}))
case("tensor_over_2_53", "3.2 (6)", "overflow", "a tensor of 2^53 bytes", entry(
    lambda e: None, base={"w": Tensor("F16", (2**26, 2**26), b"")}, target={"w": Tensor("F16", (2**26, 2**26), b"")}))
case("shape_overflow_in_bits", "3.2 (6)", "overflow", "2^58 elements of 64 bits: their bits wrap to 0", entry(
    lambda e: None, base={"w": Tensor("F64", (2**29, 2**29), b"")}, target={"w": Tensor("F64", (2**29, 2**29), b"")}))


# (7)
def named(*names: str) -> Make:
    """Tensors of these names, in this order, all the same on both sides."""

    def make() -> bytes:
        d = draft(base=dict.fromkeys(names, SCALAR), target=dict.fromkeys(names, SCALAR))
        d.tensors.sort(key=lambda e: names.index(e["name"]))
        return d.seal()

    return make


case("name_empty", "3.2 (7)", "name", "a name of no bytes", named(""))
case("name_with_nul", "3.2 (7)", "name", "U+0000 in a name", named("a\0b"))
case("name_too_long", "3.2 (7)", "name", "a name of 4,097 bytes", named("é" * 2048 + "x"))
case("name_metadata", "3.2 (7)", "name", "a tensor named __metadata__", named("__metadata__"))
case("names_not_sorted", "3.2 (7)", "name-order", "b before a", named("b", "a"))
case("names_sorted_as_utf16", "3.2 (7)", "name-order", "U+1F600 before U+FF5E: the order of UTF-16, not of UTF-8",
     named("\U0001f600", "\uff5e"))


def name_twice(d: Draft) -> None:
    d.tensors.append(dict(d.tensors[0]))


case("name_twice", "3.2 (7)", "name-order", "a name twice", parts(name_twice, base={"w": SCALAR}, target={"w": SCALAR}))


def typed(dtype: str) -> Make:
    t = Tensor(dtype, (1,), b"\7")
    return lambda: draft(base={"w": t}, target={"w": t}).seal()


case("dtype_empty", "3.2 (7)", "name", "a dtype of no characters", typed(""))
case("dtype_too_long", "3.2 (7)", "name", "a dtype of 33 characters", typed("X" * 33))
case("dtype_with_hyphen", "3.2 (7)", "name", "a hyphen in a dtype", typed("F8-E5"))
case("dtype_not_ascii", "3.2 (7)", "name", "é in a dtype", typed("Fé"))


def operation(op: str, base: Tensor, target: Tensor, chunks: list[tuple[str, int]]) -> Make:
    """An operation that does not fit its sides; its chunks cover what the operation requires."""

    def make() -> bytes:
        d = draft(base={"w": base}, target={"w": target})
        d.payload, d.tensors = b"", [{"base": base.side(), "chunks": [], "name": "w", "op": op,
                                      "target": target.side()}]
        for role, length in chunks:
            d.append(d.tensors[0], role, b"\1" + bytes(length), length)
        return d.seal()

    return make


def u8(*shape: int) -> Tensor:
    n = 1
    for s in shape:
        n *= s
    return Tensor("U8", shape, bytes(n))


I8 = Tensor("I8", (4,), bytes(4))
case("change_other_shape", "3.2 (7)", "operation", "change from [4] to [2,2]",
     operation("change", u8(4), u8(2, 2), [("d", 4)]))
case("change_other_dtype", "3.2 (7)", "operation", "change from U8 to I8", operation("change", u8(4), I8, [("d", 4)]))
case("change_of_nothing", "3.2 (7)", "operation", "change with equal fingerprints",
     operation("change", u8(4), u8(4), [("d", 4)]))
case("rows_of_scalar", "3.2 (7)", "operation", "rows of a scalar",
     operation("rows", u8(), Tensor("U8", (), b"\1"), [("d", 1)]))
case("rows_same_shape", "3.2 (7)", "operation", "rows where no row comes or goes",
     operation("rows", u8(4), Tensor("U8", (4,), b"abcd"), [("d", 4)]))
case("rows_other_rank", "3.2 (7)", "operation", "rows from [2,2] to [3]",
     operation("rows", u8(2, 2), u8(3), [("d", 3), ("b", 1)]))
case("rows_other_second_dimension", "3.2 (7)", "operation", "rows from [2,2] to [3,3]",
     operation("rows", u8(2, 2), u8(3, 3), [("d", 4), ("t", 5)]))
case("rows_other_dtype", "3.2 (7)", "operation", "rows from U8 [2] to I8 [4]",
     operation("rows", u8(2), I8, [("d", 2), ("t", 2)]))
case("replace_of_same_kind", "3.2 (7)", "operation", "replace where dtype and shape are equal",
     operation("replace", u8(4), Tensor("U8", (4,), b"abcd"), [("b", 4), ("t", 4)]))
case("replace_where_rows_fits", "3.2 (7)", "operation", "replace from [2] to [3]",
     operation("replace", u8(2), u8(3), [("b", 2), ("t", 3)]))
X, X2 = Tensor("X9", (4,), b"1234"), Tensor("X9", (4,), b"12_4")


def rows_of_unknown_dtype() -> bytes:
    d = draft(base={"w": X}, target={"w": Tensor("X9", (6,), b"12_456")})
    d.tensors[0].update(op="rows", chunks=[])
    d.payload = b""
    d.append(d.tensors[0], "d", b"\1\0\0\0\0", 4)
    d.append(d.tensors[0], "t", b"\1" + b"56", 2)
    return d.seal()


def chunks_missing(d: Draft) -> None:
    d.tensors[0].update(chunks=[])
    d.payload = b""


def chunk_not_at_zero(d: Draft) -> None:
    d.tensors[0]["chunks"][0][1] = 1
    d.payload = b"\0" + d.payload


def bytes_of_no_side() -> bytes:
    d = draft(base={"v": u8(1)}, target={"v": u8(1), "x": X})
    d.tensors[1].update(bytes=[1, 4])
    return d.seal()


case("rows_of_unknown_dtype", "3.2 (7)", "operation", "rows where the dtype is not in the table", rows_of_unknown_dtype)
case("replace_where_change_fits", "3.2 (7)", "operation",
     "replace of an unknown dtype where shape and length are equal",
     entry(lambda e: e.update(op="replace"), base={"w": X}, target={"w": X2}))
case("bytes_missing", "3.2 (7)", "operation", "a dtype that is not in the table, and no bytes",
     entry(lambda e: e.pop("bytes"), base={"w": X}, target={"w": X2}))
case("bytes_of_known_dtype", "3.2 (7)", "operation", "bytes where both dtypes are in the table",
     entry(lambda e: e.update(bytes=[8, 8]), **CHANGE))
case("bytes_against_shape", "3.2 (7)", "operation", "bytes says 5 of a U8 tensor of 4",
     entry(lambda e: e.update(bytes=[4, 5]), base={"w": X}, target={"w": u8(4)}))
case("bytes_of_same", "3.2 (7)", "operation", "same with two lengths",
     entry(lambda e: e.update(bytes=[4, 5]), base={"w": X}, target={"w": X}))
case("bytes_of_no_side", "3.2 (7)", "operation", "bytes of a side that is not there is not 0", bytes_of_no_side)
case("change_other_bytes", "3.2 (7)", "operation", "change of an unknown dtype with another length",
     entry(lambda e: e.update(bytes=[4, 5]), base={"w": X}, target={"w": X2}))
case("chunks_missing", "3.2 (7)", "chunks", "change without a chunk",
     parts(chunks_missing, **CHANGE))
case("chunks_too_short", "3.2 (7)", "chunks", "the chunks cover 6 of 8 bytes", chunk(3, 6))
case("chunks_too_long", "3.2 (7)", "chunks", "the chunks cover 10 of 8 bytes", chunk(3, 10))
case("chunk_role_of_other_op", "3.2 (7)", "chunks", "change with a t chunk", chunk(0, "t"))
case("chunk_roles_out_of_order", "3.2 (7)", "chunks", "t before d",
     operation("rows", u8(2), u8(3), [("t", 1), ("d", 2)]))
case("chunk_splits_element", "3.2 (7)", "chunks", "chunks of 3 and 5 bytes of BF16",
     operation("change", W, W2, [("d", 3), ("d", 5)]))
case("chunk_of_nothing", "3.2 (7)", "chunks", "a b chunk where the base has no row more",
     operation("rows", u8(2), u8(3), [("d", 2), ("b", 1), ("t", 1)]))


HUGE = {"v": Tensor("U8", (2**53 - 1,), b""), "w": SCALAR}
case("total_of_side_over_limit", "3.2 (7)", "total", "two tensors of a side are 2^53 bytes together",
     lambda: draft(base=HUGE, target=HUGE).seal())
case("total_of_bytes_over_limit", "3.2 (7)", "total", "the same with a length that `bytes` gives",
     lambda: draft(base={"v": HUGE["v"], "x": X}, target={"v": HUGE["v"], "x": X}).seal())


def two_chunks(second: int, payload: Callable[[bytes], bytes] | None = None) -> Make:
    """Two chunks of 4 bytes, stored in 5 each; the offset of the second is moved by `second`."""

    def edit(d: Draft) -> None:
        e = d.tensors[0]
        e["chunks"][1][1] += second
        if payload is not None:
            d.payload = payload(d.payload)
            e["chunks"][1][4] = craft.sha(d.payload[e["chunks"][1][1] :][:5])

    return parts(edit, chunk=4, **CHANGE)


case("chunk_offset_gap", "3.2 (7)", "chunks", "a gap of one byte between two chunks",
     two_chunks(1, lambda p: p[:5] + b"\0" + p[5:]))
case("chunk_overlap", "3.2 (7)", "chunks", "two chunks share a byte", two_chunks(-1, lambda p: p[:-1]))
case("chunks_swapped", "3.2 (7)", "chunks", "chunks not in the order of the header",
     parts(lambda d: [c.__setitem__(1, 5 - c[1]) for c in d.tensors[0]["chunks"]], chunk=4, **CHANGE))
case("chunk_not_at_zero", "3.2 (7)", "chunks", "the first chunk at 1",
     parts(chunk_not_at_zero, **CHANGE))
case("chunk_past_end", "3.2 (7)", "chunks", "the last chunk ends past the payload",
     header(lambda h: h.update(payload=h["payload"] - 1), CHANGE))
case("chunk_offset_overflow", "3.2 (7)", "chunks", "an offset of 2^53 - 1", chunk(1, 2**53 - 1))
case("payload_longer", "3.2 (7)", "chunks", "a byte of payload behind the last chunk",
     parts(lambda d: setattr(d, "payload", d.payload + b"\0"), **CHANGE))
# (8)
case("annex_past_end", "3.2 (8)", "layout", "the annex leads past the end of the file",
     header(lambda h: h["annex"].update(stored=2**20)))
case("annex_length_overflow", "3.2 (8)", "layout", "an annex of 2^53 - 1 bytes",
     header(lambda h: h["annex"].update(stored=2**53 - 1)))
case("annotations_missing", "3.2 (8)", "layout", "the file ends with the annex", sealed(tail=lambda t: b""))
case("annotations_cut_off", "3.2 (8)", "layout", "the annotations' last byte is missing", sealed(tail=lambda t: t[:-1]))
case("annotations_trailing_byte", "3.2 (8)", "layout", "a byte behind the annotations",
     sealed(tail=lambda t: t + b"\0"))
case("annotations_length_bomb", "3.2 (8)", "layout", "annotations of 2^64 - 1 bytes",
     sealed(tail=lambda t: b"\xff" * 8 + t[8:]))
case("annotations_over_limit", "3.2 (8)", "layout", "annotations of 16 MiB + 1 byte",
     sealed(tail=lambda t: struct.pack("<Q", 2**24 + 1) + t[8:]))
case("annotations_reserved", "3.2 (8)", "layout", "the u64 that must be zero is 1",
     sealed(tail=lambda t: t[:8] + b"\1" + t[9:]))
# (9)
case("base_root_wrong", "3.2 (9)", "base-root", "a base root that is not the list's",
     header(lambda h: h.update(base="0" * 64)))
case("target_root_wrong", "3.2 (9)", "target-root", "a target root that is not the list's",
     header(lambda h: h.update(target="0" * 64), CHANGE))
case("roots_swapped", "3.2 (9)", "base-root", "base and target root swapped",
     header(lambda h: h.update(base=h["target"], target=h["base"]), CHANGE))
case("identity_wrong", "3.2 (9)", "identity", "an identity that is not the list's",
     header(lambda h: h.update(identity="0" * 64), CHANGE))
# (10)
case("chunk_digest", "3.2 (10)", "chunk-digest", "a bit of the payload flipped",
     flip(lambda d: places(d)["payload"] + 3))
case("annex_digest", "3.2 (10)", "annex-digest", "a bit of the annex flipped", flip(lambda d: places(d)["annex"] + 40))
case("annotations_digest", "3.2 (10)", "annotations-digest", "a bit of the annotations flipped",
     flip(lambda d: len(d) - 1))
# (11), (12)
import golden_annex  # noqa: E402, F401 (the cases of the annex and the annotations)
import golden_factors  # noqa: E402, F401 (the cases of factors and copies)
import golden_flags  # noqa: E402, F401 (the cases of flags and adapters)
