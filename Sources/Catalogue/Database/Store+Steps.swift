extension Store {
  /// Where something else may come between.
  enum Step: String, CaseIterable, Sendable {
    /// The names in the folder were read.
    case listed
    /// What goes is decided, and its rows are gone; not yet its files.
    case forgotten
    /// A patch was made in its scratch folder, and is not in the store yet.
    case made
    /// A file has its place, and nothing speaks of it yet.
    case placed
    /// A stack was read that is to be changed.
    case stackRead
    /// What is needed is leased.
    case leased
  }

  func reached(_ step: Step) { observer.withLock { $0 }?(step) }
}
