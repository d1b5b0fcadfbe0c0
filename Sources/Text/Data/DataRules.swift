/// What is made of the rows of a data file.
public struct DataRules: Sendable {
  /// What happens to a row that is too long.
  public enum TooLong: String, Sendable, CaseIterable {
    /// Its end is cut off; it is an error only where no answer would be left.
    case cut
    /// It is an error.
    case refuse
  }

  /// How many tokens a row may have.
  public var maximumLength: Int
  public var tooLong: TooLong
  /// Prompts are learned as well as answers.
  public var learnsEverything: Bool
  /// A row in which nothing is learned is an error. (A row that is only to be scored may be empty.)
  public var needsAnswers: Bool
  /// How many ids the model knows.
  public var vocabulary: Int
  /// Images may lie outside of the data file's folder.
  public var allowsOutside: Bool
  /// Of so many examples the text is kept.
  public var shownRows = 0

  public init(
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
