import Measure

/// How much of a number is known, as a mark that cannot be overlooked.
enum Pill {
  package static func html(_ status: MeasurementStatus) -> String {
    "<span class=\"pill \(status.rawValue)\">\(status.rawValue)</span>"
  }
}
