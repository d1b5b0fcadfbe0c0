import Foundation

/// What happens to a text before it is cut into words.
indirect enum Normalizer: Sendable {
  case nfc, nfd, nfkc, nfkd
  case lowercase
  case prepend([Unicode.Scalar])
  case replace(Matcher, by: [Unicode.Scalar])
  case strip(left: Bool, right: Bool)
  case sequence([Normalizer])

  init(_ part: TokenizerPart) throws {
    switch try part.type {
    case "NFC": self = .nfc
    case "NFD": self = .nfd
    case "NFKC": self = .nfkc
    case "NFKD": self = .nfkd
    case "Lowercase": self = .lowercase
    case "Prepend": self = .prepend(Array(try part.string("prepend").unicodeScalars))
    case "Replace":
      self = .replace(try Matcher(part.require("pattern")), by: Array(try part.string("content").unicodeScalars))
    case "Strip": self = .strip(left: try part.bool("strip_left"), right: try part.bool("strip_right"))
    case "Sequence": self = .sequence(try part.elements("normalizers").map(Normalizer.init))
    case let type:
      throw part.unsupported(
        "the normalizer \"\(type)\"", supported: "NFC, NFD, NFKC, NFKD, Lowercase, Prepend, Replace, Strip, Sequence")
    }
  }

  func apply(to text: String) -> String {
    var view = String.UnicodeScalarView()
    view.append(contentsOf: apply(to: Array(text.unicodeScalars)))
    return String(view)
  }

  func apply(to text: [Unicode.Scalar]) -> [Unicode.Scalar] {
    switch self {
    case .nfc: text.allSatisfy { $0.value < 0x300 } ? text : text.mapped(\.precomposedStringWithCanonicalMapping)
    case .nfd: text.isASCII ? text : text.mapped(\.decomposedStringWithCanonicalMapping)
    case .nfkc: text.isASCII ? text : text.mapped(\.precomposedStringWithCompatibilityMapping)
    case .nfkd: text.isASCII ? text : text.mapped(\.decomposedStringWithCompatibilityMapping)
    // Character by character, as Hugging Face does: no sigma is final.
    case .lowercase: text.flatMap { Array($0.properties.lowercaseMapping.unicodeScalars) }
    case .prepend(let prefix): text.isEmpty ? text : prefix + text
    case .replace(let matcher, let replacement): matcher.replacing(in: text, by: replacement)
    case .strip(let left, let right): text.stripped(left: left, right: right)
    case .sequence(let normalizers): normalizers.reduce(text) { $1.apply(to: $0) }
    }
  }
}

extension [Unicode.Scalar] {
  fileprivate var isASCII: Bool { allSatisfy(\.isASCII) }

  fileprivate func mapped(_ mapping: (String) -> String) -> [Unicode.Scalar] {
    var view = String.UnicodeScalarView()
    view.append(contentsOf: self)
    return Array(mapping(String(view)).unicodeScalars)
  }

  fileprivate func stripped(left: Bool, right: Bool) -> [Unicode.Scalar] {
    var rest = self[...]
    while left, rest.first?.properties.isWhitespace == true { rest.removeFirst() }
    while right, rest.last?.properties.isWhitespace == true { rest.removeLast() }
    return Array(rest)
  }
}
