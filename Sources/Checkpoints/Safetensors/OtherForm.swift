import Base

/// What a file or folder is that is not a checkpoint in safetensors format, and what to do about it.
package struct OtherForm: Equatable, Sendable {
  /// "is a GGUF file"
  package let what: String
  package let remedy: String

  package func error(_ path: String) -> VPatchError { VPatchError(.invalid, path, what, remedy: remedy) }

  // MARK: Files

  /// - Parameter isShard: whether an index names the file.
  /// - Returns: nil for an unknown format.
  package static func of(_ file: InputFile, isShard: Bool) throws -> OtherForm? {
    guard let form = try FileForm.of(file), form != .safetensors, form != .json || !isShard else { return nil }
    return OtherForm(form, file.path)
  }

  private init(_ form: FileForm, _ path: String) {
    self.init(what: form.what, remedy: form.weightsRemedy(path))
  }

  private init(what: String, remedy: String) {
    self.what = what
    self.remedy = remedy
  }

  // MARK: Folders

  /// Recognises a folder that has neither an index nor `model.safetensors`.
  /// - Returns: nil for an unknown format.
  package static func of(folder path: String) throws -> OtherForm? {
    let names = try Path.entries(of: path, skippingUndecodable: true)
    func has(_ name: String) -> Bool { names.contains { $0.isSame(as: name) } }
    func first(_ suffix: String, prefix: String = "") -> String? {
      names.first { $0.hasPrefix(prefix) && $0.hasSuffix(suffix) }
    }
    if has(ModelFolder.adapterConfigName) || first(".safetensors", prefix: "adapter_model") != nil {
      return adapter(path)
    }
    if let shards = shards(names) {
      return OtherForm(
        what: "has shards of a model (\(shards)) and no \(SafetensorsCheckpoint.indexName), which lists their tensors",
        remedy: "download or save \(SafetensorsCheckpoint.indexName) with them")
    }
    if try isDistributed(path, names) {
      return OtherForm(
        what: "is a checkpoint of torch.distributed (DCP, as saved by FSDP), sharded by rank",
        remedy: "gather it: torch.distributed.checkpoint.format_utils.dcp_to_torch_save, then save the tensors in "
          + "safetensors form")
    }
    if has("zero_to_fp32.py") || names.contains(where: { $0.hasPrefix("global_step") }) {
      return OtherForm(
        what: "is a DeepSpeed checkpoint, sharded by rank",
        remedy: "gather it with the zero_to_fp32.py in it and the option --safe_serialization")
    }
    let weights = names.filter { !SafetensorsCheckpoint.isSafetensorsName($0) }
    let forms: [(ending: String, form: FileForm)] = [
      (".gguf", .gguf), (".bin", .pickle), (".pth", .pickle), (".pt", .pickle), (".ckpt", .pickle), (".h5", .hdf5),
      (".msgpack", .msgpack), (".onnx", .onnx), (".npz", .numpy),
    ]
    for (ending, form) in forms where first(".safetensors") == nil {
      guard let found = weights.first(where: { $0.lowercased().hasSuffix(ending) && !isOfTraining($0) }) else {
        continue
      }
      return OtherForm(
        what: "has weights, but not in safetensors form: \(found) \(form.what)",
        remedy: form.weightsRemedy(Path.join(path, found)))
    }
    return try inner(path, names)
  }

  private static func adapter(_ path: String) -> OtherForm {
    var facts: [String] = []
    if let text = try? InputFile.contents(of: Path.join(path, ModelFolder.adapterConfigName), limit: 1 << 20),
      let config = try? JSON.parse(text)
    {
      facts = [config["peft_type"]?.string, config["base_model_name_or_path"]?.string.map { "of \($0)" }]
        .compactMap(\.self)
    }
    return OtherForm(
      what: "is a PEFT adapter\(facts.isEmpty ? "" : " (\(facts.joined(separator: ", ")))"), not a model",
      remedy: "make a patch of it, and use that: vpatch create BASE \(path.printable) -o task.vpatch")
  }

  /// The advice for an adapter that vpatch does not read.
  package static let mergeRemedy =
    "merge it into its base and give the merged model: in Python, "
    + "PeftModel.from_pretrained(model, adapter).merge_and_unload().save_pretrained(folder)"

  /// "model-00001-of-00002.safetensors and 1 more"
  private static func shards(_ names: [String]) -> String? {
    let found = names.filter { name in
      SafetensorsCheckpoint.isSafetensorsName(name) && name.dropLast(12).split(separator: "-").suffix(2).first == "of"
    }
    guard let first = found.first else { return nil }
    return first + (found.count > 1 ? " and \(found.count - 1) more" : "")
  }

  private static func isDistributed(_ path: String, _ names: [String]) throws -> Bool {
    if names.contains(where: { $0.hasSuffix(".distcp") }) { return true }
    return names.contains { $0.hasPrefix("pytorch_model_fsdp_") || $0.isSame(as: "model_fsdp_0") }
  }

  /// Whether a file holds optimizer states or other training state.
  private static func isOfTraining(_ name: String) -> Bool {
    ["optimizer", "scheduler", "training_args", "rng_state", "scaler"].contains { name.hasPrefix($0) }
  }

  /// A folder that contains models: a trainer's output, a hub snapshot, a pipeline.
  private static func inner(_ path: String, _ names: [String]) throws -> OtherForm? {
    var folders = [path]
    if names.contains("snapshots") { folders = [Path.join(path, "snapshots")] }
    for folder in folders {
      let inner = try (folder == path ? names : Path.entries(of: folder, skippingUndecodable: true)).filter { name in
        let below = Path.join(folder, name)
        guard try PathKind.of(below) == .directory else { return false }
        return try [SafetensorsCheckpoint.singleName, SafetensorsCheckpoint.indexName].contains {
          try PathKind.of(Path.join(below, $0)) != .missing
        }
      }
      if let last = inner.last {
        let list = inner.prefix(4).joined(separator: ", ") + (inner.count > 4 ? ", …" : "")
        return OtherForm(
          what: "contains no model itself, but folders that do: \(list)",
          remedy: "give one of them, such as \(Path.join(folder, last))")
      }
    }
    return nil
  }
}
