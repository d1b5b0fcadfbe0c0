/// Consecutive whole parts of a dotted name. A `*` in a part stands for a number.
struct PartPattern: Hashable, Sendable {
  /// Where a pattern occurs in a name.
  struct Occurrence {
    let range: Range<Int>
    /// The numbers that stand for `*`, in order.
    let numbers: [Substring]
  }

  private enum Part: Hashable, Sendable {
    case exact(Substring)
    case numbered(before: Substring, after: Substring)

    init(_ text: Substring) {
      guard let star = text.firstIndex(of: "*") else {
        self = .exact(text)
        return
      }
      self = .numbered(before: text[..<star], after: text[text.index(after: star)...])
    }
  }

  /// As it is in the table.
  let text: String
  private let parts: [Part]
  private let isAtStart: Bool
  /// Parts that must not follow.
  private let unless: Set<Substring>

  /// - Parameter text: `experts.*.w1.weight`; `^model !language_model,visual` only at the start of a name, and only where
  ///   neither of these parts follows.
  init(_ text: some StringProtocol) {
    let words = text.split(separator: " ")
    let dotted = words.first.map { $0.first == "^" ? Substring($0.dropFirst()) : Substring($0) } ?? ""
    self.text = String(dotted)
    isAtStart = text.first == "^"
    parts = dotted.split(separator: ".").map { Part(Substring($0)) }
    unless = Set(words.dropFirst().flatMap { $0.dropFirst().split(separator: ",").map { Substring($0) } })
  }

  /// Whether a name of these parts may contain it.
  func mayOccur(in parts: Set<Substring>) -> Bool {
    self.parts.allSatisfy { part in
      guard case .exact(let text) = part else { return true }
      return parts.contains(text)
    }
  }

  /// The first occurrence in a name.
  func occurrence(in name: [Substring]) -> Occurrence? {
    guard name.count >= parts.count else { return nil }
    for start in 0...(isAtStart ? 0 : name.count - parts.count) {
      let end = start + parts.count
      if let numbers = numbers(name[start..<end]), end == name.count || !unless.contains(name[end]) {
        return Occurrence(range: start..<end, numbers: numbers)
      }
    }
    return nil
  }

  private func numbers(_ name: ArraySlice<Substring>) -> [Substring]? {
    var found: [Substring] = []
    for (part, pattern) in zip(name, parts) {
      switch pattern {
      case .exact(let text):
        if part != text { return nil }
      case .numbered(let before, let after):
        guard part.utf8.count > before.utf8.count + after.utf8.count, part.hasPrefix(before), part.hasSuffix(after)
        else { return nil }
        let number = part.dropFirst(before.count).dropLast(after.count)
        guard NamePath.index(number) != nil else { return nil }
        found.append(number)
      }
    }
    return found
  }

  /// The pattern with numbers for its `*`.
  static func filled(_ text: String, with numbers: [Substring]) -> [Substring] {
    var rest = numbers[...]
    return text.split(separator: ".").map { part in
      guard let star = part.firstIndex(of: "*"), let number = rest.popFirst() else { return part }
      return part[..<star] + number + part[part.index(after: star)...]
    }
  }
}
