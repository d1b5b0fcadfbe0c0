import Base
import Measure

/// Reading clocks: compares the time in the model's greedy answer with the right one, on a twelve-hour dial.
package struct ClockTask: Sendable {
  /// Maximum number of tokens in an answer.
  package var maximumTokens = 16

  package init() {}

  init(_ table: inout TOMLReader) throws {
    maximumTokens = try table.int("max_tokens", in: 1...65536) ?? maximumTokens
  }

  var settings: [JSON.Member] { [.init("max_tokens", JSON(maximumTokens))] }

  func run(_ run: TaskRun) throws -> TaskOutcome {
    let texts = try run.answers(limit: maximumTokens)
    let times = texts.map { ClockTime(in: $0) }
    func metric(_ name: String, _ isRight: (ClockTime, ClockTime) -> Bool) -> TaskOutcome.Metric {
      let scores = zip(run.task.items, times).map { item, time in
        let isOne = item.answers.compactMap { ClockTime(whole: $0) }.contains { right in
          time.map { isRight($0, right) } ?? false
        }
        return isOne ? 1.0 : 0
      }
      return .init(name: name, unit: .share, higherIsBetter: true, scores: ItemScores(scores, unit: .share))
    }
    return TaskOutcome(
      metrics: [
        metric("time") { $0.distance(to: $1) <= 1 }, metric("hour") { $0.hasHour(of: $1) },
        metric("minute") { $0.minuteDistance(to: $1) <= 1 },
      ],
      details: texts.map { .dictionary(["answer": .string($0)]) })
  }
}

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
