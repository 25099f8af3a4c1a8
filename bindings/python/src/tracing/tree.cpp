#include "tracing/tree.h"

#include "functions/random_state.h"
#include "lazuli/random.h"

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
    if (auto value = array_at(leaf)) result.push_back(*value);
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
      throw ArgumentError(
          "A tree of arrays alone is expected, but one of its leaves is of the type " +
          std::string(Py_TYPE(leaf.ptr())->tp_name) + ".");
    }
    result.push_back(value_of(leaf.ptr()));
  });
  return result;
}

Structure structure_of(nb::handle tree, std::vector<array>& arrays) {
  Structure structure;
  structure.skeleton = map_tree(tree, [&](nb::handle leaf) {
    auto value = array_at(leaf);
    if (!value) return nb::borrow(leaf);
    arrays.push_back(*value);
    ++structure.count;
    return nb::borrow(slot());
  });
  return structure;
}

bool is_slot(nb::handle leaf) { return leaf.ptr() == slot(); }

nb::object filled(const Structure& structure, const array* arrays) {
  return map_tree(structure.skeleton, [&](nb::handle leaf) {
    if (!is_slot(leaf)) return nb::borrow(leaf);
    return nb::steal(wrap(array(*arrays++)));
  });
}

namespace {

void set_item(nb::handle container, nb::handle place, nb::handle value) {
  // Past what classes make of assignments: their lists and dictionaries are trees like all others.
  int failed = PyDict_Check(container.ptr())
                   ? PyDict_SetItem(container.ptr(), place.ptr(), value.ptr())
                   : PyList_SetItem(container.ptr(), PyLong_AsSsize_t(place.ptr()),
                                    nb::borrow(value).release().ptr());
  if (failed) throw nb::python_error();
}

// A new reference, or nothing where there is no such item.
nb::object item_of(nb::handle container, nb::handle place) {
  PyObject* item = nullptr;
  if (PyDict_Check(container.ptr())) {
    item = PyDict_GetItem(container.ptr(), place.ptr());
  } else if (PyLong_AsSsize_t(place.ptr()) < PyList_Size(container.ptr())) {
    item = PyList_GetItem(container.ptr(), PyLong_AsSsize_t(place.ptr()));
  }
  return item ? nb::borrow(item) : nb::object();
}

}  // namespace

Substituted::~Substituted() {
  nb::error_scope running;  // an exception of the function may be on its way
  for (auto item = items_.rbegin(); item != items_.rend(); ++item) {
    nb::object now = item_of(item->container, item->place);
    bool changed =
        !now.is(item->shown) || (item->value && value_of(now.ptr()).node() != item->value->node());
    if (!changed) set_item(item->container, item->place, item->original);
  }
}

nb::object Substituted::put(nb::handle tree, const array*& next) {
  if (!is_branch(tree)) return nb::steal(wrap(array(*next++)));
  RecursionGuard guard;
  if (PyTuple_Check(tree.ptr())) return put_items(tree, next);
  if (PyDict_Check(tree.ptr())) {
    for (nb::handle item : nb::steal<nb::list>(PyDict_Items(tree.ptr())))
      replace(tree, item[0], item[1], next);
  } else {
    for (Py_ssize_t i = 0; i < PyList_Size(tree.ptr()); ++i)
      replace(tree, nb::int_(i), nb::borrow(PyList_GetItem(tree.ptr(), i)), next);
  }
  return nb::borrow(tree);
}

nb::object Substituted::put_items(nb::handle tuple, const array*& next) {
  nb::list items;
  for (nb::handle item : tuple) items.append(put(item, next));
  return tuple_like(tuple, items);
}

void Substituted::replace(nb::handle container, nb::handle place, nb::handle original,
                          const array*& next) {
  nb::object shown = put(original, next);
  if (shown.is(original)) return;
  std::optional<array> value;
  if (is_array(shown.ptr())) value = value_of(shown.ptr());
  set_item(container, place, shown);
  items_.push_back(
      {nb::borrow(container), nb::borrow(place), nb::borrow(original), shown, std::move(value)});
}

std::shared_ptr<Structure> shared_structure() {
  return {new Structure, [](Structure* structure) {
            if (structure->skeleton.is_valid()) release_later(structure->skeleton.release().ptr());
            delete structure;
          }};
}

std::optional<array> array_at(nb::handle leaf) {
  if (is_array(leaf.ptr())) return value_of(leaf.ptr());
  if (nb::isinstance<RandomState>(leaf)) return random::KeySequence::default_().state();
  return std::nullopt;
}

void set_array_at(nb::handle leaf, const array& value) {
  if (is_array(leaf.ptr())) {
    value_of(leaf.ptr()) = value;
  } else {
    random::KeySequence::default_().set_state(value);
  }
}

void update_tree(nb::handle tree, nb::handle source) {
  auto item = [](nb::handle target, nb::handle value, const auto& assign) {
    bool into = (is_branch(target) && is_branch(value)) || array_at(target);
    into && (is_branch(value) || is_array(value.ptr())) ? update_tree(target, value) : assign();
  };
  if (is_array(source.ptr()) && array_at(tree)) return set_array_at(tree, value_of(source.ptr()));
  if (PyDict_Check(tree.ptr()) && PyDict_Check(source.ptr())) {
    nb::dict target = nb::borrow<nb::dict>(tree);
    for (auto [key, value] : nb::borrow<nb::dict>(source)) {
      nb::object old = target.contains(key) ? nb::object(target[key]) : nb::none();
      item(old, value, [&, k = key, v = value] { target[k] = v; });
    }
    return;
  }
  if (!is_branch(tree) || !is_branch(source)) return;
  for (size_t i = 0; i < nb::len(source); ++i) {
    nb::object value = source[i];
    if (i >= nb::len(tree)) {
      if (PyList_Check(tree.ptr())) nb::borrow<nb::list>(tree).append(value);
      continue;
    }
    item(nb::object(tree[i]), value, [&] {
      if (PyList_Check(tree.ptr())) nb::borrow<nb::list>(tree)[i] = value;
    });
  }
}

}  // namespace lazuli::python
