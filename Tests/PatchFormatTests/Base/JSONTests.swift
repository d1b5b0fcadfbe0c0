import Testing

@testable import Base

@Suite struct JSONTests {
  func reason(_ text: String) -> String {
    do {
      _ = try JSON.parse(text)
      return "accepted"
    } catch { return "\((error as! JSONError).reason)" }
  }

  @Test(arguments: [
    (#"{"a":1,"a":2}"#, #"the key "a" occurs twice"#), (#"{"a":1,"\u0061":2}"#, #"the key "a" occurs twice"#),
    (#"[{"x":{"k":1,"k":1}}]"#, #"the key "k" occurs twice"#), (#""\ud800""#, "an unpaired surrogate"),
    (#""\udc00""#, "an unpaired surrogate"), (#""\ud800\u0041""#, "an unpaired surrogate"),
    (#""\ud800x""#, "an unpaired surrogate"), (#""\u12g4""#, "four hexadecimal digits"),
    (#""\u12"#, "four hexadecimal digits"), (#""\x""#, "an unknown escape"), ("\"a\nb\"", "a bare control character"),
    ("\"a", "the text ends inside a string"), (#""a\"#, "the text ends inside a string"), ("01", "a leading zero"),
    ("-", "a digit expected"), ("-01", "a leading zero"), ("1.", "a digit expected"), (".5", "a value expected"),
    ("1e", "a digit expected"), ("1e+", "a digit expected"), ("+1", "a value expected"), ("NaN", "a value expected"),
    ("Infinity", "a value expected"), ("-Infinity", "a digit expected"), ("tru", "a value expected"),
    ("nul", "a value expected"), ("", "the text ends where a value is expected"), ("{}{}", "more text after"),
    ("[1,]", "a value expected"), (#"{"a":1,}"#, "a key expected"), ("{1:2}", "a key expected"),
    (#"{"a" 1}"#, "':' expected"), ("[1 2]", "',' expected"), ("[1", "',' expected"), ("{} \u{0}", "more text after"),
    ("// x", "a value expected"), ("'a'", "a value expected"), ("\u{FEFF}{}", "a value expected"),
  ])
  func refused(text: String, words: String) {
    #expect(reason(text).contains(words), "\(text): \(reason(text))")
  }

  @Test func bytesThatAreNotUTF8() {
    for bad: [UInt8] in [
      [0xFF], [0xC0, 0x80], [0xC1, 0xB7], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80], [0xE2, 0x82],
    ] {
      #expect(throws: JSONError.self) { try JSON.parse([0x22] + bad + [0x22]) }
      #expect(throws: JSONError.self) { try JSON.parse([0x22, 0x5C, 0x6E] + bad + [0x22]) }
    }
  }

  @Test func escapes() throws {
    #expect(try JSON.parse(#""\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00""#) == .string("\"\\/\u{8}\u{C}\n\r\té😀"))
    #expect(try JSON.parse("\"\\u0000\"") == .string("\u{0}"))
  }

  @Test func keysAreComparedByBytes() throws {
    // é in one scalar and in two: the same to Swift's ==, different keys in a file.
    let json = try JSON.parse("{\"\u{E9}\":1,\"e\u{301}\":2}")
    #expect(json.object?.count == 2)
    // More than eight members take the other path, the set.
    let many = (0..<20).map { "\"k\($0)\":\($0)" }.joined(separator: ",")
    #expect(try JSON.parse("{\(many)}").object?.count == 20)
    for i in 0..<20 { #expect(reason("{\(many),\"k\(i)\":0}").contains("the key \"k\(i)\" occurs twice")) }
  }

  @Test func depth() throws {
    func nested(_ n: Int, _ inner: String = "") -> String {
      String(repeating: "[", count: n) + inner + String(repeating: "]", count: n)
    }
    for inner in ["", "1"] {
      _ = try JSON.parse(nested(32, inner))
      #expect(reason(nested(33, inner)).contains("nested more than 32 deep"))
    }
    #expect(reason(String(repeating: "{\"a\":", count: 33) + "1").contains("nested more than 32 deep"))
    #expect(reason(String(repeating: "[", count: 1_000_000)).contains("nested more than 32 deep at byte 32"))
    #expect(throws: JSONError.self) { try JSON.parse("[[]]", maximumDepth: 1) }
  }

  @Test func numbers() throws {
    #expect(try JSON.parse("0") == .integer(0))
    #expect(try JSON.parse("18446744073709551615") == .integer(.max))
    #expect(try JSON.parse("18446744073709551616") == .number("18446744073709551616"))
    #expect(try JSON.parse("99999999999999999999999") == .number("99999999999999999999999"))
    #expect(try JSON.parse("9223372036854775808").int == nil)
    for text in ["-0", "-1", "1.0", "1e3", "1E-3", "0.5", "-2.5e+10"] {
      #expect(try JSON.parse(text) == .number(text))
      #expect(try JSON.parse(text).int == nil)
    }
    #expect(try JSON.parse("-2.5e+1").double == -25)
  }

  @Test func canonicalForm() throws {
    let text =
      " { \"b\" : [ 1 , true , null ] , \"a\" : \"\\u001f\\u000a\\/\u{E9}\" , \"\u{FF5E}\":0, \"\u{1F600}\":0 } "
    let canonical = "{\"a\":\"\\u001f\\n/\u{E9}\",\"b\":[1,true,null],\"\u{FF5E}\":0,\"\u{1F600}\":0}"
    #expect(String(decoding: try JSON.parse(text).canonical(), as: UTF8.self) == canonical)
    #expect(try JSON.parse(canonical).canonical() == Array(canonical.utf8))
    // Every control character has one way.
    for c in 0..<UInt8(0x20) {
      let json = JSON.string(String(UnicodeScalar(c)))
      #expect(try JSON.parse(json.canonical()) == json)
    }
    #expect(JSON.string("\u{7F}\u{0}\u{8}\t\n\u{C}\r\u{B}").compact() == "\"\u{7F}\\u0000\\b\\t\\n\\f\\r\\u000b\"")
  }

  @Test func prettyReadsBack() throws {
    let json = try JSON.parse(#"{"z":[1,2],"a":{"b":[],"c":{}},"d":[{"e":null}]}"#)
    #expect(try JSON.parse(json.pretty()) == json)
    #expect(json.pretty().hasPrefix("{\n  \"z\": [1, 2],\n"))
  }

  @Test func doubles() {
    #expect(JSON(2.0) == .integer(2))
    #expect(JSON(-3.0) == .number("-3"))
    #expect(JSON(0.5) == .number("0.5"))
    #expect(JSON(Double.nan) == .null)
    #expect(JSON(Double.infinity) == .null)
  }
}
