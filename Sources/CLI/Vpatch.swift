import ArgumentParser
import Base
import CSystem
import Glibc
import Workspace

@main
struct Vpatch: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "vpatch",
    abstract: "Exact patches of fine-tuned models: train, measure, apply, stack, switch, revert.",
    discussion: """
      A patch holds the exact, compressed difference between a base checkpoint and a fine-tuned one. Applying it to \
      the base gives the tuned checkpoint, bit for bit. Reverting it restores the base from the tuned checkpoint \
      alone.

      Checkpoints are .safetensors files or Hugging Face folders (with the shards in model.safetensors.index.json, \
      else model.safetensors).

      EXIT CODES
        0   success
        1   system error: a missing file, no permission, a full disk
        2   a file is not a valid checkpoint, patch or catalogue
        3   the patch does not belong to this model
        4   verification failed: weights do not match their digests; nothing was written
        5   refused: the recipe does not hold, the output exists, …
        10–14   gate: exceeded, undecided, unmeasured, reported, predicted
        64  invalid command line
        129, 130, 143   interrupted; nothing was left behind
        141 broken pipe: the reader of the output closed it (such as head)
      """,
    version: vpatchVersion,
    subcommands: [
      CreateCommand.self, ApplyCommand.self, RevertCommand.self, SwitchCommand.self, RecoverCommand.self,
      StatusCommand.self, ShowCommand.self, VerifyCommand.self, DiffCommand.self, ComposeCommand.self,
      RebaseCommand.self, StackCommand.self, AddCommand.self, ListCommand.self, LogCommand.self, AliasCommand.self,
      TagCommand.self, RemoveCommand.self, FsckCommand.self, GcCommand.self, TrainCommand.self, EvalCommand.self,
      GenerateCommand.self, ScoreCommand.self, AnnotateCommand.self, GateCommand.self, SignCommand.self,
      ReportCommand.self, ExportCommand.self, RecipeCommand.self, ServeSwapCommand.self, DemoCommand.self,
    ])

  static func main() {
    TextStream.holdStandardDescriptors()
    Interruption.handle()
    vp_keep_freed_memory()
    Glibc.exit(ending(with: run()))
  }

  /// - Returns: the error that ended the command; nil if it finished.
  private static func run() -> (any Error)? {
    do {
      defer { StoreLocation.closeAll() }
      try requireProc()
      let arguments = Array(CommandLine.arguments.dropFirst())
      if let error = UsageError.unknownCommand(in: arguments, root: Self.self) { throw error }
      var command = try parseAsRoot(arguments)
      try command.run()
      return nil
    } catch { return error }
  }

  /// libdispatch, which Swift's threads use, reads /proc, and crashes at times where there is none, as in a plain chroot.
  private static func requireProc() throws {
    guard access("/proc/self/stat", F_OK) != 0 else { return }
    throw VPatchError(
      .io, "/proc", "is not mounted, and Swift's threads need it", remedy: "mount it: mount -t proc proc /proc")
  }

  /// Prints the error.
  /// - Returns: the exit code.
  private static func ending(with error: (any Error)?) -> CInt {
    var code: CInt = 0
    switch error {
    case nil, is TextStream.Failure: break
    case let error as VPatchError:
      Terminal.error(error)
      code = error.code.exitCode
    case let error?:
      // From the parser: an invalid command line, or help, which is a result and not an error.
      code = error is UsageError ? ExitCode.validationFailure.rawValue : exitCode(for: error).rawValue
      if code == 0 {
        Terminal.out(help(error))
      } else if !(error is ExitCode) {
        Terminal.note((error as? UsageError ?? UsageError(parsing: error, root: Self.self)).text)
      }
    }
    guard let unsaid = Terminal.unsaid else { return code }
    switch unsaid.failure {
    case .readerGone:
      // The reader did not wait for the report of finished work.
      if code == 0, !unsaid.isReport { Interruption.endByBrokenPipe() }
      return code
    case .failed(let error):
      Terminal.error(unsaid.isReport ? error.ofReport : error)
      return code == 0 ? error.code.exitCode : code
    }
  }
}

extension Vpatch {
  /// The help that was asked for. The parser breaks lines without an indent for what continues them, and does not break
  /// the usage; so it is given no width.
  private static func help(_ error: any Error) -> String {
    let text = fullMessage(for: error, columns: 10_000)
    // A completion script and the machine-readable help are not for reading.
    guard text.contains("USAGE: ") else { return text }
    let width = Screen.output.width ?? max(40, Screen.requestedColumns ?? Screen.standard)
    return text.split(separator: "\n", omittingEmptySubsequences: false).map { line in
      String(line).wrapped(to: width, hanging: line.hasPrefix("USAGE: ") ? 7 : 0)
    }.joined(separator: "\n")
  }
}

extension VPatchError {
  /// The error for a lost report of finished work.
  fileprivate var ofReport: VPatchError {
    VPatchError(
      code, subject, reason, remedy: "the command is done and only its report is lost: do not repeat it")
  }
}

extension VPatchError.Code {
  var exitCode: Int32 {
    switch self {
    case .io: 1
    case .invalid: 2
    case .wrongBase: 3
    case .mismatch: 4
    case .refused: 5
    }
  }
}
