import Base
import CVPatch
import Checkpoints
import Model
import Text

@_cdecl("vpatch_rows")
package func readRows(
  _ folder: UnsafePointer<CChar>?, _ path: UnsafePointer<CChar>?, _ options: UnsafePointer<CChar>?,
  _ result: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?,
  _ message: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
) -> vpatch_status {
  call(message) {
    let options = try RowOptions(options)
    let text = try openedText(ModelFolder(string(folder, "folder")), options.template)
    let file = try DataFile(path: string(path, "path"), text, options.rules, options.work)
    try give(file.json(text, options.template), result)
  }
}

/// How rows become examples, as a caller says it.
private struct RowOptions {
  let rules: DataRules
  let template: ChatTemplate.Options
  let work: WorkOptions

  /// - Throws: a misuse for members that do not exist or have other types; `refused` for a template's arguments.
  init(_ argument: UnsafePointer<CChar>?) throws {
    let reader = try object(parsed(argument, "options"), "options")
    let most = Int(Int32.max)
    var rules = DataRules(vocabulary: try reader.optionalInt("vocabulary", in: 1...most) ?? most)
    rules.maximumLength = try reader.optionalInt("max_length", in: 2...most) ?? rules.maximumLength
    rules.tooLong = try reader.optionalWord("too_long") ?? rules.tooLong
    rules.learnsEverything = try reader.optionalBool("learn_prompts") ?? false
    rules.allowsOutside = try reader.optionalBool("allow_outside") ?? false
    self.rules = rules
    template = try ChatTemplate.Options(
      source: reader.optionalString("chat_template"), arguments: reader.optionalStrings("template_args") ?? [],
      date: reader.optionalString("template_date"))
    work = WorkOptions(threads: try reader.optionalInt("threads", in: 1...64) ?? 2)
    if let other = reader.unread.first { throw Misuse("options has an unknown member \"\(other.key.printable)\"") }
  }
}

extension DataFile {
  fileprivate func json(_ text: ModelText, _ template: ChatTemplate.Options) -> JSON {
    .dictionary([
      "name": .string(path), "sha256": .string(digest.hex), "rows": JSON(rows), "answer_tokens": JSON(answerTokens),
      "cut_rows": JSON(cutRows), "cut_tokens": JSON(cutTokens), "left_out_rows": JSON(leftOutRows),
      "merged_rows": JSON(mergedRows), "endless_rows": JSON(endlessRows), "images": JSON(images.count),
      "uses_date": .bool((try? text.template.usesDate) ?? false), "date": .string(template.date.text),
      "unread": .array(unread.map { .array([.string($0.name), JSON($0.rows)]) }),
      "lines": .array(lines.map { JSON($0) }), "lengths": .array(examples.map { JSON($0.ids.count) }),
      "tokens": .string(tokenDigits),
    ])
  }

  /// Every token's id, and whether it counts in the loss, in eight hexadecimal digits.
  private var tokenDigits: String {
    let digits = Array("0123456789abcdef".utf8)
    var text: [UInt8] = []
    text.reserveCapacity(8 * tokens)
    for example in examples {
      for (id, label) in zip(example.ids, example.labels) {
        let number = UInt32(bitPattern: id) | (label == Example.ignored ? 0 : 1 << 31)
        for shift in stride(from: 0, to: 32, by: 8) {
          text.append(digits[Int(number >> (shift + 4) & 15)])
          text.append(digits[Int(number >> shift & 15)])
        }
      }
    }
    return String(decoding: text, as: UTF8.self)
  }
}
