// The values that a Python function sees besides its arguments.
#pragma once

#include <unordered_set>
#include <utility>
#include <vector>

#include "array/array_object.h"

namespace lazuli::python {

// The arrays, lists, tuples and dictionaries of some trees, by identity. They are gone through when
// the first question is asked.
class Identities {
 public:
  explicit Identities(std::vector<nb::handle> trees) : trees_(std::move(trees)) {}
  bool contains(const void* identity);

 private:
  void add(nb::handle tree);

  std::vector<nb::handle> trees_;  // those that are to be gone through
  std::unordered_set<const void*> all_;
};

// The variables of a function's closure and the globals that it names: those that hold numbers,
// strings, arrays, or lists, tuples and dictionaries of them. What attributes of objects and other
// functions hold is not seen. Of a bound method or a partial, the function is meant.
class Captures {
 public:
  explicit Captures(const nb::object& function);

  // Equal for equal values; an array is equal to itself. `known` are left out. Arrays that are told
  // apart by their address are added to `kept`.
  nb::object values(Identities& known, std::vector<array>& kept) const;

  // Variables that differ belong to the function, which changed them: they are left out from now
  // on. Whether there are any.
  bool leave_out_changes(nb::handle before, nb::handle after);

  nb::object& function() { return function_; }  // for the collector of cycles

 private:
  nb::object variable(size_t i) const;  // null where it has no value

  nb::object function_;
  std::vector<nb::object> globals_;  // names
  size_t cells_ = 0;
  std::vector<bool> left_out_;
};

}  // namespace lazuli::python
