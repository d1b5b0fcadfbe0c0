"""The patches that `check` must refuse for a defect in the annex or the annotations."""

import craft
from craft import Checkpoint, Draft, Frame, Tensor, raw_frame
from golden_refused import Edit, Make, W, case, directory, draft, parts, sealed

A = Tensor("U8", (), b"\1")


def dirs(edit: Edit) -> Make:
    """A patch between two directories of two shards, spoiled."""

    def make() -> bytes:
        d = draft(directory({"a": A, "w": W}), directory({"a": A, "w": W}))
        edit(d)
        return d.seal()

    return make


def renamed(name: str) -> Make:
    """The base's only shard has this name, in the headers and in the index."""
    return lambda: draft(directory({"w": W}, files={name: ["w"]}),
                         directory({"w": W}, files={"x.safetensors": ["w"]})).seal()


def beside(base: dict[str, bytes], edit: Edit = lambda d: None) -> Make:
    """Directories of one file each; only the base has these side files."""

    def make() -> bytes:
        files = {"model.safetensors": craft.header_text({"w": W})}
        d = draft(Checkpoint({"w": W}, files, side=base), Checkpoint({"w": W}, files))
        edit(d)
        return d.seal()

    return make


def side_name(name: str) -> Make:
    return beside({name: b"1"})


def base_header(text: bytes) -> Make:
    """The base's header replaced by this text."""
    return lambda: draft(Checkpoint({"w": W}, {"": text})).seal()


def manifest(old: bytes, new: bytes) -> Make:
    """Replaces a part of the manifest's JSON text; its length is corrected."""

    def spoil(plain: bytes) -> bytes:
        length = int.from_bytes(plain[:4], "little")
        text = plain[4 : 4 + length]
        assert old in text, (old, text)
        text = text.replace(old, new, 1)
        return len(text).to_bytes(4, "little") + text + plain[4 + length :]

    return sealed(annex=spoil)


def annotated(data: bytes) -> Make:
    return parts(lambda d: setattr(d, "annotations", data))


def frame(spoil: Frame) -> Make:
    return sealed(annex_frame=spoil)


case("annex_not_zstd", "3.2 (11), 3", "annex-frame", "the annex is stored as it is", frame(lambda p: p))
case("annex_zstd_window_bomb", "3.2 (11), 3", "annex-frame", "the zstd frame asks for a window of 3.75 TB",
     frame(lambda p: raw_frame(p, window=0xFF)))
case("annex_zstd_window_over_limit", "3.2 (11), 3", "annex-frame", "the zstd frame asks for a window of 144 MiB",
     frame(lambda p: raw_frame(p, window=17 << 3 | 1)))
case("annex_decodes_longer", "3.2 (11), 3.1", "annex-frame", "decodes to one byte more than the header says",
     frame(lambda p: raw_frame(p + b"\0")))
case("annex_decodes_shorter", "3.2 (11), 3.1", "annex-frame", "decodes to one byte less than the header says",
     frame(lambda p: raw_frame(p[:-1])))
case("annex_empty", "3.2 (11), 6", "annex-shape", "an annex of three bytes", sealed(annex=lambda p: b"\0\0\0"))
case("annex_manifest_past_end", "3.2 (11), 6", "annex-shape", "a manifest longer than the annex",
     sealed(annex=lambda p: b"\xff\xff\xff\xff" + p[4:]))
case("annex_manifest_not_canonical", "3.2 (11), 6", "annex-json", "a space in the manifest",
     manifest(b'"side":[]', b'"side": []'))
case("annex_manifest_duplicate_key", "3.2 (11), 6", "annex-json", "a key twice",
     manifest(b'"side":[]', b'"side":[],"side":[]'))
case("annex_manifest_unknown_key", "3.2 (11), 6", "annex-shape", "a member that is not defined",
     parts(lambda d: d.manifest.update(extra=1)))
case("annex_manifest_missing_key", "3.2 (11), 6", "annex-shape", "no side", parts(lambda d: d.manifest.pop("side")))
case("annex_index_null", "3.2 (11), 6", "annex-shape", "index is null, not absent",
     dirs(lambda d: d.manifest["base"].update(index=None)))
case("annex_blob_digest", "3.2 (11), 6", "annex-blobs", "a bit of a blob flipped, the annex' digest right",
     sealed(annex=lambda p: p[:-1] + b"\t"))


def blob_twice(d: Draft) -> None:
    d.blobs.append(d.blobs[0])
    d.manifest["target"]["files"][0].update(header=1)


case("annex_blob_twice", "3.2 (11), 6", "annex-blobs", "two blobs with the same bytes",
     parts(blob_twice))
case("annex_blob_unused", "3.2 (11), 6", "annex-blobs", "a blob that nothing refers to",
     parts(lambda d: d.blobs.append(b"bomb")))
case("annex_blob_number", "3.2 (11), 6", "annex-blobs", "blob 1 of one",
     parts(lambda d: d.manifest["base"]["files"][0].update(header=1)))
case("annex_blob_past_end", "3.2 (11), 6", "annex-blobs", "a blob longer than the annex",
     manifest(b'"length":', b'"length":9'))
case("annex_trailing_byte", "3.2 (11), 6", "annex-blobs", "a byte behind the last blob",
     sealed(annex=lambda p: p + b" "))
case("shard_path_traversal", "3.2 (11), 1", "annex-files", "a shard named ../../x.safetensors",
     renamed("../../x.safetensors"))
case("shard_absolute_path", "3.2 (11), 1", "annex-files", "a shard named /x.safetensors", renamed("/x.safetensors"))
case("shard_backslash", "3.2 (11), 1", "annex-files", "a backslash in a shard's name", renamed("..\\x.safetensors"))
case("shard_control_character", "3.2 (11), 1", "annex-files", "a newline in a shard's name", renamed("a\n.safetensors"))
case("shard_name_too_long", "3.2 (11), 1", "annex-files", "a shard's name of 256 bytes",
     renamed("a" * 244 + ".safetensors"))
case("shard_dot_dot", "3.2 (11), 1", "annex-files", "a shard named ..", renamed(".."))
case("shards_not_sorted", "3.2 (11), 6", "annex-files", "shards not in the order of their names",
     dirs(lambda d: d.manifest["base"]["files"].reverse()))
case("shard_twice", "3.2 (11), 6", "annex-files", "a shard's name twice",
     dirs(lambda d: [f.update(name="x-1.safetensors") for f in d.manifest["base"]["files"]]))
case("shard_and_single", "3.2 (11), 6", "annex-files", "the empty name beside a shard",
     dirs(lambda d: d.manifest["base"]["files"][0].update(name="")))
case("shard_not_safetensors", "3.2 (11), 6", "annex-files", "a shard named config.json", renamed("config.json"))
case("shards_without_index", "3.2 (11), 6", "annex-files", "two shards and no index",
     dirs(lambda d: [d.manifest[s].pop("index") for s in ("base", "target")] and d.blobs.pop(2)))
case("shard_alone_without_index", "3.2 (11), 6", "annex-files", "one file, x.safetensors, and no index",
     lambda: draft(*[Checkpoint({"w": W}, {"x.safetensors": craft.header_text({"w": W})})] * 2).seal())
case("shards_none", "3.2 (11), 6", "annex-files", "a directory of no files",
     parts(lambda d: d.manifest["base"].update(files=[]), base=Checkpoint({})))


def single_with_index(d: Draft) -> None:
    d.blobs.append(b'{"weight_map":{"w":"x.safetensors"}}')
    d.manifest["base"].update(index=1)


case("single_with_index", "3.2 (11), 6", "annex-files", "an index beside a single file", parts(single_with_index))


def index_of(data: bytes) -> Make:
    return dirs(lambda d: (d.blobs.__setitem__(d.manifest["base"]["index"], data),
                           d.manifest["target"].update(index=d.manifest["base"]["index"])))


case("index_path_traversal", "3.2 (11), 6", "annex-index", "the index blob puts a tensor into ../../x",
     index_of(b'{"weight_map":{"a":"../../x","w":"x-2.safetensors"}}'))
case("index_disagrees", "3.2 (11), 6", "annex-index", "the index blob has another shard than the headers",
     index_of(b'{"weight_map":{"a":"x-2.safetensors","w":"x-2.safetensors"}}'))
case("index_lacks_tensor", "3.2 (11), 6", "annex-index", "the index blob lacks a tensor",
     index_of(b'{"weight_map":{"w":"x-2.safetensors"}}'))
case("index_more_tensors", "3.2 (11), 6", "annex-index", "the index blob has a tensor that no header has",
     index_of(b'{"weight_map":{"a":"x-1.safetensors","b":"x-1.safetensors","w":"x-2.safetensors"}}'))
case("index_not_an_object", "3.2 (11), 6", "annex-index", "the index blob is an array", index_of(b"[]"))
case("side_file_of_single", "3.2 (11), 6", "annex-side", "a side file beside a single file",
     lambda: draft(Checkpoint({"w": W}, side={"a": b"1"}), Checkpoint({"w": W})).seal())
case("side_file_traversal", "3.2 (11), 1", "annex-side", "a side file named ../x", side_name("../x"))
case("side_file_empty_name", "3.2 (11), 1", "annex-side", "a side file without a name", side_name(""))
case("side_file_safetensors", "3.2 (11), 6", "annex-side", "a side file that ends in .safetensors",
     side_name("x-3.safetensors"))
case("side_file_provenance", "3.2 (11), 6", "annex-side", "a side file named vpatch.json", side_name("vpatch.json"))
case("side_file_index", "3.2 (11), 6", "annex-side", "a side file named model.safetensors.index.json",
     side_name(craft.INDEX))
case("side_files_not_sorted", "3.2 (11), 6", "annex-side", "side files not in the order of their names",
     beside({"a": b"1", "b": b"2"}, lambda d: d.manifest["side"].reverse()))
case("side_file_twice", "3.2 (11), 6", "annex-side", "a side file twice",
     beside({"a": b"1"}, lambda d: d.manifest["side"].append(d.manifest["side"][0])))
case("side_file_unchanged", "3.2 (11), 6", "annex-side", "a side file that does not differ",
     beside({"a": b"1"}, lambda d: d.manifest["side"][0].update(target=d.manifest["side"][0]["base"])))
case("side_file_nowhere", "3.2 (11), 6", "annex-side", "a side file that neither side has",
     beside({}, lambda d: d.manifest["side"].append({"name": "a"})))
case("annex_header_lacks_tensor", "3.2 (11), 6", "annex-headers", "a header without the tensor", base_header(b"{}"))
case("annex_header_more_tensors", "3.2 (11), 6", "annex-headers",
     "a header with a tensor that the patch does not know", base_header(craft.header_text({"a": A, "w": W})))
case("annex_header_other_name", "3.2 (11), 6", "annex-headers", "a header with another name",
     base_header(craft.header_text({"v": W})))
case("annex_header_other_dtype", "3.2 (11), 6", "annex-headers", "F16 in the header, BF16 in the patch",
     base_header(craft.header_text({"w": Tensor("F16", (4,), W.data)})))
case("annex_header_other_shape", "3.2 (11), 6", "annex-headers", "[2,2] in the header, [4] in the patch",
     base_header(craft.header_text({"w": Tensor("BF16", (2, 2), W.data)})))
case("annex_header_other_length", "3.2 (11), 6", "annex-headers",
     "5 bytes of an unknown dtype in the header, 4 in the patch",
     lambda: draft(Checkpoint({"x": Tensor("X9", (4,), b"1234")}, {
         "": craft.header_text({"x": Tensor("X9", (4,), b"12345")})}), {"x": Tensor("X9", (4,), b"1235")}).seal())


def tensor_in_two_files(d: Draft) -> None:
    d.blobs.append(craft.header_text({"a": A, "w": W}, pad=1))
    d.manifest["base"]["files"][0]["header"] = d.manifest["target"]["files"][0]["header"] = len(d.blobs) - 1
    d.blobs.pop(0)
    for side in ("base", "target"):
        for f in d.manifest[side]["files"]:
            f["header"] -= 1
        d.manifest[side]["index"] -= 1


case("annex_tensor_in_two_files", "3.2 (11), 6", "annex-headers", "a tensor in the headers of two shards",
     dirs(tensor_in_two_files))
case("annex_header_duplicate_key", "3.2 (11), 6", "annex-headers", "a tensor twice in a header", base_header(
    b'{"w":{"dtype":"BF16","shape":[4],"data_offsets":[0,8]},"w":{"dtype":"BF16","shape":[4],"data_offsets":[0,8]}}'))
case("annex_header_gap", "3.2 (11), 6", "annex-headers", "data_offsets begin at 8",
     base_header(b'{"w":{"dtype":"BF16","shape":[4],"data_offsets":[8,16]}}'))
case("annex_header_overlap", "3.2 (11), 6", "annex-headers", "two tensors on the same byte",
     lambda: draft(Checkpoint({"a": A, "b": A}, {
         "": craft.header_text({"a": A, "b": A}, pad=1).replace(b"[1, 2]", b"[0, 1]")}), {"a": A, "b": A}).seal())
case("annex_header_leading_space", "3.2 (11), 6", "annex-headers", "a header that starts with a space",
     base_header(b" " + craft.header_text({"w": W})))
case("annotations_not_an_object", "3.2 (12)", "annotations-json", "the annotations are an array", annotated(b"[]"))
case("annotations_not_json", "3.2 (12)", "annotations-json", "the annotations are not JSON", annotated(b"{'a': 1}"))
case("annotations_duplicate_key", "3.2 (12)", "annotations-json", "a key twice", annotated(b'{"name":"a","name":"a"}'))
case("annotations_duplicate_key_nested", "3.2 (12)", "annotations-json", "a key twice in an object within an array",
     annotated(b'{"forgetting":[{"a":1,"\\u0061":2}]}'))
case("annotations_nesting", "3.2 (12)", "annotations-json", "nested 33 deep",
     annotated(b'{"a":' + b"[" * 32 + b"]" * 32 + b"}"))
case("annotations_nesting_bomb", "3.2 (12)", "annotations-json", "3,000 open arrays", annotated(b'{"a":' + b"[" * 3000))
case("annotations_trailing_text", "3.2 (12)", "annotations-json", "a second object", annotated(b"{}{}"))
case("annotations_number", "3.2 (12)", "annotations-json", "NaN", annotated(b'{"a":NaN}'))
case("annotations_empty", "3.2 (12)", "annotations-json", "annotations of zero bytes", annotated(b""))
case("annotations_not_utf8", "3.2 (12)", "annotations-json", "a byte FF in a string", annotated(b'{"a":"\xff"}'))
