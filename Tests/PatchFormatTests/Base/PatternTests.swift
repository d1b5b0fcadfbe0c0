import Testing

@testable import Base

@Suite struct PatternTests {
  @Test(arguments: [
    ("a**", "repeats a repetition"), ("a{2}{3}", "repeats a repetition"), ("(a", "lacks a \")\""),
    ("a)", "has an extra \")\""), ("[", "ends too early"), ("[]", "an empty class is not supported"),
    ("[a[b]]", "a class inside a class is not supported"), ("[a&&b]", "a class inside a class is not supported"),
    ("[z-a]", "a class has an invalid range"), ("\\b", "\"\\b\" is not supported"),
    ("\\p{Han}", "\"\\p{Han}\" is not supported (general categories are)"), ("\\pL", "\"\\p\" lacks its {…}"),
    ("^a", "\"^\" is not supported here"), ("a{3,2}", "\"{…}\" is not a range of counts up to 1000"),
    ("a{99999}", "\"{…}\" is not a range of counts up to 1000"),
    ("a{2}+", "\"?\" or \"+\" behind \"}\" is not supported"),
    ("(?<=a)b", "a group that starts with \"(?<\" is not supported"), ("a*", "matches the empty string"),
    ("(?:a*)*b", "a repetition of what may be empty is not supported"),
    ("(?i:é)", "case is ignored for more than ASCII characters, which is not supported"),
    ("((a{1000}){1000}){1000}", "is too large"), (String(repeating: "(", count: 40), "is nested too deeply"),
  ]) func whatIsNotSupportedIsNamed(pattern: String, reason: String) {
    #expect(throws: PatternError(reason)) { try Pattern(pattern, .tokenizer) }
  }

  @Test func longRunsAreMatchedWithoutQuadraticTime() throws {
    let pattern = try Pattern(#"\s*[\r\n]+|\s+(?!\S)|\s+|[^\s]+"#, .tokenizer)
    let text = Array(repeatElement(Unicode.Scalar(" "), count: 20_000)) + ["a"]
    #expect(text.withUnsafeBufferPointer { pattern.matches(in: $0) } == [0..<19_999, 19_999..<20_000, 20_000..<20_001])
  }

  // MARK: Time

  /// Patterns that take backtracking exponential or quadratic time, and what they are tried on: a text is the prefix,
  /// then the pump so often as there is room, then the end.
  static let slow: [(pattern: String, pump: String, end: String)] = [
    ("(a|a)*b", "a", ""), ("(a+)+b", "a", "c"), ("(a*a)*b", "a", ""), ("(a|aa)+b", "a", "!"),
    ("([a-z]+)*[0-9]", "x", "!"),
    ("((a|b)+c?)+d", "ab", ""), ("(a?a)*b", "a", ""), ("(a+a+)+b", "a", ""), ("(?:a+){2,}b", "a", ""),
    ("(?:(?:a{1,3}){1,3})+b", "a", ""), ("(a{1,9}){1,9}b", "a", ""), ("(?:a|ab|b)*c", "ab", ""),
    ("(?:(?=a+b)a|a)*c", "a", ""),
    ("(?:(?!a*b)a)+c", "a", ""), ("(?=(?:a|a)*b)a", "a", ""), ("(?!(?:a|a)*b)c|d", "a", ""),
    ("(?:(?:a|a)*+a)+b", "a", ""),
    ("(?:a++b?)+c", "aab", ""), ("(?:(?:a|a)*?b)?c", "a", ""), ("(?:a+?)+?b", "a", ""), ("a+b", "a", ""),
    ("a*b|c", "a", ""),
    ("\\s*[\\r\\n]", " ", ""), ("\\s+$", " ", "x"), (".*.*.*x", "y", ""), ("(?:.+)*=.*y", "x=", ""),
    ("(?:a{1,12}b?){1,6}c", "a", ""), ("(?i:(?:a|A)+)+b", "aA", ""), ("(?:\\p{L}+\\p{M}*)+1", "é", " "),
    ("(?:(?:(?:a*b?a)+)+)+c", "a", ""), ("(?:(?=a)(?:a|a))*b", "a", ""), ("(?:a(?=a*$))+b", "a", ""),
  ]

  @Test(arguments: slow) func noTextMakesASearchSlow(pattern: String, pump: String, end: String) throws {
    let pattern = try Pattern(pattern, .tokenizer)
    let one = Array(pump.unicodeScalars)
    let tail = Array(end.unicodeScalars)
    for count in [100, 20_000] {
      let text = Array(repeatElement(one, count: count / one.count).joined()) + tail
      let time = ContinuousClock().measure {
        let found = text.withUnsafeBufferPointer { pattern.matches(in: $0) }
        #expect(found.allSatisfy { !$0.isEmpty && $0.upperBound <= text.count })
      }
      #expect(time < .seconds(20), "\(time) for \(count) characters")
    }
  }

  @Test(arguments: slow) func noNameMakesAMatchSlow(pattern: String, pump: String, end: String) throws {
    let pattern = try Pattern(pattern, .name)
    let name = String(repeating: pump, count: 4096 / pump.utf8.count) + end
    let time = ContinuousClock().measure { #expect(!pattern.matches(name: name)) }
    #expect(time < .seconds(10), "\(time)")
  }

  @Test func whatIsLargeIsRefusedBeforeItIsBuilt() {
    let nested = String(repeating: "(", count: 25) + "a" + String(repeating: "{1000})", count: 25)
    for pattern in [
      "(a{1,1000}){1,1000}", "((a{1000}){1000}){1000}", nested, "(?:a{1,1000}b){2}",
      (0..<200).map { "x\($0)" }.joined(separator: "|"), String(repeating: "a++", count: 40),
    ] {
      #expect(throws: PatternError("is too large"), "\(pattern.prefix(40))") { try Pattern(pattern, .tokenizer) }
    }
    #expect(throws: PatternError("is too large")) { try Pattern(nested, .name) }
    #expect(throws: PatternError("repeats a repetition")) { try Pattern("a{1,1000}{1,1000}", .tokenizer) }
    for empty in ["(a*)*b", "(|a)+b", "(a?){5}b", "((a?)(b?))*c", "(?:(?=a))*b", "($)+b"] {
      #expect(throws: PatternError("a repetition of what may be empty is not supported")) {
        try Pattern(empty, .tokenizer)
      }
    }
  }

  // MARK: Two ways to the same matches

  /// A pattern by chance, of what both engines support.
  private func pattern(_ depth: Int, _ random: inout SplitMix) -> String {
    func part() -> String { pattern(depth - 1, &random) }
    guard depth > 0 else {
      return ["a", "b", "c", "[ab]", "[^a]", "\\n", ".", "\\s", "(?:ab)"].randomElement(using: &random)!
    }
    switch Int.random(in: 0..<12, using: &random) {
    case 0: return "(?:\(part())|\(part()))"
    case 1: return "(?:\(part())|\(part())|\(part()))"
    case 2: return "(?:\(part()))*"
    case 3: return "(?:\(part()))+"
    case 4: return "(?:\(part()))?" + ["", "?", "+"].randomElement(using: &random)!
    case 5: return "(?:\(part()))" + ["*?", "+?", "*+", "++"].randomElement(using: &random)!
    case 6: return "(?:\(part())){1,3}"
    case 7: return "(?=\(part()))\(part())"
    case 8: return "(?!\(part()))\(part())"
    case 9: return "\(part())$"
    default: return part() + part()
    }
  }

  @Test func theTableFindsWhatBacktrackingFinds() throws {
    var random = SplitMix(seed: 11)
    var (tried, matched) = (0, 0)
    for _ in 0..<4000 {
      let source = pattern(4, &random)
      guard let pattern = try? Pattern(source, .tokenizer) else { continue }
      let text = (0..<Int.random(in: 0...9, using: &random)).map { _ in
        ["a", "b", "c", "\n"].randomElement(using: &random)! as Unicode.Scalar
      }
      try text.withUnsafeBufferPointer { text in
        let all = pattern.matches(in: text, steps: 10_000_000)
        // Given up at once, and on the way.
        for steps in [0, 1, 7, 20, 50] {
          try #require(pattern.matches(in: text, steps: steps) == all, "\(source) on \(Array(text)), \(steps) steps")
        }
        matched += all.count
      }
      let name = try Pattern(source, .name)
      try #require(name.matches(name: text, steps: 10_000_000) == name.matches(name: text, steps: 0), "\(source)")
      tried += 1
    }
    #expect(tried > 1000)
    #expect(matched > 500)
  }

  // MARK: Names

  /// What Swift's own engine finds, which once matched names. It has neither limit.
  private func swift(_ pattern: String, _ name: String) throws -> Bool {
    let regex = try Regex(pattern).matchingSemantics(.unicodeScalar).asciiOnlyCharacterClasses()
    return try regex.wholeMatch(in: name) != nil
  }

  static let namePatterns = [
    ".*", "model\\.layers\\.[0-9]+\\.self_attn\\.q_proj\\.weight", ".*\\.(q|k|v)_proj\\.(weight|bias)", "a|b|",
    "^a.*b$",
    "\\Aa+\\z", "(?<layer>\\d+)\\.x", "(?P<n>a)b?", "\\w+", "\\W*", "[\\w.]+", "[^\\s.]+\\D", "a{2}", "a{2,}b*",
    "a{,2}b*",
    "a{1,2}?a*", "a{1,2}+b", "a*?b??", "(?i)ABC\\d", "(?i:a)B", "(?!.*bias).*", "(?=a)a.*", "layers\\.\\d", "caf\u{E9}",
    "\\x61b",
    "\\u0061b", "\\x{61}", "[\\x61-\\x63]+", "\\p{L}+", "\\P{L}+", "a.b", "[a-c-]+", "a\\.b\\-c", "\\S+", "a++b",
    "(a|ab)(c|bcd)",
  ]
  static let names = [
    "", "a", "b", "ab", "aab", "abc", "abc1", "ABC1", "aB", "AB", "model.layers.10.self_attn.q_proj.weight",
    "x.k_proj.bias", "a b",
    "a.b", "a\nb", "a\u{85}b", "a\u{2028}b", "12.x", "\u{661}", "layers.\u{661}", "layers.1", "caf\u{E9}",
    "cafe\u{301}", "a-c", "a.b-c",
    "abcd", "\u{E9}", "_", "é.weight", "aa", "aaa",
  ]

  @Test(arguments: namePatterns) func namesAreMatchedAsBySwift(source: String) throws {
    let pattern = try Pattern(source, .name)
    for name in Self.names {
      #expect(try pattern.matches(name: name) == swift(source, name), "\(source) on \(name.debugDescription)")
    }
  }

  @Test(arguments: [
    "(?<=a)b", "(?<!a)b", "\\bword\\b", "(a)\\1", "\\Qa\\E", "[[:alpha:]]", "[a&&b]", "[a--b]", "\\X", "(?#x)a",
    "(?x)a b", "a**", "(a*)*",
    "\\h", "[", "(", "a)", "\\", "a{2,1}", "\\x{110000}", "\\x{", "\\xg", "\\uD800", "\\u{}", "(?<>a)", "(?<1>a)",
    "\\p{Script=Greek}", "\\N{DIGIT ONE}",
    "(?>a)", "\\G", "\\R", "*", "+", "?", "{", "a{1001}",
  ]) func whatNamesAreNotMatchedWithIsRefused(source: String) {
    #expect(throws: PatternError.self) { try Pattern(source, .name) }
  }

  @Test func manyNamesMayBeListed() throws {
    let names = (0..<400).map { "model.layers.\($0).self_attn.q_proj.weight" }
    let pattern = try Pattern(names.map { $0.replacing(".", with: "\\.") }.joined(separator: "|"), .name)
    #expect(names.allSatisfy(pattern.matches(name:)))
    #expect(!pattern.matches(name: "model.layers.400.self_attn.q_proj.weight"))
  }

  // MARK: Patterns of a shell

  @Test(arguments: [
    ("*", ["", "a", "a.b/c"], []), ("mmlu_*", ["mmlu_", "mmlu_a"], ["mmlu", "xmmlu_a"]),
    ("a?c", ["abc", "aéc"], ["ac", "abbc"]),
    ("[a-c]x", ["ax", "cx"], ["dx", "x"]), ("[!a-c]x", ["dx"], ["ax"]), ("[]a]", ["]", "a"], ["[]a]"]),
    ("[^]]", ["a"], ["]"]),
    ("[a", ["[a"], ["a"]), ("[]", ["[]"], ["]"]), ("a\\*", ["a*"], ["ab"]), ("a\\", ["a\\"], ["a"]),
    ("[a-]", ["a", "-"], ["b"]),
    ("**a**", ["a", "bab"], ["b"]), ("a*b*c", ["abc", "axbxc"], ["ab"]), ("(a|b)+.", ["(a|b)+."], ["a"]),
  ]) func globs(glob: String, those: [String], not: [String]) throws {
    let pattern = try Pattern(glob: glob)
    for name in those { #expect(pattern.matches(name: name), "\(glob) on \(name)") }
    for name in not { #expect(!pattern.matches(name: name), "\(glob) on \(name)") }
  }

  @Test func noGlobIsSlow() throws {
    let pattern = try Pattern(glob: String(repeating: "*a", count: 200) + "b")
    let time = ContinuousClock().measure { #expect(!pattern.matches(name: String(repeating: "a", count: 20_000))) }
    #expect(time < .seconds(60), "\(time)")
    #expect(throws: PatternError.self) { try Pattern(glob: "[[:alpha:]]") }
    #expect(throws: PatternError.self) { try Pattern(glob: "[b-a]") }
    #expect(throws: PatternError("is too large")) { try Pattern(glob: String(repeating: "a", count: 60_000)) }
  }
}
