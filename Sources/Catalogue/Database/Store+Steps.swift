extension Store {
  /// Points at which another process may interleave.
  enum Step: String, CaseIterable, Sendable {
    /// The names in the folder were read.
    case listed
    /// Rows were deleted; their files not yet.
    case forgotten
    /// A patch was written to its scratch folder, but is not in the store yet.
    case made
    /// A file is in its final place, but not in the catalogue yet.
    case placed
    /// A stack was read that will be changed.
    case stackRead
    /// Needed patches were leased.
    case leased
  }

  func reached(_ step: Step) { observer.withLock { $0 }?(step) }
}
