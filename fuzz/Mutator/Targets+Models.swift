import Base
import Evaluate
import Families
import Images
import Text

/// What lies in a model's folder, and beside a suite.
extension FuzzTargets {
  private static let text = "The cat, 12 dogs & \u{e9}e\u{301} <|im_start|>aaaaaaaaaaaaaaaaaaaaaaaa\n  x"

  func tokenizer(_ bytes: UnsafeRawBufferPointer) {
    scene.write("tokenizer/tokenizer.json", bytes)
    expectVPatchError {
      let tokenizer = try Tokenizer(path: scene["tokenizer/tokenizer.json"])
      accept()
      let ids = tokenizer.encode(Self.text)
      _ = tokenizer.decode(ids, skipSpecialTokens: false)
    }
  }

  /// A regular expression that splits words.
  func pattern(_ bytes: UnsafeRawBufferPointer) {
    guard bytes.count < 512, var file = scene.tokenizer.object else { return }
    let expression = JSON.string(String(decoding: bytes, as: UTF8.self))
    let split = JSON.dictionary([
      "type": .string("Split"), "pattern": .dictionary(["Regex": expression]), "behavior": .string("Isolated"),
      "invert": .bool(false),
    ])
    file.removeAll { $0.key == "pre_tokenizer" }
    file.append(JSON.Member("pre_tokenizer", split))
    JSON.object(file).canonical().withUnsafeBytes { tokenizer($0) }
  }

  func template(_ bytes: UnsafeRawBufferPointer) {
    scene.write("chat/chat_template.jinja", bytes)
    expectVPatchError {
      let template = try ModelText(folder: scene["chat"]).template
      accept()
      let messages = [
        Message(.system, "Be brief."), Message(.user, "1 <|im_end|>\n"), Message(.assistant, "e\u{301}"),
        Message(.user, ""),
      ]
      for prompts in [false, true] {
        expectVPatchError { _ = try template.render(Conversation(messages), addGenerationPrompt: prompts) }
      }
    }
  }

  func config(_ bytes: UnsafeRawBufferPointer) {
    scene.write("config/config.json", bytes)
    expectVPatchError {
      _ = try ModelConfig(folder: scene["config"])
      accept()
    }
  }

  func processor(_ bytes: UnsafeRawBufferPointer) {
    scene.write("processor/preprocessor_config.json", bytes)
    expectVPatchError {
      _ = try ImageProcessor(folder: scene["processor"])
      accept()
    }
  }

  /// A line of data.
  func rows(_ bytes: UnsafeRawBufferPointer) {
    scene.write("rows.jsonl", bytes)
    expectVPatchError {
      _ = try DataFile(path: scene["rows.jsonl"], scene.text, DataRules(vocabulary: 1 << 16), WorkOptions(threads: 1))
      accept()
    }
  }

  func suite(_ bytes: UnsafeRawBufferPointer) {
    scene.write("suite/suite.toml", bytes)
    expectVPatchError {
      _ = try Suite(path: scene["suite/suite.toml"])
      accept()
    }
  }
}
