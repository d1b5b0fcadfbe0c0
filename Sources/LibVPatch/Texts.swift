import Base
import CVPatch
import Checkpoints
import Model
import Text

/// An open tokenizer with its chat template.
private final class OpenText: Sendable {
  let text: ModelText
  init(_ text: ModelText) { self.text = text }
}

@_cdecl("vpatch_text_open")
package func openText(
  _ folder: UnsafePointer<CChar>?, _ result: UnsafeMutablePointer<OpaquePointer?>?,
  _ message: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
) -> vpatch_status {
  call(message) {
    try Handle.give(OpenText(openedText(ModelFolder(string(folder, "folder")))), result)
  }
}

/// The text of a model's folder. Text needs no more of a config than the tokenizer does; images need the model's family.
func openedText(_ folder: ModelFolder, _ template: ChatTemplate.Options = .init()) throws -> ModelText {
  let takesImages = try folder.json("config.json")?["vision_config"]?.object != nil
  return try takesImages
    ? ModelText(model: folder, chatTemplate: template) : ModelText(folder, chatTemplate: template)
}

@_cdecl("vpatch_text_close")
package func closeText(_ text: OpaquePointer?) { Handle.release(text, of: OpenText.self) }

@_cdecl("vpatch_text_encode")
package func encodeText(
  _ handle: OpaquePointer?, _ row: UnsafePointer<CChar>?, _ folder: UnsafePointer<CChar>?,
  _ result: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?,
  _ message: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
) -> vpatch_status {
  call(message) {
    let open = try Handle.value(handle, of: OpenText.self)
    let folder = try folder.map { try string($0, "folder") }
    let rows = try open.text.encode(
      row: Array(string(row, "row").utf8), imagesIn: folder, DataRules(vocabulary: Int(Int32.max)))
    try give(.array(rows.map(\.json)), result)
  }
}

extension EncodedRow {
  fileprivate var json: JSON {
    .dictionary([
      "ids": .array(example.ids.map { JSON(Int($0)) }),
      "learned": .array(example.labels.map { .integer($0 == Example.ignored ? 0 : 1) }),
      "text": .string(segments.text),
      "images": .array(example.sequence.images.map { .string($0.path) }),
    ])
  }
}
