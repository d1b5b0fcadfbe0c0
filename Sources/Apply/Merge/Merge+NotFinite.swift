import Base
import CKernels

extension Merge {
  /// What the stack makes infinite or NaN, by merging all that is not one member's own.
  /// - Throws: `wrongBase` where that is not the stack's base.
  package func notFinite(over base: ModelView, _ work: WorkOptions) throws -> [NotFinite] {
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
  package func notFinite(
    _ type: vp_float, in result: UnsafeMutableRawBufferPointer, madeOf inputs: [UnsafeRawPointer], _ width: Int
  ) -> Int {
    inputs.map(Optional.init).withUnsafeBufferPointer {
      Int(not_finite(type, result.baseAddress, $0.baseAddress, $0.count, result.count / width))
    }
  }
}
