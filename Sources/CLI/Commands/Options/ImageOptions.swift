import ArgumentParser
import Model

/// Where the files that a suite or a data file names may be.
struct ImageOptions: ParsableArguments {
  @Flag(help: "Also read images outside their data file's folder, and data files outside their suite's folder.")
  var allowOutside = false
}

/// The cache of image features.
struct FeatureOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Cache folder for outputs of the image encoder (vision tower); none disables the cache. "
        + "(default: ~/.cache/vpatch/features)",
      valueName: "dir"))
  var features: String?
  @Option(
    help: ArgumentHelp(
      "Maximum size of the cache, in GB; least recently used features are deleted first.", valueName: "x"))
  var featuresLimit = 10.0

  func validate() throws {
    guard featuresLimit > 0, featuresLimit < 1e6 else {
      throw ValidationError("--features-limit must be greater than 0 and less than 1,000,000.")
    }
  }

  /// - Throws: `refused` if there is no folder for the cache.
  func cache(_ common: CommonOptions) throws -> FeatureCache? {
    if features == "none" { return nil }
    let folder = try features ?? FeatureCache.defaultFolder()
    return FeatureCache(folder: folder, limit: Int(featuresLimit * 1e9)) { error in
      common.note("image features cannot be cached and are computed again each time: \(error.description)")
    }
  }
}
