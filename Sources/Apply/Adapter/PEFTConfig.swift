// adapter_config.json, as PEFT 0.21 and earlier versions write it. A missing member has the default of PEFT's
// LoraConfig. A member of another kind is refused: PEFT would fail too, or compute something else.

import Base
import Checkpoints
import PatchFormat

/// The settings of a LoRA adapter that its change depends on.
package struct PEFTConfig: Sendable {
  package static let fileName = ModelFolder.adapterConfigName

  /// The base's name or path, as the trainer knew it.
  package let baseModel: String?
  /// The version of PEFT that wrote it, such as [0, 21, 2]; empty if it does not say.
  let version: [Int]
  /// Suffixes of the names of parameters that are changed themselves, such as `mlp.experts.gate_up_proj`.
  let targetParameters: [String]
  /// Rows of embeddings that were trained: a module's name, or nil for the input embedding, and the rows.
  let trainedTokens: [(module: String?, rows: [Int])]
  private let rank: Int
  private let alpha: Double
  /// Whether the scale is alpha / √rank.
  private let isRankStabilized: Bool
  private let ranks: Patterns<Int>
  private let alphas: Patterns<Double>

  /// Values for modules whose names match; the first match counts.
  private struct Patterns<Value: Sendable>: Sendable {
    var rules: [(pattern: Pattern, value: Value)] = []

    func value(of module: String) -> Value? { rules.first { $0.pattern.matches(name: module) }?.value }
  }

  /// - Parameter path: the file's path, for messages.
  /// - Throws: `refused` for an adapter whose change is not scale · B · A; `invalid`.
  package init(_ json: JSON, _ path: String) throws {
    guard let object = json.object else {
      throw VPatchError(.invalid, path, "is not a JSON object", remedy: "save it with PEFT's save_pretrained")
    }
    let members = ObjectReader(object) { reason, _, remedy in
      VPatchError(.invalid, path, reason, remedy: remedy ?? "write the value that it was trained with")
    }
    try Self.requireLoRA(members, path)
    baseModel = members.optional("base_model_name_or_path")?.string
    version = (members.optional("peft_version")?.string ?? "").split(separator: ".").prefix(3).compactMap { Int($0) }
    rank = try members.optionalInt("r", in: 1...LowRank.maximumRank) ?? 8
    alpha = try Self.number(members.optional("lora_alpha") ?? .integer(8), "lora_alpha", path)
    isRankStabilized = try members.optionalBool("use_rslora") ?? false
    ranks = try Self.patterns(members, "rank_pattern", path) { value in
      value.int.flatMap { (1...LowRank.maximumRank).contains($0) ? $0 : nil }
    }
    alphas = try Self.patterns(members, "alpha_pattern", path) { value in
      value.double.flatMap { $0.isFinite ? $0 : nil }
    }
    targetParameters = try (members.optionalList("target_parameters") ?? []).map { name in
      guard let name = name.string, !name.isEmpty else { throw members.wrong("target_parameters", "a list of names") }
      return name
    }
    trainedTokens = try Self.tokens(members)
  }

  /// The rank of a module's factors.
  func rank(of module: String) -> Int { ranks.value(of: module) ?? rank }

  /// The factor that B · A is multiplied by.
  package func scale(of module: String) -> Double {
    let rank = Double(rank(of: module))
    return (alphas.value(of: module) ?? alpha) / (isRankStabilized ? rank.squareRoot() : rank)
  }

  // MARK: Reading

  private static func number(_ value: JSON, _ key: String, _ path: String) throws -> Double {
    guard let number = value.double, number.isFinite else {
      throw VPatchError(
        .invalid, path, "has a \"\(key)\" that is not a finite number",
        remedy: "write the number that it was trained with")
    }
    return number
  }

  /// Keys are regular expressions that match a module's whole name, or its end after a dot (PEFT's `get_pattern_key`).
  private static func patterns<Value: Sendable>(
    _ members: ObjectReader<VPatchError>, _ key: String, _ path: String, _ convert: (JSON) -> Value?
  ) throws -> Patterns<Value> {
    guard let object = members.optional(key) else { return Patterns() }
    guard let entries = object.object else { throw members.wrong(key, "an object") }
    return Patterns(
      rules: try entries.map { entry in
        guard let value = convert(entry.value) else {
          throw VPatchError(
            .invalid, path, "has a value for \"\(entry.key.printable)\" in \"\(key)\" that is not a positive number",
            remedy: "write the number that it was trained with")
        }
        do { return (try Pattern("(.*\\.)?(\(entry.key))", .name), value) } catch {
          throw VPatchError(
            .invalid, path,
            "has \"\(entry.key.printable)\" in \"\(key)\", which is not a regular expression that vpatch can match: \(error)",
            remedy: "write the names of the modules")
        }
      })
  }

  private static func tokens(_ members: ObjectReader<VPatchError>) throws -> [(module: String?, rows: [Int])] {
    let key = "trainable_token_indices"
    guard let value = members.optional(key) else { return [] }
    func rows(_ list: JSON) throws -> [Int] {
      guard let numbers = list.array?.map(\.int), numbers.allSatisfy({ $0.map { $0 >= 0 } ?? false }),
        Set(numbers).count == numbers.count
      else { throw members.wrong(key, "a list of different token numbers, or an object of such lists") }
      return numbers.compactMap(\.self)
    }
    guard let object = value.object else { return [(nil, try rows(value))] }
    return try object.map { ($0.key, try rows($0.value)) }
  }
}
