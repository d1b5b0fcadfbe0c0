import Base
import Checkpoints
import PatchFormat

/// A base with an adapter merged into it, tensor by tensor, without writing it. The rule is that of the format's low-rank
/// coder: round(base + scale · B · A), with the change in float64 (spec, section 5.2).
package struct AdaptedCheckpoint: Checkpoint {
  package let plan: AdapterPlan
  package var path: String { plan.adapter.path }
  /// The adapter's folder has none of the base's side files.
  package var isDirectory: Bool { false }
  package var tensors: [CheckpointTensor] { plan.base.tensors }
  package var totalBytes: Int { plan.base.totalBytes }
  package var inputs: [InputFile] { plan.adapter.inputs }

  package init(_ plan: AdapterPlan) { self.plan = plan }

  package func source(of tensor: CheckpointTensor) -> any TensorSource {
    let stored = plan.base.source(of: tensor)
    guard let change = plan.change(of: tensor.name) else { return stored }
    return AdaptedTensor(stored, change, plan.adapter)
  }

  package func requireSameBytes() throws {
    try plan.base.requireSameBytes()
    try plan.adapter.requireSameBytes()
  }

  package func requireStillThere() throws {
    try plan.base.requireStillThere()
    try plan.adapter.requireSameBytes()
  }

  package func warning() throws -> String? { nil }
}

/// One tensor of a base with an adapter merged into it.
private final class AdaptedTensor: TensorSource {
  let info: TensorInfo
  private let base: any TensorSource
  private let change: AdapterPlan.Change
  private let adapter: PEFTAdapter
  private var factors: Factors?

  init(_ base: any TensorSource, _ change: AdapterPlan.Change, _ adapter: PEFTAdapter) {
    info = base.info
    self.base = base
    self.change = change
    self.adapter = adapter
  }

  func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws {
    switch change {
    case .whole(let name): try source(name).read(into: buffer, at: offset)
    case .rows(let rows, let name):
      try base.read(into: buffer, at: offset)
      let length = info.rowBytes!
      let trained = try source(name).bytes()
      for (i, row) in rows.enumerated() {
        // The part of the row that is in the buffer.
        let part = max(row * length, offset)..<min((row + 1) * length, offset + buffer.count)
        guard part.lowerBound < part.upperBound else { continue }
        let start = i * length + part.lowerBound - row * length
        buffer[(part.lowerBound - offset)..<(part.upperBound - offset)].copyBytes(
          from: trained[start..<start + part.count])
      }
    case .lowRank(let rule):
      try predict(into: buffer, at: offset) {
        func factor(_ view: LowRank.View) throws -> Factors.Factor {
          let tensor = adapter.checkpoint.tensors[view.tensor]
          return Factors.Factor(info: tensor.info, bytes: try adapter.checkpoint.source(of: tensor).bytes())
        }
        return Factors(rule, of: info, u: try factor(rule.u), v: try factor(rule.v))
      }
    case .sum(let name, let scale):
      // A product of rank 1: a column that is 1, and the adapter's vector as row.
      try predict(into: buffer, at: offset) {
        let one = Factors.Factor(
          info: TensorInfo(name: "", dtype: .f32, shape: [1], byteCount: 4),
          bytes: [UInt8](littleEndian: Float(1).bitPattern))
        let tensor = adapter.checkpoint.tensor(named: name)!
        let vector = Factors.Factor(info: tensor.info, bytes: try adapter.checkpoint.source(of: tensor).bytes())
        let rule = LowRank(
          rank: 1, scale: scale, roundsChange: false, u: .init(tensor: 0, line: 1, rank: 1),
          v: .init(tensor: 1, line: 1, rank: 1))
        let row = TensorInfo(
          name: info.name, dtype: info.dtype, shape: [1, info.elementCount], byteCount: info.byteCount)
        return Factors(rule, of: row, u: one, v: vector)
      }
    }
  }

  private func predict(
    into buffer: UnsafeMutableRawBufferPointer, at offset: Int, _ make: () throws -> Factors
  ) throws {
    let factors = try self.factors ?? make()
    self.factors = factors
    let input = UnsafeMutableRawBufferPointer.allocate(byteCount: max(buffer.count, 1), alignment: 64)
    defer { input.deallocate() }
    let piece = UnsafeMutableRawBufferPointer(rebasing: input[..<buffer.count])
    try base.read(into: piece, at: offset)
    let width = info.dtype.element.width
    ChunkCoder.Prediction(factors, elements: offset / width..<(offset + buffer.count) / width)
      .predict(from: UnsafeRawBufferPointer(piece), into: buffer)
  }

  /// A tensor of the adapter in the base's dtype.
  private func source(_ name: String) -> any TensorSource {
    let stored = adapter.checkpoint.source(of: adapter.checkpoint.tensor(named: name)!)
    return CastTensor(stored, to: info.dtype) ?? stored
  }
}
