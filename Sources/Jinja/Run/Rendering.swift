/// A rendered conversation.
package struct Rendering: Sendable {
  /// UTF-8.
  package let text: [UInt8]
  /// The contents of `{% generation %}` blocks, as byte ranges of `text`, in the order of rendering.
  package let generations: [Range<Int>]
  /// Whether the template has such a block, rendered or not.
  package let hasGeneration: Bool
  /// Whether the text may depend on the date: `strftime_now` was called.
  package let usesDate: Bool

  package var string: String { String(decoding: text, as: UTF8.self) }
}

/// Inputs of rendering besides the template and its variables.
package struct Surroundings: Sendable {
  /// The date for `strftime_now`.
  package var now: CivilTime
  package var limits: Limits

  package init(now: CivilTime = .init(), limits: Limits = .init()) {
    self.now = now
    self.limits = limits
  }
}
