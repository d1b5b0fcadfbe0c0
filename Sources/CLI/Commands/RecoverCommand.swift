import ArgumentParser
import Base
import ModelFiles

struct RecoverCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "recover",
    abstract: "Finish or undo a switch that was cut off.",
    discussion: """
      A model that is changed in place has a journal beside it meanwhile: MODEL.vpatch-journal, in a folder \
      .vpatch-journal. Where a crash, a full disk or a kill left one behind, every other command refuses the model. This \
      one makes it whole: the new model if the journal was complete, else the old one. It may be cut off and run again.

      Where a file or folder of yours stands in the way, it says so and touches nothing. With --set-aside it renames that \
      to NAME.set-aside-1 and goes on. A journal that cannot be carried out at all, since the model's own files are \
      others now, gets such a name too, and the model is what its files are. Nothing is deleted.

      EXAMPLES
        vpatch recover model.safetensors
        vpatch recover model/
        vpatch recover model/ --set-aside
      """)

  @Argument(help: "The model: a file or a folder.")
  var model: String
  @Flag(help: "Rename what stands in the way, and go on.")
  var setAside = false
  @OptionGroup var common: CommonOptions

  func run() throws {
    let result = try Recovery.recover(model, setAside: setAside, common.work)
    let moved = result.setAside.map { JSON.dictionary(["name": .string($0.name), "now": .string($0.now)]) }
    let json = JSON.dictionary([
      "model": .string(model), "outcome": .string(result.outcome.rawValue),
      "set_aside": setAside ? .array(moved) : nil, "lost": setAside ? .array(result.lost.map { .string($0) }) : nil,
    ])
    let lines =
      [result.outcome.text(model.printable)]
      + result.setAside.map { "set aside  \($0.name.printable) is \($0.now.printable) now" }
      + result.lost.map { "lost       \($0.printable): the file that was to come was gone" }
    common.report(json, text: lines.joined(separator: "\n"))
  }
}

extension Recovery.Outcome {
  fileprivate func text(_ model: String) -> String {
    switch self {
    case .nothing: "\(model) has no unfinished switch: nothing to do"
    case .old: "\(model) is as it was before the switch; what that left behind is removed"
    case .new: "\(model) is switched: what was missing is written and verified"
    case .setAside:
      "\(model) is what its files are now: the change could not be carried out on them; "
        + "look at it with 'vpatch status \(model) --full'"
    }
  }
}
