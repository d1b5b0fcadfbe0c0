import Apply
import ArgumentParser
import PatchFormat

struct RecoverCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "recover",
    abstract: "Finish or undo a switch that was cut off.",
    discussion: """
      A model that is changed in place has a journal beside it meanwhile: MODEL.vpatch-journal, in a folder \
      .vpatch-journal. Where a crash, a full disk or a kill left one behind, every other command refuses the model. This \
      one makes it whole: the new model if the journal was complete, else the old one. It may be cut off and run again.

      EXAMPLES
        vpatch recover model.safetensors
        vpatch recover model/
      """)

  @Argument(help: "The model: a file or a folder.")
  var model: String
  @OptionGroup var common: CommonOptions

  func run() throws {
    let outcome = try Recovery.recover(model, common.work)
    common.report(
      .dictionary(["model": .string(model), "outcome": .string(outcome.rawValue)]), text: outcome.text(model.printable))
  }
}

extension Recovery.Outcome {
  fileprivate func text(_ model: String) -> String {
    switch self {
    case .nothing: "\(model) has no unfinished switch: nothing to do"
    case .old: "\(model) is as it was before the switch; what that left behind is removed"
    case .new: "\(model) is switched: what was missing is written and verified"
    }
  }
}
