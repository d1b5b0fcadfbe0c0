extension RandomAccessCollection where Index == Int {
  /// The first index whose element is not before the place that is looked for; the end if all are. In logarithmic time.
  /// - Parameter isBefore: true for a beginning of the collection, false for the rest.
  package func partitionPoint(_ isBefore: (Element) -> Bool) -> Int {
    var (low, high) = (startIndex, endIndex)
    while low < high {
      let middle = low + (high - low) / 2
      if isBefore(self[middle]) { low = middle + 1 } else { high = middle }
    }
    return low
  }

  /// The element of that name among elements in ascending order of their names' bytes; nil if there is none.
  package func element(named name: String, by nameOf: (Element) -> String) -> Element? {
    let index = partitionPoint { nameOf($0).precedes(name) }
    return index < endIndex && nameOf(self[index]).isSame(as: name) ? self[index] : nil
  }
}
