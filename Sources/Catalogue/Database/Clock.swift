import Base

/// Times in the catalogue are seconds since 1970.
enum Clock {
  /// The current time, or `$SOURCE_DATE_EPOCH` in runs that must be reproducible.
  static var now: Int { SourceDate.now }
}
