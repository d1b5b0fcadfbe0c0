/// A time on a twelve-hour dial.
struct ClockTime: Equatable {
  /// Minutes since twelve.
  let minutes: Int

  /// The first time in a text ("It is 3:05 pm"): an hour of one or two digits, a colon, two digits of minutes.
  init?(in text: String) {
    guard let match = text.firstMatch(of: #/(?:^|[^0-9:])([0-9]{1,2}):([0-9]{2})(?![0-9])/#) else { return nil }
    self.init(match.output.1, match.output.2)
  }

  /// Nil if the text is anything but a time.
  init?(whole text: String) {
    guard let match = text.wholeMatch(of: #/\s*([0-9]{1,2}):([0-9]{2})\s*/#) else { return nil }
    self.init(match.output.1, match.output.2)
  }

  private init?(_ hour: Substring, _ minute: Substring) {
    guard let hour = Int(hour), let minute = Int(minute), hour <= 24, minute < 60 else { return nil }
    minutes = hour % 12 * 60 + minute
  }

  /// Minutes between the two times, the shorter way round.
  func distance(to other: ClockTime) -> Int {
    let distance = abs(minutes - other.minutes)
    return min(distance, 720 - distance)
  }

  /// Minutes between the two minute hands.
  func minuteDistance(to other: ClockTime) -> Int {
    let distance = abs(minutes % 60 - other.minutes % 60)
    return min(distance, 60 - distance)
  }

  /// Whether the hour is the same. One minute before the full hour also counts: 2:59 has the hour of 3:00.
  func hasHour(of other: ClockTime) -> Bool { minutes / 60 == other.minutes / 60 || distance(to: other) <= 1 }
}
