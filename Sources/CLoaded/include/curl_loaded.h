// The part of libcurl.so.4 that vpatch calls. The library is loaded at run time, so its headers are not needed to build.
// Its interface and these numbers have been stable since 2006 (curl's docs/libcurl/ABI.md). Swift cannot call functions
// with "...", so each kind of argument has a function here.
#pragma once
#include <stddef.h>

typedef int (*vp_curl_global_init)(long flags);
typedef void *(*vp_curl_easy_init)(void);
typedef void (*vp_curl_easy_cleanup)(void *handle);
typedef int (*vp_curl_easy_perform)(void *handle);
typedef const char *(*vp_curl_easy_strerror)(int code);
typedef void *(*vp_curl_slist_append)(void *list, const char *text);
typedef void (*vp_curl_slist_free_all)(void *list);
typedef int (*vp_curl_easy_setopt)(void *handle, int option, ...);
typedef int (*vp_curl_easy_getinfo)(void *handle, int info, ...);

/// Gets `count` bytes, and returns how many it took: any other number ends the transfer.
typedef size_t (*vp_curl_write)(char *bytes, size_t size, size_t count, void *context);
/// Called about once a second, and more often while bytes arrive. A result other than 0 ends the transfer.
typedef int (*vp_curl_progress)(void *context, long long, long long, long long, long long);

int vp_curl_set_long(vp_curl_easy_setopt set, void *handle, int option, long value);
int vp_curl_set_pointer(vp_curl_easy_setopt set, void *handle, int option, const void *value);
int vp_curl_set_offset(vp_curl_easy_setopt set, void *handle, int option, long long value);
int vp_curl_set_write(vp_curl_easy_setopt set, void *handle, vp_curl_write function, void *context);
int vp_curl_set_progress(vp_curl_easy_setopt set, void *handle, vp_curl_progress function, void *context);
int vp_curl_get_long(vp_curl_easy_getinfo get, void *handle, int info, long *value);

enum {
  VP_CURL_GLOBAL_ALL = 3,

  VP_CURLOPT_POSTFIELDS = 10015,
  VP_CURLOPT_URL = 10002,
  VP_CURLOPT_ERRORBUFFER = 10010,
  VP_CURLOPT_HTTPHEADER = 10023,
  VP_CURLOPT_CUSTOMREQUEST = 10036,
  VP_CURLOPT_USERAGENT = 10018,
  VP_CURLOPT_PROTOCOLS_STR = 10318,
  VP_CURLOPT_PROTOCOLS = 181,
  VP_CURLOPT_NOSIGNAL = 99,
  VP_CURLOPT_NOPROGRESS = 43,
  VP_CURLOPT_FOLLOWLOCATION = 52,
  VP_CURLOPT_POST = 47,
  VP_CURLOPT_CONNECTTIMEOUT_MS = 156,
  VP_CURLOPT_TIMEOUT_MS = 155,
  VP_CURLOPT_SSL_VERIFYPEER = 64,
  VP_CURLOPT_SSL_VERIFYHOST = 81,
  VP_CURLOPT_POSTFIELDSIZE_LARGE = 30120,

  VP_CURLINFO_RESPONSE_CODE = 0x200002,

  VP_CURLE_OK = 0,
  VP_CURLE_UNSUPPORTED_PROTOCOL = 1,
  VP_CURLE_URL_MALFORMAT = 3,
  VP_CURLE_COULDNT_RESOLVE_HOST = 6,
  VP_CURLE_COULDNT_CONNECT = 7,
  VP_CURLE_WRITE_ERROR = 23,
  VP_CURLE_OPERATION_TIMEDOUT = 28,
  VP_CURLE_SSL_CONNECT_ERROR = 35,
  VP_CURLE_ABORTED_BY_CALLBACK = 42,
  VP_CURLE_GOT_NOTHING = 52,
  VP_CURLE_RECV_ERROR = 56,
  VP_CURLE_PEER_FAILED_VERIFICATION = 60,

  VP_CURLPROTO_HTTP = 1,
  VP_CURLPROTO_HTTPS = 2,
  VP_CURL_ERROR_SIZE = 256,
};
