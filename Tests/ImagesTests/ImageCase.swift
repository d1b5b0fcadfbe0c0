import Base
import Foundation

@testable import Images

/// A line of a `cases.jsonl`, as `fixtures/images/make.py` and `bench/image_cases.py` write them.
struct ImageCase {
  let folder: String
  let json: JSON

  static func all(in folder: String) throws -> [ImageCase] {
    let lines = try InputFile.contents(of: "\(folder)/cases.jsonl", limit: 1 << 28).split(separator: UInt8(ascii: "\n"))
    return try lines.dropFirst().map { ImageCase(folder: folder, json: try JSON.parse($0)) }
  }

  enum Kind { case decode, resize, process }

  var kind: Kind { json["file"] != nil ? .decode : json["resize"] != nil ? .resize : .process }

  struct Failure: Error, CustomStringConvertible { let description: String }

  private func string(_ name: String) throws -> String {
    guard let string = json[name]?.string else { throw Failure(description: "no \(name)") }
    return string
  }

  private func numbers(_ name: String) throws -> [Int] {
    guard let numbers = json[name]?.array?.compactMap(\.int) else { throw Failure(description: "no \(name)") }
    return numbers
  }

  /// `drawn` of `make.py`.
  static func drawn(_ seed: Int, _ width: Int, _ height: Int) -> RGBImage {
    let count = width * height * 3
    let pixels = [UInt8](unsafeUninitializedCapacity: count) { buffer, written in
      for i in 0..<count {
        let noise = UInt32(truncatingIfNeeded: (i + seed) &* 2_654_435_761) >> 24
        guard seed % 2 == 1 else {
          buffer[i] = UInt8(noise)
          continue
        }
        let (pixel, color) = (i / 3, i % 3)
        let value = pixel % width * 3 + pixel / width * 2 + color * 64 + Int(noise % 8)
        buffer[i] = UInt8(truncatingIfNeeded: value)
      }
      written = count
    }
    return RGBImage(width: width, height: height, pixels: pixels)
  }

  private func drawn() throws -> RGBImage {
    let drawn = try numbers("drawn")
    return Self.drawn(drawn[0], drawn[1], drawn[2])
  }

  /// What is not as it was with Pillow and transformers; nil where all is.
  func difference(_ processors: [String: ImageProcessor]) throws -> String? {
    switch kind {
    case .decode:
      let file = try ImageFile(path: "\(folder)/\(string("file"))")
      let image = try file.decode()
      guard image.width == json["width"]?.int, image.height == json["height"]?.int else {
        return "is \(image.width) × \(image.height)"
      }
      guard file.source.width == image.width, file.source.height == image.height else { return "has another header" }
      return SHA256Hasher.hash(image.pixels).hex == (try string("rgb")) ? nil : "has other pixels"
    case .resize:
      let size = try numbers("resize")
      let image = try drawn().resized(width: size[0], height: size[1], Resample(rawValue: json["resample"]!.int!)!)
      return SHA256Hasher.hash(image.pixels).hex == (try string("rgb")) ? nil : "has other pixels"
    case .process:
      let processor = processors[try string("processor")]!
      let images = json["images"]?.int ?? 1
      if json["refused"] != nil {
        let drawn = try numbers("drawn")
        do {
          _ = try processor.plan(width: drawn[1], height: drawn[2], images: images)
        } catch let error as VPatchError {
          return error.code == .refused ? nil : error.description
        }
        return "is not refused"
      }
      let values = try processor.process(drawn(), images: images)
      guard values.shape == (try numbers("shape")) else { return "has the shape \(values.shape)" }
      let bytes = values.values.withUnsafeBytes { Array($0) }
      return SHA256Hasher.hash(bytes).hex == (try string("values")) ? nil : "has other values"
    }
  }

  static func processors(in folder: String) throws -> [String: ImageProcessor] {
    var processors: [String: ImageProcessor] = [:]
    for name in try Path.entries(of: "\(folder)/processors") {
      processors[name] = try ImageProcessor(folder: "\(folder)/processors/\(name)")
    }
    return processors
  }

  /// The cases of a folder that differ, and how many of which kind there were.
  static func run(_ folder: String) throws -> (differing: [String], counts: [Kind: Int]) {
    let cases = try all(in: folder)
    let processors = try processors(in: folder)
    let differing = try Parallel.map(cases.count, threads: 2) { i -> String? in
      do {
        return try cases[i].difference(processors).map { "\($0): \(cases[i].text)" }
      } catch {
        return "\(error): \(cases[i].text)"
      }
    }
    return (differing.compactMap { $0 }, Dictionary(grouping: cases, by: \.kind).mapValues(\.count))
  }

  private var text: String { String(decoding: json.canonical(), as: UTF8.self) }
}
