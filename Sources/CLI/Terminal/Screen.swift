import Base
import Glibc

/// What one of the standard streams is written to: its width, and whether it shows colours.
struct Screen: Sendable {
  static let output = Screen(STDOUT_FILENO)
  static let errors = Screen(STDERR_FILENO)

  /// In columns; nil if it is no terminal: then nothing is shortened or wrapped.
  let width: Int?
  /// Colours need a terminal as standard output and no `NO_COLOR` (https://no-color.org).
  let hasColors: Bool

  private init(_ descriptor: CInt) {
    guard isatty(descriptor) == 1 else {
      (width, hasColors) = (nil, false)
      return
    }
    var size = winsize()
    let isKnown = ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0
    let columns = Self.requestedColumns ?? (isKnown ? Int(size.ws_col) : Self.standard)
    width = max(Self.least, columns)
    let isSet = getenv("NO_COLOR").map { $0.pointee != 0 } ?? false
    let isDumb = getenv("TERM").map { String(cString: $0) == "dumb" } ?? true
    hasColors = isatty(STDOUT_FILENO) == 1 && !isSet && !isDumb
  }

  /// Where a terminal does not say its width.
  static let standard = 80
  private static let least = 20

  /// `$COLUMNS`, which overrides the terminal, as in argument-parser and other tools.
  static var requestedColumns: Int? {
    getenv("COLUMNS").flatMap { Int(String(cString: $0)) }
  }

  /// Text for it: wrapped at its width, with control characters made visible.
  /// - Parameter hanging: the indent of what continues a line that has none.
  func text(_ text: String, hanging: Int = 0, isWide: Bool = false) -> String {
    let text = text.printableText
    guard let width, !isWide else { return text }
    return text.wrapped(to: width, hanging: hanging)
  }
}
