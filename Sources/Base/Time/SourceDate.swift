import Glibc

/// `$SOURCE_DATE_EPOCH`: replaces the current time in runs that must be reproducible.
package enum SourceDate {
  /// In seconds since 1970; nil where it is not set or not a number.
  package static var given: time_t? { getenv("SOURCE_DATE_EPOCH").flatMap { time_t(String(cString: $0)) } }

  /// `given`, or else the current time.
  package static var now: time_t { given ?? time(nil) }
}
