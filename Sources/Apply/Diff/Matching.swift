import Base
import Checkpoints
import Families

/// Pairs the tensors of two checkpoints.
struct Matching {
  struct Pair: Sendable {
    package let a: CheckpointTensor
    package let b: CheckpointTensor

    /// Number of units that the meter compares, mostly elements.
    package var units: Int { a.info.byteCount / MeterUnit(a.info).width }
    var bytesPerUnit: Int { MeterUnit(a.info).width + MeterUnit(b.info).width }
    package var byteCount: Int { units * bytesPerUnit }

    /// Whether elements correspond one to one. For an unknown dtype only the bytes can be compared.
    var isComparable: Bool {
      a.info.dtype == b.info.dtype
        ? a.info.byteCount == b.info.byteCount : a.info.dtype.isKnown && b.info.dtype.isKnown
    }
  }

  /// In ascending order of the names in A. The other two lists are ordered by their own names.
  package private(set) var pairs: [Pair] = []
  private(set) var onlyA: [CheckpointTensor] = []
  private(set) var onlyB: [CheckpointTensor] = []

  /// - Parameter keys: names of B → names of A; nil where they are the same.
  init(_ a: any Checkpoint, _ b: any Checkpoint, keys: KeyMap?) {
    // Sorts both sides by the names in A, then merges them in one pass.
    var named: [(name: String, tensor: CheckpointTensor)] = []
    for tensor in b.tensors {
      if let name = keys == nil ? tensor.name : keys?.names[tensor.name] {
        named.append((name, tensor))
      } else {
        onlyB.append(tensor)
      }
    }
    if keys != nil { named.sort { $0.name.precedes($1.name) } }
    var rest = named[...]
    for tensor in a.tensors {
      while let next = rest.first, next.name.precedes(tensor.name) { onlyB.append(rest.removeFirst().tensor) }
      if let next = rest.first, next.name.isSame(as: tensor.name) {
        pairs.append(Pair(a: tensor, b: next.tensor))
        rest.removeFirst()
      } else {
        onlyA.append(tensor)
      }
    }
    onlyB += rest.map(\.tensor)
    if keys != nil { onlyB.sort { $0.name.precedes($1.name) } }
  }
}
