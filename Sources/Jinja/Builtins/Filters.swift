/// The filters of Jinja2, with transformers' version of `tojson`.
enum Filters {
  typealias Body = Builtins.Filter

  static let all: [String: Body] = texts.merging(numbers) { $1 }.merging(sequences) { $1 }.merging(selections) { $1 }

  /// Filters that treat a `Markup` like any other string, or that make one.
  static let ofMarkup: Set = [
    "safe", "escape", "e", "forceescape", "string", "length", "count", "default", "d", "tojson",
  ]

  /// Filters of Jinja2 that are not supported.
  private static let elsewhere: Set = [
    "filesizeformat", "pprint", "random", "striptags", "urlencode", "urlize", "wordwrap", "xmlattr",
  ]

  static func missing(_ name: String) -> TemplateError {
    elsewhere.contains(name)
      ? .refusal("the filter '\(name)'") : .failure("unknown filter '\(name)'")
  }

  static func exists(_ name: String) -> Bool {
    all[name] != nil || elsewhere.contains(name)
  }
}

extension Machine {
  /// An attribute lookup as in filters of sequences: `a.b.0`, where each part is tried as an item first.
  struct Path {
    private let parts: [Value]
    private let otherwise: Value?

    init(_ attribute: Value?, otherwise: Value? = nil) throws(TemplateError) {
      switch attribute ?? .none {
      case .none: parts = []
      case .string(let text):
        parts = text.description.split(separator: ".", omittingEmptySubsequences: false).map { part in
          if !part.isEmpty, part.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let n = Int(part) { return .int(n) }
          return .string(PythonText(String(part)))
        }
      case .int, .bool: parts = [attribute!]
      default: throw .refusal("a \(attribute!.typeName) as an attribute")
      }
      self.otherwise = otherwise.flatMap { $0.isNone ? nil : $0 }
    }

    func callAsFunction(_ machine: Machine, _ value: Value) throws(TemplateError) -> Value {
      var value = value
      for part in parts {
        try machine.step()
        value = try machine.item(value, part)
        if value.isUndefined, let otherwise { value = otherwise }
      }
      return value
    }
  }

  /// Converts a string to lower case unless case matters.
  func folded(_ value: Value, _ isCaseSensitive: Bool) throws(TemplateError) -> Value {
    guard !isCaseSensitive, let text = value.text else { return value }
    return try make(try text.lowercased())
  }
}
