// The kernels Nabla calls, one header a family.
#pragma once
#include "attention.h"
#include "threads.h"
