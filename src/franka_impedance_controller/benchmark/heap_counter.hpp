// Copyright 2026 SERL ROS 2 maintainers. SPDX-License-Identifier: Apache-2.0
#pragma once

/// Counts heap allocations of a whole executable, its libraries included: link heap_counter.cpp.
namespace heap_counter
{

void start();          ///< from zero
unsigned long stop();  ///< allocations since start

}  // namespace heap_counter
