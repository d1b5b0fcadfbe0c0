"""Checkpoints that a reader must refuse, and unusual ones that it must accept.

The docstring of vpatch_reader/safetensors.py defines a valid safetensors file.
"""

import json
import struct

import craft
from craft import Tensor

FILES: list[tuple[str, str, bytes]] = []  # file, reason, bytes
INDEXES: list[tuple[str, str, dict[str, bytes]]] = []  # folder, reason, its files


def raw(header: bytes, data: bytes = b"", length: int | None = None) -> bytes:
    return struct.pack("<Q", len(header) if length is None else length) + header + data


def one(dtype: str = "U8", shape: str = "[4]", offsets: str = "[0,4]", name: str = '"w"',
        data: bytes = b"1234") -> bytes:
    """A file of one tensor; its header is written by hand."""
    return raw(f'{{{name}:{{"dtype":"{dtype}","shape":{shape},"data_offsets":{offsets}}}}}'.encode(), data)


def two(first: str, second: str, data: bytes = b"12345678") -> bytes:
    tensor = '"%s":{"dtype":"U8","shape":[4],"data_offsets":%s}'
    return raw(f"{{{tensor % ('a', first)},{tensor % ('b', second)}}}".encode(), data)


def file(name: str, reason: str, data: bytes) -> None:
    FILES.append((name + ".safetensors", reason, data))


file("empty_file", "no bytes at all", b"")
file("seven_bytes", "too short for the length", bytes(7))
file("header_bomb", "24 bytes that ask for a header of 137 GB", raw(b"{}" + b" " * 14, length=137 * 10**9))
file("header_length_overflow", "8 + length overflows 64 bits", raw(b"{}", length=2**64 - 4))
file("header_length_over_limit", "a header of 100,000,001 bytes", raw(b"{}", length=100_000_001))
file("header_truncated", "the header is longer than the file", raw(b'{"w":', length=200))
file("header_length_zero", "a header of no bytes", raw(b""))
file("header_not_json", "not JSON", raw(b"{w}"))
file("header_not_an_object", "an array", raw(b"[]"))
file("header_leading_space", "the header starts with a space", raw(b" {}"))
file("header_byte_order_mark", "the header starts with a byte order mark", raw(b"\xef\xbb\xbf{}"))
file("header_trailing_nul", "a NUL behind the object", raw(b"{}\0"))
file("header_two_objects", "a second object", raw(b"{}{}"))
file("header_not_utf8", "a byte FF in a name", raw(b'{"\xff":{"dtype":"U8","shape":[],"data_offsets":[0,1]}}', b"1"))
file("header_lone_surrogate", "an unpaired surrogate in a name", one(name='"\\ud800"'))
file("deep_nesting_bomb", "3,000 open arrays", raw(b'{"w":' + b"[" * 3_000))
file("duplicate_tensor", "a tensor twice",
     raw(b'{"w":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"w":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}}',
         b"12345678"))
file("duplicate_tensor_escaped", "a tensor twice, once written with an escape",
     raw(b'{"w":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},'
         b'"\\u0077":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}}', b"12345678"))
file("duplicate_offsets", "data_offsets twice in a tensor", one(offsets='[0,4],"data_offsets":[0,4]'))
file("duplicate_metadata_key", "a key twice in __metadata__", raw(b'{"__metadata__":{"a":"1","a":"2"}}'))
file("metadata_number", "a number in __metadata__", raw(b'{"__metadata__":{"a":1}}'))
file("metadata_nested", "an object in __metadata__", raw(b'{"__metadata__":{"a":{"b":"c"}}}'))
file("metadata_null_value", "null in __metadata__", raw(b'{"__metadata__":{"a":null}}'))
file("metadata_list", "__metadata__ is a list", raw(b'{"__metadata__":[]}'))
file("metadata_false", "__metadata__ is false", raw(b'{"__metadata__":false}'))
file("duplicate_metadata", "__metadata__ twice, null and an object", raw(b'{"__metadata__":null,"__metadata__":{}}'))
file("metadata_text", "__metadata__ is a string", raw(b'{"__metadata__":"a"}'))
file("name_empty", "a name of no bytes", one(name='""'))
file("name_metadata_tensor", "__metadata__ is a tensor", one(name='"__metadata__"'))
file("name_with_nul", "U+0000 in a name", one(name='"a\\u0000b"'))
file("name_too_long", "a name of 4,097 bytes", one(name='"' + "n" * 4097 + '"'))
file("tensor_not_an_object", "a tensor is an array", raw(b'{"w":["U8",[4],[0,4]]}', b"1234"))
file("tensor_without_dtype", "no dtype", raw(b'{"w":{"shape":[4],"data_offsets":[0,4]}}', b"1234"))
file("tensor_without_shape", "no shape", raw(b'{"w":{"dtype":"U8","data_offsets":[0,4]}}', b"1234"))
file("tensor_without_offsets", "no data_offsets", raw(b'{"w":{"dtype":"U8","shape":[4]}}', b"1234"))
file("dtype_empty", "a dtype of no characters", one(dtype=""))
file("dtype_newline", "a newline in a dtype", one(dtype="U8\\n4"))
file("dtype_number", "a dtype that is a number", raw(b'{"w":{"dtype":8,"shape":[4],"data_offsets":[0,4]}}', b"1234"))
file("shape_negative", "a negative dimension", one(shape="[-2,-2]"))
file("shape_float", "a dimension of 4.0", one(shape="[4.0]"))
file("shape_true", "a dimension of true", one(shape="[true]", offsets="[0,1]", data=b"1"))
file("shape_number", "a shape that is a number", one(shape="4"))
file("shape_over_2_53", "a dimension of 2^53", one(shape="[9007199254740992,0]", offsets="[0,0]", data=b""))
file("shape_overflow", "2^32 times 2^32 elements: the product wraps to 0",
     one(shape="[4294967296,4294967296]", offsets="[0,0]", data=b""))
file("shape_overflow_to_right_size", "2^62 + 1 F32: the bytes wrap to 4", one("F32", "[5,922337203685477581]", "[0,4]"))
file("size_too_small", "3 bytes for 4 U8", one(offsets="[0,3]", data=b"123"))
file("size_too_large", "5 bytes for 4 U8", one(offsets="[0,5]", data=b"12345"))
file("size_of_other_dtype", "4 bytes for 4 F16", one(dtype="F16"))
file("offsets_begin_after_end", "begin is above end", one("X9", offsets="[4,0]"))
file("offsets_negative", "an offset of -4", one("X9", offsets="[-4,0]"))
file("offsets_float", "an offset of 4.0", one(offsets="[0,4.0]"))
file("offsets_exponent", "an offset of 4e0", one(offsets="[0,4e0]"))
file("offsets_one", "one offset", one(offsets="[0]"))
file("offsets_three", "three offsets", one(offsets="[0,4,4]"))
file("offsets_past_end", "the tensor leads past the end of the file", one(shape="[400]", offsets="[0,400]"))
file("offsets_overflow", "an offset of 2^64", one("X9", offsets="[0,18446744073709551616]"))
file("offsets_not_at_zero", "a gap of a byte before the first tensor", one(offsets="[1,5]", data=b"_1234"))
file("overlap", "two tensors share two bytes", two("[0,4]", "[2,6]", b"123456"))
file("overlap_whole", "two tensors on the same bytes", two("[0,4]", "[0,4]", b"1234"))
file("gap", "a gap of a byte between two tensors", two("[0,4]", "[5,9]", b"123456789"))
file("trailing_byte", "a byte behind the last tensor", one(data=b"12345"))
file("trailing_byte_no_tensors", "a byte behind a header without tensors", raw(b"{}", b"1"))
file("truncated_data", "the last byte is missing", one(data=b"123"))

SCALAR = {"s": Tensor("F32", (), struct.pack("<f", 1.5))}
ODD_ORDER = {n: Tensor("U8", (len(n.encode()),), n.encode())
             for n in ("a", "b", "weight.10", "weight.9", "ü", "\U0001f600")}
file("valid_scalar", "", craft.file_bytes(craft.header_text(SCALAR), SCALAR))
file("valid_no_tensors", "", raw(b"{}"))
file("valid_metadata_only", "", raw(b'{"__metadata__":{}}'))
EMPTY = {"a": Tensor("F32", (0,), b""), "b": Tensor("U8", (2,), b"12"), "c": Tensor("BF16", (3, 0, 2), b""),
         "d": Tensor("X9", (0,), b"")}
file("valid_empty_tensors", "", craft.file_bytes(craft.header_text(EMPTY), EMPTY))
file("valid_empty_tensors_first_last", "",
     craft.file_bytes(craft.header_text(EMPTY, order=["c", "b", "d", "a"]), EMPTY))
file("valid_zero_in_large_shape", "", one("F32", "[4294967296,0,4294967296]", "[0,0]", data=b""))
file("valid_unknown_dtype", "", one("X9", shape="[3,5]"))
file("valid_dtype_f4", "", one("F4", shape="[8]"))
file("valid_dtype_f8_e8m0", "", one("F8_E8M0", shape="[4]"))
file("valid_metadata_null", "", raw(b'{"__metadata__":null,"w":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}', b"1"))
file("valid_metadata_null_only", "", raw(b'{"__metadata__":null}'))
file("valid_metadata_odd_keys", "",
     raw(json.dumps({"__metadata__": {"": "", "__metadata__": "x", "\0\n\"\\": "ü\U0001f600", "w": "{}"},
                     "w": {"dtype": "U8", "shape": [1], "data_offsets": [0, 1]}}).encode(), b"1"))
file("valid_padded_with_spaces", "", craft.file_bytes(craft.header_text(SCALAR, pad=256), SCALAR))
file("valid_not_aligned", "", craft.file_bytes(craft.header_text(SCALAR, pad=1) + b" " * 3, SCALAR))
file("valid_white_space", "", raw(b'{\n\t"w" : { "shape":[ 1 ],\r\n"data_offsets": [0,1], "dtype":"U8"} }\n', b"1"))
file("valid_file_order_unlike_names", "",
     craft.file_bytes(craft.header_text(ODD_ORDER, order=list(reversed(ODD_ORDER))), ODD_ORDER))
file("valid_header_order_unlike_offsets", "", two("[4,8]", "[0,4]"))
file("valid_name_longest", "", one(name='"' + "é" * 2048 + '"'))


# --- directories ------------------------------------------------------------------------------


def shard(*names: str) -> bytes:
    tensors = {n: Tensor("U8", (1,), n.encode()) for n in names}
    return craft.file_bytes(craft.header_text(tensors), tensors)


def index(name: str, reason: str, text: object, **shards: bytes) -> None:
    text = text if isinstance(text, bytes) else json.dumps({"metadata": {"total_size": 2}, "weight_map": text}).encode()
    INDEXES.append((name, reason, {craft.INDEX: text} | {f"{n}.safetensors": d for n, d in shards.items()}))


GOOD = {"a": "x.safetensors", "b": "y.safetensors"}
X, Y = shard("a"), shard("b")
index("path_traversal", '"../../x" in weight_map', GOOD | {"b": "../../x"}, x=X, y=Y)
index("path_traversal_safetensors", '"../path_traversal/y.safetensors": a file that is there',
      GOOD | {"b": "../path_traversal/y.safetensors"}, x=X)
index("path_absolute", "an absolute path", GOOD | {"b": "/tmp/y.safetensors"}, x=X)
index("path_backslash", "a backslash in a shard's name", GOOD | {"b": "..\\y.safetensors"}, x=X)
index("path_nul", "U+0000 in a shard's name", GOOD | {"b": "y.safetensors\0"}, x=X, y=Y)
index("path_dot", "a shard named .", GOOD | {"b": "."}, x=X)
index("path_empty", "a shard without a name", GOOD | {"b": ""}, x=X)
index("shard_not_safetensors", "a shard named after the index itself", GOOD | {"b": craft.INDEX}, x=X)
index("shard_missing", "a shard is not there", GOOD, x=X)
index("tensor_in_two_shards", "a tensor is in two shards", GOOD, x=X, y=shard("a", "b"))
index("tensor_not_in_shard", "the index has a tensor that its shard lacks", GOOD | {"c": "y.safetensors"}, x=X, y=Y)
index("tensor_in_other_shard", "the index has each tensor in the other's shard",
      {"a": "y.safetensors", "b": "x.safetensors"}, x=X, y=Y)
index("tensor_not_in_index", "a shard has a tensor that the index lacks", GOOD, x=X, y=shard("b", "c"))
index("duplicate_tensor", "a tensor twice in weight_map", b'{"weight_map":{"a":"x.safetensors","a":"y.safetensors"}}',
      x=X, y=X)
index("duplicate_weight_map", "two weight_maps",
      b'{"weight_map":{"b":"y.safetensors"},"weight_map":{"a":"x.safetensors"}}', x=X, y=Y)
index("shard_number", "a shard that is a number", GOOD | {"b": 1}, x=X)
index("weight_map_missing", "no weight_map", b'{"metadata":{}}', x=X)
index("weight_map_array", "weight_map is an array", ["x.safetensors"], x=X)
index("not_an_object", "the index is an array", b"[]", x=X)
index("not_json", "the index is not JSON", b"weight_map", x=X)
index("not_utf8", "a byte FF in a name", b'{"weight_map":{"\xff":"x.safetensors"}}', x=X)
index("deep_nesting_bomb", "3,000 open arrays", b'{"weight_map":' + b"[" * 3_000, x=X)
index("shard_trailing_byte", "a shard that is itself invalid", GOOD, x=X, y=Y + b"\0")
index("valid_two_shards", "", GOOD, x=X, y=Y)
index("valid_other_files_beside", "", GOOD, x=X, y=Y, z=shard("not.in.the.index"))
index("valid_total_size_float", "", b'{"metadata":{"total_size":2.0},"weight_map":{"a":"x.safetensors"}}', x=X)
