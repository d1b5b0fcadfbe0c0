/// The direction in which a patch is applied.
package enum Direction: String, Sendable {
  /// From base to target.
  case forward
  /// From target to base.
  case backward
}
