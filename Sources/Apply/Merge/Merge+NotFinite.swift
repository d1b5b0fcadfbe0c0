import Base
import CKernels

extension Merge {
  /// The elements that the stack makes infinite or NaN. Merges all tensors that are not copied from one member.
  /// - Throws: `wrongBase` where `base` is not the stack's base.
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
  /// The number of elements of a piece that are infinite or NaN although all their inputs are finite.
  /// - Parameter width: bytes per element.
  package func notFinite(
    _ type: vp_float, in result: UnsafeMutableRawBufferPointer, madeOf inputs: [UnsafeRawPointer], _ width: Int
  ) -> Int {
    inputs.map(Optional.init).withUnsafeBufferPointer {
      Int(not_finite(type, result.baseAddress, $0.baseAddress, $0.count, result.count / width))
    }
  }
}
