/// A time as the hands of a clock show it.
struct ClockTime: Equatable {
  /// Since twelve.
  let minutes: Int

  /// The first time in a text ("It is 3:05 pm"): an hour of one or two digits, a colon, a minute of two.
  init?(in text: String) {
    guard let match = text.firstMatch(of: #/(?:^|[^0-9:])([0-9]{1,2}):([0-9]{2})(?![0-9])/#) else { return nil }
    self.init(match.output.1, match.output.2)
  }

  /// A text that is a time and nothing else.
  init?(whole text: String) {
    guard let match = text.wholeMatch(of: #/\s*([0-9]{1,2}):([0-9]{2})\s*/#) else { return nil }
    self.init(match.output.1, match.output.2)
  }

  private init?(_ hour: Substring, _ minute: Substring) {
    guard let hour = Int(hour), let minute = Int(minute), hour <= 24, minute < 60 else { return nil }
    minutes = hour % 12 * 60 + minute
  }

  /// In minutes, the shorter way round.
  func distance(to other: ClockTime) -> Int {
    let distance = abs(minutes - other.minutes)
    return min(distance, 720 - distance)
  }

  /// Between the minute hands alone.
  func minuteDistance(to other: ClockTime) -> Int {
    let distance = abs(minutes % 60 - other.minutes % 60)
    return min(distance, 60 - distance)
  }

  /// Whether the hour is the same. A minute beside the full hour, that before it is as good: 2:59 is 3:00 but for a minute.
  func hasHour(of other: ClockTime) -> Bool { minutes / 60 == other.minutes / 60 || distance(to: other) <= 1 }
}
