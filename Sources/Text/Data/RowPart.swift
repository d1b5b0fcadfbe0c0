import Base

/// A part of a message before its image is resolved.
enum RowPart: Equatable {
  /// With the part as in the row; nil for one that was cut from a text.
  case text(String, JSON?)
  /// Nil for the next of the row's images.
  case image(String?, JSON?)

  var isImage: Bool { if case .image = self { true } else { false } }

  /// For the template: OpenAI's "image_url" becomes an image, as in transformers.
  var json: JSON {
    switch self {
    case .text(let text, let given): given ?? Message.Part.text(text).json
    case .image(_, let given):
      given?.setting("image_url", to: nil).setting("type", to: .string("image")) ?? Message.Part.image(path: "").json
    }
  }

  /// An element of the list that is a message's "content".
  init(_ json: JSON, _ place: String) throws {
    guard json.object != nil, let type = json["type"]?.string else {
      throw RowError("\(place) has a part that is not an object with a \"type\"")
    }
    switch type {
    case "text":
      guard let text = json["text"]?.string else { throw RowError("\(place) has a text part without a \"text\"") }
      self = .text(text, json)
    case "image", "image_url":
      let named = ["image", "path", "url", "image_url"].lazy.compactMap { json[$0] }.first { $0 != .null }
      self = .image(try named.map { try RowImages.name($0, place) }, json)
    case "video", "audio", "input_audio":
      throw RowError("\(place) has \(type == "video" ? "a video" : "sound"), which is not supported")
    default: throw RowError("\(place) has a part of the type \"\(type.printable)\" (known are text, image)")
    }
  }

  /// Splits a text at image placeholders.
  /// - Parameter keepingLineFeeds: whether the line feed after a placeholder stays in the text or is dropped with it.
  static func split(_ text: String, keepingLineFeeds: Bool) -> [RowPart] {
    let mark = Array(ImageMark.ofRows.utf8)
    var (parts, rest) = ([RowPart](), Array(text.utf8)[...])
    func append(_ bytes: ArraySlice<UInt8>) {
      if !bytes.isEmpty { parts.append(.text(String(decoding: bytes, as: UTF8.self), nil)) }
    }
    while let start = rest.indices.first(where: { rest[$0...].starts(with: mark) }) {
      append(rest[..<start])
      parts.append(.image(nil, nil))
      rest = rest[(start + mark.count)...]
      if !keepingLineFeeds, rest.first == UInt8(ascii: "\n") { rest = rest.dropFirst() }
    }
    append(rest)
    return parts.isEmpty ? [.text("", nil)] : parts
  }
}

/// The images that a row lists, in `images` or `image`.
struct RowImages {
  let listed: [String]

  init() { listed = [] }

  init(_ row: RowReader) throws {
    try row.refuse(["videos", "video", "audios", "audio"], "which is not supported: only images are")
    let found = ["images", "image"].compactMap { key in row.optional(key).map { (key, $0) } }
    guard found.count <= 1 else { throw RowError("has both \"images\" and \"image\"") }
    listed =
      try found.first.map { key, json in
        try (json.array ?? [json]).map { try Self.name($0, "\"\(key)\"") }
      } ?? []
  }

  /// Assigns images to placeholders.
  func fill(_ drafts: [[RowPart]]) throws -> [[Message.Part]] {
    let places = drafts.joined().count { if case .image(nil, _) = $0 { true } else { false } }
    guard places == listed.count else {
      throw RowError(
        "has \(Format.counted(places, "placeholder")) for images, but \(Format.counted(listed.count, "image"))")
    }
    var next = listed[...]
    return drafts.map { parts in
      parts.map { part in
        switch part {
        case .text(let text, _): .text(text)
        case .image(let name, _): .image(path: name ?? next.removeFirst())
        }
      }
    }
  }

  /// The file of an image: a string, or an object with it.
  static func name(_ json: JSON, _ place: String) throws -> String {
    if let object = json.object {
      if let bytes = json["bytes"], bytes != .null {
        throw RowError("\(place) has an image's bytes: save them as a file, and give its name")
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
    if start.hasPrefix("data:") {
      throw RowError("\(place) has an image's bytes: save them as a file, and give its name")
    }
    if ["http://", "https://", "file://", "ftp://", "s3://"].contains(where: { start.hasPrefix($0) }) {
      throw RowError(
        "\(place) has an image at an address (\"\(String(name.prefix(60)).printable)\"): vpatch does not download it; "
          + "save it beside the data, and give the file's name"
      )
    }
    return name
  }
}
