import Testing

@testable import Base
@testable import PatchFormat

/// spec/stacks.md, section 6, and the method's text of section 2.
@Suite("Stack files") struct StackFileTests {
  static let base = String(repeating: "0a", count: 32)

  private func parse(_ text: String) throws -> StackFile { try StackFile(text: Array(text.utf8), path: "s.stack") }

  @Test("what is written is read") func roundTrip() throws {
    let text = """
      # remark\r
      vpatch-stack 1\t # another
      name\ttriage
      method ties lambda=2 density=0.25
        base    \(Self.base)
      patch a.vpatch@0.8   # counting
      patch b@c@-1e-3
      patch c@d

      """
    let file = try parse(text)
    #expect(file.name == "triage" && file.base == Self.base)
    #expect(file.method.text == "ties density=0.25 lambda=2")
    #expect(file.members.map(\.name) == ["a.vpatch", "b@c", "c@d"])
    #expect(file.members.map(\.scale) == [0.8, -0.001, 1])
    #expect(try parse(file.text()) == file)
    #expect(try parse(file.text { "named \($0.name)" }) == file)
    #expect(try parse("vpatch-stack 1\nbase b").method == .sum)
  }

  @Test(
    "what is refused",
    arguments: [
      ("base b\n", "does not begin with \"vpatch-stack 1\""), ("vpatch-stack 2\n", "of version 2"), ("", "is empty"),
      ("vpatch-stack 1\nname a\n", "has no \"base\" line"),
      ("vpatch-stack 1\nbase a\nbase b\n", "has \"base\" a second time in line 3"),
      ("vpatch-stack 1\nbase a b\n", "has too many values for \"base\" in line 2"),
      ("vpatch-stack 1\nbase # b\n", "has no value for \"base\" in line 2"),
      ("vpatch-stack 1\npatches a\n", "has the unknown word \"patches\" in line 2"),
      // A line ends with LF: other line breaks, and a mark that joins a space, part nothing.
      ("vpatch-stack 1\u{2028}base a\n", "of version 1\\u{2028}base"),
      ("vpatch-stack \u{301}1\n", "of version \u{301}1"),
      ("vpatch-stack 1\nmethod karcher\n", "the merge method \"karcher\": is unknown"),
      ("vpatch-stack 1\nmethod sum density=1\n", "the merge method sum: has no density"),
    ]) func refused(_ text: String, _ words: String)
  {
    let error = #expect(throws: VPatchError.self) { try parse(text) }
    #expect("\(error!)".contains(words), "\(error!)")
  }

  @Test(
    "numbers in a method's text",
    arguments: [
      (0.5, "0.5"), (2, "2"), (-0.0, "0"), (0.0001, "0.0001"), (0.00009, "9e-05"), (0x1p53, "9007199254740992"),
      (0x1p53 + 2, "9.007199254740994e+15"), (-1e100, "-1e+100"), (0x1p-1074, "5e-324"),
    ]) func numbers(_ number: Double, _ text: String) throws
  {
    #expect(try MergeMethod(.ties, lambda: number).text == "ties density=0.5 lambda=\(text)")
    #expect(try MergeMethod(text: "ties lambda=\(text)").lambda == number)
  }

  @Test("scales that a method cannot divide by") func divisors() throws {
    let patches = [ContentDigest.zero, ContentDigest(hex: Self.base)!]
    func stack(_ kind: MergeMethod.Kind, _ scales: [Double]) throws -> StackDefinition {
      try StackDefinition(
        base: .zero, method: MergeMethod(kind), members: zip(patches, scales).map { .init($0, scale: $1) })
    }
    for (kind, scales, words) in [
      (.linear, [1, -1], "divides by the sum of the scales, which is 0; give scales whose sum is finite and not 0"),
      (.linear, [1e308, 1e308], "divides by the sum of the scales, which is inf"),
      (.slerp, [1e308, 1e308], "with a finite sum"), (.slerp, [1, -0.5], "needs non-negative scales"),
      (.slerp, [0, 0], "one above 0"),
      (.slerp, [1], "interpolates between two patches, not 1"),
      (.sum, [1, .infinity], "has a scale that is not finite"),
    ] as [(MergeMethod.Kind, [Double], String)] {
      let error = #expect(throws: VPatchError.self) { try stack(kind, scales) }
      #expect("\(error!)".contains(words), "\(error!)")
    }
    // Here a divisor of 0 is an element's, and has its rule.
    #expect(try stack(.ties, [1, -1]).members.count == 2)
    #expect(try stack(.linear, [0, 0]).members.count == 2)
  }
}
