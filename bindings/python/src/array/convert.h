// Python values to arrays and back.
#pragma once

#include <optional>

#include "array/array_object.h"

namespace lazuli::python {

bool is_number(PyObject* object);  // bool, int, float, complex or one of NumPy's scalars

// A 0-d array of a Python number. Without a dtype: bool, int32 or int64, float32, complex64.
// ValueError if an integer does not fit 64 bits, or the dtype.
array from_number(PyObject* number, std::optional<Dtype> dtype);
// Beside an array.
array from_weak_number(PyObject* number, Dtype beside);
// Beside an array it is compared with: an integer that does not fit is as good as an infinity.
array from_compared_number(PyObject* number, Dtype beside);
using NumberBeside = array (*)(PyObject* number, Dtype beside);

// Nested lists and tuples of numbers or arrays.
array from_sequence(PyObject* sequence, std::optional<Dtype> dtype);

// Objects with the buffer protocol, or with __dlpack__. `copy`: false demands that the memory is
// shared and ValueError otherwise.
bool has_buffer(PyObject* object);
array from_buffer(PyObject* object, std::optional<Dtype> dtype, bool copy = true);
// Without a wish, the GPU's memory is shared and the host's copied.
array from_dlpack(PyObject* object, std::optional<Dtype> dtype, std::optional<bool> copy);
nb::object asarray(nb::handle object, std::optional<Dtype> dtype, std::optional<bool> copy);
[[noreturn]] void refuse_sharing(const char* why);

// Everything the constructor takes.
array from_any(PyObject* object, std::optional<Dtype> dtype);
// Operands of functions: numbers, arrays and buffers, no lists.
array from_operand(PyObject* object);
// Both operands of a binary operation, a number yielding to the dtype of an array.
std::pair<array, array> from_operands(PyObject* a, PyObject* b,
                                      NumberBeside from_number_beside = from_weak_number);

PyObject* to_number(const array& a);  // of an array of size 1
PyObject* to_list(const array& a);

// A constant is one element with strides of 0. Before its memory is given away the array takes over
// a dense value, so that what others write reaches one element. Evaluates.
void unfold_constant(array& a);
bool is_constant(const Shape& shape, const Strides& strides);
// In elements; row-major ones for dense memory, whatever the strides of its axes of extent 1 are.
Strides exported_strides(const Shape& shape, const Strides& strides);

// Buffer protocol slots, and the methods of NumPy and of DLPack.
int get_buffer(PyObject* object, Py_buffer* view, int flags);
void release_buffer(PyObject* object, Py_buffer* view);
void register_buffers(nb::module_& module);
void register_dlpack(nb::module_& module);

}  // namespace lazuli::python
