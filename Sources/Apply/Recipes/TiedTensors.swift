import Base
import PatchFormat

/// Heads and embeddings that hold the same bytes as another embedding.
///
/// Libraries store such a copy or leave it out. So it may change with its original, and it may be added or removed: a
/// recipe that allows what happens to the original allows that too.
struct TiedTensors {
  /// A tensor's fingerprints; nil where a side lacks it.
  struct Entry {
    let name: String
    let base: ContentDigest?
    let target: ContentDigest?
    var differs: Bool { base != target }
  }

  private let originals: [Entry]

  /// - Parameter isAllowed: whether a changed tensor may change.
  init(_ tensors: some Sequence<Entry>, isAllowed: (String) -> Bool) {
    originals = tensors.filter { tensor in
      PassingTensors.isEmbedding(tensor.name) && tensor.base != nil && tensor.target != nil
        && (!tensor.differs || isAllowed(tensor.name))
    }
  }

  /// Whether the tensor is a copy of another one on each side that has it.
  func contains(_ tensor: Entry) -> Bool {
    guard PassingTensors.isHead(tensor.name) || PassingTensors.isEmbedding(tensor.name) else { return false }
    return originals.contains { original in
      !original.name.isSame(as: tensor.name)
        && (tensor.base == nil || tensor.base == original.base)
        && (tensor.target == nil || tensor.target == original.target)
    }
  }
}
