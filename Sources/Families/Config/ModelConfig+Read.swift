import Base
import Checkpoints

extension ModelConfig {
  /// Reads `config.json` in a model's folder, and the end-of-text tokens in `generation_config.json`.
  /// - Throws: `invalid` for what is missing or inconsistent; `refused` for a model that vpatch cannot compute.
  package init(folder: String) throws { try self.init(ModelFolder(folder)) }

  package init(_ folder: ModelFolder) throws {
    let path = folder.path(of: "config.json")
    guard try PathKind.of(folder.path) == .directory else {
      throw VPatchError(
        .refused, folder.path, "is not a model folder: config.json and the tokenizer are needed too",
        remedy: "give the model's folder")
    }
    guard let json = try folder.json("config.json") else {
      throw VPatchError(.io, path, "does not exist", remedy: "a model's folder has its config.json")
    }
    try folder.requireNoAdapter()
    if let other = json["transformers_weights"], other != .null {
      throw VPatchError(
        .refused, path, "names weights that vpatch does not read (transformers_weights: \(other.compact().printable))",
        remedy: "remove that member, or give those weights the standard names")
    }
    try self.init(
      json, generation: folder.json("generation_config.json"), path: path)
  }

  /// - Parameter path: the config file, for messages.
  package init(_ json: JSON, generation: JSON?, path: String) throws {
    let whole = json
    try ConfigTypes.check(whole, path: path)
    if let ids = generation?["eos_token_id"], ids != .null, !ConfigTypes.members["eos_token_id"]!.holds(ids) {
      throw ConfigTypes.wrong(
        "eos_token_id", ids, "a whole number, or a list of them", Path.join(Path.parent(path), "generation_config.json")
      )
    }
    if let quantisation = whole["quantization_config"], quantisation != .null {
      throw VPatchError(
        .refused, path, "has a quantization_config: quantised models cannot be computed",
        remedy: "give the unquantised model, or save it dequantised")
    }
    let multimodal: MultimodalFamily?
    (family, multimodal, isMultimodal) = try Self.families(of: whole, path)
    // In a vision-language model, the language model's values are in `text_config`; in the first layouts they are at
    // the top level.
    let nested = isMultimodal ? whole["text_config"] : nil
    let json = nested ?? whole
    let standards = nested == nil ? family.defaults : family.nestedDefaults
    func missing(_ key: String) -> VPatchError { VPatchError(.invalid, path, "has no usable \"\(key)\"") }
    // Far above any real model. Products of two of these numbers, and sums of a few such products, fit an Int.
    func positive(_ key: String, _ standard: Int? = nil, most: Int = 1 << 24) throws -> Int {
      guard let value = json[key], value != .null else {
        if let standard = standard ?? standards[key] { return standard }
        throw missing(key)
      }
      guard let number = value.int, (1...most).contains(number) else { throw missing(key) }
      return number
    }
    /// The default of a member that is not there; null has another meaning in some.
    func ifMissing(_ key: String) -> Int? { json[key] == nil ? standards[key] : nil }
    if [whole["is_causal"], json["is_causal"]].contains(.bool(false)) {
      throw VPatchError(
        .refused, path,
        "has bidirectional attention (is_causal: false), which is not supported",
        remedy: "give a causal language model")
    }
    try family.refuseUnknown(json, path)
    parts = try family.parts(json, path)
    vocabularySize = try positive("vocab_size")
    hiddenSize = try positive("hidden_size")
    intermediateSize = try positive("intermediate_size")
    layers = try positive("num_hidden_layers")
    heads = try positive("num_attention_heads")
    keyValueHeads = try positive("num_key_value_heads", ifMissing("num_key_value_heads") ?? heads)
    guard heads % keyValueHeads == 0 else {
      throw VPatchError(
        .invalid, path, "has \(heads) attention heads, which is no multiple of its \(keyValueHeads) key-value heads")
    }
    guard json["head_dim"]?.int != nil || ifMissing("head_dim") != nil || hiddenSize % heads == 0 else {
      throw missing("head_dim")
    }
    headSize = try positive("head_dim", ifMissing("head_dim") ?? hiddenSize / heads)
    guard headSize % 2 == 0 else { throw VPatchError(.invalid, path, "has an odd head_dim: \(headSize)") }
    let epsilon = json["rms_norm_eps"]?.double ?? multimodal?.normEpsilon ?? family.normEpsilon
    guard epsilon.isFinite, epsilon >= 0 else { throw missing("rms_norm_eps") }
    normEpsilon = Float(epsilon)
    // A vision-language model has tied embeddings if its config or its text_config says so. Only LLaVA-NeXT's class
    // ignores the latter (transformers 5.24).
    let asksInside = multimodal?.tiesByTextConfig ?? true
    isTied =
      whole["tie_word_embeddings"]?.bool ?? (multimodal == nil && family.isTied)
      || asksInside && json["tie_word_embeddings"]?.bool ?? false
    biases = family.biases(json)
    maximumLength = try positive("max_position_embeddings", standards["max_position_embeddings"] ?? 2048, most: 1 << 31)
    (layerKinds, window) = try family.layerKinds(json, count: layers, path)
    (rotary, slidingRotary) = try family.rotaries(
      json, headSize: headSize, standardTheta: multimodal?.ropeTheta ?? family.ropeTheta,
      maximumLength: maximumLength, path)
    endTokens =
      Self.tokens(generation?["eos_token_id"]) ?? Self.tokens(whole["eos_token_id"]) ?? Self.tokens(
        json["eos_token_id"])
      ?? []
  }

  /// One id or a list of ids.
  private static func tokens(_ json: JSON?) -> [Int32]? {
    if let one = json?.int { return Int32(exactly: one).map { [$0] } }
    return json?.array?.compactMap { $0.int.flatMap(Int32.init(exactly:)) }
  }
}
