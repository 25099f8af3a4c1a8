// Signals kept from a thread for a scope; threads started inside begin, and stay, without them.
//
// oneDNN's generated products use the stack pointer as a general register, so a handler that ran
// between two of their instructions would write its frame over the heap.
#pragma once

#include <pthread.h>
#include <signal.h>

#include <initializer_list>

namespace lazuli {

class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    for (int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL}) sigdelset(&all, fault);
    pthread_sigmask(SIG_BLOCK, &all, &before_);
  }
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t before_;
};

}  // namespace lazuli
