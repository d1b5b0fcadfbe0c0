/// A side file that members of a stack change differently.
package struct DisputedFile: Equatable, Sendable {
  package let name: String
  /// The labels of the patches that change it.
  package let patches: [String]

  package var text: String {
    "\(patches.joined(separator: " and ")) disagree about \(name), which stays unchanged; for that of the first, "
      + "copy it from the output of 'vpatch apply BASE \(patches[0]) -o DIR'"
  }
}
