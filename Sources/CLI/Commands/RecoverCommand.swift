import ArgumentParser
import Base
import ModelFiles

struct RecoverCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "recover",
    abstract: "Finish or undo an interrupted switch.",
    discussion: """
      While vpatch changes a model in place, a journal is beside it: MODEL.vpatch-journal, or .vpatch-journal in a \
      folder. If a crash, a full disk or a kill left one behind, every other command refuses the model. recover \
      completes the change if the journal is complete, else it restores the old model. It can be interrupted and run \
      again.

      If a file or folder of yours is in the way, recover reports it and changes nothing. With --set-aside it renames \
      that to NAME.set-aside-1 and continues. If the model's own files were replaced, the journal cannot be applied: \
      --set-aside renames it too, and the files stay as they are. Nothing is deleted.

      EXAMPLES
        vpatch recover model.safetensors
        vpatch recover model/
        vpatch recover model/ --set-aside
      """)

  @Argument(help: "The model: a file or a folder.", completion: .file())
  var model: String
  @Flag(help: "Rename files that are in the way, and continue.")
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
      + result.lost.map { "lost       \($0.printable): its new file was missing" }
    common.report(json, text: lines.joined(separator: "\n"))
  }
}

extension Recovery.Outcome {
  fileprivate func text(_ model: String) -> String {
    switch self {
    case .nothing: "\(model) has no unfinished switch: nothing to do"
    case .old: "\(model) is as it was before the switch; its leftovers are removed"
    case .new: "\(model) is switched: the missing parts are written and verified"
    case .setAside:
      "\(model) was left as its files are now: the change could not be applied to them; "
        + "check it with 'vpatch status \(model) --full'"
    }
  }
}
