/// A local date and time of day, without a time zone.
package struct CivilTime: Sendable, Equatable {
  package var year: Int
  /// From 1.
  package var month: Int
  /// From 1.
  package var day: Int
  package var hour: Int
  package var minute: Int
  package var second: Int
  package var microsecond: Int

  /// By default the first second of 1970.
  package init(
    year: Int = 1970, month: Int = 1, day: Int = 1, hour: Int = 0, minute: Int = 0, second: Int = 0,
    microsecond: Int = 0
  ) {
    (self.year, self.month, self.day) = (year, month, day)
    (self.hour, self.minute, self.second, self.microsecond) = (hour, minute, second, microsecond)
  }

  private static let months = [
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
  ]
  private static let weekdays = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"]

  /// Number of days in each month of a year.
  package static func monthLengths(ofYear year: Int) -> [Int] {
    let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
    return [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
  }

  private var daysBefore: Int {
    Self.monthLengths(ofYear: year).prefix(max(month - 1, 0)).reduce(0, +) + day - 1
  }

  /// Sunday is 0.
  private var weekday: Int {
    let before = year - 1
    let days = before * 365 + before / 4 - before / 100 + before / 400 + daysBefore
    return (days % 7 + 8) % 7
  }

  /// Same as Python's `datetime.strftime` in the C locale on Linux.
  /// - Throws: `TemplateError.unsupported` for an unknown directive.
  func formatted(_ format: PythonText) throws(TemplateError) -> PythonText {
    var out = ""
    var rest = Substring(format.description).unicodeScalars
    while let scalar = rest.popFirst() {
      guard scalar == "%" else {
        out.unicodeScalars.append(scalar)
        continue
      }
      var padding: Unicode.Scalar?
      if let flag = rest.first, "-_0".unicodeScalars.contains(flag) { padding = rest.removeFirst() }
      guard let directive = rest.popFirst() else { throw .refusal("a '%' at the end of a date format") }
      out += try text(directive, padding)
    }
    return PythonText(out)
  }

  private func text(_ directive: Unicode.Scalar, _ padding: Unicode.Scalar?) throws(TemplateError) -> String {
    func number(_ n: Int, _ width: Int, _ fill: Character = "0") -> String {
      let digits = String(n)
      let fill: Character? = padding == "-" ? nil : padding == "_" ? " " : padding == "0" ? "0" : fill
      return String(repeating: fill.map(String.init) ?? "", count: max(width - digits.utf8.count, 0)) + digits
    }
    let hour12 = hour % 12 == 0 ? 12 : hour % 12
    func all(_ format: PythonText) throws(TemplateError) -> String { try formatted(format).description }
    switch directive {
    case "Y": return number(year, 1)
    case "y": return number(year % 100, 2)
    case "C": return number(year / 100, 2)
    case "m": return number(month, 2)
    case "d": return number(day, 2)
    case "e": return number(day, 2, " ")
    case "j": return number(daysBefore + 1, 3)
    case "H": return number(hour, 2)
    case "I": return number(hour12, 2)
    case "k": return number(hour, 2, " ")
    case "l": return number(hour12, 2, " ")
    case "M": return number(minute, 2)
    case "S": return number(second, 2)
    case "u": return number(weekday == 0 ? 7 : weekday, 1)
    case "w": return number(weekday, 1)
    case "U": return number((daysBefore + 7 - weekday) / 7, 2)
    case "W": return number((daysBefore + 7 - (weekday + 6) % 7) / 7, 2)
    default: break
    }
    guard padding == nil else { throw .refusal("'%\(padding!)\(directive)' in a date format") }
    switch directive {
    case "B": return Self.months[(month + 11) % 12]
    case "b", "h": return String(Self.months[(month + 11) % 12].prefix(3))
    case "A": return Self.weekdays[weekday]
    case "a": return String(Self.weekdays[weekday].prefix(3))
    case "p": return hour < 12 ? "AM" : "PM"
    case "f":
      let digits = String(microsecond)
      return String(repeating: "0", count: max(6 - digits.utf8.count, 0)) + digits
    case "D", "x": return try all("%m/%d/%y")
    case "F": return try all("%Y-%m-%d")
    case "T", "X": return try all("%H:%M:%S")
    case "R": return try all("%H:%M")
    case "r": return try all("%I:%M:%S %p")
    case "c": return try all("%a %b %e %H:%M:%S %Y")
    case "n": return "\n"
    case "t": return "\t"
    case "%": return "%"
    // There is no time zone.
    case "z", "Z": return ""
    default: throw .refusal("'%\(directive)' in a date format")
    }
  }
}
