extension Suite {
  /// The kinds of tasks that a suite can name, in the order in which errors list them.
  static let kinds: [any TaskKind.Type] = [
    PerplexityTask.self, MassTask.self, DivergenceTask.self, ClockTask.self, MultipleChoiceTask.self,
    ExactMatchTask.self, OptionLetterTask.self,
  ]
}
