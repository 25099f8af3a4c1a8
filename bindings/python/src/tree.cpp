#include "tree.h"

namespace lazuli::python {
namespace {

struct RecursionGuard {
  RecursionGuard() {
    if (Py_EnterRecursiveCall(" in a tree")) throw nb::python_error();
  }
  ~RecursionGuard() { Py_LeaveRecursiveCall(); }
};

bool is_branch(nb::handle tree) {
  return PyList_Check(tree.ptr()) || PyTuple_Check(tree.ptr()) || PyDict_Check(tree.ptr());
}

// A tuple of the same class: named tuples are called with their fields.
nb::object tuple_like(nb::handle tree, nb::list items) {
  nb::tuple result = nb::tuple(items);
  if (PyTuple_CheckExact(tree.ptr())) return result;
  nb::handle type = tree.type();
  if (nb::hasattr(type, "_make")) return type.attr("_make")(result);
  return type(result);
}

// The leaf that stands for an array in a skeleton.
PyObject* slot() {
  static PyObject* object = PyObject_CallNoArgs(reinterpret_cast<PyObject*>(&PyBaseObject_Type));
  return object;
}

}  // namespace

void visit_leaves(nb::handle tree, const std::function<void(nb::handle)>& visit) {
  if (!is_branch(tree)) return visit(tree);
  RecursionGuard guard;
  if (PyDict_Check(tree.ptr())) {
    // A copy of the items: a leaf's visitor may run Python code.
    for (nb::handle value : nb::borrow<nb::dict>(tree).values()) visit_leaves(value, visit);
  } else {
    for (nb::handle item : tree) visit_leaves(item, visit);
  }
}

nb::object map_tree(nb::handle tree, const std::function<nb::object(nb::handle)>& map) {
  if (!is_branch(tree)) return map(tree);
  RecursionGuard guard;
  if (PyDict_Check(tree.ptr())) {
    nb::dict result;
    for (auto [key, value] : nb::borrow<nb::dict>(tree)) result[key] = map_tree(value, map);
    return result;
  }
  nb::list items;
  for (nb::handle item : tree) items.append(map_tree(item, map));
  if (PyList_Check(tree.ptr())) return items;
  return tuple_like(tree, items);
}

std::vector<array> arrays_of(nb::handle tree) {
  std::vector<array> result;
  visit_leaves(tree, [&](nb::handle leaf) {
    if (is_array(leaf.ptr())) result.push_back(value_of(leaf.ptr()));
  });
  return result;
}

std::vector<array> arrays_of(PyObject* const* trees, Py_ssize_t count) {
  std::vector<array> result;
  for (Py_ssize_t i = 0; i < count; ++i) {
    if (is_array(trees[i])) {
      result.push_back(value_of(trees[i]));
    } else {
      std::vector<array> more = arrays_of(nb::handle(trees[i]));
      result.insert(result.end(), more.begin(), more.end());
    }
  }
  return result;
}

std::vector<array> only_arrays_of(nb::handle tree) {
  std::vector<array> result;
  visit_leaves(tree, [&](nb::handle leaf) {
    if (!is_array(leaf.ptr())) {
      throw ArgumentError("A tree of arrays alone is expected, but one of its leaves is of the type " +
                          std::string(Py_TYPE(leaf.ptr())->tp_name) + ".");
    }
    result.push_back(value_of(leaf.ptr()));
  });
  return result;
}

Structure structure_of(nb::handle tree, std::vector<array>& arrays) {
  Structure structure;
  structure.skeleton = map_tree(tree, [&](nb::handle leaf) {
    if (!is_array(leaf.ptr())) return nb::borrow(leaf);
    arrays.push_back(value_of(leaf.ptr()));
    ++structure.count;
    return nb::borrow(slot());
  });
  return structure;
}

nb::object filled(const Structure& structure, const array* arrays) {
  return map_tree(structure.skeleton, [&](nb::handle leaf) {
    if (leaf.ptr() != slot()) return nb::borrow(leaf);
    return nb::steal(wrap(array(*arrays++)));
  });
}

void replace_arrays(nb::handle tree, const array*& next) {
  auto renewed = [&](nb::handle item) -> nb::object {
    if (is_array(item.ptr())) return nb::steal(wrap(array(*next++)));
    if (is_branch(item)) replace_arrays(item, next);
    return nb::object();
  };
  if (PyDict_Check(tree.ptr())) {
    for (nb::handle key : nb::borrow<nb::dict>(tree).keys()) {
      nb::object item = renewed(tree[key]);
      if (item.is_valid()) nb::borrow<nb::dict>(tree)[key] = item;
    }
  } else if (PyList_Check(tree.ptr())) {
    for (size_t i = 0; i < nb::len(tree); ++i) {
      nb::object item = renewed(tree[i]);
      if (item.is_valid()) nb::borrow<nb::list>(tree)[i] = item;
    }
  } else if (PyTuple_Check(tree.ptr())) {
    for (nb::handle item : tree) {
      if (is_array(item.ptr())) {
        value_of(item.ptr()) = *next++;  // a tuple keeps its objects; their values change
      } else if (is_branch(item)) {
        replace_arrays(item, next);
      }
    }
  }
}

}  // namespace lazuli::python
