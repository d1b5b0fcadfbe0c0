import Base
import CVPatch
import Glibc

/// An argument that no caller should give.
struct Misuse: Error {
  let reason: String
  init(_ reason: String) { self.reason = reason }
}

/// Runs the body of a function of the C interface, also in the child of a fork: errors become a status and a message.
func call(_ message: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?, _ body: () throws -> Void) -> vpatch_status {
  ForkedChild.run { outcome(message, body) }
}

private func outcome(
  _ message: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?, _ body: () throws -> Void
) -> vpatch_status {
  message?.pointee = nil
  do {
    try body()
    return VPATCH_OK
  } catch let error as VPatchError {
    message?.pointee = strdup(error.description)
    return status(error.code)
  } catch let error as Misuse {
    message?.pointee = strdup(error.reason)
    return VPATCH_MISUSE
  } catch {
    message?.pointee = strdup("\(error)")
    return VPATCH_INVALID
  }
}

private func status(_ code: VPatchError.Code) -> vpatch_status {
  switch code {
  case .io: VPATCH_IO
  case .invalid: VPATCH_INVALID
  case .wrongBase: VPATCH_WRONG_BASE
  case .mismatch: VPATCH_MISMATCH
  case .refused: VPATCH_REFUSED
  }
}

/// A text argument.
func string(_ argument: UnsafePointer<CChar>?, _ name: String) throws -> String {
  guard let argument else { throw Misuse("\(name) is NULL") }
  guard let text = String(validatingCString: argument) else { throw Misuse("\(name) is not UTF-8") }
  return text
}

/// A JSON argument; an empty object for NULL.
func parsed(_ argument: UnsafePointer<CChar>?, _ name: String) throws -> JSON {
  guard argument != nil else { return .object([]) }
  do { return try JSON.parse(Array(string(argument, name).utf8)) } catch let error as JSONError {
    throw Misuse("\(name) is not JSON: \(error.reason)")
  }
}

/// A JSON argument that is an object, read member by member.
func object(_ json: JSON, _ name: String) throws -> ObjectReader<Misuse> {
  guard let members = json.object else { throw Misuse("\(name) is not an object") }
  return ObjectReader(members) { problem, _, _ in Misuse("\(name) \(problem)") }
}

/// Returns a JSON text to the caller.
func give(_ json: JSON, _ result: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?) throws {
  guard let result else { throw Misuse("the result is NULL") }
  result.pointee = strdup(json.compact())
}

/// Returns a digest to the caller.
func give(_ digest: ContentDigest, _ hex: UnsafeMutablePointer<CChar>?) throws {
  guard let hex else { throw Misuse("hex is NULL") }
  for (i, digit) in digest.hex.utf8.enumerated() { hex[i] = CChar(bitPattern: digit) }
  hex[64] = 0
}

/// Something that a caller holds by a pointer.
enum Handle {
  static func give<T: AnyObject>(_ value: T, _ result: UnsafeMutablePointer<OpaquePointer?>?) throws {
    guard let result else { throw Misuse("the result is NULL") }
    result.pointee = OpaquePointer(Unmanaged.passRetained(value).toOpaque())
  }

  static func value<T: AnyObject>(_ pointer: OpaquePointer?, of type: T.Type = T.self) throws -> T {
    guard let pointer else { throw Misuse("a handle is NULL") }
    return Unmanaged<T>.fromOpaque(UnsafeRawPointer(pointer)).takeUnretainedValue()
  }

  static func release<T: AnyObject>(_ pointer: OpaquePointer?, of type: T.Type) {
    guard let pointer else { return }
    ForkedChild.run { Unmanaged<T>.fromOpaque(UnsafeRawPointer(pointer)).release() }
  }
}

@_cdecl("vpatch_version")
package func versionOfLibrary() -> UnsafePointer<CChar> { version }

private nonisolated(unsafe) let version = UnsafePointer(strdup(vpatchVersion)!)

@_cdecl("vpatch_free")
package func freeText(_ text: UnsafeMutableRawPointer?) { free(text) }
