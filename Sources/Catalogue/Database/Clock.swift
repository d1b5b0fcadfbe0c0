import Base

/// Times in the catalogue are seconds since 1970.
enum Clock {
  /// Now; or `$SOURCE_DATE_EPOCH`, where a run has to be repeatable.
  static var now: Int { SourceDate.now }
}
