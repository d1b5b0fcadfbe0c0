import Apply
import ArgumentParser
import CSystem
import Glibc
import PatchFormat

@main
struct Vpatch: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "vpatch",
    abstract: "Exact patches of fine-tuned models: train, measure, apply, stack, switch, take back.",
    discussion: """
      A patch holds the exact, compressed difference between a base checkpoint and a tuned one. Applying it gives the \
      tuned checkpoint bit for bit; reverting it gives the base back, without the base.

      Checkpoints are .safetensors files or Hugging Face directories (the shards that model.safetensors.index.json \
      names, else model.safetensors).

      EXIT CODES
        0   done
        1   the system refused: a missing file, no permission, a full disk
        2   a file is not a valid checkpoint, patch or catalogue
        3   the patch does not belong to this model
        4   bits are not what was promised of them; nothing was written
        5   a contradiction: a recipe that does not hold, an output that exists
        10–14   of gate: exceeded, undecided, unmeasured, reported, predicted
        64  the command line is not understood
        129, 130, 143   interrupted; nothing was left behind
      """,
    version: vpatchVersion,
    subcommands: [
      CreateCommand.self, ApplyCommand.self, RevertCommand.self, SwitchCommand.self, RecoverCommand.self,
      StatusCommand.self, ShowCommand.self, VerifyCommand.self, DiffCommand.self, ComposeCommand.self,
      RebaseCommand.self, StackCommand.self, AddCommand.self, ListCommand.self, LogCommand.self, AliasCommand.self,
      TagCommand.self, RemoveCommand.self, FsckCommand.self, GcCommand.self, TrainCommand.self, EvalCommand.self,
      GenerateCommand.self, ScoreCommand.self, AnnotateCommand.self, GateCommand.self, SignCommand.self,
      ReportCommand.self,
    ])

  static func main() {
    Interruption.handle()
    vp_keep_freed_memory()
    do {
      defer { OpenStores.close() }
      var command = try parseAsRoot()
      try command.run()
    } catch let error as VPatchError {
      Terminal.error(error)
      Glibc.exit(error.code.exitCode)
    } catch {
      exit(withError: error)
    }
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
