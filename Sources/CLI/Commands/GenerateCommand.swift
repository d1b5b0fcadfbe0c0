import Apply
import ArgumentParser
import Base
import Dispatch
import Glibc
import Model
import Report
import Text

struct GenerateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "generate",
    abstract: "Let a language model answer, or go on with a text; chat with it.",
    discussion: """
      A prompt is put to the model as a user's message, by its chat template; --raw goes on with the text as it is. \
      Without a prompt it is a conversation: a line is a message, an empty line begins anew, Ctrl-D ends it.

      The most probable token is taken, unless --temperature says otherwise. With --both the model answers twice: \
      without the patches and with them.

      EXAMPLES
        vpatch generate model/ "Name three colours."
        vpatch generate base/ --patch counting --both "How many cats: cat, dog, cat?"
        vpatch generate model/ --raw "Once upon a time" --temperature 0.8 --top-p 0.95 --seed 7
        vpatch generate base/ --stack triage
        vpatch generate model/ --image gauge.jpg "What does the gauge read?"
      """)

  @Argument(help: "The model: a folder with config.json and tokenizer.json.")
  var model: String
  @Argument(help: "The prompt; - reads it from standard input.")
  var prompt: String?
  @Option(
    help: ArgumentHelp(
      "An image that the prompt is about; repeatable. It stands before the prompt, or where that has <image>.",
      valueName: "file"))
  var image: [String] = []
  @Flag(help: "Go on with the text as it is, without a chat template.")
  var raw = false
  @Option(help: ArgumentHelp("What the conversation begins with, instead of the template's own.", valueName: "text"))
  var system: String?
  @Flag(help: "Answer without the patches, too.")
  var both = false
  @Option(help: ArgumentHelp("Most tokens of an answer.", valueName: "n"))
  var maxTokens = 256
  @Option(help: ArgumentHelp("Divides the logits before a token is drawn; 0: take the most probable.", valueName: "x"))
  var temperature = 0.0
  @Option(help: ArgumentHelp("Draw from the most probable tokens that make up this share.", valueName: "share"))
  var topP = 1.0
  @Option(help: ArgumentHelp("Draw from so many of the most probable tokens; 0: from all.", valueName: "n"))
  var topK = 0
  @Option(help: ArgumentHelp("Where chance begins.", valueName: "n"))
  var seed: UInt64 = 0
  @OptionGroup var options: ModelOptions
  @OptionGroup var store: StoreOptions
  @OptionGroup var common: CommonOptions

  func validate() throws {
    if maxTokens < 1 { throw ValidationError("--max-tokens takes a number from 1 on.") }
    if !(0...100).contains(temperature) { throw ValidationError("--temperature takes a number from 0 to 100.") }
    if !(0.0...1).contains(topP) || topP == 0 { throw ValidationError("--top-p takes a share, above 0 and up to 1.") }
    if topK < 0 { throw ValidationError("--top-k takes a number from 0 on.") }
    if both, options.overlay.isEmpty { throw ValidationError("--both goes with --patch or --stack.") }
    if raw, system != nil { throw ValidationError("--system goes with a chat template, and --raw has none.") }
    if raw, prompt == nil { throw ValidationError("--raw needs a prompt.") }
  }

  func run() throws {
    let view = try options.view(model, reading: .transformers, store, common)
    var writers = [(name: view.name, generator: try generator(view))]
    if both {
      let bare = ModelView(view.checkpoint)
      writers.insert((bare.name, try generator(bare)), at: 0)
    }
    guard let prompt else { return try converse(writers) }
    var input = StandardInput()
    let text = try prompt == "-" ? input.text() : prompt
    let parts = try RowContent.prompt(text, images: image, isMessage: !raw)
    let messages = opening + [Message(.user, parts)]
    for writer in writers { try answer(writer, raw ? nil : messages, parts) }
  }

  private func generator(_ view: ModelView) throws -> TextGenerator {
    TextGenerator(
      try options.model(view, common), try options.text(view),
      sampling: Sampling(temperature: temperature, topP: topP, topK: topK, seed: seed), limit: maxTokens)
  }

  private var opening: [Message] { system.map { [Message(.system, $0)] } ?? [] }

  /// - Parameter messages: nil to go on with the text as it is.
  @discardableResult
  private func answer(
    _ writer: (name: String, generator: TextGenerator), _ messages: [Message]?, _ parts: [Message.Part]
  ) throws -> String {
    if both, !common.json { Terminal.out("── \(writer.name.printable)") }
    let started = DispatchTime.now().uptimeNanoseconds
    let each: (String) throws -> Void = { [json = common.json] in
      guard !json else { return }
      Terminal.print($0.printableText)
      try Terminal.requireOutput()
    }
    let answer =
      try messages.map { try writer.generator.reply(to: $0, each: each) }
      ?? writer.generator.complete(parts, each: each)
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
      if !answer.isEnded { common.note("cut off after \(maxTokens) tokens; --max-tokens allows more") }
    }
    return answer.text
  }

  private func converse(_ writers: [(name: String, generator: TextGenerator)]) throws {
    let isInteractive = isatty(STDIN_FILENO) == 1
    var conversations = writers.map { _ in opening }
    var input = StandardInput()
    while true {
      if isInteractive { Terminal.draw("> ") }
      guard let line = try input.line() else { break }
      guard !line.isEmpty else {
        conversations = writers.map { _ in opening }
        continue
      }
      for (i, writer) in writers.enumerated() {
        // The images go with the first thing that is said about them.
        let isFirst = !conversations[i].contains { $0.role == .user }
        let parts = try RowContent.prompt(line, images: isFirst ? image : [], isMessage: true)
        conversations[i].append(Message(.user, parts))
        conversations[i].append(Message(.assistant, try answer(writer, conversations[i], parts)))
      }
    }
    if isInteractive { Terminal.note("") }
  }
}
