// Prototypes of functions in libraries that are loaded at run time (SystemLibrary).
#pragma once
#include "curl_loaded.h"
#include "openblas_loaded.h"
#include "xxhash_loaded.h"
