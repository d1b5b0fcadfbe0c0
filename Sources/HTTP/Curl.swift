import Base
import CLoaded

/// libcurl, loaded at the first request of the process. (Functions with "..." are opaque pointers in Swift; these are
/// addresses of code, which any thread may use.)
struct Curl: @unchecked Sendable {
  let create: vp_curl_easy_init
  let free: vp_curl_easy_cleanup
  let perform: vp_curl_easy_perform
  let describe: vp_curl_easy_strerror
  let set: vp_curl_easy_setopt
  let get: vp_curl_easy_getinfo
  let append: vp_curl_slist_append
  let freeList: vp_curl_slist_free_all

  /// - Throws: `io` with the package's name where it is not installed.
  static func loaded() throws -> Curl { try once.get() }

  private static let once = Result {
    let library = try SystemLibrary("libcurl.so.4", package: "libcurl4", for: "to speak HTTP")
    let start: vp_curl_global_init = try library.function("curl_global_init")
    let curl = Curl(
      create: try library.function("curl_easy_init"), free: try library.function("curl_easy_cleanup"),
      perform: try library.function("curl_easy_perform"), describe: try library.function("curl_easy_strerror"),
      set: try library.function("curl_easy_setopt"), get: try library.function("curl_easy_getinfo"),
      append: try library.function("curl_slist_append"), freeList: try library.function("curl_slist_free_all"))
    // Not safe beside other threads of this library, hence once.
    guard start(CLong(VP_CURL_GLOBAL_ALL)) == 0 else {
      throw VPatchError(.io, "libcurl.so.4", "cannot be initialised", remedy: "reinstall it: apt-get install libcurl4")
    }
    return curl
  }
}
