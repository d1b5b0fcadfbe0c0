import ArgumentParser
import Base
import Glibc
import HTTP
import Serve
import Synchronization

struct ServeSwapCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "serve-swap",
    abstract: "Put a patch into a running vLLM or SGLang server, or take it out.",
    discussion: """
      The server needs vpatch's Python package in its environment (docs/serving.md). It checks the weights that the \
      patch touches before the change and after it, and takes a failed change back. Requests that are running end \
      first, with the old weights; new ones wait, and get the new weights. vLLM is paused for that, and resumed \
      whatever happens.

      PATCH is a file, which vpatch checks and sends as an absolute path; or a path or a name in the store on the \
      server's machine. If $VPATCH_SERVER_KEY is set, it is sent as the server's key.

      EXAMPLES
        vpatch serve-swap http://127.0.0.1:8000 task.vpatch
        vpatch serve-swap http://127.0.0.1:8000 other.vpatch --revert
            takes out what is in, and puts the other patch in, in one change
        vpatch serve-swap http://127.0.0.1:8000 --revert
        vpatch serve-swap http://127.0.0.1:8000 --status
      """)

  @Argument(help: ArgumentHelp("Address of the server.", valueName: "url"))
  var url: String
  @Argument(help: ArgumentHelp("The patch to put in.", valueName: "patch"), completion: .file())
  var patch: String?
  @Flag(help: "Take out the patch on top; with a patch, take out all and put that one in.")
  var revert = false
  @Flag(help: "With --revert: take out all patches.")
  var all = false
  @Flag(help: "Show which patches are in, and check the weights that they touch.")
  var status = false
  @Flag(help: "Check all weights of the model, not only those that the patches touch.")
  var full = false
  @Flag(help: "End requests that are running instead of waiting for them.")
  var abort = false
  @Option(help: ArgumentHelp("Maximum time to wait for a reply, in seconds. (default: 600)", valueName: "seconds"))
  var timeout: Int?
  @OptionGroup var common: CommonOptions

  func validate() throws {
    guard status || revert || patch != nil else {
      throw ValidationError("Give a patch, --revert or --status.")
    }
    if status, patch != nil || revert || abort {
      throw ValidationError("--status changes nothing: give no patch, --revert or --abort with it.")
    }
    if all, !revert || patch != nil { throw ValidationError("--all belongs to --revert without a patch.") }
    if revert, patch == nil, full { throw ValidationError("--full belongs to a patch or to --status.") }
    if let timeout, !(1...86_400).contains(timeout) {
      throw ValidationError("--timeout must be between 1 and 86400 seconds.")
    }
  }

  func run() throws {
    // Before the server is asked for anything.
    let source = try patch.map { try ServerSwap.Source($0, threads: common.work.threads) }
    let interrupt = Interrupt()
    var client = try HTTPClient(key: getenv("VPATCH_SERVER_KEY").map { String(cString: $0) })
    client.timeout = .seconds(timeout ?? 600)
    client.isCancelled = { interrupt.signal != nil }
    Interruption.setStop { interrupt.take($0) }
    defer { Interruption.setStop(nil) }
    do {
      let swap = try ServerSwap(url, client)
      if status {
        show(try swap.status(full ? .all : .touched), swap.server)
      } else {
        let request = SwapRequest(change(source), full: full)
        let result = try swap.change(request, identity: source?.identity, isAborting: abort) {
          try interrupt.begin(swap.server.url)
        }
        report(result, swap.server)
      }
    } catch {
      guard let signal = interrupt.signal, !interrupt.hasBegun else { throw error }
      if let error = error as? VPatchError { Terminal.error(error) }
      throw ExitCode(128 + signal)
    }
  }

  private func change(_ source: ServerSwap.Source?) -> SwapRequest.Change {
    guard let source else { return all ? .revertAll : .revert }
    return .apply(source.text, replacing: revert)
  }

  /// Signals that end the process, while a server may be paused: the first ends the waiting, and nothing was changed;
  /// once the change has begun, it is finished.
  private final class Interrupt: Sendable {
    private let state = Mutex((signal: CInt?.none, hasBegun: false, count: 0))

    /// The first signal before the change began.
    var signal: CInt? { state.withLock { $0.signal } }
    var hasBegun: Bool { state.withLock { $0.hasBegun } }

    /// - Throws: where a signal arrived before.
    func begin(_ url: String) throws {
      let isInterrupted = state.withLock { state in
        if state.signal == nil { state.hasBegun = true }
        return state.signal != nil
      }
      if isInterrupted { throw VPatchError.interruptedSwap(url) }
    }

    /// - Returns: whether the signal is taken; otherwise it ends the process.
    func take(_ signal: CInt) -> Bool {
      let (hasBegun, count) = state.withLock { state in
        state.count += 1
        if !state.hasBegun, state.signal == nil { state.signal = signal }
        return (state.hasBegun, state.count)
      }
      guard count == 1 else {
        Terminal.note(
          hasBegun
            ? "vpatch: the server may still make the change and may be paused; --status shows it"
            : "vpatch: the server may be paused; --status shows it")
        return false
      }
      if hasBegun {
        Terminal.note("vpatch: this change can no longer be undone, and is being finished; Ctrl-C again leaves it")
      }
      return true
    }
  }

  // MARK: Words

  private func show(_ result: ServerSwap.Result, _ server: any InferenceServer) {
    common.print(json(result, server), text: lines(result, server).joined(separator: "\n"))
    if let reason = result.state.reason { common.warn("no patch can be put in: \(reason)") }
    if let error = result.state.lastError { common.note("the last request failed: \(error.message)") }
  }

  private func report(_ result: ServerSwap.Result, _ server: any InferenceServer) {
    let time = "changed   in \(Format.fixed(result.changeSeconds, 2)) s (\(Format.fixed(result.seconds, 2)) s in all)"
    common.report(json(result, server), text: ([time] + lines(result, server)).joined(separator: "\n"))
  }

  private func lines(_ result: ServerSwap.Result, _ server: any InferenceServer) -> [String] {
    let state = result.state
    func fact(_ key: String) -> JSON? { result.facts.first { $0.key == key }?.value }
    var lines = [
      "server    \(server.name) at \(server.url.printable)\(fact("paused") == .bool(true) ? ", paused" : "")"
    ]
    if let model = state.model { lines.append("model     \(model.printable)") }
    lines.append("root      \(state.root?.printable ?? "unknown until a patch was put in")")
    if state.applied.isEmpty { lines.append("patches   none: the weights are the base's") }
    for (i, patch) in state.applied.reversed().enumerated() {
      let name = patch.name.map { "  \($0.printable)" } ?? ""
      let touched = patch.touched.map { "  \(Format.counted($0, "tensor"))" } ?? ""
      lines.append(
        "\(i == 0 ? "patches   " : "          ")\(patch.identity.prefix(12).description.printable)\(name)\(touched)")
    }
    let version = fact("server_weight_version")?.string ?? state.weightVersion
    lines.append("version   \(version?.printable ?? "unknown")")
    switch state.verified {
    case "touched": lines.append("verified  the tensors that patches touch, against their SHA-256")
    case "all": lines.append("verified  all tensors, against their SHA-256")
    default: break
    }
    return lines
  }

  private func json(_ result: ServerSwap.Result, _ server: any InferenceServer) -> JSON {
    result.state.json.setting("url", to: .string(server.url)).setting("seconds", to: JSON(result.changeSeconds))
      .setting("seconds_in_all", to: JSON(result.seconds)).adding(result.facts)
  }
}
