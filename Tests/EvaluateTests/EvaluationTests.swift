import Base
import Foundation
import TestModels
import Testing
import Text

@testable import Evaluate

@Suite("Evaluations") struct EvaluationTests {
  let base = FakeModel()
  let tuned = FakeModel(seed: 2)
  let tokenizer = FakeTokenizer()

  private func results(
    _ task: EvaluationTask, _ model: FakeModel? = nil, against reference: Evaluation.Reference = .none,
    tokenizer: FakeTokenizer? = nil
  ) throws -> [SuiteResults.Entry] {
    try Evaluation(Evaluate.Suite(name: "s", tasks: [task]), tokenizer: tokenizer ?? self.tokenizer)
      .results(of: model ?? base, name: "m", root: nil, against: reference).entries
  }

  private func refusal(_ call: () throws -> Void) -> VPatchError? {
    do { try call() } catch { return error as? VPatchError }
    return nil
  }

  /// Σ log p of all tokens but the first.
  private func likelihood(_ ids: [Int32], from: Int = 1, _ model: FakeModel? = nil) -> Double {
    (from..<ids.count).reduce(0) { $0 + Double((model ?? base).distribution(ids[..<$1])[Int(ids[$1])]) }
  }

  // MARK: Perplexity

  @Test("windows score every token but the first once") func windows() {
    #expect(
      Window.over(10, context: 4, stride: 3) == [
        Window(tokens: 0..<4, scored: 1..<4), Window(tokens: 3..<7, scored: 4..<7),
        Window(tokens: 6..<10, scored: 7..<10),
      ])
    #expect(Window.over(3, context: 4, stride: 2) == [Window(tokens: 0..<3, scored: 1..<3)])
    for count in 2..<30 {
      for context in 2..<8 {
        for stride in 1..<context {
          let windows = Window.over(count, context: context, stride: stride)
          #expect(windows.flatMap { Array($0.scored) } == Array(1..<count))
          #expect(windows.allSatisfy { $0.tokens.count <= context && $0.tokens.contains($0.scored.lowerBound) })
          let room = windows.dropFirst().allSatisfy { $0.scored.lowerBound - $0.tokens.lowerBound >= context - stride }
          #expect(room)
        }
      }
    }
  }

  @Test("perplexity and bits per byte of documents of unlike lengths") func perplexity() throws {
    let texts = ["abc answer", "A longer text, the second of them."]
    var kind = PerplexityTask()
    // The model looks at two tokens, so windows that leave so many change nothing.
    (kind.context, kind.stride) = (6, 3)
    kind.metrics = [.perplexity, .bitsPerByte]
    let task = EvaluationTask(
      name: "t", role: .heldOut, kind: kind, items: texts.map { EvaluationItem(.text($0)) })
    let entries = try results(task)
    let ids = texts.map { tokenizer.encode($0, addingSpecialTokens: false) }
    let losses = ids.map { -likelihood($0) }
    let total = losses.reduce(0, +)
    #expect(entries.map(\.role) == [.heldOut, .probe])
    #expect(abs(entries[0].scores.value - exp(total / Double(ids[0].count + ids[1].count - 2))) < 1e-3)
    #expect(entries[0].scores.weights == ids.map { Double($0.count - 1) })
    let bytes = texts.map { Double($0.utf8.count - 1) }
    #expect(entries[1].scores.weights == bytes)
    #expect(abs(entries[1].scores.value - total / log(2) / (bytes[0] + bytes[1])) < 1e-5)
    // With a token for the beginning, the text's first is scored too.
    let marked = try results(task, tokenizer: FakeTokenizer(addsBeginning: true))
    #expect(marked[1].scores.weights == texts.map { Double($0.utf8.count) })
  }

  @Test("a document of one token, a row that is too long, a model that gives no numbers") func unfit() throws {
    let one = EvaluationTask(
      name: "t", role: .heldOut, kind: PerplexityTask(),
      items: [EvaluationItem(.text("abc")), EvaluationItem(.text("a"))])
    #expect(
      refusal { _ = try results(one) }?.description.hasPrefix("the task t: item 2 has fewer than two tokens") == true)
    let long = EvaluationTask(
      name: "t", role: .probe, kind: ExactMatchTask(), prompt: PromptFormat(.raw),
      items: [EvaluationItem(.prompt(String(repeating: "x", count: 70)), answers: ["y"])])
    var evaluation = Evaluation(Evaluate.Suite(name: "s", tasks: [long]), tokenizer: tokenizer)
    evaluation.maximumLength = 101
    let error = refusal { _ = try evaluation.results(of: base, name: "m", root: nil, against: .none) }
    #expect(error?.description.hasPrefix("the task t: item 1 has 102 tokens; the model's maximum is 101") == true)
    let text = EvaluationTask(
      name: "t", role: .heldOut, kind: PerplexityTask(), items: [EvaluationItem(.text("abc"))])
    #expect(refusal { _ = try results(text, FakeModel(logit: .nan)) }?.reason.contains("not finite") == true)
  }

  // MARK: Multiple choice

  @Test("choices are counted as lm-evaluation-harness counts them") func multipleChoice() throws {
    let choices = ["é twenty", "three", "a much longer choice, in many tokens", "no"]
    let items = (0..<12).map { i in
      EvaluationItem(.prompt("Question \(i)\nthe answer: "), choices: choices, correct: [i % 4])
    }
    var kind = MultipleChoiceTask()
    kind.metrics = [.byLength, .accuracy, .byBytes]
    let entries = try results(
      EvaluationTask(
        name: "t", role: .heldOut, kind: kind, prompt: PromptFormat(.raw, delimiter: ""), items: items)
    )
    #expect(entries.map(\.metric) == ["acc_norm", "acc", "acc_bytes"])
    #expect(entries.map(\.role) == [.heldOut, .probe, .probe])
    for (i, item) in items.enumerated() {
      // The space at the prompt's end belongs to the choice.
      let context = tokenizer.encode("Question \(i)\nthe answer:", addingSpecialTokens: false)
      let values = choices.map { choice in
        likelihood(context + tokenizer.encode(" " + choice, addingSpecialTokens: false), from: context.count)
      }
      let lengths: [[Double]] = [[8, 5, 36, 2], [1, 1, 1, 1], [9, 5, 36, 2]]
      for (entry, lengths) in zip(entries, lengths) {
        let normed = zip(values, lengths).map { $0 / $1 }
        let chosen = normed.firstIndex(of: normed.max()!)!
        #expect(entry.scores.values[i] == (item.correct.contains(chosen) ? 1 : 0))
      }
      let written = try #require(entries[0].details[i]["log_likelihoods"]?.array?.map { $0.double! })
      #expect(zip(written, values).allSatisfy { abs($0 - $1) < 1e-9 })
    }
  }

  @Test("of equal choices the first is taken") func ties() {
    #expect(MultipleChoiceTask.Metric.accuracy.choice([-2, -1, -1], ["a", "b", "c"]) == 1)
    #expect(MultipleChoiceTask.Metric.byLength.choice([-2, -1, -1], ["aaaa", "b", "c"]) == 0)
    #expect(MultipleChoiceTask.Metric.byLength.choice([-2.5, -3.5], ["aa", "éé"]) == 0)
    #expect(MultipleChoiceTask.Metric.byBytes.choice([-2.5, -3.5], ["aa", "éé"]) == 1)
  }

  @Test("a context and its continuation as tokens") func pairs() throws {
    func texts(_ context: String, _ continuation: String) throws -> [String] {
      let pair = try ContinuationPair.encode([.text(context)], continuation, tokenizer)
      return [tokenizer.decode(pair.context.ids), tokenizer.decode(pair.continuation)]
    }
    #expect(try texts("x", " three") == ["x", " three"])
    #expect(try texts("x \n", "three") == ["x", " \nthree"])
    // What is one token together is cut by the number of tokens, as the harness cuts it.
    let pair = try ContinuationPair.encode([.text("x thr")], "ee", tokenizer)
    #expect(pair.context.count == 5 && pair.continuation.isEmpty)
  }

  // MARK: Exact match

  @Test(
    "answers as they are compared",
    arguments: [
      ("  The  Cat\n", [], .all, "The Cat"), ("The Cat.", [.letterCase, .punctuation, .articles], .all, "cat"),
      ("\n two words \nmore", [], .line, "two words"), ("About 1,234.50, or 7", [], .number, "1234.50"),
      ("minus -3.", [], .number, "-3"), ("none", [], .number, ""), ("Ⅷ ½ é!", [.punctuation], .all, "Ⅷ ½ é"),
    ] as [(String, [AnswerForm.Ignored], AnswerForm.Part, String)])
  func answers(text: String, ignored: [AnswerForm.Ignored], part: AnswerForm.Part, expected: String) {
    var form = AnswerForm()
    (form.ignored, form.part) = (ignored, part)
    #expect(form.normalized(text) == expected)
  }

  @Test("greedy answers, with stops") func exactMatch() throws {
    let prompts = ["one", "two", "q", "zz"]
    var kind = ExactMatchTask()
    kind.maximumTokens = 6
    func run(_ kind: ExactMatchTask, _ answers: [String]) throws -> SuiteResults.Entry {
      try results(
        EvaluationTask(
          name: "t", role: .target, kind: kind,
          items: zip(prompts, answers).map { EvaluationItem(.prompt($0), answers: [$1]) }))[0]
    }
    let free = try run(kind, ["", "", "", ""]).details.map { $0["answer"]!.string! }
    let ids = prompts.map { TokenSequence(tokenizer.encode($0, addingSpecialTokens: true)) }
    #expect(free == base.continueGreedily(ids, stop: [0], limit: 6, observe: nil).map(tokenizer.decode))
    #expect(try run(kind, free).scores.value == 1)
    #expect(try run(kind, [free[0], "?!", free[2], "?!"]).scores.values == [1, 0, 1, 0])
    // Cut before the third byte of the first answer, wherever that is in a token.
    let third = String(decoding: Array(free[0].utf8)[2..<3], as: UTF8.self)
    kind.stop = [third]
    let cut = try run(kind, free).details.map { $0["answer"]!.string! }
    #expect(cut == free.map { String($0.split(separator: third, maxSplits: 1, omittingEmptySubsequences: false)[0]) })
  }

  // MARK: Divergence

  @Test("KL of the base and the model, by rows and by pieces") func divergence() throws {
    let texts = ["abc the answer", "xyz"]
    func value(_ ids: ArraySlice<Int32>, _ other: FakeModel) -> Double {
      zip(base.distribution(ids), other.distribution(ids)).reduce(0) { $0 + exp(Double($1.0)) * Double($1.0 - $1.1) }
    }
    let ids = texts.map { tokenizer.encode($0, addingSpecialTokens: false) }
    var kind = DivergenceTask()
    kind.context = 4
    let task = EvaluationTask(
      name: "t", role: .heldOut, kind: kind, items: texts.map { EvaluationItem(.text($0)) })
    let entry = try results(task, tuned, against: .base(base, root: SHA256Hasher.hash("base")))[0]
    let expected = ids.map { ids in
      ids.indices.reduce(0.0) { $0 + value(ids[($1 / 4 * 4)...$1], tuned) } / Double(ids.count)
    }
    #expect(zip(entry.scores.values, expected).allSatisfy { abs($0 - $1) < 1e-5 })
    #expect(expected.allSatisfy { $0 > 0.1 })
    #expect(entry.scores.weights == ids.map { Double($0.count) })
    #expect(entry.reference == SHA256Hasher.hash("base"))
    #expect(try results(task, base, against: .itself)[0].scores.values == [0, 0])
    #expect(try results(task, tuned).isEmpty)
    // After the last token alone.
    kind.positions = .last
    let last = EvaluationTask(
      name: "t", role: .target, kind: kind, items: texts.map { EvaluationItem(.prompt($0)) })
    let first = try results(last, tuned, against: .base(base, root: nil))[0].scores.values
    #expect(zip(first, ids).allSatisfy { abs($0 - value($1[...], tuned)) < 1e-5 })
    let other = FakeModel(vocabularySize: 300)
    #expect(
      refusal { _ = try results(task, other, against: .base(base, root: nil)) }?.reason.contains(
        "the vocabularies differ: 264 tokens in the base, 300 in the model") == true)
  }

  @Test("positions in blocks that fit into memory") func blocks() {
    let blocks = Divergence.blocks([0..<5, 3..<4, 0..<0, 2..<9], atOnce: 4)
    #expect(
      blocks.map { $0.map { "\($0.sequence):\($0.positions)" } } == [
        ["0:0..<4"], ["0:4..<5", "1:3..<4", "3:2..<4"], ["3:4..<8"], ["3:8..<9"],
      ])
  }

  // MARK: Mass

  @Test(
    "which entries of a vocabulary are numbers",
    arguments: [
      ("3", true), ("\u{0120}42", true), ("\u{2581}Seven", true), (" TWENTY\n", true), ("1st", true), ("22ND", true),
      ("3.14", true), ("1,000", true), ("5.", true), (".5", true), ("billion", true), ("3.1.4", false),
      ("1,2.3", false), ("1x", false), ("1st2", false), ("twenty-one", false), ("some", false), ("", false),
      ("\u{0120}", false), ("²", false), ("٣", false), ("th", false), ("-3", false), ("forty", true), ("one1", false),
    ])
  func numbers(entry: String, isNumber: Bool) {
    #expect(WordSet.numbers.contains(entry) == isNumber)
  }

  @Test("the mass on number tokens, and on any list") func mass() throws {
    let prompts = ["one", "q"]
    func run(_ words: WordSet, _ model: FakeModel) throws -> [Double] {
      var kind = MassTask()
      (kind.words, kind.maximumTokens) = (words, 5)
      let task = EvaluationTask(
        name: "t", role: .probe, kind: kind, items: prompts.map { EvaluationItem(.prompt($0)) })
      return try results(task, model)[0].scores.values
    }
    func expected(_ tokens: [Int32], _ model: FakeModel) -> [Double] {
      prompts.map { prompt in
        var steps: [Double] = []
        let sequence = TokenSequence(tokenizer.encode(prompt, addingSpecialTokens: true))
        _ = model.continueGreedily([sequence], stop: [0], limit: 5) {
          _, _, p in
          steps.append(tokens.reduce(0) { $0 + exp(Double(p[Int($1)])) })
        }
        return steps.reduce(0, +) / Double(steps.count)
      }
    }
    let digits = (0..<10).map { Int32(UInt8(ascii: "0")) + 1 + $0 }
    let numbers = digits + [258, 259, 260, 262, 263]
    let biased = FakeModel(bias: [259: 3, 262: 2])
    for model in [base, biased] {
      #expect(zip(try run(.numbers, model), expected(numbers, model)).allSatisfy { abs($0 - $1) < 1e-6 })
    }
    #expect(try run(.numbers, biased)[0] > 2 * run(.numbers, base)[0])
    #expect(zip(try run(.list(["THE", "absent"]), base), expected([261], base)).allSatisfy { abs($0 - $1) < 1e-6 })
    #expect(refusal { _ = try run(.list(["absent"]), base) }?.reason.contains("has no word that is a token") == true)
  }
}
