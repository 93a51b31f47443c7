// Copyright 2026 SERL ROS 2 maintainers. SPDX-License-Identifier: Apache-2.0
#include "heap_counter.hpp"

#include <atomic>
#include <cerrno>
#include <cstddef>

namespace
{
std::atomic<bool> counting{false};
std::atomic<unsigned long> allocations{0};

void count()
{
  if (counting)
  {
    ++allocations;
  }
}
}  // namespace

namespace heap_counter
{
void start()
{
  allocations = 0;
  counting = true;
}

unsigned long stop()
{
  counting = false;
  return allocations;
}
}  // namespace heap_counter

// An executable's own allocation functions replace those of every library in it; glibc keeps the
// originals under these names.
extern "C" {
void * __libc_malloc(std::size_t size);
void * __libc_calloc(std::size_t items, std::size_t size);
void * __libc_realloc(void * memory, std::size_t size);
void * __libc_memalign(std::size_t alignment, std::size_t size);

void * malloc(std::size_t size) noexcept
{
  count();
  return __libc_malloc(size);
}
void * calloc(std::size_t items, std::size_t size) noexcept
{
  count();
  return __libc_calloc(items, size);
}
void * realloc(void * memory, std::size_t size) noexcept
{
  count();
  return __libc_realloc(memory, size);
}
void * aligned_alloc(std::size_t alignment, std::size_t size) noexcept
{
  count();
  return __libc_memalign(alignment, size);
}
int posix_memalign(void ** memory, std::size_t alignment, std::size_t size) noexcept
{
  count();
  *memory = __libc_memalign(alignment, size);
  return *memory == nullptr ? ENOMEM : 0;
}
}
