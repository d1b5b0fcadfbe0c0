// This target is the header of the C interface. Its functions are in Sources/LibVPatch.
#include "vpatch.h"
