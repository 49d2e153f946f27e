// The kernels Nabla calls, one header a family. Every kernel works on one range of elements or rows and on one thread;
// Swift splits the work (see NablaTensor/Threads.swift). Families that split it themselves say so.
#pragma once
#include "attention.h"
#include "conversion.h"
#include "convolution.h"
#include "crossentropy.h"
#include "elementwise.h"
#include "indexing.h"
#include "matmul.h"
#include "normalization.h"
#include "optimizer.h"
#include "pooling.h"
#include "quantization.h"
#include "random.h"
#include "reduction.h"
#include "rotary.h"
#include "softmax.h"
#include "threads.h"
