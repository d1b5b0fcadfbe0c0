import Base
import Families

extension TokenizerConfig {
  /// The tokens of a tokenizer, collected by its class from the files and from its own defaults.
  struct Tokens {
    /// In the order in which they are added, in groups that are added at once; of tokens with the same content the last
    /// counts.
    var added: [[AddedToken]] = []
    /// The named tokens ("eos_token") with their contents, in transformers' order.
    var named: [(name: String, content: String)] = []
    /// Names whose tokens come from the class's defaults rather than from the files.
    var invented = Set<String>()
    /// Tokens around a text that replace tokenizer.json's post-processor, by name.
    var around: (prefix: [String], suffix: [String])?

    func content(_ name: String) -> String? { named.first { $0.name == name }?.content }
  }

  /// - Parameters:
  ///   - listed: the added tokens of tokenizer.json.
  ///   - hasPostProcessor: whether tokenizer.json has one.
  func tokens(_ kind: TokenizerClass, listed: [AddedToken], hasPostProcessor: Bool) throws -> Tokens {
    var (named, assumed): ([Member], Set<String>) = ([], [])
    for name in Self.names {
      switch try token(named: name) {
      case nil:
        if let standard = kind.defaultTokens.first(where: { $0.key == name })?.value {
          named.append(Member(key: name, value: .text(standard)))
          if !(listed + described).contains(where: { $0.content.isSame(as: standard) }) { assumed.insert(name) }
        }
      case .some(nil): break
      case .some(let value?): named.append(Member(key: name, value: value))
      }
    }
    let standard = kind.ownDefaults(self)
    var own = standard
    own.merge(members.filter { $0.isToken && $0.value.content != nil })
    own.merge(ownNames)
    named.merge(own)
    var extras = try extras()
    if kind == .codeLlama, self["extra_special_tokens"] == nil { extras += standard.map(\.value) }

    var tokens = Tokens()
    tokens.named = named.map { ($0.key, $0.value.content!) }
    tokens.invented = assumed
    // Only `TokenizersBackend` starts with the list in tokenizer.json; the others use the config.
    let first = kind == .backend ? listed : []
    tokens.added = [first, Self.missing(among: first, described, named.map(\.value), extras)]
    tokens.finish(kind, named, extras)
    tokens.around = try around(kind, tokens, hasPostProcessor)
    return tokens
  }

  /// The described tokens, then named and extra tokens that were not described.
  private static func missing(
    among listed: [AddedToken], _ described: [AddedToken], _ named: [Value], _ extras: [Value]
  ) -> [AddedToken] {
    let known = Set((listed + described).map(\.content.bytesKey))
    let names = Set(named.compactMap { $0.content.flatMap { $0.isEmpty ? nil : $0.bytesKey } })
    var new: [Value] = []
    for value in named + extras where !known.contains(value.content!.bytesKey) {
      let isThere = new.contains { old in
        switch (old, value) {
        case (.text(let a), .text(let b)): a.isSame(as: b)
        case (.token(let a), .token(let b)): a.isSame(as: b)
        default: false
        }
      }
      if !isThere { new.append(value) }
    }
    return described.map { $0.marked(in: names) }
      + new.map { value in
        if case .token(let token) = value { return token.marked(in: names) }
        return AddedToken(value.content!, isSpecial: true)
      }
  }

  private func around(_ kind: TokenizerClass, _ tokens: Tokens, _ hasPostProcessor: Bool) throws
    -> (prefix: [String], suffix: [String])?
  {
    // With a tokenizer.json, "add_bos_token" and "add_eos_token" of tokenizer_config.json are ignored.
    let (begins, ends) = (try bool("add_bos_token"), try bool("add_eos_token"))
    let isStated = self["add_bos_token"] != nil || self["add_eos_token"] != nil
    guard isStated || kind == .codeLlama || kind == .gptNeoX || !hasPostProcessor else { return nil }
    let prefix = begins ?? (kind == .codeLlama && self["add_bos_token"] == nil) ? tokens.content("bos_token") : nil
    let suffix = ends ?? false ? tokens.content("eos_token") : nil
    for token in [prefix, suffix].compactMap(\.self) where token.isEmpty || token.contains(where: Self.marks) {
      throw part.error(
        "the token \"\(token.printable)\" cannot be added around a text: it is empty, or has a space, a colon or \"$\"",
        remedy: "add it with a post-processor in tokenizer.json, and set another tokenizer_class")
    }
    return (prefix.map { [$0] } ?? [], suffix.map { [$0] } ?? [])
  }

  /// Characters with a special meaning in transformers' template.
  private static func marks(_ character: Character) -> Bool {
    character.unicodeScalars.contains { $0.properties.isWhitespace || $0 == ":" || $0 == "$" }
  }
}

extension TokenizerConfig.Tokens {
  /// Additional steps of some classes.
  fileprivate mutating func finish(
    _ kind: TokenizerClass, _ named: [TokenizerConfig.Member], _ extras: [TokenizerConfig.Value]
  ) {
    let all = named.map(\.value) + extras
    switch kind {
    case .qwen2:
      added.append(all.map { AddedToken($0.content!, isSpecial: true) })
    case .cohere:
      added.append(
        all.map { value in
          guard case .token(var token) = value else {
            return AddedToken(value.content!, isSpecial: true, normalized: false)
          }
          token.isSpecial = true
          return token
        })
    default: break
    }
  }
}

extension TokenizerClass {
  /// Additional tokens of CodeLlama, unless the files say that there are none.
  fileprivate func ownDefaults(_ config: TokenizerConfig) -> [TokenizerConfig.Member] {
    defaultTokens.compactMap { name, content in
      guard !TokenizerConfig.names.contains(name) else { return nil }
      switch config[name] {
      case nil: return TokenizerConfig.Member(key: name, value: .text(content))
      case .other: return nil
      case let value?: return TokenizerConfig.Member(key: name, value: value)
      }
    }
  }
}

extension AddedToken {
  fileprivate func marked(in names: Set<String>) -> AddedToken {
    var token = self
    if names.contains(content.bytesKey) { token.isSpecial = true }
    return token
  }
}
