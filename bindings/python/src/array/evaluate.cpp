#include "array/evaluate.h"

#include <signal.h>

#include <atomic>
#include <mutex>

#include "array/casters.h"
#include "generated/documentation.h"
#include "lazuli/interrupt.h"
#include "tracing/tree.h"

namespace lazuli::python {
namespace {

// How many evaluations the main thread, which alone is interrupted, is in.
std::atomic<int> depth{0};
unsigned long main_thread = 0;
struct sigaction chained;

// Python's own handler only notes the signal; this one tells a running evaluation too.
void on_interrupt(int number, siginfo_t* info, void* context) {
  if (depth.load(std::memory_order_relaxed) > 0) request_interrupt();
  if (chained.sa_flags & SA_SIGINFO) {
    chained.sa_sigaction(number, info, context);
  } else if (chained.sa_handler != SIG_DFL && chained.sa_handler != SIG_IGN) {
    chained.sa_handler(number);
  }
}

void install_interrupt() {
  nb::object threading = nb::module_::import_("threading");
  main_thread = nb::cast<unsigned long>(threading.attr("main_thread")().attr("ident"));
  if (sigaction(SIGINT, nullptr, &chained) != 0) return;
  // Where Python does not listen, the program wants the signal's own effect.
  if (!(chained.sa_flags & SA_SIGINFO) &&
      (chained.sa_handler == SIG_DFL || chained.sa_handler == SIG_IGN)) {
    return;
  }
  struct sigaction action = chained;
  action.sa_sigaction = on_interrupt;
  action.sa_flags |= SA_SIGINFO;
  sigaction(SIGINT, &action, nullptr);
}

// Releases the lock for a scope in which the main thread may be interrupted.
class Unlocked {
 public:
  Unlocked() : is_main_(PyThread_get_thread_ident() == main_thread) {
    if (is_main_) depth.fetch_add(1, std::memory_order_relaxed);
    state_ = PyEval_SaveThread();
  }
  ~Unlocked() {
    PyEval_RestoreThread(state_);
    if (is_main_ && depth.fetch_sub(1, std::memory_order_relaxed) == 1) clear_interrupt();
  }
  Unlocked(const Unlocked&) = delete;
  Unlocked& operator=(const Unlocked&) = delete;

 private:
  bool is_main_;
  PyThreadState* state_;
};

// ---- References dropped later -------------------------------------------------------------------
struct Released {
  std::mutex mutex;
  std::vector<PyObject*> objects;
};
Released& released() {
  static Released* r = new Released;
  return *r;
}

int drop_released(void*) {
  std::vector<PyObject*> objects;
  {
    std::lock_guard lock(released().mutex);
    objects.swap(released().objects);
  }
  for (PyObject* object : objects) Py_DECREF(object);
  return 0;
}

PyObject* error_class(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::argument:
    case ErrorKind::type:
    case ErrorKind::device: return PyExc_ValueError;
    case ErrorKind::index: return PyExc_IndexError;
    case ErrorKind::memory: return PyExc_MemoryError;
    case ErrorKind::not_found: return PyExc_KeyError;
    case ErrorKind::interrupted: return PyExc_KeyboardInterrupt;
    default: return PyExc_RuntimeError;
  }
}

void set_error(const Error& error) {
  // Python has noted the signal too; its handler decides what is raised.
  if (error.kind() == ErrorKind::interrupted && PyErr_CheckSignals() != 0) return;
  PyErr_SetString(error_class(error.kind()), error.message());
}

// What nanobind throws where a value inside of an argument is not what it must be.
constexpr const char* wrong_type = "A value is of a type that the function does not take.";

// ---- Functions ----------------------------------------------------------------------------------
PyObject* eval_function(PyObject*, PyObject* const* args, Py_ssize_t count) {
  return guarded([&]() -> PyObject* {
    if (count == 1 && is_array(args[0])) {
      evaluate(value_of(args[0]));
    } else {
      evaluate(arrays_of(args, count));
    }
    Py_RETURN_NONE;
  });
}

PyObject* async_eval_function(PyObject*, PyObject* const* args, Py_ssize_t count) {
  return guarded([&]() -> PyObject* {
    std::vector<array> arrays = arrays_of(args, count);
    Unlocked unlocked;
    async_eval(std::move(arrays));
    Py_RETURN_NONE;
  });
}

PyMethodDef functions[] = {
    {"eval", as_method(eval_function), METH_FASTCALL, documentation::eval},
    {"async_eval", as_method(async_eval_function), METH_FASTCALL, documentation::async_eval},
    {nullptr, nullptr, 0, nullptr},
};

}  // namespace

void evaluate(const array& a) {
  if (a.is_available()) return;
  array held = a;  // another thread may give the object a new value meanwhile
  Unlocked unlocked;
  held.eval();
}

void evaluate(std::vector<array> arrays) {
  Unlocked unlocked;
  eval(std::move(arrays));
}

void run_unlocked(const std::function<void()>& work) {
  Unlocked unlocked;
  work();
}

void release_later(PyObject* object) noexcept {
  bool first;
  {
    std::lock_guard lock(released().mutex);
    first = released().objects.empty();
    released().objects.push_back(object);
  }
  // If the queue of calls is full, a later release tries again.
  if (first && Py_IsInitialized() && Py_AddPendingCall(drop_released, nullptr) != 0) return;
}

void set_python_error() noexcept {
  try {
    throw;
  } catch (nb::python_error& error) {
    error.restore();
  } catch (const Error& error) {
    set_error(error);
  } catch (const std::bad_alloc&) {
    PyErr_NoMemory();
  } catch (const std::bad_cast&) {
    PyErr_SetString(PyExc_TypeError, wrong_type);
  } catch (const std::invalid_argument& error) {
    PyErr_SetString(PyExc_ValueError, error.what());
  } catch (const std::out_of_range& error) {
    PyErr_SetString(PyExc_IndexError, error.what());
  } catch (const std::exception& error) {
    PyErr_SetString(PyExc_RuntimeError, error.what());
  }
}

void register_evaluation(nb::module_& module) {
  install_interrupt();
  nb::register_exception_translator([](const std::exception_ptr& pointer, void*) {
    try {
      std::rethrow_exception(pointer);
    } catch (const Error& error) {
      set_error(error);
    } catch (const std::bad_cast&) {
      PyErr_SetString(PyExc_TypeError, wrong_type);
    } catch (const std::bad_alloc&) {
      PyErr_NoMemory();
    }
  });
  if (PyModule_AddFunctions(module.ptr(), functions) != 0) throw nb::python_error();
  module.def(
      "synchronize",
      [](StreamOrDevice s) {
        Unlocked unlocked;
        synchronize(to_stream(s));
      },
      nb::arg("stream") = nb::none(), documentation::synchronize);
}

}  // namespace lazuli::python
