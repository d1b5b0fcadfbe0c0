import Base
import Glibc
import Jinja

extension CivilTime {
  /// The local time, or `$SOURCE_DATE_EPOCH` for reproducible runs.
  package static var now: CivilTime {
    var fields = tm()
    if var epoch = SourceDate.given {
      gmtime_r(&epoch, &fields)
    } else {
      var moment = time(nil)
      localtime_r(&moment, &fields)
    }
    return CivilTime(
      year: Int(fields.tm_year) + 1900, month: Int(fields.tm_mon) + 1, day: Int(fields.tm_mday),
      hour: Int(fields.tm_hour), minute: Int(fields.tm_min), second: Int(fields.tm_sec))
  }

  /// "2026-11-30T12:00:00"
  package var text: String {
    func two(_ n: Int) -> String { n < 10 ? "0\(n)" : "\(n)" }
    return "\(year)-\(two(month))-\(two(day))T\(two(hour)):\(two(minute)):\(two(second))"
  }

  /// - Parameter text: "2026-11-30", or with "T12:00:00".
  package init?(_ text: String) {
    let halves = text.split(separator: "T", omittingEmptySubsequences: false)
    func numbers(_ half: Substring, _ separator: Character, _ widths: [Int]) -> [Int]? {
      let fields = half.split(separator: separator, omittingEmptySubsequences: false)
      guard fields.map(\.utf8.count) == widths, fields.allSatisfy({ $0.utf8.allSatisfy { (48...57).contains($0) } })
      else { return nil }
      return fields.compactMap { Int($0) }
    }
    guard (1...2).contains(halves.count), let date = numbers(halves[0], "-", [4, 2, 2]),
      let time = halves.count == 1 ? [0, 0, 0] : numbers(halves[1], ":", [2, 2, 2])
    else { return nil }
    let lengths = Self.monthLengths(ofYear: date[0])
    guard date[0] > 0, (1...12).contains(date[1]), (1...lengths[date[1] - 1]).contains(date[2]), time[0] < 24,
      time[1] < 60, time[2] < 60
    else { return nil }
    self.init(year: date[0], month: date[1], day: date[2], hour: time[0], minute: time[1], second: time[2])
  }
}
