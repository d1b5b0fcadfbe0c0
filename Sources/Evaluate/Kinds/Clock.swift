import Base
import Measure

/// Reading clocks: compares the time in the model's greedy answer with the right one, on a twelve-hour dial.
package struct ClockTask: TaskKind {
  package static let name = "clock"
  /// Maximum number of tokens in an answer.
  package var maximumTokens = 16

  package init() {}

  package init(_ table: TOMLReader) throws {
    maximumTokens = try table.optionalInt("max_tokens", in: 1...65536) ?? maximumTokens
  }

  package var needs: EvaluationItem.Needs { EvaluationItem.Needs(prompts: true, time: true) }

  package var settings: [JSON.Member] { [.init("max_tokens", JSON(maximumTokens))] }

  package func run(_ run: TaskRun) throws -> TaskOutcome {
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
