import Base
import Foundation
import TestModels
import Testing

/// Every option that takes a number, with numbers that no one means: no signal, no hang, an exit code that is documented.
@Suite("numbers on the command line") struct NumberOptionTests {
  static let numbers = [
    "0", "-1", "2147483648", "9007199254740992", "9223372036854775807", "18446744073709551616", "1e308", "5e-324",
    "nan", "-inf",
  ]

  /// An option of a command, as the command itself lists it.
  struct Option: Sendable, CustomTestStringConvertible {
    let command: [String]
    let name: String
    let value: String
    var testDescription: String { "\(command.joined(separator: " ")) --\(name)" }
  }

  /// What an option's value is called where it is, or holds, a number.
  static let names: Set<String> = [
    "n", "x", "share", "factor", "points", "first-last", "x,x", "λ,T", "ids", "task[=limit]", "name_or_file[@scale]",
  ]

  static let options: [Option] = {
    func walk(_ command: JSON, _ path: [String]) -> [Option] {
      let own = (command["arguments"]?.array ?? []).compactMap { argument -> Option? in
        guard let value = argument["valueName"]?.string, names.contains(value), argument["kind"] == .string("option"),
          let name = argument["preferredName"]?["name"]?.string
        else { return nil }
        return Option(command: path, name: name, value: value)
      }
      return own
        + (command["subcommands"]?.array ?? []).flatMap { walk($0, path + [$0["commandName"]?.string ?? ""]) }
    }
    let dump = try? JSON.parse(Array(Command("--experimental-dump-help").output.utf8))
    return dump?["command"].map { walk($0, []) } ?? []
  }()

  /// What the command is given besides, so that the number is used and not only read.
  private static func arguments(_ option: Option, _ scene: EvalScene) -> [String]? {
    let folder = scene.folder
    let model = scene.base
    let merged = ["sa", "mlp", "--method"] + (option.name == "seed" ? ["dare"] : ["ties"])
    switch option.command.joined(separator: " ") {
    case "list", "stack show": return option.command.count == 1 ? [] : ["pair"]
    case "apply": return [model] + merged + ["-o", folder["out"], "--undo", folder["undo.vpatch"], "--force"]
    case "stack new": return ["other", "--base", model] + merged
    case "stack add": return ["pair", "sa"] + merged.suffix(2)
    case "gate": return ["sa"] + (option.name == "max-forgetting" ? [] : ["--max-forgetting", "1"])
    case "eval": return [model, "--suite", scene.suite]
    case "score": return [model] + (option.name == "ids" ? [] : ["--text", "a cat"])
    case "generate":
      return [model, "cat"] + (option.name == "max-tokens" ? [] : ["--max-tokens", "2"])
        + (option.name == "temperature" ? [] : ["--temperature", "1"])
    case "train":
      let drift = ["max-drift", "drift-every"].contains(option.name)
      return [
        model, "--recipe", "sa-proj", "--data", folder["rows.jsonl"], "-o", folder["task.vpatch"], "--force",
        "--no-store",
      ] + (["steps", "epochs"].contains(option.name) ? [] : ["--steps", "2"])
        + (drift ? ["--neutral", folder["rows.jsonl"]] : []) + (option.name == "drift-every" ? ["--drift"] : [])
        + (option.name == "save-every" ? ["--resume", folder["state"]] : [])
        + (["alpha", "dropout"].contains(option.name) ? ["--lora", "2"] : [])
    case "export": return [scene.saPatch, "--base", model, "--peft", folder["adapter"]]
    default: return nil
    }
  }

  private static func spelled(_ number: String, _ option: Option) -> String {
    switch option.value {
    case "first-last": "0-\(number)"
    case "x,x", "λ,T": "\(number),\(number)"
    case "task[=limit]": "choice=\(number)"
    case "name_or_file[@scale]": "sa@\(number)"
    case "ids": "1 \(number)"
    default: number
    }
  }

  private static let withStack = Result {
    let scene = try EvalScene()
    let stack = try Command("stack", "new", "pair", "--base", scene.base, "sa", "mlp", "--store", scene.folder.store)
    try #require(stack.code == 0, "\(stack.errors)")
    return scene
  }

  /// Those that broke something once, and of the others one for each option in turn.
  private static func numbers(for option: Option) -> [String] {
    let always = ["9223372036854775807", "nan"]
    let others = numbers.filter { !always.contains($0) }
    let i = Self.others.firstIndex { $0.testDescription == option.testDescription } ?? 0
    return always + [others[i % others.count]]
  }

  /// All but the number of threads, which is one for all commands.
  static let others = options.filter { $0.name != "threads" }

  @Test func theCommandListsThem() {
    #expect(Self.options.count > 60 && Self.others.count > 40, "\(Self.options.count)")
  }

  @Test(arguments: others) func numbers(option: Option) throws {
    let scene = try EvalScene(copying: Self.withStack.get())
    let base = try #require(Self.arguments(option, scene), "no arguments for \(option)")
    for number in Self.numbers(for: option) {
      let given = "--\(option.name)=\(Self.spelled(number, option))"
      try check(option.command + base + [given, "--threads", "1", "--store", scene.folder.store])
    }
  }

  @Test func threads() throws {
    for option in Self.options where option.name == "threads" {
      // Nothing else is needed: a number that cannot be is refused first.
      for number in ["0", "9223372036854775807", "nan"] {
        let run = try Command(Command.path, option.command + ["--threads=\(number)"])
        #expect(run.code == 64, "\(option.testDescription)=\(number): \(run.code)")
      }
    }
    let folder = try TestFolder()
    for number in Self.numbers {
      let run = try Command(Command.path, ["list", "--store", folder["none"]], ["VPATCH_THREADS": number])
      #expect([0, 1].contains(run.code), "\(run.errors)")
    }
  }

  private func check(_ arguments: [String]) throws {
    let run = try Command("/usr/bin/timeout", ["60", Command.path] + arguments)
    let documented: Set<Int32> = [0, 1, 2, 3, 4, 5, 10, 11, 12, 13, 14, 64]
    #expect(documented.contains(run.code), "\(run.code): \(arguments.joined(separator: " "))\n\(run.errors)")
  }
}
