import Base
import Checkpoints

/// The tokenizer settings in a folder's files besides tokenizer.json, with transformers 5's order of precedence.
///
/// "tokenizer_config.json" comes first. If it has no "added_tokens_decoder", "special_tokens_map.json" replaces its
/// members, and "added_tokens.json" and the list in "tokenizer.json" describe the added tokens.
struct TokenizerConfig {
  /// A member's value, as far as it may be a token.
  enum Value {
    case text(String)
    case token(AddedToken)
    case other(JSON)

    /// An object is a token if it is marked as one.
    init(_ part: TokenizerPart) throws {
      if let text = part.json.string {
        self = .text(text)
      } else if part.json["__type"] == .string("AddedToken") {
        self = .token(try AddedToken(part))
      } else {
        self = .other(part.json)
      }
    }

    var content: String? {
      switch self {
      case .text(let text): text
      case .token(let token): token.content
      case .other: nil
      }
    }
  }

  struct Member {
    let key: String
    var value: Value
  }

  /// The names that every tokenizer may have, in the order in which their tokens are added.
  static let names = ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"]

  let part: TokenizerPart
  private(set) var members: [Member] = []
  /// Names specific to the model ("image_token").
  private(set) var ownNames: [Member] = []
  /// The tokens described in the files, by id.
  private(set) var described: [AddedToken] = []

  /// - Parameter listed: "added_tokens" of tokenizer.json.
  init(folder: ModelFolder, listed: [TokenizerPart]) throws {
    let path = folder.path(of: "tokenizer_config.json")
    let json = try folder.json("tokenizer_config.json") ?? .object([])
    guard json.object != nil else { throw VPatchError(.invalid, path, "is not an object") }
    part = TokenizerPart(path: path, place: "", json: json)
    let skipped = ["tokenizer_class", "init_inputs", "add_bos_token", "add_eos_token", "added_tokens_decoder"]
    for member in json.object ?? [] where !skipped.contains(member.key) {
      members.append(Member(key: member.key, value: try Value(part.child(member.key, member.value))))
    }
    if self["additional_special_tokens"] != nil, isEmpty("extra_special_tokens") {
      set("extra_special_tokens", remove("additional_special_tokens"))
    }
    try separateOwnNames()
    if json["added_tokens_decoder"] != nil {
      try describe(part.require("added_tokens_decoder"))
    } else {
      try readOlderFiles(folder, listed)
    }
  }

  subscript(key: String) -> Value? { members.first { $0.key.isSame(as: key) }?.value }

  /// The token of a name; nil if the files do not define it, `.some(nil)` if they define it as none.
  func token(named name: String) throws -> Value?? {
    guard let value = self[name] else { return nil }
    if case .other(let json) = value {
      guard json == .null else {
        throw part.error(
          "\"\(name)\" is neither a string nor an object with \"__type\": \"AddedToken\"",
          remedy: "write the token itself: \"\(name)\": \"…\"")
      }
      return .some(nil)
    }
    return value
  }

  /// A boolean; nil if it is missing or null.
  func bool(_ key: String) throws -> Bool? {
    guard case .other(let json)? = self[key], json != .null else {
      guard self[key]?.content == nil else { throw part.error("\"\(key)\" is neither true nor false") }
      return nil
    }
    guard let bool = json.bool else { throw part.error("\"\(key)\" is neither true nor false") }
    return bool
  }

  /// "extra_special_tokens", or else "additional_special_tokens".
  func extras() throws -> [Value] {
    let key = self["extra_special_tokens"] == nil ? "additional_special_tokens" : "extra_special_tokens"
    guard let value = self[key] else { return [] }
    guard case .other(let json) = value, json != .null else {
      guard value.content == nil else { throw part.error("\"\(key)\" is not a list of tokens") }
      return []
    }
    guard let array = json.array else { throw part.error("\"\(key)\" is not a list of tokens") }
    return try array.map { json in
      let value = try Value(part.child(key, json))
      guard value.content != nil else {
        throw part.error(
          "\"\(key)\" has an entry that is neither a string nor an object with \"__type\": \"AddedToken\"",
          remedy: "write the token itself: \"…\"")
      }
      return value
    }
  }

  // MARK: Reading

  /// Strings under keys that end with "_token", and those in an object of extra tokens, are names specific to the
  /// model.
  private mutating func separateOwnNames() throws {
    var own: [Member] = []
    for member in members where member.isToken {
      guard case .text = member.value else { continue }
      own.append(member)
      remove(member.key)
    }
    try own.merge(objectMembers("extra_special_tokens"))
    if case .other(.object)? = self["extra_special_tokens"] { remove("extra_special_tokens") }
    let stated = try objectMembers("model_specific_special_tokens")
    remove("model_specific_special_tokens")
    ownNames = own.isEmpty ? stated : own
  }

  private mutating func describe(_ decoder: TokenizerPart) throws {
    guard let entries = decoder.json.object else { throw decoder.error("is not an object of ids and tokens") }
    var tokens: [(id: Int, token: AddedToken)] = []
    for entry in entries {
      let place = decoder.child(entry.key, entry.value)
      guard let id = Int(entry.key) else { throw place.error("is not an id") }
      tokens.append((id, try AddedToken(place)))
    }
    finish(tokens)
  }

  /// Files of older tokenizers.
  private mutating func readOlderFiles(_ folder: ModelFolder, _ listed: [TokenizerPart]) throws {
    var tokens: [(id: Int, token: AddedToken)] = []
    // A token that the config has as an object does not yet count when special tokens are determined.
    var special = Set<String>()
    if let map = try folder.json("special_tokens_map.json") {
      special = try merge(map: TokenizerPart(path: folder.path(of: "special_tokens_map.json"), place: "", json: map))
    }
    if let json = try folder.json("added_tokens.json") {
      let file = TokenizerPart(path: folder.path(of: "added_tokens.json"), place: "", json: json)
      guard let entries = json.object else { throw file.error("is not an object of tokens and ids") }
      let extras = self["extra_special_tokens"] == nil ? [] : try extras()
      for case .text(let text) in Self.names.compactMap({ self[$0] }) + extras { special.insert(text.bytesKey) }
      for entry in entries {
        guard let id = entry.value.int else { throw file.child(entry.key, entry.value).error("is not an id") }
        let isSpecial = special.contains(entry.key.bytesKey)
        tokens.append((id, AddedToken(entry.key, isSpecial: isSpecial, normalized: !isSpecial)))
      }
    }
    for part in listed {
      let id = try part.int("id")
      tokens.append((id, try AddedToken(listed: part)))
    }
    finish(tokens)
  }

  /// - Returns: the tokens that it describes as objects, named or extra.
  private mutating func merge(map: TokenizerPart) throws -> Set<String> {
    var special = Set<String>()
    guard let entries = map.json.object else { throw map.error("is not an object of names and tokens") }
    for entry in entries {
      let place = map.child(entry.key, entry.value)
      if entry.value.object != nil, entry.key != "extra_special_tokens" {
        var token = try AddedToken(place)
        token.isSpecial = true
        set(entry.key, .token(token))
        if Self.names.contains(entry.key) { special.insert(token.content.bytesKey) }
      } else if entry.key == "extra_special_tokens", let array = entry.value.array {
        set(entry.key, .other(.array(merged(extras: array))))
        special.formUnion(array.compactMap { $0["content"]?.string?.bytesKey })
      } else {
        set(entry.key, try Value(place))
      }
    }
    if case .other(.object)? = self["extra_special_tokens"] {
      try ownNames.merge(objectMembers("extra_special_tokens"))
      remove("extra_special_tokens")
    }
    return special
  }

  /// The extra tokens so far, and those of the map that are not among them; an object in the map is a token.
  private func merged(extras new: [JSON]) -> [JSON] {
    var result: [JSON] = []
    if case .other(let json)? = self["extra_special_tokens"] { result = json.array ?? [] }
    for entry in new {
      let token =
        entry.object == nil
        ? entry : entry.setting("__type", to: .string("AddedToken")).setting("special", to: .bool(true))
      let isThere = result.contains { old in
        if let a = old.string, let b = token.string { return a.isSame(as: b) }
        return old.object != nil && old == token
      }
      if !isThere { result.append(token) }
    }
    return result
  }

  /// Sorts tokens by id, of which the last counts, and replaces described tokens by name.
  private mutating func finish(_ tokens: [(id: Int, token: AddedToken)]) {
    var byID: [Int: AddedToken] = [:]
    var byContent: [String: AddedToken] = [:]
    for (id, token) in tokens {
      byID[id] = token
      byContent[token.content.bytesKey] = token
    }
    described = byID.sorted { $0.key < $1.key }.map(\.value)
    for name in Self.names {
      guard let content = self[name]?.content, let token = byContent[content.bytesKey] else { continue }
      set(name, .token(token))
    }
  }

  private func objectMembers(_ key: String) throws -> [Member] {
    guard case .other(.object(let entries))? = self[key] else { return [] }
    return try entries.map { entry in
      let value = try Value(part.child(entry.key, entry.value))
      guard value.content != nil else { throw part.error("\"\(key)\": \"\(entry.key)\" is not a token") }
      return Member(key: entry.key, value: value)
    }
  }

  private func isEmpty(_ key: String) -> Bool {
    switch self[key] {
    case nil: true
    case .text(let text): text.isEmpty
    case .token: false
    case .other(let json): json == .null || json.array?.isEmpty == true || json.object?.isEmpty == true
    }
  }

  private mutating func set(_ key: String, _ value: Value?) {
    guard let value else { return }
    members.merge([Member(key: key, value: value)])
  }

  @discardableResult private mutating func remove(_ key: String) -> Value? {
    guard let index = members.firstIndex(where: { $0.key.isSame(as: key) }) else { return nil }
    return members.remove(at: index).value
  }
}

extension TokenizerConfig.Member {
  /// A name that not every tokenizer has.
  var isToken: Bool { key.hasSuffix("_token") && !TokenizerConfig.names.contains(key) }
}

extension [TokenizerConfig.Member] {
  /// Like a Python dictionary: an existing key keeps its position.
  mutating func merge(_ new: [TokenizerConfig.Member]) {
    for member in new {
      if let old = firstIndex(where: { $0.key.isSame(as: member.key) }) {
        self[old].value = member.value
      } else {
        append(member)
      }
    }
  }
}
