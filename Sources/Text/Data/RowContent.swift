import PatchFormat

/// Conversations and prompts as rows have them, with images among them.
///
/// The forms are those of Hugging Face's chats (`messages`) and of LLaVA's data (`conversations`).
public enum RowContent {
  /// The conversation of a row; nil where it has none.
  /// - Throws: `RowError`.
  public static func conversation(_ row: JSON) throws -> [Message]? {
    if let list = row["messages"] { return try messages(list, try RowImages(row)) }
    if let list = row["conversations"] { return try conversations(list, try RowImages(row)) }
    return nil
  }

  /// A text of a row with the row's images where its marks are; without any mark they come first, each with a line feed
  /// behind it.
  /// - Throws: `RowError`.
  public static func parts(_ row: JSON, text key: String) throws -> [Message.Part] {
    guard let text = row[key]?.string else { throw RowError("\"\(key)\" is not a text") }
    let images = try RowImages(row)
    guard !images.listed.isEmpty else { return [.text(text)] }
    let parts = RawPart.split(text, keepingLineFeeds: true)
    guard parts.contains(.image(nil)) else {
      return images.listed.flatMap { [.image(path: $0), .text("\n")] } + [.text(text)]
    }
    return try images.fill([parts])[0]
  }

  /// What someone says about some images, as a row of data with these `images` would have it: they stand where the text
  /// has the mark `<image>`, or before it.
  /// - Parameter isMessage: whether it is a message for a chat template.
  /// - Throws: `refused` where marks and images differ in number, or an image is no file.
  public static func prompt(_ text: String, images: [String], isMessage: Bool) throws -> [Message.Part] {
    guard !images.isEmpty else { return [.text(text)] }
    let names = JSON.array(images.map { .string($0) })
    let isMarked = text.firstRange(of: ImageMark.ofRows) != nil
    do {
      guard isMessage else { return try parts(.dictionary(["text": .string(text), "images": names]), text: "text") }
      var content: [RawPart] = isMarked ? RawPart.split(text, keepingLineFeeds: false) : [.text(text)]
      if !isMarked { content = images.map { _ in .image(nil) } + content }
      return try RowImages(.dictionary(["images": names])).fill([content])[0]
    } catch let error as RowError {
      throw VPatchError(.refused, nil, "the prompt \(error.reason)")
    }
  }

  /// The images that a row lists, in order, as it names them.
  /// - Throws: `RowError`.
  public static func images(_ row: JSON) throws -> [String] { try RowImages(row).listed }

  // MARK: Hugging Face

  private static func messages(_ json: JSON, _ images: RowImages) throws -> [Message] {
    let drafts = try list(json, "messages").enumerated().map { i, json in
      let place = "message \(i + 1)"
      guard json.object != nil else { throw RowError("\(place) is not an object") }
      guard let name = json["role"]?.string, let content = json["content"],
        content.string != nil || content.array != nil
      else {
        throw RowError("\(place) has no \"role\" that is a text, and \"content\" that is a text or a list of parts")
      }
      guard let role = Message.Role(rawValue: name) else {
        throw RowError("\(place) has the role \"\(name.printable)\" (known: system, user, assistant)")
      }
      if let calls = json["tool_calls"], calls != .null, calls != .array([]) {
        throw RowError("\(place) calls tools, which is not supported")
      }
      if let text = content.string {
        // Without images it is text, whatever it says.
        let isMarked = role == .user && !images.listed.isEmpty
        return (role, isMarked ? RawPart.split(text, keepingLineFeeds: false) : [RawPart.text(text)])
      }
      return (role, try content.array!.map { try RawPart($0, place) })
    }
    return try messages(drafts, images)
  }

  // MARK: LLaVA

  private static let speakers: [String: Message.Role] = [
    "human": .user, "user": .user, "gpt": .assistant, "assistant": .assistant, "system": .system,
  ]

  private static func conversations(_ json: JSON, _ images: RowImages) throws -> [Message] {
    let drafts = try list(json, "conversations").enumerated().map { i, json in
      let place = "message \(i + 1)"
      guard let name = json["from"]?.string, let text = json["value"]?.string else {
        throw RowError("\(place) has no \"from\" and \"value\" that are texts")
      }
      guard let role = speakers[name] else {
        throw RowError("\(place) is from \"\(name.printable)\" (known: human, gpt, system)")
      }
      return (role, role == .user ? RawPart.split(text, keepingLineFeeds: false) : [.text(text)])
    }
    return try messages(drafts, images)
  }

  private static func list(_ json: JSON, _ key: String) throws -> [JSON] {
    guard let list = json.array else { throw RowError("\"\(key)\" is not a list") }
    guard !list.isEmpty else { throw RowError("\"\(key)\" is empty") }
    return list
  }

  private static func messages(_ drafts: [(Message.Role, [RawPart])], _ images: RowImages) throws -> [Message] {
    let parts = try images.fill(drafts.map(\.1))
    return try zip(drafts, parts).enumerated().map { i, message in
      let role = message.0.0
      guard !message.1.isEmpty else { throw RowError("message \(i + 1) has an empty list as its \"content\"") }
      if role != .user {
        guard message.1.images.isEmpty else {
          throw RowError("message \(i + 1) is the \(role.rawValue)'s and holds an image: only the user's messages can")
        }
        guard message.1.count == 1 else {
          throw RowError(
            "message \(i + 1) is the \(role.rawValue)'s and has \(message.1.count) texts: write them as one")
        }
      }
      return Message(role, message.1)
    }
  }
}

/// A part of a message before its image is known.
private enum RawPart: Equatable {
  case text(String)
  /// Nil for the next of the row's images.
  case image(String?)

  /// One of the list that is a message's "content".
  init(_ json: JSON, _ place: String) throws {
    guard json.object != nil, let type = json["type"]?.string else {
      throw RowError("\(place) has a part that is no object with a \"type\"")
    }
    switch type {
    case "text":
      guard let text = json["text"]?.string else { throw RowError("\(place) has a text part without a \"text\"") }
      self = .text(text)
    case "image", "image_url":
      let named = ["image", "path", "url", "image_url"].lazy.compactMap { json[$0] }.first { $0 != .null }
      self = .image(try named.map { try RowImages.name($0, place) })
    case "video", "audio", "input_audio":
      throw RowError("\(place) holds \(type == "video" ? "a video" : "sound"), which is not supported")
    default: throw RowError("\(place) has a part of the type \"\(type.printable)\" (known: text, image)")
    }
  }

  /// A text with an image at each mark.
  /// - Parameter keepingLineFeeds: whether the line feed behind a mark is text, or goes with the mark.
  static func split(_ text: String, keepingLineFeeds: Bool) -> [RawPart] {
    let mark = Array(ImageMark.ofRows.utf8)
    var (parts, rest) = ([RawPart](), Array(text.utf8)[...])
    func append(_ bytes: ArraySlice<UInt8>) {
      if !bytes.isEmpty { parts.append(.text(String(decoding: bytes, as: UTF8.self))) }
    }
    while let start = rest.indices.first(where: { rest[$0...].starts(with: mark) }) {
      append(rest[..<start])
      parts.append(.image(nil))
      rest = rest[(start + mark.count)...]
      if !keepingLineFeeds, rest.first == UInt8(ascii: "\n") { rest = rest.dropFirst() }
    }
    append(rest)
    return parts.isEmpty ? [.text("")] : parts
  }
}

/// The images that a row lists, `images` or `image`.
private struct RowImages {
  let listed: [String]

  init(_ row: JSON) throws {
    let found = ["images", "image"].compactMap { key in row[key].flatMap { $0 == .null ? nil : (key, $0) } }
    guard found.count <= 1 else { throw RowError("has \"images\" and \"image\"") }
    for key in ["videos", "video", "audios", "audio"] {
      guard let value = row[key], value != .null, value != .array([]) else { continue }
      throw RowError("has \"\(key)\", which is not supported: only images are")
    }
    listed =
      try found.first.map { key, json in
        try (json.array ?? [json]).map { try Self.name($0, "\"\(key)\"") }
      } ?? []
  }

  /// Gives each place its image.
  func fill(_ drafts: [[RawPart]]) throws -> [[Message.Part]] {
    let places = drafts.joined().count { $0 == .image(nil) }
    guard places == listed.count else {
      throw RowError("has \(Format.counted(places, "mark")) for images and \(Format.counted(listed.count, "image"))")
    }
    var next = listed[...]
    return drafts.map { parts in
      parts.map { part in
        switch part {
        case .text(let text): .text(text)
        case .image(let name): .image(path: name ?? next.removeFirst())
        }
      }
    }
  }

  /// The file that stands for an image: a text, or an object that holds it.
  static func name(_ json: JSON, _ place: String) throws -> String {
    if let object = json.object {
      if let bytes = json["bytes"], bytes != .null {
        throw RowError("\(place) holds an image's bytes: save them as a file, and name it")
      }
      let inner = ["path", "url", "image"].lazy.compactMap { json[$0] }.first { $0 != .null }
      guard !object.isEmpty, let inner, inner.object == nil else {
        throw RowError("\(place) has an image without a file")
      }
      return try name(inner, place)
    }
    guard let name = json.string, !name.isEmpty else {
      throw RowError("\(place) has an image that is not the name of a file")
    }
    let start = name.prefix(8).lowercased()
    if start.hasPrefix("data:") { throw RowError("\(place) holds an image's bytes: save them as a file, and name it") }
    if ["http://", "https://", "file://", "ftp://", "s3://"].contains(where: { start.hasPrefix($0) }) {
      throw RowError(
        "\(place) has an image at an address (\"\(String(name.prefix(60)).printable)\"): nothing is fetched; save it beside the data, and name the file"
      )
    }
    return name
  }
}
