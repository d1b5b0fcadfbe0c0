import Base
import Jinja

/// What Jinja2 makes of a template, as `bench/jinja_cases.py` has written it.
struct JinjaCase: Sendable {
  let source: String
  /// Nil where Jinja2 raises.
  let expected: (text: String, generations: [[Int]])?

  /// The date that `bench/jinja_cases.py` has.
  static let now = CivilTime(year: 2026, month: 7, day: 4, hour: 15, minute: 6, second: 9, microsecond: 42)

  enum Outcome: Equatable {
    case same
    /// Not rendered, where Jinja2 renders: the reason.
    case refused(String)
    case different(String)
  }

  init(source: String, _ json: JSON) {
    self.source = source
    guard let parts = json.array else {
      expected = nil
      return
    }
    let generations = parts[1].array ?? []
    expected = (parts[0].string ?? "", generations.map { ($0.array ?? []).compactMap(\.int) })
  }

  func outcome(_ context: [(name: String, value: Value)]) -> Outcome {
    outcome(Result { () throws(TemplateError) in try Template(source) }, context)
  }

  func outcome(_ template: Result<Template, TemplateError>, _ context: [(name: String, value: Value)]) -> Outcome {
    do throws(TemplateError) {
      let rendering = try template.get().render(context, Surroundings(now: Self.now))
      guard let expected else { return .different("rendered, where Jinja2 raises: \(rendering.string)") }
      guard rendering.text == Array(expected.text.utf8) else {
        return .different("\(rendering.string.debugDescription) for \(expected.text.debugDescription)")
      }
      let generations = rendering.generations.map { [$0.lowerBound, $0.upperBound] }
      return generations == expected.generations ? .same : .different("\(generations) for \(expected.generations)")
    } catch {
      guard expected != nil else { return .same }
      switch error {
      case .unsupported(_, let reason), .limit(let reason): return .refused(reason)
      default: return .different("an error that Jinja2 does not have: \(error)")
      }
    }
  }

  /// An object's members as variables.
  static func context(_ json: JSON) throws -> [(name: String, value: Value)] {
    try (json.object ?? []).map { ($0.key, try Value($0.value)) }
  }
}
