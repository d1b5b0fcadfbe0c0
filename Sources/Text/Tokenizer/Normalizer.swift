// Foundation's normalization is wrong for characters above U+FFFF; the standard library's is the one used by `==`.
@_spi(_Unicode) import Swift

/// Normalizes a text before pre-tokenization.
indirect enum Normalizer: Sendable {
  case nfc, nfd
  case lowercase
  case prepend([Unicode.Scalar])
  case replace(Matcher, by: [Unicode.Scalar])
  case strip(left: Bool, right: Bool)
  case sequence([Normalizer])

  init(_ part: TokenizerPart) throws {
    switch try part.type {
    case "NFC": self = .nfc
    case "NFD": self = .nfd
    case "Lowercase": self = .lowercase
    case "Prepend": self = .prepend(Array(try part.string("prepend").unicodeScalars))
    case "Replace":
      self = .replace(try Matcher(part.require("pattern")), by: Array(try part.string("content").unicodeScalars))
    case "Strip": self = .strip(left: try part.bool("strip_left"), right: try part.bool("strip_right"))
    case "Sequence": self = .sequence(try part.elements("normalizers").map(Normalizer.init))
    case let type:
      throw part.unsupported(
        "the normalizer \"\(type)\"", supported: "NFC, NFD, Lowercase, Prepend, Replace, Strip, Sequence")
    }
  }

  /// Whether every character stays at its position.
  var keepsPlaces: Bool {
    switch self {
    case .replace(.literal(let old), let new): old.count == 1 && new.count == 1
    case .sequence(let normalizers): normalizers.allSatisfy(\.keepsPlaces)
    default: false
    }
  }

  /// Whether the text begins with the result of its first character.
  var keepsBeginning: Bool {
    switch self {
    case .nfc, .nfd, .lowercase, .prepend: true
    case .replace(_, let new): !new.isEmpty
    case .strip(let left, _): !left
    case .sequence(let normalizers): normalizers.allSatisfy(\.keepsBeginning)
    }
  }

  func apply(to text: String) -> String {
    var view = String.UnicodeScalarView()
    view.append(contentsOf: apply(to: Array(text.unicodeScalars)))
    return String(view)
  }

  func apply(to text: [Unicode.Scalar]) -> [Unicode.Scalar] {
    switch self {
    case .nfc: text.allSatisfy { $0.value < 0x300 } ? text : text.normalized { Array($0._nfc) }
    case .nfd: text.allSatisfy(\.isASCII) ? text : text.normalized { Array($0._nfd) }
    // Character by character, as in Hugging Face's code: no final sigma.
    case .lowercase: text.flatMap { Array($0.properties.lowercaseMapping.unicodeScalars) }
    case .prepend(let prefix): text.isEmpty ? text : prefix + text
    case .replace(let matcher, let replacement): matcher.replacing(in: text, by: replacement)
    case .strip(let left, let right): text.stripped(left: left, right: right)
    case .sequence(let normalizers): normalizers.reduce(text) { $1.apply(to: $0) }
    }
  }
}

extension [Unicode.Scalar] {
  /// Normalization by Unicode 9, as in Hugging Face's code: newer characters are not composed or reordered.
  fileprivate func normalized(_ normalize: (String) -> [Unicode.Scalar]) -> [Unicode.Scalar] {
    var (result, run): ([Unicode.Scalar], String.UnicodeScalarView) = ([], .init())
    for scalar in self {
      if let parts = Self.vowels[scalar] {
        run.append(contentsOf: parts)
      } else if scalar.value < 0x300 || scalar.properties.age.map({ $0.major <= 9 }) ?? true {
        run.append(scalar)
      } else {
        result += normalize(String(run))
        result.append(scalar)
        run = .init()
      }
    }
    return result + normalize(String(run))
  }

  /// Tibetan vowels that decompose to two combining marks; the standard library does not order those relative to
  /// adjacent marks.
  private static let vowels: [Unicode.Scalar: [Unicode.Scalar]] = [
    "\u{F73}": ["\u{F71}", "\u{F72}"], "\u{F75}": ["\u{F71}", "\u{F74}"], "\u{F81}": ["\u{F71}", "\u{F80}"],
  ]

  fileprivate func stripped(left: Bool, right: Bool) -> [Unicode.Scalar] {
    var rest = self[...]
    while left, rest.first?.properties.isWhitespace == true { rest.removeFirst() }
    while right, rest.last?.properties.isWhitespace == true { rest.removeLast() }
    return Array(rest)
  }
}
