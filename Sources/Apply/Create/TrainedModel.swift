import Base
import Checkpoints
import Families

/// The model's tensors in what a training run saved, which may hold the optimizer's too: those under one prefix.
package enum TrainedModel {
  /// - Parameters:
  ///   - base: the names of its tensors tell the prefix.
  ///   - prefix: the prefix that the user chose; nil to find it.
  /// - Throws: `refused` where several prefixes lead to a model, or none to the given one.
  package static func find(
    in checkpoint: AssembledCheckpoint, over base: any Checkpoint, prefix: String?
  ) throws -> AssembledCheckpoint {
    let names = Set(base.tensors.map(\.name.bytesKey))
    let part: AssembledCheckpoint
    if let prefix {
      part = checkpoint.selecting { $0.name.utf8.starts(with: prefix.utf8) ? $0.name.dropping(prefix) : nil }
      guard !part.tensors.isEmpty else {
        let found = checkpoint.tensors.map { $0.name.split(separator: ".").first.map { "\($0)." } ?? "" }.unique
        throw VPatchError(
          .refused, checkpoint.path, "has no tensor whose name begins with \"\(prefix.printable)\"",
          remedy: "the names begin with \(found.prefix(6).map { "\"\($0)\"" }.joined(separator: ", "))")
      }
    } else if let prefix = try self.prefix(checkpoint, names) {
      part = checkpoint.selecting { info in
        guard info.name.utf8.starts(with: prefix.utf8) else { return nil }
        let name = info.name.dropping(prefix)
        return names.contains(name.bytesKey) || !isOptimizer(name) ? name : nil
      }
    } else {
      part = checkpoint.selecting { isOptimizer($0.name) ? nil : $0.name }
      // What is left is for errors that say what it is instead.
      guard !part.tensors.isEmpty else { return checkpoint }
    }
    return try withoutTies(part, base)
  }

  private static func isOptimizer(_ name: String) -> Bool { OptimizerTensors.contains(name) }

  // MARK: Prefix

  /// What the names of the model's tensors begin with, in front of the base's names; nil where none has such a name.
  private static func prefix(_ checkpoint: AssembledCheckpoint, _ names: Set<String>) throws -> String? {
    var counts: [String: Int] = [:]
    for tensor in checkpoint.tensors {
      guard let prefix = prefix(of: tensor.name, names), !isOptimizer(prefix + "x") else { continue }
      counts[prefix, default: 0] += 1
    }
    let found = counts.sorted { $0.key.precedes($1.key) }
    guard found.count > 1 else { return found.first?.key }
    let list = found.prefix(6).map { "\"\($0.key.printable)\" (\(Format.counted($0.value, "tensor")))" }
    throw VPatchError(
      .refused, checkpoint.path, "holds several models, whose names begin with \(list.joined(separator: ", "))",
      remedy: "choose one, such as --prefix \(Path.shellWord(found.last!.key))")
  }

  /// The shortest prefix behind which a name is one of the base's.
  private static func prefix(of name: String, _ names: Set<String>) -> String? {
    if names.contains(name.bytesKey) { return "" }
    let bytes = Array(name.utf8)
    for (i, byte) in bytes.enumerated() where byte == UInt8(ascii: ".") {
      guard let rest = String(validating: bytes[(i + 1)...], as: UTF8.self) else { continue }
      let own = [rest, ModelLayout.nameWithoutWrappers(rest)]
      if own.contains(where: { names.contains($0.bytesKey) }) {
        return String(validating: bytes[...i], as: UTF8.self)
      }
    }
    return nil
  }

  // MARK: Ties

  /// Without the heads that the base does not have and that equal an embedding, the checkpoint's or, where that has
  /// none, the base's: a state dict has a tied tensor under both names, and the base under one. PyTorch saves a frozen
  /// one under its second name even where it leaves out what is frozen.
  private static func withoutTies(
    _ checkpoint: AssembledCheckpoint, _ base: any Checkpoint
  ) throws -> AssembledCheckpoint {
    let embeddings = base.tensors.filter { isEnd($0.name) }
    var ties: Set<String> = []
    for head in checkpoint.tensors where isEnd(head.name) && base.tensor(named: head.name) == nil {
      for embedding in embeddings where embedding.info.shape == head.info.shape {
        let own = checkpoint.tensor(named: embedding.name).map { checkpoint.source(of: $0) }
        if try isSame(checkpoint.source(of: head), own ?? base.source(of: embedding)) {
          ties.insert(head.name.bytesKey)
        }
      }
    }
    return ties.isEmpty ? checkpoint : checkpoint.selecting { ties.contains($0.name.bytesKey) ? nil : $0.name }
  }

  /// Whether two tensors have the same values, once the first has the second's dtype.
  private static func isSame(_ a: any TensorSource, _ b: any TensorSource) throws -> Bool {
    let cast: (any TensorSource)? = a.info.dtype == b.info.dtype ? a : CastTensor(a, to: b.info.dtype)
    return try cast?.fingerprint() == b.fingerprint()
  }

  private static func isEnd(_ name: String) -> Bool {
    PassingTensors.isHead(name) || PassingTensors.isEmbedding(name)
  }
}

extension String {
  /// Without the bytes of a prefix that it begins with.
  fileprivate func dropping(_ prefix: String) -> String {
    String(decoding: utf8.dropFirst(prefix.utf8.count), as: UTF8.self)
  }
}
