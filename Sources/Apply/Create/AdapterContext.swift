import Base
import Checkpoints
import PatchFormat

/// An adapter as context of a patch: its tensors, and how the changes of the model's tensors follow from its factors.
package struct AdapterContext: Sendable {
  let adapter: PEFTAdapter
  /// The adapter's tensors, in ascending order of name.
  let tensors: [FingerprintedTensor]
  /// The rules and the tensors they apply to, by the bytes of the tensors' names. Views refer to `tensors` by index.
  let rules: [String: (tensor: TensorInfo, rule: LowRank)]
  /// Whether the patch keeps the whole adapter, even if it is smaller without.
  let keepsAll: Bool

  /// The factors of a tensor's change; nil where there are none.
  func factors(of name: String) throws -> Factors? {
    guard let (tensor, rule) = rules[name.bytesKey] else { return nil }
    return try adapter.factors(rule, of: tensor)
  }

  /// The tensors of an adapter, hashed.
  static func fingerprints(of adapter: PEFTAdapter, _ work: WorkOptions) throws -> [FingerprintedTensor] {
    let checkpoint = adapter.checkpoint
    let digests = try checkpoint.fingerprints(of: checkpoint.tensors, work, phase: "hashing the adapter")
    return zip(checkpoint.tensors, digests).map { FingerprintedTensor($0.info, $1) }
  }

  /// What a patch keeps of the adapter.
  struct Kept {
    let entries: [PatchWriter.AdapterEntry]
    let isWhole: Bool
    /// By the bytes of the tensors' names. Views refer to `entries`.
    let rules: [String: LowRank]
  }

  /// Chooses the smallest form: the whole adapter, the factors that make the file smaller, or nothing.
  ///
  /// The whole one can be exported again, so it may be up to 1 % larger.
  /// - Parameter encoded: the tensors of the model, and their chunks.
  func choose(_ encoded: [(name: String, chunks: [PatchBuilder.EncodedChunk])], _ writer: PatchWriter) throws -> Kept {
    let stored = try tensors.indices.map { try store($0, writer) }
    let sizes = stored.map { $0.reduce(Self.entrySize) { $0 + $1.stored } }
    let predicted = encoded.filter { rules[$0.name.bytesKey] != nil }
    // Tensors whose factors are in the same tensors of the adapter need them together.
    var groups: [Set<Int>: (names: [String], plain: Int, smallest: Int)] = [:]
    for (name, chunks) in predicted {
      let rule = rules[name.bytesKey]!.rule
      var group = groups[[rule.u.tensor, rule.v.tensor]] ?? ([], 0, 0)
      group.names.append(name)
      group.plain += chunks.reduce(0) { $0 + $1.plain.stored }
      group.smallest += chunks.reduce(0) { $0 + $1.smallest.stored }
      groups[[rule.u.tensor, rule.v.tensor]] = group
    }
    func size(of group: Set<Int>) -> Int { group.reduce(0) { $0 + sizes[$1] } }
    let worthwhile = groups.filter { size(of: $0.key) + $0.value.smallest < $0.value.plain }
    let rest = groups.reduce(0) { $0 + (worthwhile[$1.key] == nil ? $1.value.plain : 0) }
    let partSize = worthwhile.reduce(rest) { $0 + size(of: $1.key) + $1.value.smallest }
    let wholeSize = groups.reduce(sizes.reduce(0, +)) { $0 + $1.value.smallest }
    let isWhole = keepsAll || wholeSize <= partSize + partSize / 100
    let used = isWhole ? Set(tensors.indices) : worthwhile.keys.reduce(into: Set()) { $0.formUnion($1) }
    let order = used.sorted()
    let names = isWhole ? Array(predicted.map(\.name)) : worthwhile.flatMap(\.value.names)
    let indices = Dictionary(uniqueKeysWithValues: order.enumerated().map { ($1, $0) })
    return Kept(
      entries: order.map { PatchWriter.AdapterEntry(tensor: tensors[$0], chunks: stored[$0]) }, isWhole: isWhole,
      rules: Dictionary(
        uniqueKeysWithValues: names.map { ($0.bytesKey, rules[$0.bytesKey]!.rule.moved(to: indices)) }))
  }

  /// Approximate size of a tensor's entry in the stored header: two digests, which do not compress, and a little more.
  private static let entrySize = 96

  private func store(_ index: Int, _ writer: PatchWriter) throws -> [PatchWriter.ScratchChunk] {
    let (tensor, checkpoint) = (tensors[index], adapter.checkpoint)
    var chunks: [PatchWriter.ScratchChunk] = []
    let hasher = tensor.info.fingerprintHasher()
    try checkpoint.source(of: checkpoint.tensors[index]).forEachPiece(of: 1 << 21) { _, bytes in
      hasher.update(bytes)
      chunks.append(
        try writer.add(
          AdapterTensor.encoded(bytes, tensor.info.dtype.element), role: .adapter, decoded: bytes.count))
    }
    guard hasher.finalize() == tensor.fingerprint else {
      throw VPatchError(
        .io, checkpoint.path, "was changed while it was read: the tensor \"\(tensor.info.name.printable)\" differs",
        remedy: "run the command again when nothing writes to it")
    }
    return chunks
  }
}

extension PatchBuilder.EncodedChunk {
  var smallest: PatchWriter.ScratchChunk {
    guard let lowRank, lowRank.stored < plain.stored else { return plain }
    return lowRank
  }
}

extension LowRank {
  /// The same rule for another list of the adapter's tensors.
  fileprivate func moved(to indices: [Int: Int]) -> LowRank {
    var rule = self
    rule.u.tensor = indices[u.tensor]!
    rule.v.tensor = indices[v.tensor]!
    return rule
  }
}
