/// Text that has nothing to do with any task, by which drift is measured where nobody names another: that of the suite
/// suites/neutral.
package enum NeutralText {
  /// Its paragraphs.
  package static let paragraphs = String(decoding: PackageResources.neutral_txt, as: UTF8.self).split(
    separator: "\n%\n"
  ).map { String($0.trimmingPrefix("\n")) }
}
