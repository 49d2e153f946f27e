// The kernels Nabla calls, one header a family.
#pragma once
#include "threads.h"
