import Base
import Foundation
import TestModels
import Testing

/// `vpatch recipe` on tiny models, and the remedies of its errors.
@Suite("Recipe command") struct RecipeCommandTests {
  let folder: TestFolder
  private let models = URL(filePath: #filePath).deletingLastPathComponent().path + "/../../fixtures/tiny-models"

  init() throws { folder = try TestFolder() }

  private func run(_ arguments: String...) throws -> Command { try Command(Command.path, ["recipe"] + arguments) }

  private static let tools = ["hf", "trl", "axolotl", "ms-swift", "llama-factory", "peft", "megatron"]

  @Test("without --for: the names in the file") func names() throws {
    let done = try run("sa-proj", "\(models)/tiny-qwen2.5-vl")
    let names = done.output.split(separator: "\n")
    #expect(done.code == 0 && names.count == 14, "\(done.output)\(done.errors)")
    #expect(names.allSatisfy { $0.hasPrefix("model.layers.") && $0.contains(".self_attn.") })
    // A file is enough for that.
    #expect(try run("sa-proj", "\(models)/tiny-qwen2.5-vl/model.safetensors").output == done.output)
    let json = try JSON.parse(Array(run("sa-proj", "\(models)/tiny-qwen2.5-vl", "--json").output.utf8))
    #expect(json["tensors"]?.array?.count == 14 && json["layout"] == .string("qwen2.5-vl (hub)"))
  }

  @Test("the running model's names, not the file's; the vision tower is not matched") func runtime() throws {
    let hf = try run("sa-proj", "\(models)/tiny-qwen2.5-vl", "--for", "trl")
    #expect(hf.code == 0, "\(hf.errors)")
    #expect(hf.output.contains("r\"model\\.language_model\\.layers\\.\\d+\\.self_attn\\."))
    #expect(hf.errors.contains("tunes 14 of 57 parameters, exactly the recipe's"), "\(hf.errors)")
    let peft = try run("sa-proj", "\(models)/tiny-qwen2.5-vl", "--for", "peft")
    #expect(peft.errors.contains("LoRA leaves the recipe's 6 biases as they are"), "\(peft.errors)")
    #expect(peft.errors.contains("tunes 8 of 57 parameters, exactly the weights of the recipe's"), "\(peft.errors)")
  }

  @Test("each tool: the setting, or why not; --json says the same", arguments: tools)
  func every(tool: String) throws {
    for model in ["tiny-llama", "tiny-llava-onevision"] {
      for recipe in ["sa-proj", "gate-up", "norms"] {
        let done = try run(recipe, "\(models)/\(model)", "--for", tool)
        let json = try run(recipe, "\(models)/\(model)", "--for", tool, "--json")
        #expect(done.code == json.code)
        if done.code == 0 {
          let read = try JSON.parse(Array(json.output.utf8))
          #expect(read["text"]?.string.map { $0 + "\n" } == done.output)
          #expect((read["checked_with"] == nil) == (tool == "megatron"))
        } else {
          #expect(
            done.code == 5 && done.errors.contains(" cannot tune exactly the recipe \(recipe): "), "\(done.errors)")
          try expectRemedy(done.errors)
        }
      }
    }
  }

  /// Runs the command of a remedy.
  private func expectRemedy(_ errors: String) throws {
    let line = try #require(errors.split(separator: "vpatch ").last).trimmingCharacters(in: .whitespacesAndNewlines)
    let command = line.split(separator: "'")[0].split(separator: " ").map(String.init)
    let run = try Command(Command.path, command)
    #expect(run.code == 0, "\(command) \(run.errors)")
  }

  @Test("no tensor of the recipe, no config, an unknown recipe or tool: remedies work") func errors() throws {
    let none = try run("vision", "\(models)/tiny-llama", "--for", "hf")
    #expect(none.code == 5 && none.errors.contains("has no tensor of the recipe vision"), "\(none.errors)")
    try expectRemedy(none.errors)
    let file = try run("sa-proj", "\(models)/tiny-llama/model.safetensors", "--for", "hf")
    #expect(file.code == 5 && file.errors.contains("give the model's folder, with its config.json"), "\(file.errors)")
    #expect(try run("sa-proj", "\(models)/tiny-llama", "--for", "hf").code == 0)
    #expect(try run("attention", "\(models)/tiny-llama").code == 64)
    #expect(try run("sa-proj", "\(models)/tiny-llama", "--for", "unsloth").code == 64)
  }
}
