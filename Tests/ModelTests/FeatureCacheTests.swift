import Base
import Foundation
import Synchronization
import TestModels
import Testing

@testable import Model

/// Features of images, kept on disk.
@Suite("Vision: feature cache") struct FeatureCacheTests {
  static let processing = SHA256Hasher.hash("processing")

  /// The rows of all images of a fixture by way of a cache, and how many of them had to be computed.
  static func rows(_ fixture: VisionFixture, _ cache: FeatureCache) throws -> (rows: [Float], computed: Int) {
    let pass = try fixture.pass()
    var computed = 0
    let known = fixture.images.enumerated().map { i, image in
      VisionPass.Known(image: SHA256Hasher.hash("image \(i)"), plan: image.plan, processing: processing)
    }
    let features = try pass.features(of: known, cache: cache) { which in
      computed += which.count
      return which.map { fixture.images[$0] }
    }
    return try withExtendedLifetime(pass) { (try fixture.rows(at: pass.forward(features)), computed) }
  }

  @Test("the same bits as computed, from the second time on", arguments: VisionFixture.all)
  func bits(name: String) throws {
    let folder = try TestFolder()
    let cache = FeatureCache(folder: folder["a/features"], limit: 1 << 20)
    let fixture = try VisionFixture(name)
    let expected = try fixture.rows(fixture.pass())
    let first = try Self.rows(fixture, cache)
    #expect(first.rows == expected && first.computed == fixture.images.count)
    let second = try Self.rows(VisionFixture(name, threads: 1), FeatureCache(folder: cache.folder, limit: 1 << 20))
    #expect(second.rows == expected && second.computed == 0)
    #expect(try folder.names(in: "a/features").count == fixture.images.count && !cache.hasFailed)
  }

  @Test("another tower, another layer, other processing, another image are other features") func keys() throws {
    let folder = try TestFolder()
    let cache = FeatureCache(folder: folder.path, limit: 1 << 20)
    _ = try Self.rows(VisionFixture("llava-dinov2"), cache)
    let deeper = try VisionFixture("llava-dinov2") { $0.setting("vision_feature_layer", to: JSON(1)) }
    #expect(try Self.rows(deeper, cache).computed == 2)
    let tuned = try VisionFixture("llava-dinov2")
    let digest = try tuned.pass().towerDigest()
    let weight = tuned.weights.parameters.first { $0.name.hasSuffix("1.mlp.fc2.weight") }!
    weight.beginTuning()
    #expect(try VisionModel(tuned.config, tuned.weights).isTowerTuned)
    // The projector is no part of what is kept.
    weight.endTuning()
    tuned.weights.parameter(named: "multi_modal_projector.linear_1.weight")!.beginTuning()
    #expect(try tuned.pass().towerDigest() == digest)
    let pass = try tuned.pass()
    let image = tuned.images[0]
    func isComputed(_ image: String, _ processing: String) throws -> Bool {
      var computed = 0
      let known = VisionPass.Known(
        image: SHA256Hasher.hash(image), plan: tuned.images[0].plan, processing: SHA256Hasher.hash(processing))
      // Twice in a row of images it is looked at once.
      _ = try pass.features(of: [known, known], cache: cache) { which in
        computed += which.count
        return which.map { _ in tuned.images[0] }
      }
      #expect(computed < 2)
      return computed == 1
    }
    #expect(image.plan == tuned.images[1].plan)
    #expect(try !isComputed("image 0", "processing") && !isComputed("image 1", "processing"))
    #expect(try isComputed("image 0", "other") && isComputed("image 2", "processing"))
    #expect(try !isComputed("image 2", "processing"))
  }

  @Test("a damaged file, a cut one, and one under another's name count as missing") func damage() throws {
    let folder = try TestFolder()
    let cache = FeatureCache(folder: folder.path, limit: 1 << 20)
    let fixture = try VisionFixture("llava-next")
    let expected = try Self.rows(fixture, cache).rows
    let names = try folder.names()
    #expect(names.count == 2)
    let (one, other) = (try folder.bytes(names[0]), try folder.bytes(names[1]))
    for damaged in [
      [], Array(one.dropLast()), one + [0], one.dropLast(40) + [one[one.count - 40] ^ 1] + one.suffix(39),
    ] {
      try folder.write(names[0], damaged)
      let again = try Self.rows(fixture, cache)
      #expect(again.computed == 1 && again.rows == expected)
      #expect(try folder.bytes(names[0]) == one)
    }
    try folder.write(names[0], other)
    #expect(try Self.rows(fixture, cache).computed == 1)
    // A killed process's temporary file goes when it is old; one that may be at work stays.
    let (old, new) = (TemporaryFiles.name(for: names[0]), TemporaryFiles.name(for: names[0]))
    for (name, age) in [(old, 90_000.0), (new, 0), (".bashrc", 90_000), ("other.features", 90_000)] {
      try folder.write(name, "half of it")
      try FileManager.default.setAttributes(
        [.modificationDate: Date(timeIntervalSinceNow: -age)], ofItemAtPath: folder[name])
    }
    FeatureCache(folder: folder.path, limit: 1 << 20).keep(Floats(zeros: 1), as: SHA256Hasher.hash("one more"))
    #expect(!folder.exists(old) && folder.exists(new) && folder.exists(".bashrc") && folder.exists("other.features"))
  }

  @Test("what was not used for longest goes first") func bound() throws {
    let folder = try TestFolder()
    let cache = FeatureCache(folder: folder.path, limit: 20_000)
    let values = Floats(zeros: 1000)
    func key(_ i: Int) -> ContentDigest { SHA256Hasher.hash("\(i)") }
    for i in 0..<12 {
      cache.keep(values, as: key(i))
      // The first is used all the time.
      let name = key(i).hex + ".features"
      if folder.exists(name) {
        try FileManager.default.setAttributes(
          [.modificationDate: Date(timeIntervalSince1970: Double(i))], ofItemAtPath: folder[name])
      }
      _ = cache.values(key(0), count: 1000)
    }
    #expect(cache.values(key(0), count: 1000) != nil && cache.values(key(11), count: 1000) != nil)
    #expect(cache.values(key(1), count: 1000) == nil && cache.values(key(2), count: 1000) == nil)
    let bytes = try folder.names().reduce(0) { try $0 + folder.bytes($1).count }
    #expect(bytes <= 20_000 && bytes > 12_000)
    #expect(cache.values(key(0), count: 999) == nil)
    // What alone is too large is not kept, and nothing goes for it.
    cache.keep(Floats(zeros: 6000), as: key(99))
    #expect(try folder.names().reduce(0) { try $0 + folder.bytes($1).count } == bytes)
  }

  @Test("where nothing can be kept the work goes on, and says so") func readOnly() throws {
    let folder = try TestFolder()
    try folder.write("file", "")
    let errors = Mutex<[VPatchError]>([])
    let cache = FeatureCache(folder: folder["file/below"], limit: 1 << 20) { error in
      errors.withLock { $0.append(error) }
    }
    let fixture = try VisionFixture("llava-clip")
    #expect(try Self.rows(fixture, cache).rows == fixture.rows(fixture.pass()))
    // Of several images the first alone: the others are not even tried.
    #expect(fixture.images.count > 1 && errors.withLock { $0.count } == 1)
  }

  @Test("several at once") func concurrent() async throws {
    let folder = try TestFolder()
    let path = folder.path
    await withTaskGroup(of: Bool.self) { group in
      for worker in 0..<4 {
        group.addTask {
          let cache = FeatureCache(folder: path, limit: 12_000)
          for i in 0..<20 {
            let key = SHA256Hasher.hash("\((i * 7 + worker) % 10)")
            let number = Float((i * 7 + worker) % 10)
            if let held = cache.values(key, count: 300) {
              guard held.array.allSatisfy({ $0 == number }) else { return false }
            } else {
              cache.keep(Floats([Float](repeating: number, count: 300)), as: key)
            }
          }
          return !cache.hasFailed
        }
      }
      for await isRight in group { #expect(isRight) }
    }
  }

  @Test("its folder") func place() throws {
    func folder(_ variables: [String: String]) throws -> String { try FeatureCache.defaultFolder { variables[$0] } }
    #expect(try folder(["XDG_CACHE_HOME": "/c", "HOME": "/h"]) == "/c/vpatch/features")
    #expect(try folder(["XDG_CACHE_HOME": "c", "HOME": "/h"]) == "/h/.cache/vpatch/features")
    #expect(throws: VPatchError.self) { try folder([:]) }
  }
}
