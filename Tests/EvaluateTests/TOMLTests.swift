import Base
import Testing

@testable import Evaluate

@Suite("TOML, as far as suites need it") struct TOMLTests {
  private func value(_ text: String) throws -> JSON? { try TOMLParser.parse("x = \(text)").members.first?.value }

  private func refusal(_ text: String) -> TOMLError? {
    do { _ = try TOMLParser.parse(text) } catch { return error as? TOMLError }
    return nil
  }

  @Test(
    "values",
    arguments: [
      ("true", .bool(true)), ("false # no", .bool(false)), ("17", JSON(17)), ("+99", JSON(99)), ("-0", JSON(0)),
      ("1_000", JSON(1000)), ("0xDEAD_beef", JSON(0xDEAD_BEEF)), ("0o755", JSON(0o755)), ("0b1101", JSON(13)),
      ("-9223372036854775808", JSON(Int.min)), ("1.5", .number("1.5")), ("-2e3", .number("-2000.0")),
      ("6.26e-3", .number("0.00626")), ("inf", .number("inf")), (#""""#, ""),
      (#""a \"b\" \\ \t\u00e9\U0001F600""#, "a \"b\" \\ \té😀"),
      (#"'C:\dir "x"'"#, #"C:\dir "x""#), ("\"\"\"\nRoses\r\n  Violets\"\"\"", "Roses\n  Violets"),
      ("\"\"\"a \\\n   b\\n\"\"\"", "a b\n"), (#""""Two "" and """"""#, #"Two "" and """#), (#""""a"""""#, "a\""),
      ("'''\n'a' \\ '''''", "'a' \\ ''"), ("[]", .array([])), ("[1, 2,]", .array([JSON(1), JSON(2)])),
      ("[ \"a\", # one\n\n  'b'\n]", .array(["a", "b"])),
      ("[[1], [\"]\"]]", .array([.array([JSON(1)]), .array(["]"])])),
    ] as [(String, JSON)])
  func values(text: String, expected: JSON) throws {
    #expect(try value(text) == expected, "\(text)")
  }

  @Test("keys above, tables below, and where each stands") func structure() throws {
    let file = try TOMLParser.parse(
      "\u{9}# a suite\r\nname = 'n'\r\n\r\n[[task]] # one\r\na-b_2 = \"\"\"\r\n\r\n\"\"\"\r\nc = [\n1,\n]\n[[ other ]]\na-b_2=1"
    )
    #expect(file.members == [TOMLMember(key: "name", value: "n", line: 2)])
    #expect(
      file.tables == [
        .init(
          name: "task", line: 4,
          members: [
            TOMLMember(key: "a-b_2", value: "\n", line: 5), TOMLMember(key: "c", value: .array([JSON(1)]), line: 8),
          ]),
        .init(name: "other", line: 11, members: [TOMLMember(key: "a-b_2", value: JSON(1), line: 12)]),
      ])
    #expect(try TOMLParser.parse("") == TOMLFile())
  }

  @Test(
    "what is not TOML, or not read here",
    arguments: [
      ("= 1", 1, "expected a key, found \"=\""), ("a", 1, "expected \"=\""),
      ("a = 1 b", 1, "expected the end of the line"),
      ("a = raw", 1, "\"raw\" is not a number; strings need quotes"), ("\na = \"x", 2, "unterminated string"),
      ("a = \"x\ny\"", 1, "unterminated string"), ("a = '''\n\n", 3, "unterminated string"),
      ("a = [1\n\n2]", 3, "\",\" or \"]\""),
      ("a = [1,\n", 2, "expected \"]\" at the end of the list"), ("a = [,]", 1, "expected a value"),
      ("a = \"\\x\"", 1, "is not an escape sequence"),
      ("a = \"\\ud800\"", 1, "needs the hexadecimal digits of a character"),
      ("a = \"\\u12\"", 1, "needs the hexadecimal digits"),
      ("a = \"\u{1}\"", 1, "control character in a string"), ("# \u{7}", 1, "control character in a comment"),
      ("a = 1\na = 2", 2, "duplicate key \"a\""), ("t = 1\n[[t]]", 2, "\"t\" is already a key"),
      ("[[t]]\na = 1\na = 1", 3, "duplicate key"), ("[t]", 1, "two brackets"), ("[[t]", 1, "expected \"]]\""),
      ("[[[t]]]", 1, "expected a key"), ("[[t]] x", 1, "the end of the line"), ("[=]", 1, "two brackets"),
      ("a.b = 1", 1, "expected \"=\""), ("\"a\" = 1", 1, "expected a key"), ("a = {b = 1}", 1, "{inline tables}"),
      ("a = 1979-05-27", 1, "dates and times"), ("a = 07:32:00", 1, "dates and times"),
      ("a = 01", 1, "is not a number"),
      ("a = 1__0", 1, "is not a number"), ("a = 1.", 1, "is not a number"), ("a = .5", 1, "is not a number"),
      ("a = 0x", 1, "is not a number"), ("a = 9223372036854775808", 1, "is not a number"),
      ("a = \u{e9}", 1, "a non-ASCII character"),
      ("a = 1\rb = 2", 1, "the end of the line"), ("a =\n1", 1, "expected a value"), ("é = 1", 1, "expected a key"),
    ] as [(String, Int, String)])
  func refused(text: String, line: Int, reason: String) {
    let error = refusal(text)
    #expect(error?.line == line && error?.reason.contains(reason) == true, "\(String(describing: error))")
  }

  @Test("lists in lists, as deep as a hostile file says") func depth() {
    #expect(refusal("a = " + String(repeating: "[", count: 100_000))?.reason == "lists are nested too deeply")
    #expect(refusal(String(repeating: "[", count: 100_000))?.reason.contains("expected a key") == true)
    #expect(refusal(String(repeating: "a.", count: 100_000))?.reason.contains("expected \"=\"") == true)
  }
}
