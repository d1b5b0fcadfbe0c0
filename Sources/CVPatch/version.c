// This target is the header of the C interface. Its functions are in Sources/CInterface.
#include "vpatch.h"
