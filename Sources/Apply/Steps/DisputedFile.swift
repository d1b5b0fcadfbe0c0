/// A file beside a model of which members of a stack make different ones.
package struct DisputedFile: Equatable, Sendable {
  package let name: String
  /// What the patches are called that change it.
  package let patches: [String]

  package var text: String {
    "\(patches.joined(separator: " and ")) do not agree about \(name), which stays as it is; to have that of the first, "
      + "copy it from what 'vpatch apply BASE \(patches[0]) -o DIR' writes"
  }
}
