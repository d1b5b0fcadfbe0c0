import Testing

@testable import Base
@testable import Report

@Suite("Diff: text tables and numbers")
struct DiffFormatTests {
  @Test("columns are as wide as their widest cell; no spaces at the ends of lines")
  func table() {
    var table = TextTable([.init("name"), .init("bytes", .right), .init("note")])
    table.add(["a", "1,234"])
    table.add(["naïve\n", "5", "x"])
    table.add(["模型", "60", "e\u{301}"])
    #expect(
      table.text() == """
        name        bytes  note
        ──────────  ─────  ────
        a           1,234
        naïve\\u{a}      5  x
        模型           60  e\u{301}

        """)
    table.setTotals(["all", "1,299"])
    #expect(table.text().hasSuffix("──────────  ─────  ────\nall         1,299\n"))
    #expect(TextTable([]).text() == "\n\n")
  }

  @Test("numbers as people read them")
  func numbers() {
    #expect([0, 999, 1000, -1_234_567].map(Format.grouped) == ["0", "999", "1,000", "-1,234,567"])
    #expect(
      [0, 999, 1000, 12_400_000, 999_999, 269_030_016, Int.max].map(Format.bytes)
        == ["0 B", "999 B", "1.00 kB", "12.4 MB", "1.00 MB", "269 MB", "9.22 EB"])
    #expect([950, 134_515_008, 7_615_616_512].map(Format.count) == ["950", "135M", "7.62B"])
    #expect(
      [0, 1, 0.5, 0.452, 0.00001234, 0.9996, 0.99999].map(Format.percent)
        == ["0%", "100%", "50.0%", "45.2%", "0.00123%", "99.9%", "> 99.99%"])
    #expect(
      [0, 0.0016340, 1.2e-9, 9.996, 25, 1234, 1.5e9, -0.5, .infinity].map { Format.significant($0) }
        == ["0", "0.00163", "1.20e-9", "10.0", "25.0", "1234", "1.50e9", "-0.500", "∞"])
    #expect([12.5, 25, 100, 0.05, 1e-9].map(Format.plain) == ["12.5", "25", "100", "0.05", "1.00e-9"])
    #expect(Format.fixed(0.125, 1) == "0.1")
    #expect(Format.ranges([0, 1, 2, 5, 7, 8]) == "0–2, 5, 7–8")
    #expect(Format.ranges([]) == "")
  }

  @Test("scales run from one round number to another, and never make much of little")
  func scales() {
    let scale = ColorScale.logarithmic([0.0013, 0.012])
    #expect((scale.low, scale.high) == (0.001, 0.02))
    #expect(scale.ticks.map { Format.significant($0, 1) } == ["0.001", "0.002", "0.005", "0.01", "0.02"])
    #expect((scale.position(0.001), scale.position(0.02), scale.position(9)) == (0, 1, 1))
    #expect(scale.step(0.02, of: 12) == 11)
    let narrow = ColorScale.logarithmic([0.9, 0.91])
    #expect((narrow.low, narrow.high) == (0.2, 1))
    let wide = ColorScale.logarithmic([1e-12, 1])
    #expect((wide.low, wide.high) == (1e-4, 1))
    #expect(ColorScale.logarithmic([]).high == 1)
    #expect(ColorScale.linear([0.3]).high == 0.5)
  }
}
