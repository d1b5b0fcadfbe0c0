import Checkpoints
import Glibc
import PatchFormat

/// Factors by which a matrix is tuned (LoRA; Hu et al., arXiv 2106.09685): its product with x becomes
/// x·Wᵀ + scale · x·Aᵀ·Bᵀ, while W stays as it is.
package final class LowRankFactors: Sendable {
  /// [rank, inputs]
  package let a: Parameter
  /// [outputs, rank]
  package let b: Parameter
  package let scale: Double
  /// The name of the matrix's module.
  package let module: String
  /// Distinguishes the dropout of matrices with the same input.
  let number: UInt64

  package var rank: Int { a.rows }
  package var parameters: [Parameter] { [a, b] }

  /// Factors as PEFT begins with: A uniform within ±1/√inputs (its Kaiming initialisation with a = √5), B zero.
  /// - Parameters:
  ///   - module: the name of the matrix's module; the factors are called `module.lora_A.weight` and so on.
  ///   - number: of the matrix, among those of the run.
  ///   - seed: of the run.
  package init(
    of parameter: Parameter, module: String, rank: Int, scale: Double, number: Int, seed: UInt64
  ) {
    let (inputs, outputs) = (parameter.columns, parameter.rows)
    let start = Floats(rank * inputs)
    var random = SeededRandom(seed: seed ^ (0x10AA << 32 | UInt64(number)))
    let bound = 1 / Double(inputs).squareRoot()
    for i in 0..<start.count { start.start[i] = Float((2 * random.unit() - 1) * bound) }
    a = Self.factor("\(module).lora_A.weight", [rank, inputs], start)
    b = Self.factor("\(module).lora_B.weight", [outputs, rank], Floats(zeros: rank * outputs))
    self.scale = scale
    self.module = module
    self.number = UInt64(number)
  }

  private static func factor(_ name: String, _ shape: [Int], _ values: Floats) -> Parameter {
    Parameter(
      TensorInfo(name: name, dtype: .f32, shape: shape, byteCount: 4 * values.count),
      bytes: UnsafeRawPointer(values.start), owner: values)
  }

  /// The format's rule for the change.
  /// - Parameters:
  ///   - a: index of A among the adapter's tensors.
  ///   - b: of B.
  package func rule(a: Int, b: Int) -> LowRank {
    LowRank(
      rank: rank, scale: scale, roundsChange: false, u: .init(tensor: b, line: rank, rank: 1),
      v: .init(tensor: a, line: 1, rank: self.a.columns))
  }

  /// Writes the matrix with the change, rounded to its dtype: what a patch of these factors makes of it.
  func merge(_ info: TensorInfo, from bytes: UnsafeRawPointer, into out: UnsafeMutableRawBufferPointer) {
    let factors = Factors(rule(a: 0, b: 1), of: info, u: b.factor, v: a.factor)
    ChunkCoder.Prediction(factors, elements: 0..<info.elementCount)
      .predict(from: UnsafeRawBufferPointer(start: bytes, count: info.byteCount), into: out)
  }
}

extension Parameter {
  /// The present values of a factor.
  fileprivate var factor: Factors.Factor {
    let start = tuning.map { UnsafeRawPointer($0.master.start) } ?? bytes
    return Factors.Factor(info: info, bytes: Array(UnsafeRawBufferPointer(start: start, count: info.byteCount)))
  }
}
