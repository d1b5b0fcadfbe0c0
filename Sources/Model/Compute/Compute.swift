import Base
import CCompute
import Dispatch
import Synchronization

/// How a model's numbers are computed: in which precision, with which kernels, on how many threads.
///
/// It has scratch memory of its own, so one piece of work at a time.
package final class Compute: @unchecked Sendable {
  package enum Precision: String, Sendable, CaseIterable {
    /// Products of float32 numbers.
    case f32
    /// Products of numbers rounded to bf16, summed in float32.
    case bf16
  }

  package let threads: Int
  package let precision: Precision
  private var scratch: [Int: Floats] = [:]

  /// - Throws: `refused` where the processor cannot do what is asked.
  package init(threads: Int, precision: Precision = .f32) throws {
    guard precision == .f32 || vp_has_bf16() else {
      throw VPatchError(
        .refused, nil, "this processor has no instructions for bf16 products (AVX512-BF16)",
        remedy: "use --compute f32")
    }
    self.threads = max(1, threads)
    self.precision = precision
  }

  /// What computes. AVX2 and AVX-512 give the same bits in float32, however many threads there are; processors without
  /// fused multiply-add, and bf16 products, give others.
  package var kernels: String { "\(precision.rawValue) products, \(String(cString: vp_compute_isa()))" }

  /// The same for kernels that give the same bits.
  package var arithmetic: String {
    precision == .f32 && kernels.contains("AVX") ? "f32 products, fused" : kernels
  }

  /// Splits 0 ..< count over the threads, in ranges of at least `least`.
  func split(_ count: Int, least: Int = 1, _ body: @Sendable (Range<Int>) -> Void) {
    splitNumbered(count, least: least) { body($1) }
  }

  /// The same; `body` is given the number of its thread, too, below `threads`.
  func splitNumbered(_ count: Int, least: Int = 1, _ body: @Sendable (_ thread: Int, Range<Int>) -> Void) {
    let parts = min(threads, max(1, count / max(1, least)))
    guard parts > 1 else {
      if count > 0 { body(0, 0..<count) }
      return
    }
    DispatchQueue.concurrentPerform(iterations: parts) { body($0, count * $0 / parts..<count * ($0 + 1) / parts) }
  }

  /// Does `count` pieces of work of different sizes, each as soon as a thread is free.
  /// - Parameter body: is given the number of its thread, below `threads`, and of the piece.
  package func each(_ count: Int, _ body: @Sendable (_ thread: Int, _ piece: Int) -> Void) {
    let next = Atomic<Int>(0)
    splitNumbered(min(threads, count)) { thread, _ in
      while true {
        let i = next.wrappingAdd(1, ordering: .relaxed).oldValue
        guard i < count else { return }
        body(thread, i)
      }
    }
  }

  /// Memory for one purpose, kept from call to call and made larger when needed.
  func scratch(_ purpose: Scratch, _ count: Int) -> UnsafeMutablePointer<Float> {
    if let held = scratch[purpose.rawValue], held.count >= count { return held.start }
    scratch[purpose.rawValue] = nil
    let made = Floats(count)
    scratch[purpose.rawValue] = made
    return made.start
  }

  enum Scratch: Int {
    case weights, packing, normed, inner, innerGradient, attention, attentionScores, queryKeyValue, logits
    case gathered, gatheredGradient, patches, branch
  }
}
