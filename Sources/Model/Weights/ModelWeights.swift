import Apply
import Base
import Checkpoints
import Families

/// The tensors of a model by canonical name, memory-mapped from its files; patched ones are decoded into memory.
package final class ModelWeights: Sendable {
  package let view: ModelView
  package let layout: ModelLayout
  /// In the order of the checkpoint; only tensors of dtypes that can be computed with.
  package let parameters: [Parameter]
  private let byCanonicalName: [String: Parameter]
  /// The others, such as the `position_ids` of old checkpoints: an error only if one is needed.
  private let others: [String: TensorInfo]
  /// Names of all tensors, whatever their dtype.
  let names: [String]

  /// - Parameter threads: for decoding patched tensors.
  package init(_ view: ModelView, threads: Int) throws {
    self.view = view
    let checkpoint = view.checkpoint
    layout = ModelLayout.recognise(names: checkpoint.tensors.map(\.name))
    let files = try checkpoint.files.map { try MappedFile($0.input) }
    let floats = checkpoint.tensors.filter { Parameter.dtypes.contains($0.info.dtype) }
    let added = view.added.filter { Parameter.dtypes.contains($0.dtype) }
    parameters = try Parallel.map(floats.count + added.count, threads: threads) { i in
      guard i < floats.count else { return try Self.decoded(added[i - floats.count].name, view) }
      let tensor = floats[i]
      let patched = view.steps.contains { step in
        step.patch.tensor(named: tensor.name).map { $0.operation != .same } ?? false
      }
      let file = files[tensor.file]
      // Float32 products read a float32 tensor in place, if it is aligned.
      guard patched || tensor.offset % tensor.info.dtype.element.width != 0 else {
        return Parameter(tensor.info, bytes: file.bytes.baseAddress! + tensor.offset, owner: file)
      }
      return try Self.decoded(tensor.name, view)
    }
    byCanonicalName = Self.index(parameters.map { ($0.name, $0) }, layout)
    let rest = (checkpoint.tensors.map(\.info) + view.added).filter { !Parameter.dtypes.contains($0.dtype) }
    others = Self.index(rest.map { ($0.name, $0) }, layout)
    names = parameters.map(\.name) + rest.map(\.name)
  }

  /// A tensor decoded from patches.
  private static func decoded(_ name: String, _ view: ModelView) throws -> Parameter {
    let path = view.path
    guard let source = view.source(name) else {
      throw VPatchError(.refused, path, "has no tensor \"\(name.printable)\" after a patch removed it")
    }
    let held = HeldBytes(source.info.byteCount)
    let hashed = HashedTensor(source)
    try hashed.read(into: UnsafeMutableRawBufferPointer(rebasing: held.bytes[..<source.info.byteCount]), at: 0)
    // Results about this model must be about exactly these weights.
    if let last = view.steps.last(where: { $0.output(name) != nil }),
      try hashed.finish() != last.output(name)!.fingerprint
    {
      throw VPatchError(
        .wrongBase, path,
        "does not become the target of \(last.patch.label): \"\(name.printable)\" differs",
        remedy: "use the model with root \(view.steps[0].from.short)")
    }
    return Parameter(source.info, bytes: UnsafeRawPointer(held.bytes.baseAddress!), owner: held)
  }

  private init(_ other: ModelWeights) {
    view = other.view
    layout = other.layout
    parameters = other.parameters.map(\.frozen)
    byCanonicalName = Self.index(parameters.map { ($0.name, $0) }, layout)
    others = other.others
    names = other.names
  }

  private static func index<Tensor>(_ named: [(String, Tensor)], _ layout: ModelLayout) -> [String: Tensor] {
    [String: Tensor](
      named.map { (layout.canonicalName(of: $0.0), $0.1) }, uniquingKeysWith: { first, _ in first })
  }

  /// The same tensors, none of which is tuned.
  func frozen() -> ModelWeights { ModelWeights(self) }

  /// The tensor of that name in the checkpoint.
  package func parameter(named name: String) -> Parameter? { parameters.first { $0.name.isSame(as: name) } }

  /// The tensor, checked to have this shape.
  /// - Throws: `invalid` if it is missing or of another shape; `refused` if its dtype is not float32, bf16 or float16.
  func require(_ canonicalName: String, _ shape: [Int]) throws -> Parameter {
    if let other = others[canonicalName] {
      throw VPatchError(
        .refused, view.path,
        "has the tensor \"\(other.name.printable)\" of dtype \(other.dtype), which is not supported",
        remedy: "convert the model to F32, BF16 or F16")
    }
    guard let parameter = byCanonicalName[canonicalName] else {
      throw VPatchError(
        .invalid, view.path, "lacks the tensor \(canonicalName), which its config.json requires",
        remedy: "use the config.json of the same model")
    }
    guard parameter.info.shape == shape else {
      throw VPatchError(
        .invalid, view.path,
        "has \"\(parameter.name.printable)\" as \(parameter.info.typeDescription); its config.json requires "
          + shape.map(String.init).joined(separator: "×"),
        remedy: "use the config.json of the same model")
    }
    return parameter
  }

  func has(_ canonicalName: String) -> Bool { byCanonicalName[canonicalName] != nil || others[canonicalName] != nil }

  func optional(_ canonicalName: String, _ shape: [Int]) throws -> Parameter? {
    has(canonicalName) ? try require(canonicalName, shape) : nil
  }
}
