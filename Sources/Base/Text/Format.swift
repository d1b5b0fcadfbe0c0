import Glibc

/// Numbers as text for people, always in the same form: a decimal point, commas between thousands.
package enum Format {
  /// "1,234,567"
  package static func grouped(_ value: Int) -> String {
    var text = ""
    for (i, digit) in String(value.magnitude).reversed().enumerated() {
      if i > 0, i % 3 == 0 { text.append(",") }
      text.append(digit)
    }
    return (value < 0 ? "-" : "") + String(text.reversed())
  }

  /// "1 tensor", "1,234 tensors"
  /// - Parameter plural: nil for the noun with an s.
  package static func counted(_ count: Int, _ noun: String, plural: String? = nil) -> String {
    "\(grouped(count)) \(count == 1 ? noun : plural ?? noun + "s")"
  }

  /// "2026-11-23 01:32" in the time zone of the system.
  /// - Parameter seconds: since 1970.
  package static func time(_ seconds: Int) -> String {
    var (moment, parts) = (time_t(seconds), tm())
    localtime_r(&moment, &parts)
    let text = [UInt8](unsafeUninitializedCapacity: 64) { buffer, count in
      count = buffer.withMemoryRebound(to: CChar.self) { strftime($0.baseAddress!, 64, "%Y-%m-%d %H:%M", &parts) }
    }
    return String(decoding: text, as: UTF8.self)
  }

  /// "now", "5 min", "3 h", "2 d", "4 mo", "2 y": how long ago something was, in the largest whole unit.
  package static func age(_ seconds: Int) -> String {
    for (unit, size) in [("y", 31_557_600), ("mo", 2_629_800), ("d", 86400), ("h", 3600), ("min", 60)]
    where seconds >= size {
      return "\(grouped(seconds / size)) \(unit)"
    }
    return "now"
  }

  /// "0.42 s", "42.0 s", "3 min 1 s", "2 h 5 min"
  package static func duration(_ seconds: Double) -> String {
    guard seconds >= 59.95, seconds < 1e15 else { return significant(seconds) + " s" }
    let whole = Int(seconds.rounded())
    return whole < 3600 ? "\(whole / 60) min \(whole % 60) s" : "\(grouped(whole / 3600)) h \(whole % 3600 / 60) min"
  }

  /// "512 B", "12.4 MB": decimal units (1,000), three digits.
  package static func bytes(_ count: Int) -> String {
    guard count.magnitude >= 1000 else { return "\(count) B" }
    return scaled(count, [" kB", " MB", " GB", " TB", " PB", " EB"])
  }

  /// "950", "135M", "7.62B": a number of weights, three digits.
  package static func count(_ value: Int) -> String {
    guard value.magnitude >= 1000 else { return "\(value)" }
    return scaled(value, ["K", "M", "B", "T", "Q"])
  }

  /// "45.2%": three digits. Only exactly 0 is "0%", and only exactly 1 is "100%".
  package static func percent(_ share: Double) -> String {
    if share == 0 || share == 1 { return share == 0 ? "0%" : "100%" }
    let rounded = significant(share * 100)
    if share < 1, rounded == "100" { return share < 0.9999 ? "99.9%" : "> 99.99%" }
    return rounded + "%"
  }

  /// `digits` significant digits: "0.00163", "1.63e-5", "25.0", "1230".
  package static func significant(_ value: Double, _ digits: Int = 3) -> String {
    guard value.isFinite else { return value.isNaN ? "NaN" : value < 0 ? "-∞" : "∞" }
    if value == 0 { return "0" }
    let text = printed("%.\(max(digits, 1) - 1)e", value)
    let parts = text.split(separator: "e")
    let exponent = Int(parts[1])!
    if exponent < -4 || exponent > 6 { return "\(parts[0])e\(exponent)" }
    return fixed(value, max(digits - 1 - exponent, 0))
  }

  /// Three significant digits, without trailing zeros: "12.5", "25".
  package static func plain(_ value: Double) -> String {
    let text = significant(value)
    guard text.contains("."), !text.contains("e") else { return text }
    let kept = text.reversed().drop { $0 == "0" }
    return String((kept.first == "." ? kept.dropFirst() : kept).reversed())
  }

  /// `decimals` digits after the point: "0.97", "3". A value that rounds to zero has no sign.
  package static func fixed(_ value: Double, _ decimals: Int) -> String {
    let text = printed("%.\(decimals)f", value)
    return value.isFinite && text.utf8.first == UInt8(ascii: "-") && !text.contains { ("1"..."9").contains($0) }
      ? String(text.dropFirst()) : text
  }

  /// Like `fixed`, with the sign: "+0.97", "-3".
  package static func signed(_ value: Double, _ decimals: Int) -> String {
    let text = fixed(value, decimals)
    return value > 0 && text.contains { ("1"..."9").contains($0) } ? "+" + text : text
  }

  /// Ascending whole numbers as ranges: "0–11, 14".
  package static func ranges(_ numbers: [Int]) -> String {
    var runs: [ClosedRange<Int>] = []
    for n in numbers {
      if let last = runs.last, last.upperBound &+ 1 == n {
        runs[runs.count - 1] = last.lowerBound...n
      } else {
        runs.append(n...n)
      }
    }
    return runs.map { $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound)–\($0.upperBound)" }.joined(separator: ", ")
  }

  private static func scaled(_ value: Int, _ units: [String]) -> String {
    var rest = Double(value) / 1000
    var unit = 0
    // 999.5 would be shown as 1000.
    while abs(rest) >= 999.5, unit < units.count - 1 {
      rest /= 1000
      unit += 1
    }
    return significant(rest) + units[unit]
  }

  private static func printed(_ format: String, _ value: Double) -> String {
    // The longest text: a sign, 309 digits, a point and the decimals.
    let text = withVaList([value]) { arguments in
      [CChar](unsafeUninitializedCapacity: 512) { buffer, count in
        count = min(Int(vsnprintf(buffer.baseAddress!, buffer.count, format, arguments)), buffer.count - 1)
      }
    }
    return String(decoding: text.map(UInt8.init(bitPattern:)), as: UTF8.self)
  }
}
