import Foundation
import PatchFormat
import TestModels
import Testing

@testable import Apply
@testable import Base
@testable import Checkpoints
@testable import ModelFiles

/// What patches do to the files beside a model, whatever stands there.
@Suite("Side files") struct SideFileTests {
  let folder: TestFolder
  private let base: SafetensorsCheckpoint

  init() throws {
    folder = try TestFolder()
    base = try SafetensorsCheckpoint(path: folder.directory("base", [.weights("w", [4])]))
  }

  /// What may stand at a name.
  private enum Thing: Hashable {
    case missing, large, folder, linkToNowhere, pipe
    case file(String)
    /// To a file of these contents inside of the model's folder.
    case link(String)
    /// To one outside of it.
    case linkOut(String)

    static func random(_ random: inout TestRandom) -> Thing {
      let text = SideFileTests.texts.randomElement(using: &random)!
      switch random.next() % 12 {
      case 0, 1: return .missing
      case 2: return .large
      case 3: return .folder
      case 4: return .linkToNowhere
      case 5: return .pipe
      case 6: return .link(text)
      case 7: return .linkOut(text)
      default: return .file(text)
      }
    }

    /// What a patch may compare; nil where it must not touch it.
    var comparable: String?? {
      switch self {
      case .missing: .some(nil)
      case .file(let text), .link(let text): .some(text)
      case .large, .folder, .linkToNowhere, .pipe, .linkOut: .none
      }
    }
  }

  private static let names = ["a.json", "b", "c.txt", "d", "e\u{301}"]
  /// Few, so that patch and user often have the same; the empty one is what a file that is not read must not count as.
  private static let texts = ["", "x", "y"]
  private static let largeSize = 32 << 20 + 1

  @Test("by chance: what is the patch's own is changed, and nothing else", arguments: 0..<40)
  func property(seed: UInt64) throws {
    var random = TestRandom(seed)
    let patches = try (0..<3).map { try patch("p\($0).vpatch", &random) }
    var things = Dictionary(uniqueKeysWithValues: Self.names.map { ($0, Thing.random(&random)) })
    try folder.directory("model", [.weights("w", [4])])
    for (name, thing) in things { try put(thing, name) }
    // Copies are whole files of the largest kind: fewer of them.
    for way in 0..<(seed < 10 ? 4 : 3) {
      let steps = (0...random.next() % 2).map { _ in
        PatchStep(patches.randomElement(using: &random)!, random.next() % 2 == 0 ? .forward : .backward)
      }
      let (after, kept) = expected(things, steps)
      let rebuild = Rebuild(try SafetensorsCheckpoint(path: folder["model"]), steps, WorkOptions(threads: 1))
      let told = "seed \(seed), way \(way): \(things) became \(after)"
      if way < 3 {
        let provenance = try rebuild.provenance(full: true, inPlace: true)
        let result = try rebuild.writeInPlace(provenance, full: true, allowLinks: false, byRename: way == 1)
        for name in Self.names {
          #expect(try seen("model/\(name)") == shape(after[name]!), "\(name), \(told)")
        }
        #expect(Set(result.sideFilesKept) == kept && result.sideFilesKept.count == kept.count, "\(told)")
        #expect(result.sideFileSummary == summary(things, after), "\(told)")
        things = after
      } else {
        let result = try rebuild.write(to: folder["out"], allowsOutside: true)
        for name in Self.names { #expect(try seen("out/\(name)") == copied(after[name]!), "\(name), \(told)") }
        #expect(Set(result.sideFilesKept) == kept, "\(told)")
        let lost = after.filter { [.linkToNowhere, .pipe].contains($0.value) }.keys
        #expect(Set(result.leftOut) == Set(lost), "\(told)")
      }
    }
    let links = things.filter { if case .link = $0.value { true } else { false } }
    #expect(try folder.names(in: "model").filter { $0.hasPrefix(".") && !$0.hasPrefix(".real-") } == [])
    for (name, thing) in links { #expect(try seen("model/\(name)") == shape(thing)) }
  }

  /// A patch that changes side files alone.
  private func patch(_ name: String, _ random: inout TestRandom) throws -> Patch {
    let texts: [String?] = [nil] + Self.texts.map { .some($0) }
    let files = Self.names.compactMap { name -> Annex.SideFile? in
      let (from, to) = (texts.randomElement(using: &random)!, texts.randomElement(using: &random)!)
      return from == to
        ? nil : Annex.SideFile(name: name, base: from.map { Array($0.utf8) }, target: to.map { Array($0.utf8) })
    }
    let tensor = base.tensors[0]
    let same = FingerprintedTensor(tensor.info, try StoredTensor(tensor, in: base).fingerprint())
    let layout = FileLayout(of: base)
    _ = try PatchWriter(path: folder[name]).finish(
      [.init(operation: .same, base: same, target: same, chunks: [])],
      annex: Annex(base: layout, target: layout, sideFiles: files), annotations: .object([]))
    return try Patch(path: folder[name])
  }

  private func put(_ thing: Thing, _ name: String) throws {
    let path = folder["model/\(name)"]
    switch thing {
    case .missing: break
    case .file(let text): try folder.write("model/\(name)", text)
    case .large:
      try folder.write("model/\(name)", "")
      try #require(truncate(path, off_t(Self.largeSize)) == 0)
    case .folder: try folder.write("model/\(name)/inside", "mine")
    case .linkToNowhere: try #require(symlink("nowhere", path) == 0)
    case .pipe: try #require(mkfifo(path, 0o600) == 0)
    case .link(let text):
      try folder.write("model/.real-\(name)", text)
      try #require(symlink(".real-\(name)", path) == 0)
    case .linkOut(let text):
      try folder.write("elsewhere/\(name)", text)
      try #require(symlink("../elsewhere/\(name)", path) == 0)
    }
  }

  /// The rule, said again: forward and backward, each finds what the one before left.
  private func expected(_ things: [String: Thing], _ steps: [PatchStep]) -> ([String: Thing], kept: Set<String>) {
    var after = things
    var kept: Set<String> = []
    for name in Self.names {
      guard case .some(let first) = things[name]!.comparable else {
        if steps.contains(where: { $0.sideFiles.contains { $0.name == name } }) { kept.insert(name) }
        continue
      }
      var current = first
      for step in steps {
        guard let file = step.sideFiles.first(where: { $0.name == name }) else { continue }
        let (from, to) = (text(file.from), text(file.to))
        if current == from { current = to } else if current != to { kept.insert(name) }
      }
      guard current != first else { continue }
      after[name] = current.map { .file($0) } ?? .missing
      kept.remove(name)
    }
    return (after, kept)
  }

  private func text(_ bytes: [UInt8]?) -> String? { bytes.map { String(decoding: $0, as: UTF8.self) } }

  private func summary(_ before: [String: Thing], _ after: [String: Thing]) -> SideFileSummary {
    SideFileSummary(
      Self.names.filter { before[$0] != after[$0] }.map { name in
        func bytes(_ thing: Thing) -> [UInt8]? { thing.comparable!.map { Array($0.utf8) } }
        return (name, bytes(before[name]!), bytes(after[name]!))
      })
  }

  /// What is to be seen of a thing, and of the thing as a copied model has it.
  private func shape(_ thing: Thing) -> String {
    switch thing {
    case .missing: "nothing"
    case .file(let text): "file \(text)"
    case .large: "file of \(Self.largeSize)"
    case .folder: "folder mine"
    case .linkToNowhere: "link nowhere"
    case .pipe: "pipe"
    case .link(let text): "link inside \(text)"
    case .linkOut(let text): "link outside \(text)"
    }
  }

  private func copied(_ thing: Thing) -> String {
    switch thing {
    case .link(let text), .linkOut(let text): "file \(text)"
    case .linkToNowhere, .pipe: "nothing"
    default: shape(thing)
    }
  }

  private func seen(_ name: String) throws -> String {
    let path = folder[name]
    switch try PathKind.of(path, followingLinks: false) {
    case .missing: return "nothing"
    case .directory: return "folder " + (try folder.text("\(name)/inside"))
    case .other: return "pipe"
    case .file:
      let file = try InputFile(path: path)
      return file.size > 1000 ? "file of \(file.size)" : "file " + (try folder.text(name))
    case .symbolicLink:
      let target = try FileManager.default.destinationOfSymbolicLink(atPath: path)
      if target == "nowhere" { return "link nowhere" }
      return "link \(target.hasPrefix("..") ? "outside" : "inside") " + (try folder.text(name))
    }
  }

  // MARK: Meanwhile

  @Test("what was compared is what is replaced or removed", arguments: ["changed", "removed", "added"])
  func meanwhile(name: String) throws {
    let files = ["changed": "x", "removed": "x"]
    for (name, text) in files {
      try folder.write("model/\(name)", text)
      try FileManager.default.setAttributes(
        [.modificationDate: Date(timeIntervalSince1970: 1)], ofItemAtPath: folder["model/\(name)"])
    }
    try folder.directory("model", [.weights("w", [4])])
    let layout = FileLayout(of: base)
    let tensor = base.tensors[0]
    let same = FingerprintedTensor(tensor.info, try StoredTensor(tensor, in: base).fingerprint())
    _ = try PatchWriter(path: folder["p.vpatch"]).finish(
      [.init(operation: .same, base: same, target: same, chunks: [])],
      annex: Annex(
        base: layout, target: layout,
        sideFiles: [
          .init(name: "changed", base: Array("x".utf8), target: Array("y".utf8)),
          .init(name: "removed", base: Array("x".utf8), target: nil),
          .init(name: "added", base: nil, target: Array("y".utf8)),
        ]), annotations: .object([]))
    let model = try SafetensorsCheckpoint(path: folder["model"])
    let changes = try SideFileChanges(model, [PatchStep(Patch(path: folder["p.vpatch"]), .forward)])
    #expect(changes.replaced.count == 3)
    var replacements = PendingReplacements(in: model.path)
    for file in changes.replaced { try replacements.replace(file) }
    try replacements.requireUnchanged()
    // Written into, by a careless program, with as many bytes; or there now.
    if name == "added" {
      try folder.write("model/added", "mine")
    } else {
      try InPlace.write([0], to: folder["model/\(name)"])
    }
    let error = #expect(throws: VPatchError.self) { try replacements.requireUnchanged() }
    #expect(error?.description.contains("model/\(name): was changed by another program meanwhile") == true)
  }

  @Test("what cannot be looked at stops the change") func unclear() throws {
    var random = TestRandom(1)
    let patch = try patch("p.vpatch", &random)
    let name = try #require(patch.annex.sideFiles.first?.name)
    try folder.directory("model", [.weights("w", [4])])
    // A link to itself: neither there nor not there.
    try #require(symlink(name, folder["model/\(name)"]) == 0)
    let before = try folder.names(in: "model")
    let rebuild = Rebuild(
      try SafetensorsCheckpoint(path: folder["model"]), [PatchStep(patch, .forward)], WorkOptions(threads: 1))
    let error = #expect(throws: VPatchError.self) {
      try rebuild.writeInPlace(rebuild.provenance(full: true), full: true, allowLinks: false, byRename: false)
    }
    #expect(error?.description.contains("model/\(name): cannot be examined") == true, "\(error?.description ?? "")")
    #expect(throws: VPatchError.self) { try rebuild.write(to: folder["out"]) }
    #expect(try folder.names(in: "model") == before && !folder.exists("out"))
  }
}
