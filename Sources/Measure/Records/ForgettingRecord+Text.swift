import Base

/// A record's numbers as text: values of units within 0 … 1 in percent and percentage points.
extension ForgettingRecord {
  /// "61.0%", "14.2"
  package var beforeText: String { unit.text(before) }
  package var afterText: String { unit.text(after) }

  /// "2,376"; "~2,376" if computed from the standard errors.
  package var itemsText: String { (areItemsImplied ? "~" : "") + Format.grouped(items) }

  /// "-0.5", "+38.3"
  package var changeText: String { text(change: change) }

  /// "-3.1 … +2.1", or "–" without an interval.
  package var intervalText: String {
    interval.map { "\(text(change: $0.low)) … \(text(change: $0.high))" } ?? "–"
  }

  /// Lost and won, "3/2", or "–".
  package var flipsText: String {
    flips.map { "\(Format.grouped($0.lost))/\(Format.grouped($0.won))" } ?? "–"
  }

  /// "0.117", "< 0.001", or "–".
  package var pText: String { pValue.map { $0 < 0.001 ? "< 0.001" : Format.fixed($0, 3) } ?? "–" }

  private func text(change: Double) -> String {
    unit.isWithinOne ? Format.signed(change * 100, 1) : (change > 0 ? "+" : "") + Format.significant(change)
  }
}

extension MeasurementUnit {
  /// A value in this unit: "61.0%", "14.2".
  package func text(_ value: Double) -> String {
    isWithinOne ? Format.fixed(value * 100, 1) + "%" : Format.significant(value)
  }
}
