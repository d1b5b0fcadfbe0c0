import Base
import Foundation
import PatchFormat
import TestModels

/// A base and three patches of it in a store: what most tests of stacks begin with.
///
///     base ──sa──▶      attention
///     ├────mlp──▶       gate and up projections
///     └────both──▶      attention again, otherwise
struct StackStory: Sendable {
  let folder: TestFolder
  let model = TestModel.llama(layers: 1)
  let base: String

  /// Made once: most of a test's time is that of the commands that it runs.
  private static let ofFiles = Result { try StackStory(in: TestFolder(), isDirectory: false) }
  private static let ofFolders = Result { try StackStory(in: TestFolder(), isDirectory: true) }

  /// - Parameter isDirectory: folders of two shards, with side files of which sa changes one, adds one and removes one.
  init(isDirectory: Bool = false) throws {
    let first = try (isDirectory ? Self.ofFolders : Self.ofFiles).get()
    folder = try TestFolder(copying: first.folder)
    base = folder[Path.name(first.base)]
  }

  private init(in folder: TestFolder, isDirectory: Bool) throws {
    self.folder = folder
    base = try Self.write(folder, "base", model, isDirectory)
    let parts = ["sa": TestModel.attention, "mlp": TestModel.gateUp, "both": ["q_proj", "up_proj"]]
    for (name, parts) in parts.sorted(by: { $0.key < $1.key }) {
      let tuned = model.tuned(parts, seed: UInt64(name.utf8.count))
      let path = try Self.write(folder, name, tuned, isDirectory)
      let more = isDirectory ? ["--remove-missing-files"] : []
      let run = try Command(
        Command.path, ["create", base, path, "-o", folder["\(name).vpatch"], "--name", name] + more)
      precondition(run.code == 0, run.errors)
    }
  }

  private static func write(_ folder: TestFolder, _ name: String, _ tensors: [TestTensor], _ isDirectory: Bool) throws
    -> String
  {
    guard isDirectory else { return try folder.file("\(name).safetensors", tensors) }
    var files = ["config.json": "{\"for\": \"\(name == "sa" ? "sa" : "base")\"}\n", "tokenizer.json": "{}\n"]
    files[name == "sa" ? "new.txt" : "old.txt"] = "x"
    return try folder.directory(name, tensors, shards: 2, files: files)
  }

  /// Runs the command with the store of this folder.
  func run(_ arguments: String...) throws -> Command { try run(arguments) }

  func run(_ arguments: [String]) throws -> Command {
    try Command(Command.path, arguments, ["VPATCH_STORE": folder.store])
  }

  /// Runs a command that has to succeed, and gives what it prints.
  @discardableResult func done(_ arguments: String...) throws -> String {
    let run = try run(arguments)
    guard run.code == 0 else { throw Failed(what: arguments.joined(separator: " "), errors: run.errors) }
    return run.output
  }

  func json(_ arguments: String...) throws -> JSON {
    let run = try run(arguments + ["--json"])
    guard run.code == 0 else { throw Failed(what: arguments.joined(separator: " "), errors: run.errors) }
    return try JSON.parse(Array(run.output.utf8))
  }

  struct Failed: Error, CustomStringConvertible {
    let what, errors: String
    var description: String { "\(what): \(errors)" }
  }

  func identity(_ name: String) throws -> ContentDigest { try Patch(path: folder["\(name).vpatch"]).identity }

  /// A copy of the base to be switched.
  func copy(_ name: String = "model.safetensors") throws -> String {
    try folder.write(name, folder.bytes("base.safetensors"))
  }

  /// Where the store has the file of a patch.
  func stored(_ identity: String) -> String { "\(folder.store)/patches/\(identity.prefix(2))/\(identity).vpatch" }
}
