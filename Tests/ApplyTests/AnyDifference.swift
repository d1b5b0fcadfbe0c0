@testable import Apply

extension CreateOptions {
  /// For patches between models that are no fine-tunes of each other.
  static var anyDifference: CreateOptions {
    var options = CreateOptions()
    options.expectsFineTune = false
    return options
  }
}
