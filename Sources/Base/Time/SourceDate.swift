import Glibc

/// `$SOURCE_DATE_EPOCH`: the time that a run which has to be repeatable takes for now.
package enum SourceDate {
  /// In seconds since 1970; nil where nothing, or no number, is given.
  package static var given: time_t? { getenv("SOURCE_DATE_EPOCH").flatMap { time_t(String(cString: $0)) } }

  /// That, or the time now.
  package static var now: time_t { given ?? time(nil) }
}
