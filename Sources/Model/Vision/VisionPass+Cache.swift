import Images
import PatchFormat

extension VisionModel {
  /// All that the features of an image depend on, besides the image and how it was made into pixels: the tower's
  /// tensors to the bit, what of it is read, and the arithmetic.
  ///
  /// It reads the whole tower, once for a model.
  func towerDigest(_ compute: Compute) throws -> Digest {
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
    return SHA256.hash(lines.joined(separator: "\n"))
  }
}

extension VisionPass {
  /// What a frozen tower makes of an image: from the cache, where it is there, to the same bits.
  /// - Parameters:
  ///   - image: SHA-256 of the image's file.
  ///   - plan: of the image.
  ///   - processing: SHA-256 of the settings by which its pixels are made.
  ///   - pixels: makes them; called only where the cache has nothing.
  /// - Throws: `invalid` where the image is not for this model.
  func features(
    of image: Digest, _ plan: ImagePlan, processing: Digest, cache: FeatureCache, pixels: () throws -> PixelValues
  ) throws -> ImageFeatures {
    let (rows, width) = (try featureRows(plan), model.config.featureWidth)
    let key = SHA256.hash(
      try ["vpatch.image.1", towerDigest().hex, image.hex, processing.hex, "\(plan.shape)"].joined(separator: "\n"))
    if let values = cache.values(key, count: rows * width) {
      return ImageFeatures(plan: plan, rows: rows, width: width, values: values)
    }
    let made = try features(of: pixels())
    precondition(made.plan == plan, "pixels of another plan")
    cache.keep(made.values, as: key)
    return made
  }
}
