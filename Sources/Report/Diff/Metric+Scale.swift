import Apply

extension Metric {
  /// A common scale for several changes.
  package func scale(_ changes: [Change]) -> ColorScale {
    let values = changes.filter { $0.changed > 0 }.compactMap { value($0) }.filter { $0 > 0 }
    return self == .share ? .linear(values) : .logarithmic(values)
  }
}
