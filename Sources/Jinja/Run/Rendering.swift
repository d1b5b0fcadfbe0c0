/// What a template makes of a conversation.
package struct Rendering: Sendable {
  /// UTF-8.
  package let text: [UInt8]
  /// What `{% generation %}` encloses, in bytes of `text`, in the order in which it was rendered.
  package let generations: [Range<Int>]
  /// Whether the template has such a block, rendered or not.
  package let hasGeneration: Bool
  /// Whether the text may be another one on another day: `strftime_now` was called.
  package let usesDate: Bool

  package var string: String { String(decoding: text, as: UTF8.self) }
}

/// What rendering depends on besides the template and its variables.
package struct Surroundings: Sendable {
  /// What `strftime_now` tells.
  package var now: CivilTime
  package var limits: Limits

  package init(now: CivilTime = .init(), limits: Limits = .init()) {
    self.now = now
    self.limits = limits
  }
}
