// adapter_config.json and adapter_model.safetensors as PEFT 0.21 writes them for LoraConfig.

import Base
import Checkpoints

/// A LoRA adapter that vpatch makes, to be written as PEFT saves one.
package struct NewAdapter: Sendable {
  /// The two factors of one matrix, in float32.
  package struct Layer: Sendable {
    /// The module's name in transformers' model, such as `model.layers.0.self_attn.q_proj`.
    package let module: String
    package let rank: Int
    package let inputs: Int
    package let outputs: Int
    /// Write [rank, inputs] and [outputs, rank].
    package let a: @Sendable (UnsafeMutablePointer<Float>) throws -> Void
    package let b: @Sendable (UnsafeMutablePointer<Float>) throws -> Void

    package init(
      module: String, rank: Int, inputs: Int, outputs: Int,
      a: @escaping @Sendable (UnsafeMutablePointer<Float>) throws -> Void,
      b: @escaping @Sendable (UnsafeMutablePointer<Float>) throws -> Void
    ) {
      self.module = module
      self.rank = rank
      self.inputs = inputs
      self.outputs = outputs
      self.a = a
      self.b = b
    }
  }

  /// A tensor that replaces the model's: an embedding, a norm, a bias.
  package struct Whole: Sendable {
    /// The parameter's name in transformers' model.
    package let parameter: String
    package let source: @Sendable () throws -> any TensorSource

    /// Whether it is the bias of a linear layer, which PEFT saves without the layer's weight.
    package let isBias: Bool

    package init(
      parameter: String, isBias: Bool, source: @escaping @Sendable () throws -> any TensorSource
    ) {
      self.parameter = parameter
      self.isBias = isBias
      self.source = source
    }

    var module: String { parameter.split(separator: ".").dropLast().joined(separator: ".") }
  }

  /// Members of the config.
  package struct Settings: Sendable {
    package var rank: Int
    /// Nil: that of each layer is its rank, so that the scale is 1.
    package var alpha: Double?
    package var isRankStabilized = false
    package var dropout = 0.0
    package var baseModel: String?

    package init(rank: Int, alpha: Double?) {
      self.rank = rank
      self.alpha = alpha
    }
  }

  package let settings: Settings
  package let layers: [Layer]
  package let whole: [Whole]
  /// Names of all linear layers of the model, so that the config names none that has no factors.
  private let modules: [String]

  /// - Parameter modules: names of the modules of all matrices of the model.
  package init(_ settings: Settings, layers: [Layer], whole: [Whole] = [], modules: [String]) {
    self.settings = settings
    self.whole = whole
    self.layers = layers.sorted { $0.module.precedes($1.module) }
    self.modules = modules
  }

  /// Writes both files.
  /// - Parameter folder: exists, and has none of them.
  package func write(into folder: String) throws {
    let config = try OutputFile(path: Path.join(folder, PEFTConfig.fileName))
    try config.write(Array((json.pretty() + "\n").utf8), at: 0)
    try config.commit()
    let weights = try OutputFile(path: Path.join(folder, PEFTAdapter.weightsName))
    let tensors = try tensors()
    let header = SafetensorsHeader.text(
      for: tensors.map(\.info), metadata: [JSON.Member("format", .string("pt"))])
    try weights.write([UInt8](littleEndian: UInt64(header.count)) + header, at: 0)
    var offset = 8 + header.count
    for (_, write) in tensors {
      try write { bytes in
        try weights.write(bytes, at: offset)
        offset += bytes.count
      }
      precondition(offset - 8 - header.count <= tensors.reduce(0) { $0 + $1.info.byteCount }, "more bytes than said")
    }
    try weights.commit()
  }

  private typealias Write = (_ append: (UnsafeRawBufferPointer) throws -> Void) throws -> Void

  /// In ascending order of name.
  private func tensors() throws -> [(info: TensorInfo, write: Write)] {
    var all: [(info: TensorInfo, write: Write)] = layers.flatMap { layer in
      [
        (Self.name(layer.module, "A"), [layer.rank, layer.inputs], layer.a),
        (Self.name(layer.module, "B"), [layer.outputs, layer.rank], layer.b),
      ].map { name, shape, fill in
        let count = shape.reduce(1, *)
        let info = TensorInfo(name: name, dtype: .f32, shape: shape, byteCount: 4 * count)
        return (
          info,
          { append in
            let values = UnsafeMutablePointer<Float>.allocate(capacity: max(count, 1))
            defer { values.deallocate() }
            try fill(values)
            try append(UnsafeRawBufferPointer(start: values, count: info.byteCount))
          }
        )
      }
    }
    let wrapped = Set(layers.map(\.module))
    for tensor in whole {
      let source = try tensor.source()
      let last = tensor.parameter.split(separator: ".").last ?? ""
      let name = wrapped.contains(tensor.module) ? "\(tensor.module).base_layer.\(last)" : tensor.parameter
      all.append(
        (source.info.named("base_model.model.\(name)"), { append in try source.forEachPiece { try append($1) } }))
    }
    return all.sorted { $0.info.name.precedes($1.info.name) }
  }

  /// - Parameter factor: "A" or "B".
  static func name(_ module: String, _ factor: String) -> String {
    "base_model.model.\(module).lora_\(factor).weight"
  }

  private var json: JSON {
    let others = layers.filter { $0.rank != settings.rank }
    return .dictionary([
      "alpha_pattern": .object(settings.alpha == nil ? others.map { JSON.Member($0.module, JSON($0.rank)) } : []),
      "bias": .string(bias), "fan_in_fan_out": .bool(false),
      "base_model_name_or_path": settings.baseModel.map { .string($0) } ?? .null, "inference_mode": .bool(true),
      "init_lora_weights": .bool(true), "lora_alpha": settings.alpha.map { JSON($0) } ?? JSON(settings.rank),
      "lora_dropout": JSON(settings.dropout),
      "modules_to_save": saved.isEmpty ? .null : .array(saved.map { .string($0) }), "peft_type": .string("LORA"),
      "r": JSON(settings.rank),
      "rank_pattern": .object(others.map { JSON.Member($0.module, JSON($0.rank)) }),
      "target_modules": .array(targets.map { .string($0) }), "task_type": .string("CAUSAL_LM"),
      "use_dora": .bool(false), "use_rslora": .bool(settings.isRankStabilized),
    ])
  }

  /// Which biases PEFT has to load.
  private var bias: String {
    let wrapped = Set(layers.map(\.module))
    let biases = whole.filter(\.isBias)
    return biases.isEmpty ? "none" : biases.allSatisfy { wrapped.contains($0.module) } ? "lora_only" : "all"
  }

  private var saved: [String] {
    whole.filter { !$0.isBias }.map(\.module).unique.sorted { $0.precedes($1) }
  }

  /// The last parts of the modules' names, where PEFT finds exactly these modules by them; otherwise the whole names.
  private var targets: [String] {
    func end(_ module: String) -> String { String(module.split(separator: ".").last ?? "") }
    let own = Set(layers.map(\.module))
    let ends = Set(layers.map { end($0.module) })
    let found = modules.filter { ends.contains(end($0)) }
    return found.allSatisfy(own.contains) ? ends.sorted() : layers.map(\.module)
  }
}
