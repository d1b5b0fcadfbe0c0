import Base
import Checkpoints
import Families
import PatchFormat

/// Which tensors of a patch get factors, and which are saved whole.
struct ExtractionPlan: Sendable {
  struct Whole: Sendable {
    let name: String
    let parameter: String
    let isBias: Bool
    /// Whether the patch changes it. PEFT replaces whole modules, so their other tensors are needed too.
    let isChanged: Bool
  }

  let modules: AdapterModules
  let matrices: [(info: TensorInfo, module: String)]
  let whole: [Whole]
  let resized: [(name: String, rows: Int)]
  private let view: ModelView
  private let patch: Patch

  init(_ extraction: AdapterExtraction) throws {
    let (patch, base) = (extraction.patch, extraction.base)
    self.patch = patch
    view = ModelView(base, [PatchStep(patch, .forward)])
    modules = AdapterModules(base)
    let layout = ModelLayout.recognise(names: base.tensors.map(\.name))
    var matrices: [(info: TensorInfo, module: String)] = []
    var saved: [(name: String, parameter: String)] = []
    var resized: [(name: String, rows: Int)] = []
    for tensor in patch.header.touched {
      let info = try Self.changed(tensor, patch, base)
      let component = layout.component(of: tensor.name)
      let isLayer =
        component.region == .decoderLayer || component.region == .visionTower || component.region == .projector
      if isLayer, info.shape.count == 2, tensor.base?.info.shape == info.shape,
        let module = modules.module(of: tensor.name)
      {
        matrices.append((info, module))
        continue
      }
      guard let parameter = modules.parameter(of: tensor.name) else {
        throw VPatchError(
          .refused, patch.label,
          "changes \"\(tensor.name.printable)\", which is a part of a larger parameter in transformers: an adapter cannot "
            + "name it", remedy: Self.wayOut(patch))
      }
      if tensor.base?.info.shape != info.shape { resized.append((tensor.name, info.shape.first ?? 0)) }
      saved.append((tensor.name, parameter))
    }
    guard !matrices.isEmpty || !saved.isEmpty else {
      throw VPatchError(.refused, patch.label, "changes no weights", remedy: Self.wayOut(patch))
    }
    if case .rank(let rank) = extraction.size,
      let small = matrices.first(where: { min($0.info.shape[0], $0.info.shape[1]) < rank })
    {
      throw VPatchError(
        .refused, patch.label,
        "changes \"\(small.info.name.printable)\" of \(small.info.typeDescription), and a rank of \(rank) is larger than "
          + "its smaller side",
        remedy: "use --rank \(matrices.map { min($0.info.shape[0], $0.info.shape[1]) }.min()!) or less")
    }
    self.matrices = matrices
    self.resized = resized
    whole = Self.completed(saved, base, modules, wrapped: Set(matrices.map(\.module)))
  }

  /// The tensor as it becomes.
  /// - Throws: `refused` for what an adapter cannot do.
  private static func changed(_ tensor: PatchTensor, _ patch: Patch, _ base: SafetensorsCheckpoint) throws -> TensorInfo
  {
    guard [.change, .rows, .replace].contains(tensor.operation), let info = tensor.target?.info,
      let old = tensor.base?.info, base.tensor(named: tensor.name)?.info == old
    else {
      if tensor.base != nil, base.tensor(named: tensor.name)?.info != tensor.base?.info {
        throw VPatchError(
          .wrongBase, base.path, "is not the base of \(patch.label): \"\(tensor.name.printable)\" differs",
          remedy: "give the model with root \(patch.header.baseRoot.short)")
      }
      throw VPatchError(
        .refused, patch.label, "\(tensor.operation.verb) \"\(tensor.name.printable)\", which an adapter cannot",
        remedy: wayOut(patch))
    }
    guard info.dtype.element.isFloat, NumberReader(info.dtype) != nil, info.dtype.element.width > 1 else {
      throw VPatchError(
        .refused, patch.label, "changes \"\(tensor.name.printable)\" of \(info.dtype), which an adapter cannot",
        remedy: wayOut(patch))
    }
    return info
  }

  private static func wayOut(_ patch: Patch) -> String {
    "write the whole model: vpatch apply BASE \(patch.label.printable) -o FOLDER"
  }

  /// Modules that PEFT replaces are saved with all their tensors. Biases beside factors are saved alone.
  private static func completed(
    _ saved: [(name: String, parameter: String)], _ base: SafetensorsCheckpoint, _ modules: AdapterModules,
    wrapped: Set<String>
  ) -> [Whole] {
    func module(_ parameter: String) -> String { parameter.split(separator: ".").dropLast().joined(separator: ".") }
    let all = base.tensors.compactMap { tensor in modules.parameter(of: tensor.name).map { (tensor.name, $0) } }
    let linear = Set(modules.all)
    let changed = Set(saved.map(\.name.bytesKey))
    func isBias(_ parameter: String) -> Bool { parameter.hasSuffix(".bias") && linear.contains(module(parameter)) }
    let replaced = Set(saved.map(\.parameter).filter { !isBias($0) }.map(module))
    return all.compactMap { name, parameter in
      let isChanged = changed.contains(name.bytesKey)
      let isOfReplaced = replaced.contains(module(parameter)) && !wrapped.contains(module(parameter))
      guard isChanged || isOfReplaced else { return nil }
      return Whole(name: name, parameter: parameter, isBias: isBias(parameter) && !isOfReplaced, isChanged: isChanged)
    }
  }

  // MARK: Sources

  func base(_ name: String) throws -> any TensorSource {
    let checkpoint = view.checkpoint
    return ProvedTensor(
      checkpoint.source(of: checkpoint.tensor(named: name)!), patch.tensor(named: name)?.base, of: checkpoint.path,
      patch)
  }

  func target(_ name: String) throws -> any TensorSource {
    ProvedTensor(view.source(name)!, patch.tensor(named: name)?.target, of: view.path, patch)
  }
}

/// A tensor whose fingerprint is checked when it is read from front to back.
private final class ProvedTensor: TensorSource {
  let info: TensorInfo
  private let hashed: HashedTensor
  private let expected: FingerprintedTensor?
  private let path: String
  private let patch: Patch

  init(_ source: any TensorSource, _ expected: FingerprintedTensor?, of path: String, _ patch: Patch) {
    info = source.info
    hashed = HashedTensor(source)
    (self.expected, self.path, self.patch) = (expected, path, patch)
  }

  func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws {
    try hashed.read(into: buffer, at: offset)
    guard let expected, hashed.position == info.byteCount, offset + buffer.count == info.byteCount,
      try hashed.finish() != expected.fingerprint
    else { return }
    throw VPatchError(
      .wrongBase, path, "is not the base of \(patch.label): \"\(info.name.printable)\" differs",
      remedy: "give the model with root \(patch.header.baseRoot.short)")
  }
}
