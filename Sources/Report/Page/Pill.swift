import Measure

/// The mark of a number as HTML.
enum Pill {
  package static func html(_ status: MeasurementStatus) -> String {
    "<span class=\"pill \(status.rawValue)\">\(status.rawValue)</span>"
  }
}
