/// Default text for measuring drift, unrelated to any task: the text of suites/neutral.
package enum NeutralText {
  /// The text's paragraphs.
  package static let paragraphs = String(decoding: PackageResources.neutral_txt, as: UTF8.self).split(
    separator: "\n%\n"
  ).map { String($0.trimmingPrefix("\n")) }
}
