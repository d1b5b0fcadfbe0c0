import Foundation
import PatchFormat
import TestModels
import Testing

@testable import Apply
@testable import Base
@testable import Checkpoints

/// An adapter that PEFT 0.21.2 saved, with the digests of what PEFT makes of its base (fixtures/adapters/make.py).
struct AdapterFixture: CustomTestStringConvertible, Sendable {
  let name: String
  /// Folders.
  let adapter, base: String
  /// By the way of merging: the SHA-256 of each merged tensor's bytes, and how many of its elements differ from the
  /// rounding `sum` and `change` of the spec.
  let merges: [String: Merged]

  struct Merged: Sendable {
    let digests: [String: String]
    let differ: [String: (sum: Int, change: Int)]
  }

  var testDescription: String { name }

  static let folder = URL(filePath: #filePath).deletingLastPathComponent().path + "/../../../fixtures"

  static let all: [AdapterFixture] = {
    let text = try! InputFile.contents(of: "\(folder)/adapters/expected.json", limit: 1 << 24)
    return try! JSON.parse(text).object!.map { entry in
      AdapterFixture(
        name: entry.key, adapter: "\(folder)/adapters/\(entry.key)", base: "\(folder)/\(entry.value["base"]!.string!)",
        merges: Dictionary(
          uniqueKeysWithValues: entry.value.object!.filter { $0.value["sha256"] != nil }.map { member in
            (
              member.key,
              Merged(
                digests: Dictionary(
                  uniqueKeysWithValues: member.value["sha256"]!.object!.map { ($0.key, $0.value.string!) }),
                differ: Dictionary(
                  uniqueKeysWithValues: (member.value["differ"]?.object ?? []).map {
                    ($0.key, ($0.value["sum"]!.int!, $0.value["delta"]!.int!))
                  }))
            )
          }))
    }
  }()

  static func named(_ name: String) -> AdapterFixture { all.first { $0.name == name }! }

  func plan(_ adapter: String? = nil) throws -> AdapterPlan {
    try AdapterPlan(PEFTAdapter(path: adapter ?? self.adapter), over: SafetensorsCheckpoint(path: base))
  }

  /// Creates a patch from the base and the adapter.
  func create(
    _ folder: TestFolder, as name: String = "p.vpatch", keepsAdapter: Bool = true
  ) throws -> (Patch, CreateResult) {
    let plan = try plan()
    var options = CreateOptions()
    options.adapter = plan
    options.keepsAdapter = keepsAdapter
    let create = Create(
      base: plan.base, tuned: AdaptedCheckpoint(plan), options: options, work: WorkOptions(threads: 2))
    let result = try create.write(to: folder[name], replacing: true)
    return (try Patch(path: folder[name]), result)
  }
}
