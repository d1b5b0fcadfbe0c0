import Apply
import ArgumentParser
import Base
import Dispatch
import Model
import Report
import Text

struct GenerateCommand: StoreCommand {
  static let configuration = CommandConfiguration(
    commandName: "generate",
    abstract: "Generate text with a language model: answer a prompt, complete a text, or chat.",
    discussion: """
      The prompt is a user message, formatted by the model's chat template; with --raw the model completes the text as \
      given. Without a prompt vpatch starts a chat: each line is a message, /help shows the commands, Ctrl-C stops an \
      answer, Ctrl-D ends the chat.

      Decoding is greedy unless --temperature is above 0. With --both the model answers twice: without the patches and \
      with them.

      EXAMPLES
        vpatch generate model/ "Name three colours."
        vpatch generate base/ --patch counting --both "How many cats: cat, dog, cat?"
        vpatch generate model/ --raw "Once upon a time" --temperature 0.8 --seed 7
        vpatch generate base/ --stack triage
        vpatch generate model/ --image gauge.jpg "What does the gauge read?"
      """)

  @Argument(help: "The model: a folder with config.json and tokenizer.json.", completion: .file())
  var model: String
  @Argument(help: "The prompt; - reads it from standard input.")
  var prompt: String?
  @Option(
    help: ArgumentHelp(
      "Image for the prompt; repeatable. It is inserted before the prompt, or at <image> in the prompt.",
      valueName: "file"))
  var image: [String] = []
  @Flag(help: "Complete the text as given, without a chat template.")
  var raw = false
  @Option(help: ArgumentHelp("System message, instead of the template's default.", valueName: "text"))
  var system: String?
  @Flag(help: "Also answer without the patches.")
  var both = false
  @Option(help: ArgumentHelp("Maximum number of tokens to generate.", valueName: "n"))
  var maxTokens = 256
  @Option(help: ArgumentHelp("Sampling temperature; 0: greedy decoding.", valueName: "x"))
  var temperature = 0.0
  @Option(
    help: ArgumentHelp(
      "Nucleus sampling (top-p): sample from the smallest set of tokens whose probabilities add up to this.",
      valueName: "share"))
  var topP = 1.0
  @Option(help: ArgumentHelp("Top-k sampling: sample from the k most probable tokens; 0: from all.", valueName: "n"))
  var topK = 0
  @Option(help: ArgumentHelp("Random seed.", valueName: "n"))
  var seed: UInt64 = 0
  @OptionGroup var options: ModelOptions
  @OptionGroup var store: StoreOptions
  @OptionGroup var common: CommonOptions

  var allowsAnyScale: Bool { options.overlay.scales.anyScale }

  func validate() throws {
    if maxTokens < 1 { throw ValidationError("--max-tokens must be at least 1.") }
    if !(0...100).contains(temperature) { throw ValidationError("--temperature must be between 0 and 100.") }
    if !(0.0...1).contains(topP) || topP == 0 { throw ValidationError("--top-p must be greater than 0 and at most 1.") }
    if topK < 0 { throw ValidationError("--top-k must be at least 0.") }
    if both, options.overlay.isEmpty { throw ValidationError("--both requires --patch or --stack.") }
    if raw, system != nil { throw ValidationError("--system cannot be used with --raw, which has no chat template.") }
    if raw, prompt == nil { throw ValidationError("--raw requires a prompt.") }
  }

  func run() throws {
    let view = try options.view(model, reading: .transformers, in: workspace)
    var writers = [try writer(view)]
    if both { writers.insert(try writer(ModelView(view.checkpoint)), at: 0) }
    guard let prompt else {
      var chat = Chat(self, writers)
      return try chat.run()
    }
    var input = StandardInput()
    let text = try prompt == "-" ? input.text() : prompt
    let parts = try RowContent.prompt(text, images: image, isMessage: !raw)
    let messages = (system.map { [Message(.system, $0)] } ?? []) + [Message(.user, parts)]
    for writer in writers { try answer(writer, raw ? nil : messages, parts) }
  }

  /// A model that answers, and its name.
  struct Writer {
    let name: String
    let generator: TextGenerator
  }

  /// Thrown to end an answer: the user interrupted it.
  struct Stopped: Error {}

  private func writer(_ view: ModelView) throws -> Writer {
    Writer(
      name: view.name,
      generator: TextGenerator(
        try options.model(view, common), try options.text(view),
        sampling: Sampling(temperature: temperature, topP: topP, topK: topK, seed: seed), limit: maxTokens))
  }

  /// The model with another patch or stack of the store; nil for none.
  func writer(patch name: String?) throws -> Writer {
    var options = options
    options.overlay.patch = name.map { [$0] } ?? []
    options.overlay.stack = nil
    return try writer(options.view(model, reading: .transformers, in: workspace))
  }

  /// Prints a model's answer while it is made.
  /// - Parameters:
  ///   - messages: nil to complete the text as given.
  ///   - check: called for each piece of the answer; it throws `Stopped` to end it.
  /// - Returns: the answer, or what there was of it.
  @discardableResult
  func answer(
    _ writer: Writer, _ messages: [Message]?, _ parts: [Message.Part], check: @escaping () throws -> Void = {}
  ) throws -> String {
    if both, !common.json { Terminal.out("── \(writer.name.printable)") }
    let started = DispatchTime.now().uptimeNanoseconds
    var said = ""
    let each: (String) throws -> Void = { piece in
      said += piece
      guard !common.json else { return }
      Terminal.print(piece.printableText)
      try Terminal.requireOutput()
      try check()
    }
    let answer: TextGenerator.Answer
    do {
      answer =
        try messages.map { try writer.generator.reply(to: $0, each: each) }
        ?? writer.generator.complete(parts, each: each)
    } catch is Stopped {
      Terminal.out("")
      return said
    }
    try writer.generator.model.requireUnchanged()
    let seconds = Double(DispatchTime.now().uptimeNanoseconds - started) / 1e9
    if common.json {
      Terminal.out(
        line: .dictionary([
          "model": .string(writer.name), "text": .string(answer.text), "ids": .array(answer.ids.map { JSON(Int($0)) }),
          "prompt_tokens": JSON(answer.promptTokens), "ended": .bool(answer.isEnded), "seconds": JSON(seconds),
        ]))
      try Terminal.requireOutput()
    } else {
      Terminal.out("")
      try Terminal.requireOutput()
      if !answer.isEnded { common.note("stopped after \(maxTokens) tokens; --max-tokens allows more") }
    }
    return answer.text
  }
}
