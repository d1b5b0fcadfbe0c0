import Base
import Synchronization
import Text

/// The conversation of `generate` without a prompt: lines are messages, and lines that begin with "/" are commands.
struct Chat {
  /// A model, with or without patches, and its conversation.
  typealias Writer = GenerateCommand.Writer

  private let command: GenerateCommand
  private var writers: [Writer]
  private var conversations: [[Message]]
  private var system: String?
  private let editor: LineEditor?
  private var input = StandardInput()
  private let wasInterrupted = Flag()
  private let isReading = Flag()

  private static let help = """
    /help           shows this
    /reset          starts a new conversation, as an empty line does
    /system TEXT    starts a new conversation with this system message
    /patch NAME     answers with this patch or stack; /patch none: without
    /save FILE      writes the conversation as a row that 'vpatch train' takes
    /quit           ends the chat, as Ctrl-D does
    Ctrl-C stops an answer
    """

  init(_ command: GenerateCommand, _ writers: [Writer]) {
    self.command = command
    self.writers = writers
    system = command.system
    editor = LineEditor(prompt: "> ")
    conversations = []
    reset()
  }

  mutating func run() throws {
    if let editor {
      Terminal.note("/help shows commands, Ctrl-D ends the chat")
      Interruption.setTaker { [wasInterrupted, isReading] in
        wasInterrupted.set()
        if isReading.isSet { editor.interrupt() }
      }
    }
    defer { Interruption.setTaker(nil) }
    while let line = try nextLine() {
      if line == "/quit" { break }
      if line.isEmpty {
        reset()
      } else if line.hasPrefix("/") {
        try perform(line)
      } else {
        try answer(line)
      }
    }
    if editor != nil { Terminal.note("") }
  }

  /// Nil at the end.
  private mutating func nextLine() throws -> String? {
    guard let editor else { return try input.line() }
    while true {
      wasInterrupted.clear()
      isReading.set()
      let line = editor.read()
      isReading.clear()
      switch line {
      case .text(let line): return line
      case .end: return nil
      case .interrupted: Terminal.draw("\n")
      }
    }
  }

  private mutating func reset() {
    conversations = writers.map { _ in system.map { [Message(.system, $0)] } ?? [] }
  }

  private mutating func answer(_ line: String) throws {
    for i in writers.indices {
      // The images belong to the first message.
      let isFirst = !conversations[i].contains { $0.role == .user }
      let parts = try RowContent.prompt(line, images: isFirst ? command.image : [], isMessage: true)
      conversations[i].append(Message(.user, parts))
      let text = try command.answer(writers[i], conversations[i], parts) { [wasInterrupted, editor] in
        if editor != nil, wasInterrupted.isSet { throw GenerateCommand.Stopped() }
      }
      conversations[i].append(Message(.assistant, text))
    }
  }

  // MARK: Commands

  private mutating func perform(_ line: String) throws {
    let name = line.prefix { $0 != " " }
    let argument = line.dropFirst(name.count).trimmingPrefix { $0 == " " }
    do {
      switch (name, argument.isEmpty) {
      case ("/help", _): Terminal.note(Self.help)
      case ("/reset", _): reset()
      case ("/system", false):
        system = String(argument)
        reset()
      case ("/patch", false): try change(patch: String(argument))
      case ("/save", false): try save(String(argument))
      case ("/system", true), ("/patch", true), ("/save", true):
        Terminal.note("\(name) needs \(name == "/save" ? "a file" : name == "/patch" ? "a name, or none" : "a text")")
      default: Terminal.note("\(name) is not a command of the chat; /help shows them")
      }
    } catch let error as VPatchError {
      // A mistake in a command does not end the chat.
      Terminal.error(error)
    }
  }

  private mutating func change(patch name: String) throws {
    writers[writers.count - 1] = try command.writer(patch: name == "none" ? nil : name)
    reset()
    Terminal.note("now \(writers[writers.count - 1].name); a new conversation begins")
  }

  /// The conversation of the last writer, which has the patches.
  private func save(_ path: String) throws {
    try OutputCheck.file(path, inputs: [], force: false)
    let messages = (conversations.last ?? []).map { message in
      JSON.dictionary(["role": .string(message.role.rawValue), "content": .string(message.content)])
    }
    let file = try OutputFile(path: path, replacing: false)
    try file.write(JSON.dictionary(["messages": .array(messages)]).compact() + "\n", at: 0)
    try file.commit()
    Terminal.note("wrote \(path.printable)")
  }
}

/// Shared with the thread that waits for signals.
private final class Flag: Sendable {
  private let state = Mutex(false)
  var isSet: Bool { state.withLock { $0 } }
  func set() { state.withLock { $0 = true } }
  func clear() { state.withLock { $0 = false } }
}
