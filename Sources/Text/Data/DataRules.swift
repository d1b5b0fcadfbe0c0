/// Rules for turning the rows of a data file into examples.
package struct DataRules: Sendable {
  /// Treatment of a row that is too long.
  package enum TooLong: String, Sendable, CaseIterable {
    /// Its end is cut off; an error only if no answer would be left.
    case cut
    /// It is an error.
    case refuse
  }

  /// Maximum number of tokens per row.
  package var maximumLength: Int
  package var tooLong: TooLong
  /// Whether prompts count in the loss too.
  package var learnsEverything: Bool
  /// Whether a row without loss tokens is an error. (A row that is only scored may be empty.)
  package var needsAnswers: Bool
  /// Number of ids that the model knows.
  package var vocabulary: Int
  /// Whether images may be outside the data file's folder.
  package var allowsOutside: Bool
  /// Number of examples whose text is kept for display.
  package var shownRows = 0

  package init(
    vocabulary: Int, maximumLength: Int = .max, tooLong: TooLong = .cut, learnsEverything: Bool = false,
    needsAnswers: Bool = true, allowsOutside: Bool = false
  ) {
    self.vocabulary = vocabulary
    self.maximumLength = maximumLength
    self.tooLong = tooLong
    self.learnsEverything = learnsEverything
    self.needsAnswers = needsAnswers
    self.allowsOutside = allowsOutside
  }
}
