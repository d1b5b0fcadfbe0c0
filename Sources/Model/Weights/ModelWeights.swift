import Apply
import PatchFormat

/// The tensors of a model by canonical name, mapped from its files; those that patches change, decoded into memory.
public final class ModelWeights: Sendable {
  public let view: ModelView
  public let layout: ModelLayout
  /// In the order of the checkpoint.
  public let parameters: [Parameter]
  private let byCanonicalName: [String: Parameter]

  /// - Parameter threads: decode patched tensors.
  /// - Throws: `refused` where a tensor has a dtype that is not float32, bf16 or float16.
  public init(_ view: ModelView, threads: Int) throws {
    self.view = view
    let checkpoint = view.checkpoint
    layout = ModelLayout.recognise(names: checkpoint.tensors.map(\.name))
    let files = try checkpoint.files.map { try MappedFile($0.input) }
    parameters = try Parallel.map(checkpoint.tensors.count, threads: threads) { i in
      let tensor = checkpoint.tensors[i]
      guard [.f32, .bf16, .f16].contains(tensor.info.dtype) else {
        throw VPatchError(
          .refused, checkpoint.path,
          "has the tensor \"\(tensor.name.printable)\" of dtype \(tensor.info.dtype), which cannot be computed with",
          remedy: "F32, BF16 and F16 can; quantised models have to be converted first")
      }
      let patched = view.steps.contains { step in
        step.patch.tensor(named: tensor.name).map { $0.operation != .same } ?? false
      }
      let file = files[tensor.file]
      // Float32 products read a float32 tensor where it lies, if it lies where floats may.
      guard patched || tensor.offset % tensor.info.dtype.element.width != 0 else {
        return Parameter(tensor.info, bytes: file.bytes.baseAddress! + tensor.offset, owner: file)
      }
      guard let source = view.source(tensor.name) else {
        throw VPatchError(.refused, checkpoint.path, "loses the tensor \"\(tensor.name.printable)\" by a patch")
      }
      let held = HeldBytes(source.info.byteCount)
      let hashed = HashedTensor(source)
      try hashed.read(into: held.bytes, at: 0)
      // A number about this model is a number about these bits.
      if patched, let last = view.steps.last(where: { $0.output(tensor.name) != nil }),
        try hashed.finish() != last.output(tensor.name)!.fingerprint
      {
        throw VPatchError(
          .wrongBase, checkpoint.path,
          "does not become what \(last.patch.label) promises: \"\(tensor.name.printable)\" comes out with other bits",
          remedy: "the patch needs the model with root \(view.steps[0].from.short)")
      }
      return Parameter(source.info, bytes: UnsafeRawPointer(held.bytes.baseAddress!), owner: held)
    }
    byCanonicalName = Self.index(parameters, layout)
  }

  private init(_ other: ModelWeights) {
    view = other.view
    layout = other.layout
    parameters = other.parameters.map(\.untuned)
    byCanonicalName = Self.index(parameters, layout)
  }

  private static func index(_ parameters: [Parameter], _ layout: ModelLayout) -> [String: Parameter] {
    [String: Parameter](
      zip(parameters.map { layout.canonicalName(of: $0.name) }, parameters), uniquingKeysWith: { first, _ in first })
  }

  /// The same bytes, none of which is being tuned.
  func untuned() -> ModelWeights { ModelWeights(self) }

  /// The tensor of that name in the checkpoint.
  public func parameter(named name: String) -> Parameter? { parameters.first { $0.name.isSame(as: name) } }

  /// The tensor, checked to have this shape.
  /// - Throws: `invalid` where it is missing or of another shape.
  func require(_ canonicalName: String, _ shape: [Int]) throws -> Parameter {
    guard let parameter = byCanonicalName[canonicalName] else {
      throw VPatchError(
        .invalid, view.path, "lacks the tensor \(canonicalName), which its config.json calls for",
        remedy: "are config.json and the weights of the same model?")
    }
    guard parameter.info.shape == shape else {
      throw VPatchError(
        .invalid, view.path,
        "has \"\(parameter.name.printable)\" as \(parameter.info.typeDescription); its config.json calls for "
          + shape.map(String.init).joined(separator: "×"),
        remedy: "are config.json and the weights of the same model?")
    }
    return parameter
  }

  func has(_ canonicalName: String) -> Bool { byCanonicalName[canonicalName] != nil }

  func optional(_ canonicalName: String, _ shape: [Int]) throws -> Parameter? {
    has(canonicalName) ? try require(canonicalName, shape) : nil
  }
}

/// A decoded tensor's bytes.
private final class HeldBytes: @unchecked Sendable {
  let bytes: UnsafeMutableRawBufferPointer

  init(_ count: Int) { bytes = .allocate(byteCount: max(count, 64), alignment: 64) }

  deinit { bytes.deallocate() }
}
