#include "curl_loaded.h"

enum {
  CURLOPT_WRITEDATA = 10001,
  CURLOPT_WRITEFUNCTION = 20011,
  CURLOPT_XFERINFODATA = 10057,
  CURLOPT_XFERINFOFUNCTION = 20219,
};

int vp_curl_set_long(vp_curl_easy_setopt set, void *handle, int option, long value) {
  return set(handle, option, value);
}

int vp_curl_set_pointer(vp_curl_easy_setopt set, void *handle, int option, const void *value) {
  return set(handle, option, value);
}

int vp_curl_set_offset(vp_curl_easy_setopt set, void *handle, int option, long long value) {
  return set(handle, option, value);
}

int vp_curl_set_write(vp_curl_easy_setopt set, void *handle, vp_curl_write function, void *context) {
  int code = set(handle, CURLOPT_WRITEFUNCTION, function);
  return code ? code : set(handle, CURLOPT_WRITEDATA, context);
}

int vp_curl_set_progress(vp_curl_easy_setopt set, void *handle, vp_curl_progress function, void *context) {
  int code = set(handle, CURLOPT_XFERINFOFUNCTION, function);
  return code ? code : set(handle, CURLOPT_XFERINFODATA, context);
}

int vp_curl_get_long(vp_curl_easy_getinfo get, void *handle, int info, long *value) { return get(handle, info, value); }
