import Base
import Glibc
import Images
import Synchronization
import TestModels
import Testing

@testable import Text

/// Rows with images in all their forms.
@Suite struct ImageRowTests {
  private static let chat = "<|im_start|>user\n##\nHow many?<|im_end|>\n<|im_start|>assistant\nThree.<|im_end|>\n"

  /// A question and its answer, the content as JSON, and what else the row has.
  private static func messages(_ content: String, _ others: String = "") -> String {
    #"{"messages": [{"role": "user", "content": \#(content)}, {"role": "assistant", "content": "Three."}]\#(others)}"#
  }

  private static func conversation(_ value: String, _ others: String = "") -> String {
    #"{"conversations": [{"from": "human", "value": "\#(value)"}, {"from": "gpt", "value": "Three."}]\#(others)}"#
  }

  @Test(arguments: [
    messages(#"[{"type": "image", "image": "two.png"}, {"type": "text", "text": "How many?"}]"#),
    messages(#"[{"type": "image", "path": "two.png", "text": null}, {"type": "text", "text": "How many?"}]"#),
    messages(#"[{"type": "image_url", "image_url": {"url": "two.png"}}, {"type": "text", "text": "How many?"}]"#),
    messages(#"[{"type": "image"}, {"type": "text", "text": "How many?"}]"#, #", "images": ["two.png"]"#),
    messages(#""<image>\nHow many?""#, #", "images": [{"path": "two.png", "bytes": null}]"#),
    conversation(#"<image>\nHow many?"#, #", "image": "two.png""#),
    conversation("<image>How many?", #", "images": ["./two.png"], "id": 7"#),
  ]) func conversations(row: String) throws {
    let scene = try ImageScene()
    let example = try scene.example(row)
    #expect(scene.shown(example.ids) == Self.chat)
    #expect(try example.sequence.images.map(\.path) == [Path.resolved(scene.folder["data/two.png"])])
    #expect(example.sequence.images[0].digest == SHA256Hasher.hash("2"))
    let learned = zip(example.ids, example.labels).filter { $0 == $1 }.map(\.0)
    #expect(scene.tokenizer.decode(learned, skipSpecialTokens: false) == "Three.<|im_end|>")
    #expect(zip(example.ids, example.labels).allSatisfy { $0 == $1 || $1 == Example.ignored })
  }

  @Test func imagesStandInOrder() throws {
    let scene = try ImageScene()
    let row = #"""
      {"conversations": [{"from": "system", "value": "Look."},
      {"from": "human", "value": "<image>\nand <image>\nand?"}, {"from": "gpt", "value": "a"},
      {"from": "human", "value": "And <image>?"}, {"from": "gpt", "value": "b"}],
      "images": ["three.png", "two.png", "three.png"]}
      """#
    let example = try scene.example(row.split(separator: "\n").joined())
    #expect(
      scene.shown(example.ids)
        == "<|im_start|>system\nLook.<|im_end|>\n<|im_start|>user\n###\nand ##\nand?<|im_end|>\n"
        + "<|im_start|>assistant\na<|im_end|>\n"
        + "<|im_start|>user\nAnd ###\n?<|im_end|>\n<|im_start|>assistant\nb<|im_end|>\n")
    #expect(example.sequence.images.map { Path.name($0.path) } == ["three.png", "two.png", "three.png"])
  }

  @Test func prompts() throws {
    let scene = try ImageScene()
    for (row, text) in [
      (#"{"prompt": "See <image> and:", "completion": " a", "image": "two.png"}"#, "See ## and: a<|im_end|>"),
      (
        #"{"prompt": "How many?", "completion": " a", "images": ["two.png", "three.png"]}"#,
        "##\n###\nHow many? a<|im_end|>"
      ),
      (#"{"text": "<image>The fox", "images": ["two.png"]}"#, "##The fox"),
      (#"{"text": "The fox", "images": [], "image": null}"#, "The fox"),
    ] {
      let example = try scene.example(row)
      #expect(scene.shown(example.ids) == text)
      #expect(zip(example.ids, example.labels).allSatisfy { $0 != scene.token || $1 == Example.ignored })
    }
    let all = try scene.example(
      #"{"prompt": "How many?", "completion": " a", "images": ["two.png"]}"#,
      DataRules(vocabulary: 1000, learnsEverything: true))
    #expect(all.labels == all.ids.map { $0 == scene.token ? Example.ignored : $0 })
  }

  @Test func readyIds() throws {
    let scene = try ImageScene()
    let t = scene.token
    func row(_ ids: [Int32], _ images: String, labels: [Int32]? = nil) -> String {
      #"{"input_ids": \#(ids), \#(labels.map { "\"labels\": \($0), " } ?? "")"images": \#(images)}"#
    }
    let full = Example(
      ids: [1, t, t, 4, t, t, t, 5], labels: [1, -100, -100, 4, -100, -100, -100, 5],
      images: try ["two.png", "three.png"].map {
        try scene.images.source(path: Path.resolved(scene.folder["data/\($0)"]))
      })
    let names = #"["two.png", "three.png"]"#
    #expect(try scene.example(row([1, t, 4, t, 5], names)) == full)
    #expect(try scene.example(row([1, t, t, 4, t, t, t, 5], names)) == full)
    #expect(try scene.example(row([1, t, 4, t, 5], names, labels: [1, -100, 4, t, 5])) == full)
    // Two images one behind the other.
    #expect(try scene.example(row([1, t, t, t, t, t, 5], names)).ids == [1, t, t, t, t, t, 5])
    #expect(
      try scene.reason(row([1, t, t, t, 5], names))
        == "has 3 image tokens (\(t)) for 2 images: give 2, one per image, "
        + "or the 5 that the model uses for them (2, 3), consecutively per image"
    )
    #expect(try scene.reason(row([1, t, t, t, 4, t, t, 5], names)).hasPrefix("has 5 image tokens (\(t)) for 2 images"))
    #expect(try scene.reason(row([1, 2], names)).hasPrefix("has 0 image tokens (\(t)) for 2 images"))
    #expect(try scene.reason("{\"input_ids\": [1, \(t), \(t)]}") == "has 2 image tokens (\(t)) but no images")
    #expect(try scene.reason("{\"input_ids\": [1, 2, -200]}") == "has the id -200 (at 2); the model has 1,000 ids")
  }

  @Test("a row that names an image tens of thousands of times") func bomb() throws {
    let images = FakeImages(token: 7)
    let image = ImageSource(path: "a.png", digest: SHA256Hasher.hash("a"), width: 99, height: 1)
    func counts(_ count: Int) throws -> [Int] { try images.counts(of: [ImageSource](repeating: image, count: count)) }
    #expect(try counts(3) == [99, 99, 99])
    let error = #expect(throws: RowError.self) { try counts(50_000) }
    #expect(error?.reason == "has images that take 4,950,000 tokens, more than any model takes")
  }

  private static let silentMark = #"has the image placeholder "<image>" in a text, but no image for it"#

  @Test(arguments: [
    (
      messages(#"[{"type": "image"}, {"type": "image"}]"#, #", "images": ["two.png"]"#),
      "has 2 placeholders for images, but 1 image"
    ),
    (conversation(#"<image>\na"#), "has 1 placeholder for images, but 0 images"),
    (conversation("a", #", "image": "two.png""#), "has 0 placeholders for images, but 1 image"),
    (
      #"{"prompt": "<image><image>", "completion": "b", "image": "two.png"}"#,
      "has 2 placeholders for images, but 1 image"
    ),
    (#"{"prompt": "<image>", "completion": "b"}"#, silentMark),
    (#"{"prompt": "a", "completion": "<image>", "image": "two.png"}"#, silentMark),
    (#"{"text": "a <image> b"}"#, silentMark),
    (messages(#""see <image>""#), silentMark),
    (messages(#"[{"type": "image", "image": "two.png"}, {"type": "text", "text": "<image>"}]"#), silentMark),
    (messages(#"[{"type": "video", "video": "a.mp4"}]"#), "message 1 has a video, which is not supported"),
    (messages(#"[{"type": "audio"}]"#), "message 1 has sound, which is not supported"),
    (messages(#"[{"type": "tool"}]"#), #"message 1 has a part of the type "tool" (known are text, image)"#),
    (messages("[3]"), #"message 1 has a part that is not an object with a "type""#),
    (messages("[]"), #"message 1 has an empty list as its "content""#),
    (messages(#"[{"type": "text"}]"#), #"message 1 has a text part without a "text""#),
    (
      messages(#"[{"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}]"#),
      #"message 1 has an image at an address ("https://example.org/a.png"): vpatch does not download it; "#
        + "save it beside the data, and give the file's name"
    ),
    (
      messages(#"[{"type": "image", "url": "data:image/png;base64,AAAA"}]"#),
      "message 1 has an image's bytes: save them as a file, and give its name"
    ),
    (
      #"{"prompt": "a", "completion": "b", "image": {"bytes": "AAAA"}}"#,
      #""image" has an image's bytes: save them as a file, and give its name"#
    ),
    (#"{"prompt": "a", "completion": "b", "image": 3}"#, #""image" has an image that is not the name of a file"#),
    (#"{"prompt": "a", "completion": "b", "image": "a.png", "images": ["b.png"]}"#, #"has both "images" and "image""#),
    (
      #"{"messages": [{"role": "assistant", "content": [{"type": "image", "image": "two.png"}]}]}"#,
      "message 1 is the assistant's and has an image: only the user's messages can"
    ),
    (
      #"{"conversations": [{"from": "bard", "value": "a"}]}"#,
      #"message 1 is from "bard" (known are human, gpt, system, tool)"#
    ),
    (
      #"{"conversations": [{"from": "human"}]}"#,
      #"message 1 has no "value" that is a string or a list of parts, nor tool calls"#
    ),
    (#"{"conversations": []}"#, #"has an empty list as its "conversations""#),
    (#"{"prompt": "a", "completion": "b", "image": "none.png"}"#, #"names the image "none.png", which is not there"#),
    (#"{"prompt": "a", "completion": "b", "image": "../data"}"#, #"names the image "../data", which is not a file"#),
    (#"{"prompt": "a", "completion": "b", "image": "a\u0000.png"}"#, "has an image with an invalid file name"),
    (
      #"{"prompt": "a", "completion": "b", "image": "broken.png"}"#,
      #"names the image "broken.png", which is neither PNG, JPEG nor WebP"#
    ),
    (
      #"{"prompt": "a", "completion": "b", "image": "large.png"}"#,
      "has an image that cannot be used (large.png): is too large for the model"
    ),
  ]) func aRowThatCannotBeUsedSaysWhy(row: String, reason: String) throws {
    #expect(try ImageScene().reason(row) == reason)
  }

  @Test func aModelWithoutImagesSaysSo() throws {
    let scene = try ImageScene()
    let text = try ModelText(folder: scene.folder["model"], chatTemplate: .init(source: "chatml"))
    for row in [
      #"{"prompt": "a", "completion": "b", "image": "two.png"}"#, #"{"input_ids": [1, 2], "images": ["none.png"]}"#,
      Self.conversation("<image>", #", "image": "two.png""#),
    ] {
      #expect(try scene.reason(row, text: text) == "has an image, but the model takes no images")
    }
    // What looks like a mark is text to it.
    let data = try scene.load([#"{"prompt": "a <image>", "completion": " b"}"#], text: text)
    #expect(data.examples[0].sequence.images.isEmpty)
    let error = #expect(throws: VPatchError.self) { try text.prompt([Message(.user, [.image(path: "two.png")])]) }
    #expect(error?.reason == "the prompt has an image, but the model takes no images")
    #expect(scene.images.paths.isEmpty)
  }

  @Test func nothingOutsideOfTheFolderIsRead() throws {
    let scene = try ImageScene()
    try scene.folder.write("secret.png", "4")
    try scene.folder.write("data-other/a.png", "4")
    try link("../secret.png", scene.folder["data/link.png"])
    try link("two.png", scene.folder["data/inside.png"])
    func row(_ name: String) -> String { #"{"prompt": "a", "completion": " b", "image": "\#(name)"}"# }
    for name in ["../secret.png", "link.png", scene.folder["secret.png"], "../data-other/a.png", "./../data/link.png"] {
      #expect(
        try scene.reason(row(name))
          == "names the image \"\(name)\", which is outside of the data file's folder "
          + "(--allow-outside allows it)")
    }
    #expect(scene.images.paths.isEmpty)
    for name in ["../secret.png", "link.png"] {
      let example = try scene.example(row(name), DataRules(vocabulary: 1000, allowsOutside: true))
      #expect(example.sequence.images.map(\.width) == [4])
    }
    for name in ["inside.png", "../data/two.png", scene.folder["data/two.png"]] {
      #expect(try scene.example(row(name)).sequence.images.map(\.width) == [2])
    }
  }

  @Test func anImageIsLookedAtOnce() throws {
    let scene = try ImageScene()
    let rows = (0..<300).map { i in
      #"{"prompt": "a", "completion": " b", "images": ["\#(["two.png", "./two.png", "three.png"][i % 3])"]}"#
    }
    let told = Mutex<[Int]>([])
    let progress = WorkProgress { phase, done, total in
      #expect(phase == "checking images" && total == 2)
      told.withLock { $0.append(done) }
    }
    let data = try scene.load(rows + rows, threads: 3, progress: progress)
    #expect(told.withLock { $0.sorted() } == [0, 1, 2])
    #expect(scene.images.paths.map(Path.name).sorted() == ["three.png", "two.png"])
    #expect(data.images.map { Path.name($0.path) } == ["three.png", "two.png"])
    #expect(data.examples.count == 600)
  }

  private func link(_ target: String, _ path: String) throws { try #require(symlink(target, path) == 0) }
}
