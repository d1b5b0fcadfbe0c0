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
final class AdaptedTensor: TensorSource {
  let info: TensorInfo
  private let base: any TensorSource
  private let change: AdapterPlan.Change
  private let adapter: PEFTAdapter
  private var needed: Needed?

  /// What a change needs of the adapter, read once.
  private enum Needed {
    case source(any TensorSource)
    /// Rows that are replaced, and the bytes that replace them.
    case rows([Int], [UInt8])
    case factors(Factors)
  }

  init(_ base: any TensorSource, _ change: AdapterPlan.Change, _ adapter: PEFTAdapter) {
    info = base.info
    self.base = base
    self.change = change
    self.adapter = adapter
  }

  func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws {
    let needed = try self.needed ?? read()
    self.needed = needed
    switch needed {
    case .source(let source): try source.read(into: buffer, at: offset)
    case .rows(let rows, let trained):
      try base.read(into: buffer, at: offset)
      let length = info.rowBytes!
      for (i, row) in rows.enumerated() {
        // The part of the row that is in the buffer.
        let part = max(row * length, offset)..<min((row + 1) * length, offset + buffer.count)
        guard part.lowerBound < part.upperBound else { continue }
        let start = i * length + part.lowerBound - row * length
        buffer[(part.lowerBound - offset)..<(part.upperBound - offset)].copyBytes(
          from: trained[start..<start + part.count])
      }
    case .factors(let factors): try predict(factors, into: buffer, at: offset)
    }
  }

  private func read() throws -> Needed {
    switch change {
    case .whole(let name): return .source(cast(source(name)))
    case .rows(let rows, let name): return .rows(rows, try cast(source(name)).bytes())
    case .lowRank(let rule): return .factors(try adapter.factors(rule, of: info))
    case .sum(let name, let scale):
      // A product of rank 1: a column that is 1, and the adapter's vector as row.
      let one = Factors.Factor(
        info: TensorInfo(name: "", dtype: .f32, shape: [1], byteCount: 4),
        bytes: [UInt8](littleEndian: Float(1).bitPattern))
      let rule = LowRank(
        rank: 1, scale: scale, roundsChange: false, u: .init(tensor: 0, line: 1, rank: 1),
        v: .init(tensor: 1, line: 1, rank: 1))
      let row = TensorInfo(
        name: info.name, dtype: info.dtype, shape: [1, info.elementCount], byteCount: info.byteCount)
      return .factors(Factors(rule, of: row, u: one, v: try Factors.Factor(source(name))))
    }
  }

  private func predict(_ factors: Factors, into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws {
    let input = UnsafeMutableRawBufferPointer.allocate(byteCount: max(buffer.count, 1), alignment: 64)
    defer { input.deallocate() }
    let piece = UnsafeMutableRawBufferPointer(rebasing: input[..<buffer.count])
    try base.read(into: piece, at: offset)
    let width = info.dtype.element.width
    ChunkCoder.Prediction(factors, elements: offset / width..<(offset + buffer.count) / width)
      .predict(from: UnsafeRawBufferPointer(piece), into: buffer)
  }

  /// A tensor of the adapter.
  private func source(_ name: String) -> any TensorSource {
    adapter.checkpoint.source(of: adapter.checkpoint.tensor(named: name)!)
  }

  /// A tensor in the base's dtype.
  private func cast(_ stored: any TensorSource) -> any TensorSource { CastTensor(stored, to: info.dtype) ?? stored }
}
