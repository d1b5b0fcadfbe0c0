/// Which way a patch is used.
package enum Direction: String, Sendable {
  /// From base to target.
  case forward
  /// From target to base.
  case backward
}
