import Apply
import Base
import CCompute
import Checkpoints
import TestModels
import Testing
import Text

@testable import Model

/// Products by OpenBLAS, which scripts/install-deps.sh installs, against the kernels in this program.
@Suite("Products by OpenBLAS") struct BLASTests {
  private static func numbers(_ count: Int, _ seed: UInt64) -> [Float] {
    var random = SeededRandom(seed: seed)
    return (0..<count).map { _ in Float(random.unit() - 0.5) }
  }

  private static func bf16(_ values: [Float]) -> [UInt16] { values.map { UInt16($0.bitPattern >> 16) } }

  @Test("all orders and dtypes, alone and added to, on several threads", arguments: [1, 3]) func products(threads: Int)
    throws
  {
    let (own, other) = try (
      Compute(threads: threads, blas: .vpatch), Compute(threads: threads, blas: .openblas)
    )
    #expect(own.library == nil && other.library != nil)
    for (m, n, k) in [(1, 1, 1), (3, 5, 7), (64, 48, 33), (200, 17, 130)] {
      let (a, b) = (Self.numbers(m * k, 1), Self.numbers(k * n, 2))
      let short = Self.bf16(b)
      for (isATransposed, isBTransposed, isShort, accumulate) in (0..<16).map({
        ($0 & 1 != 0, $0 & 2 != 0, $0 & 4 != 0, $0 & 8 != 0)
      }) {
        var results: [[Float]] = []
        a.withUnsafeBytes { a in
          b.withUnsafeBytes { b in
            short.withUnsafeBytes { short in
              var left = Matrix(a.baseAddress!, stride: isATransposed ? m : k)
              left.isTransposed = isATransposed
              var right = Matrix(
                isShort ? short.baseAddress! : b.baseAddress!, isShort ? VP_TYPE_BF16 : VP_TYPE_F32,
                stride: isBTransposed ? k : n)
              right.isTransposed = isBTransposed
              for compute in [own, other] {
                let c = Floats((0..<m * n).map { Float($0 % 3) })
                compute.multiply(
                  left, rows: m, compute.pack(right, rows: k, columns: n), into: c.start, stride: n,
                  accumulate: accumulate)
                results.append(c.array)
              }
            }
          }
        }
        #expect(largestDifference(results[0], results[1]) < 1e-5)
      }
    }
  }

  @Test("a model's logits and gradients", arguments: ["tiny-qwen2", "tiny-gemma3", "tiny-phi3", "tiny-qwen2.5-vl"])
  func model(name: String) throws {
    let tiny = try TinyModel(name)
    func run(_ blas: Compute.BLAS) throws -> (loss: Double, gradients: [[Float]]) {
      let model = try LanguageModel(
        ModelView(SafetensorsCheckpoint(path: tiny.folder)), compute: Compute(threads: 2, blas: blas))
      for parameter in model.weights.parameters { parameter.beginTuning() }
      let examples = try ParityTests.examples(tiny)
      let loss = try model.addGradients(examples, targets: examples.reduce(0) { $0 + $1.answerTokens })
      return (loss.mean, model.weights.parameters.map { $0.tuning!.gradient.array })
    }
    let (own, other) = (try run(.vpatch), try run(.openblas))
    #expect(abs(own.loss - other.loss) < 1e-5)
    for (a, b) in zip(own.gradients, other.gradients) where a.contains(where: { abs($0) > 1e-7 }) {
      #expect(relativeDistance(b, a) < 1e-4)
    }
  }

  @Test("its name is where results are recorded; bf16 is refused") func names() throws {
    let compute = try Compute(threads: 3, blas: .openblas)
    #expect(compute.kernels.hasPrefix("f32 products, OpenBLAS "))
    #expect(compute.arithmetic.hasSuffix("3 threads"))
    #expect(try compute.another().kernels == compute.kernels)
    let error = #expect(throws: VPatchError.self) { try Compute(threads: 1, precision: .bf16, blas: .openblas) }
    #expect(error?.description.contains("use --compute f32, or no --blas") == true || !vp_has_bf16())
    #expect(try Compute(threads: 1).library == nil || vp_best_isa() == VP_BASELINE)
  }
}
