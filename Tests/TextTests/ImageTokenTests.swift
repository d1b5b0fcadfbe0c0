import Base
import Testing
import Text

/// Images among the tokens of a text.
@Suite struct ImageTokenTests {
  /// The tokenizer knows the mark: ids are those of the text with as many marks as the image has tokens.
  @Test(arguments: ["smollm2", "qwen2", "llama2"]) func aMarkThatIsAToken(model: String) throws {
    let scene = try ImageScene(model)
    let sequence = try scene.text.sequence([
      .text("The "), .image(path: scene.folder["data/three.png"]), .text("\nfox"),
    ])
    #expect(sequence.ids == scene.tokenizer.encode("The <image><image><image>\nfox"))
    #expect(sequence.ids.count { $0 == scene.token } == 3)
    #expect(sequence.images.map(\.width) == [3])
  }

  /// It does not: what is between marks is encoded apart, as LLaVA's tokenizer_image_token does it.
  @Test func aMarkThatIsNone() throws {
    let scene = try ImageScene("llama2", template: "vicuna", mark: nil)
    let image = Message.Part.image(path: scene.folder["data/three.png"])
    let start = try #require(scene.tokenizer.id(of: "<s>"))
    func encode(_ text: String) -> [Int32] { scene.tokenizer.encode(text, addSpecialTokens: false) }
    #expect(
      try scene.text.sequence([.text("The "), image, .text("\nfox")]).ids
        == [start] + encode("The ") + [-200, -200, -200] + encode("\nfox"))
    #expect(try scene.text.sequence([image, .text("fox")]).ids == [start, -200, -200, -200] + encode("fox"))
    let prompt = try scene.text.prompt([Message(.user, [image, .text("How many?")])])
    let head =
      "<s>A chat between a curious user and an artificial intelligence assistant. "
      + "The assistant gives helpful, detailed, and polite answers to the user's questions. USER: "
    #expect(prompt.ids == encode(head) + [-200, -200, -200] + encode("\nHow many? ASSISTANT:"))
    // The token is one that the model's embedding has no row for.
    let row = #"{"prompt": "<image>\nThe fox", "completion": "runs", "image": "two.png"}"#
    let example = try scene.example(row)
    #expect(example.ids.prefix(4) == [start, -200, -200] + encode("\nThe fox").prefix(1))
  }

  /// A mark that no part has alone.
  @Test func aTextThatMakesAnImageTokenIsNoSilentImage() throws {
    let scene = try ImageScene()
    let image = scene.folder["data/two.png"]
    for (parts, reason) in [
      ([Message.Part.text("<ima"), .text("ge>")], "the prompt has 1 image token in its text, but 0 images"),
      ([.text("<ima"), .text("ge>"), .image(path: image)], "the prompt has 2 image tokens in its text, but 1 image"),
    ] {
      let error = #expect(throws: VPatchError.self) { try scene.text.sequence(parts) }
      #expect(error?.reason == reason)
    }
  }

  @Test func qwensMarkStandsBetweenItsTokens() throws {
    let scene = try ImageScene("qwen2", template: "qwen2.5-vl", mark: "<|image_pad|>")
    let image = Message.Part.image(path: scene.folder["data/two.png"])
    let prompt = try scene.text.prompt([Message(.user, [image, .text("How many?")])])
    #expect(
      scene.shown(prompt.ids)
        == "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n"
        + "<|im_start|>user\n<|vision_start|>##<|vision_end|>How many?<|im_end|>\n<|im_start|>assistant\n")
    #expect(scene.shown(try scene.text.sequence([.text("See "), image]).ids) == "See <|vision_start|>##<|vision_end|>")
    for mark in ["<image>", "<|image_pad|>"] {
      let error = #expect(throws: VPatchError.self) { try scene.text.prompt([Message(.user, "a \(mark)")]) }
      #expect(error?.reason == "the prompt has the image placeholder \"\(mark)\" in a text, but no image for it")
    }
  }

  /// The tokenizer puts its "<s>" before a conversation that LLaVA's own template writes without.
  @Test func theTokenThatBeginsATextIsThereOnce() throws {
    for template in ["llava-1.5", "llava-mistral", "vicuna"] {
      let scene = try ImageScene("llama2", template: template)
      let start = try #require(scene.tokenizer.id(of: "<s>"))
      let image = Message.Part.image(path: scene.folder["data/two.png"])
      let prompt = try scene.text.prompt([Message(.user, [image, .text("How many?")])])
      #expect(prompt.ids.first == start && prompt.ids.count { $0 == start } == 1, "\(template)")
      let messages = #"[{"from": "human", "value": "<image>\nHow many?"}, {"from": "gpt", "value": "Two."}]"#
      let row = try scene.example(#"{"conversations": \#(messages), "image": "two.png"}"#)
      #expect(row.ids.starts(with: prompt.ids), "\(template)")
      let learned = zip(row.ids, row.labels).filter { $0 == $1 }.map(\.0)
      #expect(
        scene.tokenizer.decode(learned, skipSpecialTokens: false).trimmingPrefix(" ") == "Two.</s>", "\(template)")
    }
  }

  @Test func aLongRowIsNotCutInsideAnImage() throws {
    let scene = try ImageScene()
    func rules(_ length: Int, _ tooLong: DataRules.TooLong = .cut) -> DataRules {
      DataRules(vocabulary: 1000, maximumLength: length, tooLong: tooLong)
    }
    let t = scene.token
    let row = #"{"input_ids": [1, 2, \#(t), 4, \#(t), 5], "images": ["two.png", "three.png"]}"#
    // 1 2 # # 4 # # # 5
    #expect(try scene.example(row, rules(8)).ids == [1, 2, t, t, 4, t, t, t])
    let cut = try scene.example(row, rules(5))
    #expect(cut.ids == [1, 2, t, t, 4] && cut.sequence.images.map(\.width) == [2])
    #expect(try scene.example(row, rules(2)).sequence.images.isEmpty)
    #expect(
      try scene.reason(row, rules(6)) == "has 9 tokens; 6 are allowed, and its image 2 (3 tokens) would be cut")
    #expect(try scene.reason(row, rules(3)) == "has 9 tokens; 3 are allowed, and its image 1 (2 tokens) would be cut")
    #expect(try scene.reason(row, rules(8, .refuse)) == "has 9 tokens; 8 are allowed")
    // A model that looks more closely at an image that is alone would find another number of tokens for it.
    let close = try ModelText(folder: scene.folder["model"], images: FakeImages(token: t, tokensMoreAlone: 1))
    #expect(
      try scene.reason(row, text: close, rules(5))
        == "has 9 tokens; 5 are allowed, and without 1 of its 2 images the rest would have other image tokens")
    #expect(try scene.load([row], text: close, rules(2)).examples[0].ids == [1, 2])
  }
}
