import Base
import Checkpoints
import PatchFormat
import Testing

/// Every file of `fixtures/golden`, against what its folder and its row promise.
@Suite struct GoldenTests {
  /// What a message must say, by the rule that is broken; one of them.
  static let words: [String: [String]] = [
    "too-short": ["not a vpatch file", "cut short"], "magic": ["not a vpatch file", "text mode"],
    "preamble-digest": ["damaged in its preamble"], "major-version": ["version 1"],
    "must-understand": ["a feature that this vpatch does not support"], "reserved": ["reserved bytes"],
    "header-length": ["declares a header of"], "header-digest": ["damaged in its header"],
    "header-frame": ["a header that is"],
    "header-json": [
      "at byte", "canonical form", "invalid shape", "invalid chunk",
    ],
    "header-shape": [
      "unknown member", "has no ", "that is not ", "invalid lengths", "invalid chunk", "not of the format",
      "not an object",
      "unknown operation", "chunks of the tensor", "unknown rounding", "invalid scale", "invalid factor",
    ],
    "number-limit": ["out of bounds", "the maximum is 134217728", "invalid chunks", "a rank of"],
    "overflow": ["overflows"],
    "name": ["a tensor name that", "invalid dtype", "a tensor name of the adapter"],
    "name-order": ["out of order or twice"],
    "operation": ["does not match its two sides", "lengths", "lacks the length", "two equal fingerprints"],
    "chunks": ["chunks", "a chunk of"], "layout": ["cut short", "annotations"], "total": ["bytes together"],
    "base-root": ["a base root that does not match"], "target-root": ["a target root that does not match"],
    "identity": ["an identity that does not match"], "chunk-digest": ["damaged in the tensor"],
    "annex-digest": ["damaged in its annex"], "annotations-digest": ["damaged in its annotations"],
    "annex-frame": ["an annex that is"], "annex-json": ["an annex whose manifest"],
    "annex-shape": ["a manifest", "the manifest", "a layout", "in the adapter"], "annex-blobs": ["blob"],
    "annex-files": ["forbidden name", "files out of order", "no index", "without files", "an index for"],
    "annex-index": ["an index that does not match", "invalid header or index"],
    "annex-side": ["a side file", "side files"],
    "annex-headers": ["an invalid header", "headers in its annex", "headers of its annex"],
    "annotations-json": ["has annotations"],
    "coder": ["coder"],
    "chunk-length": ["has data left over", "data of the wrong length", "is empty or uses an unknown coder"],
    "chunk-frame": ["zstd frame"],
    "sparse": ["element", "data", "not in its shortest form"],
    "ulp-model": ["model", "map", "class", "frequency table"], "ulp-symbol": ["cannot be decoded"],
    "ulp-table": ["frequency", "frequencies"], "ulp-state": ["initial state", "cannot be decoded"],
    "ulp-choice": ["cannot be decoded"], "ulp-layout": ["ends within"], "ulp-words": ["cannot be decoded"],
    "flags": ["has the flags", "a factor that the adapter does not have"],
    "adapter": ["an adapter without tensors", "lacks the length"],
    "low-rank": ["a factor", "factors for", "scale that is not finite"],
    "copy": ["as the copy of a tensor", "which is a copy"], "annex-adapter": ["header of its adapter"],
    "low-rank-layout": ["ends within its data"], "low-rank-choice": ["choices that do not match"],
    "ulp-extra": ["cannot be decoded"], "ulp-context": ["cannot be decoded"], "result": ["what was promised"],
  ]

  func expectWords(_ error: VPatchError, _ row: [String: String]) {
    #expect(error.code == .invalid, "\(error)")
    #expect(!error.description.contains("\n"))
    let words = Self.words[row["rule"]!] ?? []
    #expect(words.contains { error.reason.contains($0) }, "\(row["rule"]!): \(error.reason)")
    #expect(error.subject?.hasSuffix(row["file"]!) == true)
  }

  @Test(arguments: Fixtures.reasons("golden/refused"))
  func refused(row: [String: String]) throws {
    let path = Fixtures.path("golden/refused/\(row["file"]!)")
    expectWords(try #require(refusal(path) { _ = try Patch(path: path) }), row)
  }

  @Test(arguments: Fixtures.reasons("golden/refused-on-decode"))
  func refusedOnDecode(row: [String: String]) throws { try refusedOnDecode(row, in: "golden/refused-on-decode") }

  /// Files with flags: they have a model of their own.
  @Test(arguments: Fixtures.reasons("golden/refused-on-decode-features"))
  func refusedFeaturesOnDecode(row: [String: String]) throws {
    try refusedOnDecode(row, in: "golden/refused-on-decode-features")
  }

  private func refusedOnDecode(_ row: [String: String], in folder: String) throws {
    let patch = try Patch(path: Fixtures.path("\(folder)/\(row["file"]!)"))
    let isRevert = row["command"] == "revert"
    let model = try SafetensorsCheckpoint(
      path: Fixtures.path("\(folder)/\(isRevert ? "target" : "base").safetensors"))
    do {
      let wrong = try patch.wrongTensors(over: model, isRevert ? .backward : .forward)
      #expect(!wrong.isEmpty, "decodes to what was promised")
      #expect(["result", "ulp-context"].contains(row["rule"]))
    } catch let error as VPatchError {
      expectWords(error, row)
    }
  }

  @Test(arguments: Fixtures.reasons("golden/accepted"))
  func accepted(row: [String: String]) throws {
    let patch = try Patch(path: Fixtures.path("golden/accepted/\(row["file"]!)"))
    let base = try SafetensorsCheckpoint(path: Fixtures.path("golden/refused-on-decode/base.safetensors"))
    let target = try SafetensorsCheckpoint(path: Fixtures.path("golden/refused-on-decode/target.safetensors"))
    #expect(!patch.header.touched.isEmpty)
    #expect(try patch.wrongTensors(over: base, .forward) == [])
    #expect(try patch.wrongTensors(over: target, .backward) == [])
    #expect(!patch.isReadOnly)
  }

  @Test(arguments: Fixtures.reasons("golden/accepted-features"))
  func acceptedFeatures(row: [String: String]) throws {
    let patch = try Patch(path: Fixtures.path("golden/accepted-features/\(row["file"]!)"))
    let models = try ["base", "target"].map {
      try SafetensorsCheckpoint(path: Fixtures.path("golden/accepted-features/\(row[$0]!)"))
    }
    #expect(!patch.header.flags.isEmpty && !patch.header.touched.isEmpty)
    #expect(try patch.wrongTensors(over: models[0], .forward) == [])
    #expect(try patch.wrongTensors(over: models[1], .backward) == [])
  }

  @Test func everyFileHasItsRow() throws {
    let folders = [
      "refused", "refused-on-decode", "refused-on-decode-features", "accepted", "accepted-by-flag", "accepted-features",
    ]
    for folder in folders {
      let files = try Fixtures.names(in: "golden/\(folder)", suffix: ".vpatch")
      #expect(Set(Fixtures.reasons("golden/\(folder)").map { $0["file"]! }) == Set(files))
    }
    #expect(Fixtures.reasons("golden/refused").count >= 293)
  }

  @Test func flagThatForbidsToRewrite() throws {
    let scratch = Scratch()
    let patch = try Patch(path: Fixtures.path("golden/accepted-by-flag/read_only_safe.vpatch"))
    #expect(patch.isReadOnly)
    let error = try #require(
      refusal("rewriting") { try patch.write(annotations: .object([]), to: scratch.file("new.vpatch")) })
    #expect(error.code == .refused)
    #expect(error.reason.contains("later version that forbids older ones to change it"))
    #expect(scratch.entries == [])
  }

  @Test func flagThatMayBeIgnored() throws {
    let scratch = Scratch()
    let patch = try Patch(path: Fixtures.path("golden/accepted-by-flag/ignorable.vpatch"))
    #expect(!patch.isReadOnly)
    try patch.write(annotations: .object([JSON.Member("name", .string("x"))]), to: scratch.file("new.vpatch"))
    let again = try Patch(path: scratch.file("new.vpatch"))
    #expect(again.name == "x")
    // The flag travels on: the first 128 bytes are the same.
    #expect(try contents(again.path)[..<128] == contents(patch.path)[..<128])
  }
}
