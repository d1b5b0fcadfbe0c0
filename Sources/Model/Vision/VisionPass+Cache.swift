import Base
import Families
import Images

extension VisionModel {
  /// All that the features of an image depend on, besides the image and how it was made into pixels: the tower's
  /// tensors to the bit, what of it is read, and the arithmetic.
  ///
  /// It reads the whole tower, once for a model.
  func towerDigest(_ compute: Compute) throws -> ContentDigest {
    precondition(!isTowerTuned, "the features of a tower that is being tuned do not stay the same")
    let tensors = try Parallel.map(tower.parameters.count, threads: compute.threads) { i in
      let parameter = tower.parameters[i]
      let hasher = parameter.info.fingerprintHasher()
      hasher.update(UnsafeRawBufferPointer(start: parameter.bytes, count: parameter.info.byteCount))
      return hasher.finalize().hex
    }
    let it = config.tower
    let lines =
      [
        "vpatch.tower.1", "\(it.family) \(it.heads) \(it.patchSize) \(it.imageSize) \(it.activation)",
        "\(it.normEpsilon.bitPattern) \(config.featureLayers) \(config.dropsFirst)",
        "\(it.windows?.side ?? 0) \((it.windows?.fullLayers ?? []).sorted())", compute.arithmetic,
      ] + tensors
    return SHA256Hasher.hash(lines.joined(separator: "\n"))
  }
}

extension VisionPass {
  /// An image, by all that its features depend on besides the tower.
  struct Known {
    /// SHA-256 of its file.
    let image: ContentDigest
    let plan: ImagePlan
    /// SHA-256 of the settings by which its pixels are made.
    let processing: ContentDigest
  }

  /// Patches whose pixels are held at once, where one image has not more: a photograph may have tens of thousands.
  static let together = 16_384

  /// What a frozen tower makes of images: of one that occurs several times, or that is in the cache, to the same bits
  /// without looking again.
  /// - Parameter pixels: makes those of some of the images.
  /// - Throws: `invalid` where an image is not for this model.
  func features(
    of images: [Known], cache: FeatureCache?, pixels: (_ which: [Int]) throws -> [PixelValues]
  ) throws -> [ImageFeatures] {
    let keys = try images.map(key)
    var known: [ContentDigest: ImageFeatures] = [:]
    var missing: [Int] = []
    for (i, key) in keys.enumerated() where known[key] == nil && !missing.contains(where: { keys[$0] == key }) {
      if let kept = try cache.flatMap({ try kept(images[i].plan, key, in: $0) }) {
        known[key] = kept
      } else {
        missing.append(i)
      }
    }
    let sizes = try missing.map { try model.config.pieces(images[$0].plan).patches }
    for portion in Batches.split(sizes, limit: Self.together) {
      let part = Array(missing[portion])
      for (i, made) in zip(part, try features(of: pixels(part))) {
        precondition(made.plan == images[i].plan, "pixels of another plan")
        cache?.keep(made.values, as: keys[i])
        known[keys[i]] = made
      }
    }
    return keys.map { known[$0]! }
  }

  private func key(_ image: Known) throws -> ContentDigest {
    let parts = [try towerDigest().hex, image.image.hex, image.processing.hex, "\(image.plan.shape)"]
    return SHA256Hasher.hash((["vpatch.image.1"] + parts).joined(separator: "\n"))
  }

  private func kept(_ plan: ImagePlan, _ key: ContentDigest, in cache: FeatureCache) throws -> ImageFeatures? {
    let (rows, width) = (try featureRows(plan), model.config.featureWidth)
    return cache.values(key, count: rows * width).map { ImageFeatures(plan, rows: rows, width: width, values: $0) }
  }
}
