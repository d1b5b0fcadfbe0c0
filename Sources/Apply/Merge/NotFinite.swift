import CKernels
import PatchFormat

/// Elements of a tensor that came out infinite or NaN, though all that they are made of is finite: a sum that leaves
/// the range of its dtype.
public struct NotFinite: Equatable, Sendable {
  public let tensor: String
  public let count: Int

  init(tensor: String, count: Int) {
    self.tensor = tensor
    self.count = count
  }

  public var text: String {
    "\(Format.counted(count, "element")) of \"\(tensor)\" \(count == 1 ? "is" : "are") infinite or NaN, and all that went "
      + "into it is finite"
  }
}

extension [NotFinite] {
  /// Of those tensors that have such elements.
  init(_ names: [String], _ counts: [Int]) {
    self = zip(names, counts).compactMap { $1 > 0 ? NotFinite(tensor: $0, count: $1) : nil }
  }

  /// For a program, and for the annotations of the patch that makes them.
  public var json: JSON {
    .array(map { .dictionary(["tensor": .string($0.tensor), "count": JSON($0.count)]) })
  }

  static let key = "not_finite"

  /// What the patch's annotations say; nil where it was made by a version that did not count.
  public init?(of patch: Patch) {
    guard let list = patch.annotations["made"]?[Self.key]?.array else { return nil }
    self = list.compactMap { entry in
      guard let tensor = entry["tensor"]?.string, let count = entry["count"]?.int else { return nil }
      return NotFinite(tensor: tensor, count: count)
    }
  }
}

extension Merge {
  /// What the stack makes infinite or NaN, by merging all that is not one member's own.
  /// - Throws: `wrongBase` where that is not the stack's base.
  public func notFinite(over base: ModelView, _ work: WorkOptions) throws -> [NotFinite] {
    let names = touched.filter { copied($0) == nil }
    let sizes = names.map { target($0)?.byteCount ?? 0 }
    work.progress.begin("merging", total: sizes.reduce(0, +))
    let counts = try LargestFirst.map(sizes, threads: work.threads) { i in
      defer { work.progress.advance(sizes[i]) }
      return try outcome(names[i], base: base.repeatable(names[i], threads: work.threads)).notFinite
    }
    return [NotFinite](names, counts)
  }
}

extension vp_merge_kernels {
  /// How many elements of a piece are infinite or NaN where those of all the pieces that it is made of are finite.
  /// - Parameter width: bytes of an element.
  func notFinite(
    _ type: vp_float, in result: UnsafeMutableRawBufferPointer, madeOf inputs: [UnsafeRawPointer], _ width: Int
  ) -> Int {
    inputs.map(Optional.init).withUnsafeBufferPointer {
      Int(not_finite(type, result.baseAddress, $0.baseAddress, $0.count, result.count / width))
    }
  }
}
