import Base
import Checkpoints
import PatchFormat

/// Combines a chain of patches into one: from the base of the first to the target of the last, bit for bit.
///
/// Most of it needs no model: a tensor that only one patch touches is copied in stored form; a tensor that some patch
/// contains whole is decoded from there; and differences without context are added. If several patches change a tensor
/// with a coder that needs the base's values, the base is required.
package struct Squash: Sendable {
  package let patches: [Patch]
  package let base: ModelView?
  package let work: WorkOptions

  /// - Parameters:
  ///   - patches: each made from the target of the one before.
  ///   - base: the base of the first one; nil to do without.
  package init(_ patches: [Patch], base: SafetensorsCheckpoint?, _ work: WorkOptions) throws {
    guard patches.count > 1 else {
      throw VPatchError(.refused, patches.first?.label, "already is one patch", remedy: "give two or more of a chain")
    }
    _ = try [PatchStep].chain(patches)
    self.patches = patches
    self.base = base.map { ModelView($0) }
    self.work = work
    if let base { try Rebuild(base, [PatchStep(patches[0], .forward)], work).checkInput(full: false) }
  }

  package struct Result: Sendable {
    package let header: PatchHeader
    /// Tensors whose chunks were copied.
    package let copied: Int
    /// Tensors that were encoded again.
    package let encoded: Int
    package let fileSize: Int
    /// What the patch does to the side files.
    package let sideFileSummary: SideFileSummary
  }

  package func write(to path: String, name: String?, note: String?, replacing: Bool = false) throws -> Result {
    let tensors = try tensors()
    guard !tensors.changed.isEmpty else {
      throw VPatchError(.refused, patches[0].label, "changes nothing together with the others")
    }
    let writer = try PatchWriter(path: path, replacing: replacing)
    // The inputs are the base, if there is one, and patches, whose chunks have digests.
    let source = base?.path ?? patches[0].label
    let entries = try PatchBuilder(base: source, target: source, work: work).entries(tensors, writer)
    let annex = try annex(tensors)
    try base?.checkpoint.requireSameBytes()
    let header = try writer.finish(
      entries, annex: annex, annotations: annotations(tensors, name: name, note: note))
    let copied = tensors.count { if case .copied = $0.content { true } else { false } }
    return Result(
      header: header, copied: copied, encoded: header.touched.count - copied,
      fileSize: writer.fileSize, sideFileSummary: SideFileSummary(annex))
  }

  // MARK: Tensors

  /// A patch of the chain that touches a tensor.
  private struct Link: Sendable {
    let patch: Patch
    let tensor: PatchTensor
  }

  private func tensors() throws -> [PatchBuilder.Tensor] {
    var links: [String: [Link]] = [:]
    for patch in patches {
      for tensor in patch.header.touched {
        links[tensor.name.bytesKey, default: []].append(Link(patch: patch, tensor: tensor))
      }
    }
    let untouched = patches[0].header.tensors.compactMap(\.base).filter { links[$0.info.name.bytesKey] == nil }
    let same = untouched.map { PatchBuilder.Tensor(base: $0, target: $0, content: .same) }
    return try (same + links.values.compactMap(tensor)).sorted { $0.name.precedes($1.name) }
  }

  private func tensor(_ links: [Link]) throws -> PatchBuilder.Tensor? {
    let base = links[0].tensor.base
    let target = links[links.count - 1].tensor.target
    if base == nil, target == nil { return nil }
    if base == target { return PatchBuilder.Tensor(base: base, target: base, content: .same) }
    let content: PatchBuilder.Content
    if links.count == 1, links[0].tensor.isSelfContained {
      content = .copied(from: links[0].patch, links[0].tensor)
    } else if let known = known(links) {
      content = .encoded(
        base: { follow(known(), links, from: known().state, to: 0) },
        target: { follow(known(), links, from: known().state, to: links.count) })
    } else if try isSummable(links) {
      // Only the difference matters, so the base can be any values: zeros, whose rank is 0.
      content = .differences(
        base: { ZeroTensor(base!.info) },
        target: { follow(Known(state: 0, source: ZeroTensor(base!.info)), links, from: 0, to: links.count) })
    } else {
      let name = links[0].tensor.name.printable
      throw VPatchError(
        .refused, links[links.count - 1].patch.label,
        links.count == 1
          ? "stores \"\(name)\" by reference to other weights, which only the base of the chain has"
          : "changes \"\(name)\" after \(links[0].patch.label), and the two differences cannot be added "
            + "without the weights between them",
        remedy: "give the base of the chain: --base MODEL")
    }
    return PatchBuilder.Tensor(base: base, target: target, content: content)
  }

  /// A state of the chain with known bytes of a tensor: state i is before link i, and after link i − 1.
  private struct Known {
    let state: Int
    let source: (any TensorSource)?
  }

  private func known(_ links: [Link]) -> (@Sendable () -> Known)? {
    if let base { return { [links] in Known(state: 0, source: base.source(links[0].tensor.name)) } }
    guard links.allSatisfy({ $0.tensor.copy == nil }) else { return nil }
    for (i, link) in links.enumerated() {
      switch link.tensor.operation {
      case .add: return { Known(state: i, source: nil) }
      case .replace, .remove:
        return { Known(state: i, source: PatchedTensor(link.tensor, of: link.patch, .backward) { _ in nil }) }
      case .same, .change, .rows: continue
      }
    }
    return nil
  }

  /// Whether the differences can be added without context.
  private func isSummable(_ links: [Link]) throws -> Bool {
    try links.allSatisfy { try $0.tensor.operation == .change && !$0.patch.needsContext($0.tensor) }
  }

  /// The bytes at another state of the chain.
  private func follow(_ known: Known, _ links: [Link], from start: Int, to end: Int) -> (any TensorSource)? {
    var source = known.source
    if end >= start {
      for link in links[start..<end] {
        source = step(source, link, .forward)
      }
    } else {
      for link in links[end..<start].reversed() {
        source = step(source, link, .backward)
      }
    }
    return source
  }

  /// The bytes after one link. What it copies from another tensor follows from the base, which then is known.
  private func step(_ source: (any TensorSource)?, _ link: Link, _ direction: Direction) -> (any TensorSource)? {
    PatchedTensor(link.tensor, of: link.patch, direction) { name in
      if name.isSame(as: link.tensor.name) { return source }
      guard let base else { return nil }
      let before = patches.prefix { $0.identity != link.patch.identity }
      let steps = (direction == .forward ? before : before + [link.patch]).map { PatchStep($0, .forward) }
      return ModelView(base.checkpoint, steps).source(name)
    }
  }

  // MARK: Files and annotations

  /// The layouts of the chain's ends, if the patches' layouts connect; else the first's, adapted.
  private func annex(_ tensors: [PatchBuilder.Tensor]) throws -> Annex {
    let first = patches[0].annex
    let last = patches[patches.count - 1].annex
    let isConnected = zip(patches, patches.dropFirst()).allSatisfy { $0.annex.target == $1.annex.base }
    let target = isConnected ? last.target : try first.base.adapted(to: tensors.layoutChanges, path: patches[0].label)
    return Annex(
      base: first.base, target: target,
      sideFiles: first.base.isDirectory && target.isDirectory ? sideFiles : [])
  }

  /// The contents of each side file before the first patch that changes it, and after the last, as long as each patch
  /// starts from the result of the one before.
  private var sideFiles: [Annex.SideFile] {
    var files: [String: Annex.SideFile] = [:]
    for file in patches.flatMap(\.annex.sideFiles) {
      guard let earlier = files[file.name.bytesKey] else {
        files[file.name.bytesKey] = file
        continue
      }
      guard earlier.target == file.base else { continue }
      files[file.name.bytesKey] = Annex.SideFile(name: file.name, base: earlier.base, target: file.target)
    }
    return files.values.filter { $0.base != $0.target }
  }

  private func annotations(_ tensors: [PatchBuilder.Tensor], name: String?, note: String?) -> JSON {
    let (layout, recipe) = tensors.annotated
    return .dictionary([
      "name": name.map { .string($0) }, "note": note.map { .string($0) }, "recipe": recipe, "layout": layout,
      "made": .dictionary([
        "writer": .string("vpatch \(vpatchVersion)"),
        "composed": .array(patches.map { .string($0.identity.hex) }),
      ]),
      "forgetting": measuredHere,
    ])
  }

  /// Forgetting records that were measured between exactly the two ends.
  private var measuredHere: JSON? {
    let base = patches[0].header.baseRoot.hex
    let target = patches[patches.count - 1].header.targetRoot.hex
    let records = patches[patches.count - 1].annotations["forgetting"]?.array?.filter {
      $0["reference"]?.string == base && $0["measured"]?.string == target
    }
    return records.flatMap { $0.isEmpty ? nil : .array($0) }
  }
}

/// A tensor of zero bytes.
private final class ZeroTensor: TensorSource {
  let info: TensorInfo
  init(_ info: TensorInfo) { self.info = info }
  func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) {
    buffer.initializeMemory(as: UInt8.self, repeating: 0)
  }
}
