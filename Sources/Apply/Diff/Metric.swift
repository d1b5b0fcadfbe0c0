import Base

/// The values that a heat map of changes can show.
package enum Metric: String, CaseIterable, Sendable {
  case relativeChange = "relative change"
  case share = "share changed"
  case angle = "1 − cosine"

  /// Its short name in CSS classes.
  package var key: String {
    switch self {
    case .relativeChange: "r"
    case .share: "s"
    case .angle: "c"
    }
  }

  /// The value to show; nil where there is none.
  package func value(_ change: Change) -> Double? {
    switch self {
    case .relativeChange: change.relativeChange
    case .share: change.elements == 0 ? nil : change.share
    case .angle: change.oneMinusCosine
    }
  }

  package func text(_ change: Change) -> String {
    guard let value = value(change) else { return "–" }
    return self == .share ? Format.percent(value) : Format.significant(value)
  }
}
