import Base
import Images

extension VisionModel {
  /// Digest of everything that features depend on besides the image and its preprocessing: the tower's exact tensors,
  /// which of its outputs are used, and the arithmetic.
  ///
  /// Reads the whole tower; call once per model.
  func towerDigest(_ compute: Compute) throws -> ContentDigest {
    precondition(!isTowerTuned, "the features of a tuned tower change")
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
  /// Identifies an image by everything that its features depend on besides the tower.
  struct Known {
    /// SHA-256 of its file.
    let image: ContentDigest
    let plan: ImagePlan
    /// SHA-256 of the preprocessing settings.
    let processing: ContentDigest
  }

  /// Maximum patches whose pixels are held at once, unless a single image has more: a photo may have tens of thousands.
  static let together = 16_384

  /// Features of images from a frozen tower. Those of repeated or cached images are bitwise the same, without computing
  /// them again.
  /// - Parameter pixels: makes the pixels of some of the images.
  /// - Throws: `invalid` if an image does not fit this model.
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
        precondition(made.plan == images[i].plan, "pixels do not fit the plan")
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
