// Trees of Python values: nested lists, tuples and dictionaries with arrays and other leaves.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "array/array_object.h"

namespace lazuli::python {

// Calls `visit` with each leaf in order. Dictionaries go by the order of their keys' insertion.
void visit_leaves(nb::handle tree, const std::function<void(nb::handle)>& visit);

// The tree with each leaf replaced by what `map` gives. Tuples keep their class if they are named.
nb::object map_tree(nb::handle tree, const std::function<nb::object(nb::handle)>& map);

// The arrays among the leaves.
std::vector<array> arrays_of(nb::handle tree);
std::vector<array> arrays_of(PyObject* const* trees, Py_ssize_t count);

// All leaves, which must be arrays (ValueError).
std::vector<array> only_arrays_of(nb::handle tree);

// A tree whose arrays are numbered: what is left of a tree when its arrays are taken out.
struct Structure {
  nb::object skeleton;  // a mark in the place of each array
  size_t count = 0;     // arrays
};
Structure structure_of(nb::handle tree, std::vector<array>& arrays);
nb::object filled(const Structure& structure, const array* arrays);
bool is_slot(nb::handle leaf);  // stands for an array in a skeleton

// A place for a structure whose objects may be let go of while the library holds locks.
std::shared_ptr<Structure> shared_structure();

// The value of a leaf that is an array or stands for one, and a new value for it.
std::optional<array> array_at(nb::handle leaf);
void set_array_at(nb::handle leaf, const array& value);

// A tree whose arrays have other values while this exists. Lists and dictionaries stay the very
// objects; what the function that sees them puts there stays too.
class Substituted {
 public:
  Substituted() = default;
  ~Substituted();
  Substituted(const Substituted&) = delete;
  Substituted& operator=(const Substituted&) = delete;

  // The tree to show instead; `next` moves on by the number of its arrays.
  nb::object put(nb::handle tree, const array*& next);

 private:
  struct Item {
    nb::object container, place, original, shown;
    std::optional<array> value;  // of an array
  };
  nb::object put_items(nb::handle tuple, const array*& next);
  void replace(nb::handle container, nb::handle place, nb::handle original, const array*& next);

  std::vector<Item> items_;
};

// Brings `tree` to what `source` is: arrays take new values, lists and dictionaries new items.
void update_tree(nb::handle tree, nb::handle source);

}  // namespace lazuli::python
