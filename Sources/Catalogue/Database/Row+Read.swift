import Base
import Foundation
import GRDB

/// A row with a value that vpatch does not write.
struct DamagedRow: Error {
  let what: String
}

/// Readers that throw where GRDB's own subscripts trap: the file may come from anywhere.
extension Row {
  func integer(_ i: Int) throws -> Int {
    guard let value = Int.fromDatabaseValue(self[i]) else { throw DamagedRow(what: "no number in \(column(i))") }
    return value
  }

  func optionalInteger(_ i: Int) throws -> Int? { hasNull(atIndex: i) ? nil : try integer(i) }

  func text(_ i: Int) throws -> String {
    guard let value = String.fromDatabaseValue(self[i]) else { throw DamagedRow(what: "no text in \(column(i))") }
    return value
  }

  func optionalText(_ i: Int) throws -> String? { hasNull(atIndex: i) ? nil : try text(i) }

  func optionalDouble(_ i: Int) throws -> Double? {
    guard !hasNull(atIndex: i) else { return nil }
    guard let value = Double.fromDatabaseValue(self[i]) else { throw DamagedRow(what: "no number in \(column(i))") }
    return value
  }

  func double(_ i: Int) throws -> Double {
    guard let value = try optionalDouble(i) else { throw DamagedRow(what: "no number in \(column(i))") }
    return value
  }

  func digest(_ i: Int) throws -> ContentDigest {
    guard let data = Data.fromDatabaseValue(self[i]), let digest = ContentDigest(bytes: data) else {
      throw DamagedRow(what: "no digest in \(column(i))")
    }
    return digest
  }

  func json(_ i: Int) throws -> JSON {
    guard let json = try? JSON.parse(Array(try text(i).utf8)) else { throw DamagedRow(what: "no JSON in \(column(i))") }
    return json
  }

  /// Words separated by spaces; empty for NULL.
  func words(_ i: Int) throws -> [String] { try optionalText(i)?.split(separator: " ").map(String.init) ?? [] }

  private func column(_ i: Int) -> String { Array(columnNames)[i] }
}

extension ContentDigest {
  /// As stored in a column.
  var data: Data { Data(bytes) }
}
