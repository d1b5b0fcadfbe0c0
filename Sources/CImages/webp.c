#include <webp/decode.h>

#include "shared.h"

static vp_image_status failure(vp_image_error *error, VP8StatusCode code) {
  switch (code) {
    case VP8_STATUS_NOT_ENOUGH_DATA:
    case VP8_STATUS_SUSPENDED: return vp_failure(error, VP_IMAGE_TRUNCATED, "");
    case VP8_STATUS_OUT_OF_MEMORY: return vp_failure(error, VP_IMAGE_MEMORY, "");
    case VP8_STATUS_UNSUPPORTED_FEATURE:
      return vp_failure(error, VP_IMAGE_UNSUPPORTED, "libwebp does not know a feature of it");
    default: return vp_failure(error, VP_IMAGE_DAMAGED, "libwebp cannot read its data");
  }
}

vp_image_status vp_webp_size(const uint8_t *bytes, size_t count, uint32_t size[2], vp_image_error *error) {
  WebPBitstreamFeatures features;
  VP8StatusCode code = WebPGetFeatures(bytes, count, &features);
  if (code != VP8_STATUS_OK) return failure(error, code);
  if (features.has_animation) return vp_failure(error, VP_IMAGE_UNSUPPORTED, "it is an animation");
  size[0] = (uint32_t)features.width;
  size[1] = (uint32_t)features.height;
  return VP_IMAGE_OK;
}

vp_image_status vp_webp_decode(
    const uint8_t *bytes, size_t count, const uint32_t size[2], uint8_t *rgb, vp_image_error *error) {
  WebPDecoderConfig config;
  if (!WebPInitDecoderConfig(&config)) return vp_failure(error, VP_IMAGE_UNSUPPORTED, "libwebp is of another version");
  size_t stride = (size_t)size[0] * 3;
  config.output.colorspace = MODE_RGB;
  config.output.is_external_memory = 1;
  config.output.u.RGBA.rgba = rgb;
  config.output.u.RGBA.stride = (int)stride;
  config.output.u.RGBA.size = stride * size[1];
  VP8StatusCode code = WebPGetFeatures(bytes, count, &config.input);
  if (code == VP8_STATUS_OK && ((uint32_t)config.input.width != size[0] || (uint32_t)config.input.height != size[1])) {
    code = VP8_STATUS_BITSTREAM_ERROR;
  }
  if (code == VP8_STATUS_OK) code = WebPDecode(bytes, count, &config);
  WebPFreeDecBuffer(&config.output);
  return code == VP8_STATUS_OK ? VP_IMAGE_OK : failure(error, code);
}
