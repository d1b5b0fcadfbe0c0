import Foundation
import PatchFormat
import TestModels
import Testing

@testable import Apply
@testable import Base
@testable import Checkpoints

/// A folder of golden stacks: a base, patches of it that are called by letters, stacks as text files and, of those that
/// are not refused, the tensors that they make.
struct GoldenStacks: Sendable {
  let folder: String
  let letters: String
  let stacks: [Stack]
  let models: @Sendable () -> (base: [TestTensor], tuned: [[TestTensor]])

  /// - Parameter scales: of the patches, in the order of their letters; 0: no member.
  struct Stack: Sendable {
    let name: String
    let method: String
    let scales: [Double]
    let reason: String
    var isRefused = false
  }

  init(
    _ name: String, letters: String, _ stacks: [Stack],
    models: @escaping @Sendable () -> (base: [TestTensor], tuned: [[TestTensor]])
  ) {
    folder =
      URL(filePath: #filePath).deletingLastPathComponent()
      .appending(path: "../../fixtures/golden/\(name)").standardized.path
    self.letters = letters
    self.stacks = stacks
    self.models = models
  }

  /// Writes the folder anew.
  func bless() throws {
    let (base, tuned) = models()
    let siblings = try Siblings(base, tuned)
    let files = FileManager.default
    try files.createDirectory(atPath: folder, withIntermediateDirectories: true)
    for name in try files.contentsOfDirectory(atPath: folder) {
      try files.removeItem(atPath: "\(folder)/\(name)")
    }
    try files.copyItem(atPath: siblings.base.path, toPath: "\(folder)/base.safetensors")
    for (patch, letter) in zip(siblings.patches, letters) {
      try files.copyItem(atPath: patch.path, toPath: "\(folder)/\(letter).vpatch")
    }
    var rows = ["file\tidentity\treason"]
    for golden in stacks {
      let members = zip(siblings.patches, golden.scales).filter { $1 != 0 }
        .map { StackDefinition.Member($0.identity, scale: $1) }
      let stack = try StackDefinition(
        base: siblings.patches[0].header.baseRoot, method: MergeMethod(text: golden.method), members: members)
      let names = Dictionary(uniqueKeysWithValues: zip(siblings.patches.map(\.identity.hex), letters))
      let text = StackFile(name: golden.name, stack).text { names[$0.name].map(String.init) }
      try Data(text.utf8).write(to: URL(filePath: "\(folder)/\(golden.name).stack"))
      rows.append("\(golden.name).stack\t\(stack.identity)\t\(golden.reason)")
      guard !golden.isRefused else { continue }
      try siblings.folder.file("\(golden.name).safetensors", try result(siblings.merge(stack), siblings.base))
      try files.copyItem(
        atPath: siblings.folder["\(golden.name).safetensors"], toPath: "\(folder)/\(golden.name).safetensors")
    }
    try Data((rows.joined(separator: "\n") + "\n").utf8).write(to: URL(filePath: "\(folder)/REASONS.tsv"))
  }

  /// The tensors that the stack touches, as it makes them.
  private func result(_ merge: Merge, _ base: SafetensorsCheckpoint) throws -> [TestTensor] {
    try merge.touched.compactMap { name in
      guard let info = merge.target(name) else { return nil }
      let source = { (name: String) in base.tensor(named: name).map { StoredTensor($0, in: base) } }
      return TestTensor(name, info.dtype.name, info.shape, bytes: try merge.source(name, base: source).bytes())
    }
  }

  /// Every stack makes its tensors, or is refused, with both kernels.
  func check() throws {
    if ProcessInfo.processInfo.environment["VPATCH_BLESS"] == "1" { try bless() }
    let base = try SafetensorsCheckpoint(path: "\(folder)/base.safetensors")
    let patches = try letters.map { try Patch(path: "\(folder)/\($0).vpatch") }
    let rows = try String(contentsOfFile: "\(folder)/REASONS.tsv", encoding: .utf8)
      .split(separator: "\n").dropFirst().map { $0.split(separator: "\t").map(String.init) }
    #expect(rows.map { $0[0] } == stacks.map { "\($0.name).stack" })
    for (row, golden) in zip(rows, stacks) {
      let path = "\(folder)/\(row[0])"
      let file = try StackFile(text: Array(Data(contentsOf: URL(filePath: path))), path: path)
      let stack = try StackDefinition(
        base: #require(ContentDigest(hex: file.base)), method: file.method,
        members: file.members.map { .init(try #require(ContentDigest(hex: $0.name)), scale: $0.scale) })
      #expect(stack.identity.hex == row[1], "\(row[0])")
      let members = patches.filter { patch in stack.members.contains { $0.identity == patch.identity } }
      guard !golden.isRefused else {
        let error = #expect(throws: VPatchError.self, "\(row[0])") { try Merge(stack, patches: members) }
        #expect(error?.code == .refused && error?.remedy != nil, "\(row[0])")
        continue
      }
      let expected = try SafetensorsCheckpoint(path: path.replacingOccurrences(of: ".stack", with: ".safetensors"))
        .testTensors()
      for kernel in Kernel.allCases where kernel.isSupported {
        let found = try result(Merge(stack, patches: members, kernel: kernel), base)
        #expect(found.map(\.name) == expected.map(\.name), "\(row[0])")
        for (a, b) in zip(found, expected) { #expect(a == b, "\(row[0]) \(a.name)") }
      }
    }
  }
}
