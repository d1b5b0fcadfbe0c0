import Foundation

enum Fixtures {
  static let folder = URL(filePath: #filePath).deletingLastPathComponent().path + "/../../fixtures"

  static func path(_ name: String) -> String { "\(folder)/\(name)" }
}
