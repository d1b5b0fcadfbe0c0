import Base
import Checkpoints
import Testing

/// Files and directories that lie, each refused for its own reason; those named `valid_…` are read.
@Suite struct HostileCheckpointTests {
  /// Part of a name → what the message says. The first that fits counts.
  static let words: [(String, String)] = [
    ("empty_file", "only 0 bytes"), ("seven_bytes", "only 7 bytes"),
    ("header_bomb", "header length is 137000000000 bytes"),
    ("header_length_over_limit", "the maximum is 100000000"), ("header_length_overflow", "the maximum is 100000000"),
    ("header_truncated", "cut short"), ("header_length_zero", "begin with '{'"), ("header_leading", "begin with '{'"),
    ("header_byte_order_mark", "begin with '{'"), ("header_not_an_object", "begin with '{'"),
    ("header_not_json", "a key expected at byte 1"), ("header_trailing_nul", "more text after"),
    ("header_two_objects", "more text after"), ("header_not_utf8", "not UTF-8"), ("not_utf8", "not UTF-8"),
    ("header_lone_surrogate", "an unpaired surrogate"), ("deep_nesting_bomb", "more than 32 deep"),
    ("duplicate_", "occurs twice"), ("name_metadata_tensor", "__metadata__ does not map"),
    ("metadata_", "__metadata__ does not map"), ("name_", "a name that is empty, over 4096 bytes or holds NUL"),
    ("tensor_not_an_object", "is not an object"), ("tensor_without_dtype", "no valid dtype"),
    ("tensor_without_shape", "no valid shape"), ("tensor_without_offsets", "no valid data_offsets"),
    ("dtype_", "no valid dtype"), ("shape_overflow_to_right_size", "no valid shape"), ("shape_overflow", "overflows"),
    ("shape_", "no valid shape"),
    ("size_", "bytes, but its dtype and shape require"), ("offsets_begin_after_end", "behind its end"),
    ("offsets_past_end", "of the data, which has only"), ("offsets_not_at_zero", "leaves a gap"),
    ("offsets_", "no valid data_offsets"), ("overlap", "overlaps the tensor before it"), ("gap", "leaves a gap"),
    ("shard_trailing_byte", "1 bytes follow"), ("trailing_byte", "1 bytes follow"), ("truncated_data", "cut short?"),
    ("path_", "not a plain file name in this directory"), ("shard_not_safetensors", "not a safetensors file"),
    ("shard_missing", "names the shard \"y.safetensors\", which cannot be opened"),
    ("tensor_in_two_shards", "twice, in \"x.safetensors\" and \"y.safetensors\""),
    ("tensor_not_in_shard", "names the tensor \"c\", which its shard does not hold"),
    ("tensor_in_other_shard", "does not place the tensor \"a\""),
    ("tensor_not_in_index", "does not place the tensor \"c\""),
    ("shard_number", "names no shard"), ("weight_map_", "no weight_map"), ("not_an_object", "no weight_map"),
    ("not_json", "not valid JSON"),
  ]

  @Test(arguments: Fixtures.reasons("hostile-safetensors"))
  func file(row: [String: String]) throws {
    try check("hostile-safetensors", row["file"]!)
  }

  @Test(arguments: Fixtures.reasons("hostile-index"))
  func directory(row: [String: String]) throws {
    try check("hostile-index", row["folder"]!)
  }

  func check(_ folder: String, _ name: String) throws {
    let path = Fixtures.path("\(folder)/\(name)")
    guard !name.hasPrefix("valid_") else {
      let checkpoint = try SafetensorsCheckpoint(path: path)
      for tensor in checkpoint.tensors { _ = try StoredTensor(tensor, in: checkpoint).fingerprint() }
      return
    }
    guard let error = refusal(name, { _ = try SafetensorsCheckpoint(path: path) }) else { return }
    // A missing shard is a file that is not there; all others are files that are wrong.
    #expect(error.code == (name == "shard_missing" ? .io : .invalid), "\(error)")
    let expected = try #require(Self.words.first { name.hasPrefix($0.0) }, "no words for \(name)")
    #expect(error.reason.contains(expected.1), "\(error.reason)")
    #expect(error.subject?.hasPrefix(path) == true)
    #expect(!error.description.contains { $0.isNewline })
  }

  @Test func allAreListed() throws {
    #expect(
      Set(Fixtures.reasons("hostile-safetensors").map { $0["file"]! })
        == Set(try Fixtures.names(in: "hostile-safetensors", suffix: ".safetensors")))
    let folders = try Path.entries(of: Fixtures.path("hostile-index")).filter { !$0.hasSuffix(".tsv") }
    #expect(Set(Fixtures.reasons("hostile-index").map { $0["folder"]! }) == Set(folders))
  }
}
