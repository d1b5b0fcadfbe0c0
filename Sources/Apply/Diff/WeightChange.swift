import Base
import Checkpoints
import Families
import PatchFormat

/// How much patches change tensors of their base, by component: what `diff` measures between two checkpoints, without
/// writing the second one.
package struct WeightChange: Sendable {
  /// All components of the base. For unchanged tensors only the elements are counted.
  package let components: [CheckpointDiff.ComponentSummary]

  /// The change by one patch.
  /// - Throws: `wrongBase` where the touched tensors do not match the base.
  package init(_ patch: Patch, base: SafetensorsCheckpoint, _ work: WorkOptions) throws {
    let rebuild = Rebuild(base, [PatchStep(patch, .forward)], work)
    try rebuild.checkInput(full: false)
    try self.init(touched: patch.header.touched.map(\.name), base: base, work) { rebuild.source($0) }
  }

  /// The change by a stack.
  /// - Parameter patches: its members, in any order.
  /// - Throws: `wrongBase` where the touched tensors do not match the base; `refused` for what cannot be combined.
  package init(_ stack: StackDefinition, patches: [Patch], base: SafetensorsCheckpoint, _ work: WorkOptions) throws {
    let merge = try Merge(stack, patches: patches)
    for patch in patches { try Rebuild(base, [PatchStep(patch, .forward)], work).checkInput(full: false) }
    let view = ModelView(base)
    try self.init(touched: merge.touched, base: base, work) { name in
      merge.target(name) == nil ? nil : try merge.source(name) { view.source($0) }
    }
  }

  private init(
    touched: [String], base: SafetensorsCheckpoint, _ work: WorkOptions,
    _ target: @Sendable (String) throws -> (any TensorSource)?
  ) throws {
    let names = Set(touched.map(\.bytesKey))
    let tensors = base.tensors
    let sizes = tensors.map { names.contains($0.name.bytesKey) ? $0.info.byteCount : 0 }
    work.progress.begin("comparing", total: sizes.reduce(0, +))
    let changes = try LargestFirst.map(sizes, threads: work.threads) { i -> Change? in
      defer { work.progress.advance(sizes[i]) }
      guard names.contains(tensors[i].name.bytesKey) else { return Self.none(tensors[i].info) }
      guard let target = try target(tensors[i].name) else { return nil }
      return try Self.measure(StoredTensor(tensors[i], in: base), target)
    }
    try base.requireSameBytes()
    let layout = ModelLayout.recognise(names: tensors.map(\.name))
    components = CheckpointDiff.components(
      of: zip(tensors, changes).compactMap { tensor, change in
        change.map {
          CheckpointDiff.Tensor(
            name: tensor.name, component: layout.component(of: tensor.name), shape: tensor.info.shape,
            dtype: tensor.info.dtype, dtypeB: tensor.info.dtype, change: $0)
        }
      })
  }

  private static func none(_ info: TensorInfo) -> Change {
    var change = Change.zero
    change.elements = info.elementCount
    return change
  }

  /// Nil for tensors that cannot be compared element by element: another shape or dtype.
  private static func measure(_ base: any TensorSource, _ target: any TensorSource) throws -> Change? {
    guard base.info.shape == target.info.shape, base.info.dtype == target.info.dtype else { return nil }
    let meter = PairMeter(base.info, target.info)
    // A whole number of the meter's blocks.
    let block = PairMeter.blockCount * meter.widthA
    let size = (1 << 20) / block * block
    let piece = UnsafeMutableRawBufferPointer.allocate(byteCount: min(size, max(base.info.byteCount, 1)), alignment: 64)
    defer { piece.deallocate() }
    try base.forEachPiece(of: size) { offset, bytes in
      try target.read(into: UnsafeMutableRawBufferPointer(rebasing: piece[..<bytes.count]), at: offset)
      meter.add(bytes.baseAddress!, piece.baseAddress!, count: bytes.count / meter.widthA)
    }
    return meter.change
  }
}
