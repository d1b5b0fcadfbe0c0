import Base
import CCompute
import Dispatch

/// Precision, kernels and threads of a model's computations.
///
/// Owns its scratch memory, so it must not be used concurrently.
package final class Compute: @unchecked Sendable {
  package enum Precision: String, Sendable, CaseIterable {
    /// Products of float32 numbers.
    case f32
    /// Products of numbers rounded to bf16, summed in float32.
    case bf16
  }

  package let threads: Int
  package let precision: Precision
  /// The choice that was made; nil for the default.
  let blas: BLAS?
  /// Nil for the kernels in this program.
  let library: OpenBLAS?
  /// Of the pass that runs; nil for none.
  var dropout: Dropout.Rows?
  private var scratch: [Int: Floats] = [:]

  /// - Parameter blas: nil for what is fastest on this processor.
  /// - Throws: `refused` if the processor does not support the precision; `io` where OpenBLAS was chosen and is missing.
  package init(threads: Int, precision: Precision = .f32, blas: BLAS? = nil) throws {
    guard precision == .f32 || vp_has_bf16() else {
      throw VPatchError(
        .refused, nil, "bf16 products need a processor with AVX512-BF16",
        remedy: "use --compute f32")
    }
    self.threads = max(1, threads)
    self.precision = precision
    self.blas = blas
    library = try Self.library(blas, precision)
  }

  /// Description of precision and kernels. In float32, AVX2 and AVX-512 give identical results with any number of
  /// threads; processors without fused multiply-add, and bf16 products, give different results.
  package var kernels: String {
    "\(precision.rawValue) products, \(library?.description ?? String(cString: vp_compute_isa()))"
  }

  /// The same for all kernels that give identical results.
  package var arithmetic: String {
    // How OpenBLAS rounds depends on how many rows it gets at a time.
    if library != nil { return "\(kernels), \(Format.counted(threads, "thread"))" }
    return precision == .f32 && kernels.contains("AVX") ? "f32 products, fused" : kernels
  }

  /// Splits 0 ..< count over the threads, in ranges of at least `least`.
  func split(_ count: Int, least: Int = 1, _ body: @Sendable (Range<Int>) -> Void) {
    splitNumbered(count, least: least) { body($1) }
  }

  /// The same; `body` also gets the index of its thread, below `threads`.
  func splitNumbered(_ count: Int, least: Int = 1, _ body: @Sendable (_ thread: Int, Range<Int>) -> Void) {
    let parts = min(threads, max(1, count / max(1, least)))
    guard parts > 1 else {
      if count > 0 { body(0, 0..<count) }
      return
    }
    DispatchQueue.concurrentPerform(iterations: parts) { body($0, count * $0 / parts..<count * ($0 + 1) / parts) }
  }

  /// Runs `count` pieces of work of different sizes, each as soon as a thread is free.
  /// - Parameter body: gets the index of its thread, below `threads`, and of the piece.
  package func each(_ count: Int, _ body: @Sendable (_ thread: Int, _ piece: Int) -> Void) {
    Parallel.eachNumbered(count, threads: threads, body)
  }

  /// Scratch memory for one purpose; reused between calls, and grown when needed. Not initialised.
  func scratch(_ purpose: Scratch, _ count: Int) -> UnsafeMutablePointer<Float> {
    if let held = scratch[purpose.rawValue], held.count >= count { return held.start }
    scratch[purpose.rawValue] = nil
    let made = Floats(count)
    scratch[purpose.rawValue] = made
    return made.start
  }

  enum Scratch: Int {
    case weights, packing, normed, inner, innerGradient, attention, attentionScores, queryKeyValue, logits
    case gathered, gatheredGradient, patches, branch, normWeights, queryKey
    case dropped, lowRank, lowRankGradient
  }
}
