// The one pool of threads. It has one thread per usable core (affinity and cgroup quota counted),
// the caller included. Workers spin briefly before they sleep, because waking a sleeping thread
// costs more than most kernels.
#pragma once

#include <cstdint>
#include <memory>
#include <type_traits>

namespace lazuli {

class ThreadPool {
 public:
  static ThreadPool& instance();

  // Threads that take part in `run`, the caller included; at least 1.
  int threads() const;

  // Limits the threads that take part from now on (1 <= count <= usable cores).
  void set_threads(int count);

  // Whether a job finds every thread waiting for it, so that it is handed over in less than 1 us.
  bool is_awake() const;

  // Calls task(i) once for each i in [0, count), on the caller and the workers, and returns when
  // all calls have returned. The first exception thrown by a task is rethrown here; an interrupt
  // ends the job between two calls (InterruptedError). A call from inside a task, or while another
  // thread's job occupies the pool, runs on the calling thread alone.
  template <class Task>
  void run(int64_t count, Task&& task) {
    using Plain = std::remove_reference_t<Task>;
    run_erased(
        count, [](void* t, int64_t i) { (*static_cast<Plain*>(t))(i); },
        const_cast<void*>(static_cast<const void*>(std::addressof(task))));
  }

 private:
  ThreadPool();
  void run_erased(int64_t count, void (*call)(void*, int64_t), void* task);
  struct State;
  State* state_;
};

}  // namespace lazuli
