/// What is made of the rows of a data file.
package struct DataRules: Sendable {
  /// What happens to a row that is too long.
  package enum TooLong: String, Sendable, CaseIterable {
    /// Its end is cut off; it is an error only where no answer would be left.
    case cut
    /// It is an error.
    case refuse
  }

  /// How many tokens a row may have.
  package var maximumLength: Int
  package var tooLong: TooLong
  /// Prompts are learned as well as answers.
  package var learnsEverything: Bool
  /// A row in which nothing is learned is an error. (A row that is only to be scored may be empty.)
  package var needsAnswers: Bool
  /// How many ids the model knows.
  package var vocabulary: Int
  /// Images may lie outside of the data file's folder.
  package var allowsOutside: Bool
  /// Of so many examples the text is kept.
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
