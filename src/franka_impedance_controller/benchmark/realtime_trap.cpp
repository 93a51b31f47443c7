// Copyright 2026 SERL ROS 2 maintainers. SPDX-License-Identifier: Apache-2.0
#include "realtime_trap.hpp"

#include <dlfcn.h>
#include <pthread.h>

#include <cerrno>
#include <cstddef>
#include <ctime>

namespace
{

thread_local bool armed = false;
thread_local realtime_trap::Calls calls;

void count(unsigned long realtime_trap::Calls::* counter)
{
  if (armed)
  {
    ++(calls.*counter);
  }
}

void count_allocation() { count(&realtime_trap::Calls::allocations); }
void count_lock() { count(&realtime_trap::Calls::locks); }

/// The function of that name which this executable's own hides.
template <typename Function>
Function * hidden(Function *, const char * name)
{
  return reinterpret_cast<Function *>(dlsym(RTLD_NEXT, name));
}

}  // namespace

namespace realtime_trap
{
void arm()
{
  calls = Calls{};
  armed = true;
}

Calls disarm()
{
  armed = false;
  return calls;
}
}  // namespace realtime_trap

// An executable's own functions replace those of every library in it. For the heap glibc keeps the
// originals under these names, which are there even before dlsym is.
extern "C" {
void * __libc_malloc(std::size_t size);
void * __libc_calloc(std::size_t items, std::size_t size);
void * __libc_realloc(void * memory, std::size_t size);
void * __libc_memalign(std::size_t alignment, std::size_t size);
void __libc_free(void * memory);

void * malloc(std::size_t size) noexcept
{
  count_allocation();
  return __libc_malloc(size);
}
void * calloc(std::size_t items, std::size_t size) noexcept
{
  count_allocation();
  return __libc_calloc(items, size);
}
void * realloc(void * memory, std::size_t size) noexcept
{
  count_allocation();
  return __libc_realloc(memory, size);
}
void * aligned_alloc(std::size_t alignment, std::size_t size) noexcept
{
  count_allocation();
  return __libc_memalign(alignment, size);
}
int posix_memalign(void ** memory, std::size_t alignment, std::size_t size) noexcept
{
  count_allocation();
  *memory = __libc_memalign(alignment, size);
  return *memory == nullptr ? ENOMEM : 0;
}
void free(void * memory) noexcept
{
  if (memory != nullptr)  // what never was on the heap, as an empty vector, costs nothing
  {
    count(&realtime_trap::Calls::frees);
  }
  __libc_free(memory);
}

int pthread_mutex_lock(pthread_mutex_t * mutex) noexcept
{
  static const auto original = hidden(&pthread_mutex_lock, "pthread_mutex_lock");
  count_lock();
  return original(mutex);
}
int pthread_rwlock_rdlock(pthread_rwlock_t * lock) noexcept
{
  static const auto original = hidden(&pthread_rwlock_rdlock, "pthread_rwlock_rdlock");
  count_lock();
  return original(lock);
}
int pthread_rwlock_wrlock(pthread_rwlock_t * lock) noexcept
{
  static const auto original = hidden(&pthread_rwlock_wrlock, "pthread_rwlock_wrlock");
  count_lock();
  return original(lock);
}
int pthread_cond_wait(pthread_cond_t * condition, pthread_mutex_t * mutex)
{
  static const auto original = hidden(&pthread_cond_wait, "pthread_cond_wait");
  count_lock();
  return original(condition, mutex);
}
int pthread_cond_timedwait(
  pthread_cond_t * condition, pthread_mutex_t * mutex, const timespec * until)
{
  static const auto original = hidden(&pthread_cond_timedwait, "pthread_cond_timedwait");
  count_lock();
  return original(condition, mutex, until);
}
int pthread_cond_clockwait(
  pthread_cond_t * condition, pthread_mutex_t * mutex, clockid_t clock, const timespec * until)
{
  static const auto original = hidden(&pthread_cond_clockwait, "pthread_cond_clockwait");
  count_lock();
  return original(condition, mutex, clock, until);
}
}
