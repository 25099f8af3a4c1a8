// What the emulated GPU says of itself.
#pragma once

#include <cstddef>

namespace emulated {

constexpr const char* device_name = "emulated GPU";
constexpr int driver_version = 13000;
constexpr int multiprocessors = 4;
constexpr int clock_khz = 1000000, bus_bits = 512;
constexpr int l2_bytes = 4 << 20;
constexpr int threads_per_block_max = 1024, threads_per_multiprocessor = 2048;
constexpr int blocks_per_multiprocessor_max = 32;
constexpr unsigned shared_bytes_default = 48 << 10, shared_bytes_max = 227 << 10;
constexpr unsigned shared_bytes_per_multiprocessor = 228 << 10, shared_bytes_reserved = 1 << 10;
constexpr unsigned argument_bytes_max = 32764;

// LAZULI_EMULATED_CAPABILITY, such as 90 for 9.0; by default 99, an architecture that no kernel is
// compiled ahead for.
int capability();
// LAZULI_EMULATED_MEMORY_MB, by default 2048.
size_t memory_bytes();
// LAZULI_EMULATED_GUARD=1: every allocation lies against an inaccessible page.
bool has_guard_pages();
// LAZULI_EMULATED_DELAY=1: a pause of random length before each piece of work of a stream.
bool has_random_delays();

}  // namespace emulated
