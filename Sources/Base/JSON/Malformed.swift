/// Why the text of a header or manifest is not valid.
package struct Malformed: Error {
  package let reason: String
  /// The bytes are not those that were written.
  package let isDamage: Bool

  package init(_ reason: String, isDamage: Bool = false) {
    self.reason = reason
    self.isDamage = isDamage
  }
}

/// Objects of vpatch's own formats: members are required unless the format says otherwise, and none may be left over.
extension ObjectReader where Failure == Malformed {
  /// - Parameter owner: description of the object, for messages: "a tensor".
  package convenience init(_ json: JSON, of owner: String) throws(Malformed) {
    guard let members = json.object else { throw Malformed("has \(owner) that is not an object") }
    self.init(members) { reason, _, _ in Malformed("\(reason) in \(owner)") }
  }

  /// A whole number within the format's limit.
  package func int(_ key: String) throws(Malformed) -> Int { try int(key, in: 0...Limits.number) }

  /// - Throws: if a member was not read.
  package func finish() throws(Malformed) {
    if let member = unread.first { throw error("has an unknown member \"\(member.key.printable)\"") }
  }
}
