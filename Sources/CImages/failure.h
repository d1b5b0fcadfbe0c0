#pragma once
#include <stdio.h>

#include "CImages.h"

static inline vp_image_status vp_failure(vp_image_error *error, vp_image_status status, const char *message) {
  error->status = status;
  snprintf(error->message, sizeof error->message, "%s", message);
  return status;
}
