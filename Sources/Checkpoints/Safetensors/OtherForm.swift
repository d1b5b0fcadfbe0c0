import Base

/// What a file or folder is that is not a checkpoint in safetensors format, and what to do about it.
package struct OtherForm: Equatable, Sendable {
  /// "is a GGUF file"
  package let what: String
  package let remedy: String

  package func error(_ path: String) -> VPatchError { VPatchError(.invalid, path, what, remedy: remedy) }

  // MARK: Files

  /// Recognises a file by its first bytes, and by its name where they are not enough.
  /// - Parameter isShard: whether an index names the file.
  /// - Returns: nil for an unknown format.
  package static func of(_ file: InputFile, isShard: Bool) throws -> OtherForm? {
    let head = try file.read(0..<min(file.size, 64))
    let name = Path.name(file.path).lowercased()
    func begins(_ bytes: String) -> Bool { head.starts(with: Array(bytes.utf8)) }
    if begins("GGUF") || begins("GGML") || begins("ggjt") { return gguf }
    if begins("PK\u{3}\u{4}") {
      // The name of the zip's first entry.
      let entry = String(decoding: head.dropFirst(30), as: UTF8.self)
      return entry.contains(".npy") || name.hasSuffix(".npz") ? numpy : pickle
    }
    if head.first == 0x80, head.count > 1, (2...5).contains(head[1]) { return pickle }
    if head.starts(with: [0x89, 0x48, 0x44, 0x46]) || name.hasSuffix(".h5") { return keras }
    if head.starts(with: [0x93, 0x4E, 0x55, 0x4D]) { return numpy }
    if name.hasSuffix(".msgpack") { return flax }
    if name.hasSuffix(".onnx") { return onnx }
    if begins("version https://git-lfs") {
      return OtherForm(
        what: "is a Git LFS pointer: the weights themselves were not downloaded",
        remedy: "download the file itself, for example with git lfs pull")
    }
    if head.starts(with: [0x1F, 0x8B]) || head.starts(with: [0x28, 0xB5, 0x2F, 0xFD]) {
      return OtherForm(what: "is a compressed file", remedy: "decompress it first")
    }
    if begins("<!") || begins("<html") {
      return OtherForm(what: "is a web page", remedy: "download the file itself: this page is what the server sent")
    }
    if begins("{"), name.hasSuffix(".json"), !isShard {
      return OtherForm(
        what: "is a JSON file without weights", remedy: "give the model's folder: \(Path.parent(file.path))")
    }
    return nil
  }

  private static let again = "load it with the library that wrote it, and save it in safetensors form"
  private static let pickle = OtherForm(
    what: "is a PyTorch file (a pickle), which can run code when it is loaded: vpatch does not read it",
    remedy: "save the model in safetensors form: save_pretrained of transformers, or safetensors.torch.save_file")
  private static let gguf = OtherForm(
    what: "is a GGUF file, a model converted for llama.cpp",
    remedy: "give the model in safetensors form, as it was before it was converted")
  private static let numpy = OtherForm(what: "is a NumPy file", remedy: again)
  private static let keras = OtherForm(what: "is an HDF5 file (TensorFlow, Keras)", remedy: again)
  private static let flax = OtherForm(what: "is a msgpack file (Flax)", remedy: again)
  private static let onnx = OtherForm(
    what: "is an ONNX file", remedy: "give the model in safetensors form, as it was before it was exported")

  // MARK: Folders

  /// Recognises a folder that has neither an index nor `model.safetensors`.
  /// - Returns: nil for an unknown format.
  package static func of(folder path: String) throws -> OtherForm? {
    let names = try Path.entries(of: path, skippingUndecodable: true)
    func has(_ name: String) -> Bool { names.contains { $0.isSame(as: name) } }
    func first(_ suffix: String, prefix: String = "") -> String? {
      names.first { $0.hasPrefix(prefix) && $0.hasSuffix(suffix) }
    }
    if has("adapter_config.json") || first(".safetensors", prefix: "adapter_model") != nil { return adapter(path) }
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
    for (suffix, form) in [
      (".gguf", gguf), (".bin", pickle), (".pth", pickle), (".pt", pickle), (".ckpt", pickle),
      (".h5", keras), (".msgpack", flax), (".onnx", onnx), (".npz", numpy),
    ]
    where first(".safetensors") == nil {
      guard let found = weights.first(where: { $0.lowercased().hasSuffix(suffix) && !isOfTraining($0) }) else {
        continue
      }
      return OtherForm(
        what: "has weights, but not in safetensors form: \(found) \(form.what)", remedy: form.remedy)
    }
    return try inner(path, names)
  }

  private static func adapter(_ path: String) -> OtherForm {
    var facts: [String] = []
    if let text = try? InputFile.contents(of: Path.join(path, "adapter_config.json"), limit: 1 << 20),
      let config = try? JSON.parse(text)
    {
      facts = [config["peft_type"]?.string, config["base_model_name_or_path"]?.string.map { "of \($0)" }]
        .compactMap(\.self)
    }
    return OtherForm(
      what: "is a PEFT adapter\(facts.isEmpty ? "" : " (\(facts.joined(separator: ", ")))"), not a model",
      remedy: mergeRemedy)
  }

  /// The advice for an adapter.
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
