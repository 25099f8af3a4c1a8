"""What is called: every public function of the package, methods, operators, and transformations of
them. A call is made from one number; describe() says what it is."""

import operator
import random
import re

import lazuli.core as mx
import numpy as np

from values import Values

# They wait for another thread, or change what the process is rather than compute.
LEFT_OUT = {"_array_from_bytes", "_Transformed", "_RandomState"}

BY_NAME = {
    "axis": Values.axes, "axes": Values.axes, "axis1": Values.axis, "axis2": Values.axis,
    "source": Values.axis, "destination": Values.axis, "shape": Values.shape,
    "indices": Values.indices, "pad_width": lambda v: v.r.choice([v.integer, v.axes, v.nested])(),
    "indices_or_sections": lambda v: v.r.choice([v.integer, v.axes, v.indices])(),
    "k": Values.integer, "kth": Values.integer, "repeats": Values.integer, "reps": Values.axes,
    "shift": Values.axes, "dtype": Values.dtype_like, "stream": Values.stream,
    "file": Values.path, "mode": Values.text, "mask": lambda v: v.r.choice(
        [lambda: None, lambda: "causal", v.array, lambda: v.array(mx.bool_)])(),
    "group_size": lambda v: v.r.choice([None, 32, 64, 128, v.integer()]),
    "bits": lambda v: v.r.choice([None, 2, 3, 4, 5, 6, 8, v.integer()]),
    "offset": lambda v: v.r.choice([v.integer, v.indices])(),
    "dims": lambda v: v.r.choice([v.integer(), *v.base[-1:]]),
    "key": lambda v: v.r.choice([lambda: None, lambda: mx.random.key(3), v.array])(),
    "num": lambda v: v.r.choice([0, 1, 2, 50, -1, v.integer()]), "seed": Values.integer,
    "fun": lambda v: function(v), "primals": lambda v: [v.array() for _ in range(v.r.randrange(3))],
    "strides": lambda v: v.r.choice([v.shape, lambda: tuple(v.integer() for _ in v.base)])(),
    "n": lambda v: v.r.choice([0, 1, 3, 17, v.integer()]),
    "m": lambda v: v.r.choice([None, 0, 1, 3, v.integer()]),
}
BY_TYPE = [("array]", lambda v: [v.array() for _ in range(v.r.randrange(4))]),
           ("scalar | array", Values.operand), ("array", Values.array),
           ("Dtype", Values.dtype_like), ("Sequence[int]", Values.shape),
           ("Stream", Values.stream), ("Device", Values.stream),
           ("bool", lambda v: v.r.random() < 0.5), ("int", Values.integer), ("float", Values.real),
           ("str", Values.text), ("dict", lambda v: {"a": v.array(), "b": v.array()})]
FUNCTIONS = [lambda *a: mx.sum(a[0]), lambda *a: mx.exp(a[0]), lambda *a: a, lambda *a: a[-1] * 2,
             lambda *a: mx.softmax(a[0], -1).sum(), lambda *a: {"x": a[0]}, lambda *a: None,
             lambda *a: mx.sort(a[0]).mean(), lambda *a: a[0] @ a[-1], lambda *a: 3]
UNARY = [operator.neg, operator.pos, operator.abs, operator.invert, len, bool, int, float, complex,
         repr, str, hash, bytes, memoryview, iter, list, operator.index, np.array, np.asarray,
         np.from_dlpack, "{:.2f}".format, "{:5}".format]
BINARY = [getattr(operator, name) for name in (
    "add sub mul truediv floordiv mod pow matmul lshift rshift and_ or_ xor lt le eq ne gt ge "
    "iadd isub imul itruediv ifloordiv imod ipow imatmul ilshift irshift iand ior ixor").split()]
UPDATES = ["add", "subtract", "multiply", "divide", "maximum", "minimum"]


def function(v):
    return v.r.choice(FUNCTIONS) if v.r.random() < 0.9 else v.odd()


def split_parameters(text):
    parts, depth, current = [], 0, ""
    for letter in text:
        depth += (letter in "([{") - (letter in ")]}")
        if letter == "," and depth == 0:
            parts.append(current.strip())
            current = ""
        else:
            current += letter
    return [part for part in [*parts, current.strip()] if part]


def parameters_of(callable_):
    """One of its signatures a list of (name, type, keyword only, has a default)."""
    result = []
    for text, *_ in getattr(callable_, "__nb_signature__", ()):
        inside = text[text.index("(") + 1:text.rindex(")")].split(") ->")[0]
        parameters, keyword_only = [], False
        for part in split_parameters(inside.replace("\n", " ")):
            if part in ("*", "/"):
                keyword_only = keyword_only or part == "*"
                continue
            name = re.match(r"\**\w+", part).group()
            kind = part[len(name):].split("=")[0].strip(" :")
            if name.lstrip("*") == "self" or name.startswith("**"):
                continue
            parameters.append((name, kind, keyword_only, "=" in part))
            keyword_only = keyword_only or name.startswith("*")
        result.append(parameters)
    return result


def argument(v, name, kind):
    if v.r.random() < 0.06:
        return v.odd()
    by_name = BY_NAME.get(name.strip("*"))
    if by_name and v.r.random() < 0.9:
        return by_name(v)
    for part, make in BY_TYPE:
        if part in kind:
            return make(v)
    return v.operand()


def arguments_for(v, callable_):
    """Positional and keyword arguments in the manner of one of the signatures."""
    signatures = parameters_of(callable_)
    if not signatures or v.r.random() < 0.03:
        some = [v.odd() if v.r.random() < 0.3 else v.operand() for _ in range(v.r.randrange(4))]
        return some, {}
    positional, keywords = [], {}
    for name, kind, keyword_only, has_default in v.r.choice(signatures):
        if name.startswith("*"):
            positional += [argument(v, name, "array") for _ in range(v.r.randrange(4))]
        elif has_default and v.r.random() < 0.5:
            keyword_only = True  # what follows is named
            if v.r.random() < 0.4:
                keywords[name] = argument(v, name, kind)
        elif keyword_only or keywords:
            keywords[name] = argument(v, name, kind)
        else:
            positional.append(argument(v, name, kind))
    return positional, keywords


def quantized_arguments(v, name):
    parts, group, bits, shape = v.quantized()
    keywords = {"group_size": group, "bits": bits}
    if v.r.random() < 0.2:
        keywords[v.r.choice(["group_size", "bits", "mode"])] = v.odd()
    if name == "dequantize":
        return parts, keywords
    transpose = v.r.random() < 0.6
    rows = v.array(shape=(*shape[:-2], v.r.choice([1, 2, 9]), shape[-1 if transpose else -2]))
    return [v.odd() if v.r.random() < 0.1 else rows, *parts, transpose], keywords


def attention_arguments(v, _):
    arrays, mask_shape = v.heads()
    mask = v.r.choice([None, "causal", v.array(mx.bool_, mask_shape), v.array(shape=mask_shape)])
    keywords = {"scale": v.real(), "mask": v.odd() if v.r.random() < 0.1 else mask}
    if v.r.random() < 0.3:
        keywords["sinks"] = v.array(shape=arrays[0].shape[1:2])
    return arrays, keywords


# Where independent arguments would hardly ever fit together.
TOGETHER = {"quantized_matmul": quantized_arguments, "dequantize": quantized_arguments,
            "fast.scaled_dot_product_attention": attention_arguments}


def public_functions():
    found = []
    for prefix, place in [("", mx)] + [(f"{name}.", getattr(mx, name)) for name in
                                       ("random", "fast", "linalg", "fft") if hasattr(mx, name)]:
        found += [(prefix + name, getattr(place, name)) for name in dir(place)
                  if callable(getattr(place, name)) and name not in LEFT_OUT
                  and not name.startswith("__")]
    return found


FUNCTION_LIST = public_functions()
# Called more often: their arguments have most ways to be odd.
LIST_OF_MANY_WAYS = 4 * [(name, function) for name, function in FUNCTION_LIST if name in
                         {*TOGETHER, "fast.rope", "as_strided", "pad", "quantize", "roll", "take",
                          "reshape", "where", "concatenate", "addmm", "matmul", "tile", "repeat"}]
METHOD_LIST = [name for name in dir(mx.array) if not name.startswith("__")
               or name in ("__array__", "__dlpack__", "__getitem__", "__format__", "__deepcopy__",
                           "__array_namespace__", "__reduce__", "__getstate__", "__dir__")]


class Call:
    """A call that follows from its number."""

    def __init__(self, number):
        self.values = v = Values(random.Random(number))
        self.number, self.arguments, self.keywords = number, [], {}
        kinds = [self.of_function] * 10 + [self.of_method] * 3 + [
            self.of_operator, self.of_operator, self.of_subscript, self.of_update,
            self.of_transformation, self.of_transformation, self.of_transformation]
        v.r.choice(kinds)()

    def of_function(self):
        v = self.values
        self.name, self.function = v.r.choice(FUNCTION_LIST + LIST_OF_MANY_WAYS)
        together = TOGETHER.get(self.name)
        if together and v.r.random() < 0.7:
            self.arguments, self.keywords = together(v, self.name)
        else:
            self.arguments, self.keywords = arguments_for(v, self.function)

    def of_method(self):
        v = self.values
        attribute = v.r.choice(METHOD_LIST)
        self.name, x = f"array.{attribute}", v.array()
        bound = getattr(mx.array, attribute)
        arguments, self.keywords = arguments_for(v, bound) if callable(bound) else ([], {})
        self.arguments = [x, *arguments]

        def run(x, *rest, **keywords):
            value = getattr(x, attribute)
            return value(*rest, **keywords) if callable(value) else value

        self.function = run

    def of_operator(self):
        v = self.values
        if v.r.random() < 0.3:
            self.function, self.arguments = v.r.choice(UNARY), [v.array()]
        else:
            other = v.odd() if v.r.random() < 0.15 else v.operand()
            self.function, self.arguments = v.r.choice(BINARY), [v.array(), other]
            if v.r.random() < 0.3:
                self.arguments.reverse()
        self.name = getattr(self.function, "__name__", "operator")

    def of_subscript(self):
        v = self.values
        self.arguments = [v.array(shape=v.base), v.subscript()]
        self.name, self.function = "getitem", operator.getitem
        if v.r.random() < 0.5:
            self.name, self.function = "setitem", put
            self.arguments.append(v.odd() if v.r.random() < 0.1 else v.operand())

    def of_update(self):
        v = self.values
        update = v.r.choice(UPDATES)
        self.name = f"at {update}"
        self.arguments = [v.array(shape=v.base), v.subscript(), v.operand()]
        self.function = lambda x, index, value: getattr(x.at[index], update)(value)

    def of_transformation(self):
        """A transformation of a call with its arrays as the arguments."""
        v = self.values
        v.r.choice([self.of_function, self.of_function, self.of_method, self.of_operator,
                    self.of_subscript, self.of_update, self.of_transformation])()
        inner, arguments, keywords = self.function, list(self.arguments), self.keywords
        places = [i for i, value in enumerate(arguments) if isinstance(value, mx.array)]
        arrays = [arguments[i] for i in places]

        def called(*given):
            filled = list(arguments)
            for place, value in zip(places, given):
                filled[place] = value
            return inner(*filled, **keywords)

        way = v.r.choice(["grad", "vjp", "jvp", "vmap", "compile", "checkpoint", "custom_function",
                          "shapeless", "grad of grad"])
        cotangents = [v.array() for _ in range(v.r.randrange(3))]
        axes = v.axis()
        self.name, self.arguments, self.keywords = f"{way} of {self.name}", arrays, {}
        self.function = lambda *given: transformed(way, called, given, cotangents, axes)

    def describe(self):
        given = [brief(a) for a in self.arguments]
        given += [f"{key}={brief(value)}" for key, value in self.keywords.items()]
        return f"{self.name}({', '.join(given)})"

    def run(self):
        """Calls, computes and reads what comes back."""
        read(self.function(*self.arguments, **self.keywords))


def put(x, index, value):
    x[index] = value
    return x


def transformed(way, called, arrays, cotangents, axes):
    arrays = list(arrays)

    def total(*given):
        leaves = arrays_in(called(*given))
        return sum((mx.sum(mx.abs(leaf).astype(mx.float32)) for leaf in leaves), mx.array(0.0))

    every = tuple(range(len(arrays)))
    if way == "grad":
        return mx.grad(total, argnums=every)(*arrays)
    if way == "grad of grad":
        first = mx.grad(total)
        return mx.grad(lambda *a: mx.sum(mx.abs(first(*a)).astype(mx.float32)))(*arrays)
    if way == "vjp":
        outputs, _ = mx.vjp(called, arrays, cotangents) if len(cotangents) == 2 else (None, None)
        if outputs is None:
            outputs = arrays_in(called(*arrays))
            return mx.vjp(called, arrays, [mx.ones_like(o) for o in outputs])
        return outputs
    if way == "jvp":
        return mx.jvp(called, arrays, cotangents or [mx.ones_like(a) for a in arrays])
    if way == "vmap":
        return mx.vmap(called, in_axes=axes)(*arrays)
    if way == "shapeless":
        return mx.compile(called, shapeless=True)(*arrays)
    return getattr(mx, way)(called)(*arrays)


def arrays_in(value):
    if isinstance(value, mx.array):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        return [leaf for item in value for leaf in arrays_in(item)]
    return []


class Wrong(Exception):
    """A result that contradicts itself."""


def read(value):
    for x in arrays_in(value)[:64]:
        mx.eval(x)
        if any(extent < 0 for extent in x.shape) or x.nbytes != x.size * x.itemsize:
            raise Wrong(f"shape {x.shape}, size {x.size}, nbytes {x.nbytes}")
        if np.prod([max(extent, 1) for extent in x.shape], dtype=float) > 1e6:
            if x.size:
                x[(-1,) * x.ndim].item()
            continue
        repr(x)
        values = x.tolist()
        data = bytes(x)
        if len(data) != x.nbytes or len(memoryview(x).tobytes()) != x.nbytes:
            raise Wrong(f"{len(data)} bytes of {x.nbytes}")
        if x.dtype != mx.bfloat16 and np.array(x).shape != x.shape:
            raise Wrong(f"shape {x.shape} but NumPy's is {np.array(x).shape}")
        if x.ndim and len(values) != x.shape[0]:
            raise Wrong(f"{len(values)} rows of {x.shape}")
        mx.sum(x.astype(mx.float32)).item()


def brief(value):
    """A short text of an argument."""
    if isinstance(value, mx.array):
        return f"{str(value.dtype).rsplit('.', 1)[-1]}{list(value.shape)}"
    if isinstance(value, (list, tuple)):
        inside = ", ".join(brief(item) for item in value[:8])
        return f"[{inside}]" if isinstance(value, list) else f"({inside})"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key!r}: {brief(item)}" for key, item in value.items()) + "}"
    if isinstance(value, np.ndarray):
        return f"numpy {value.dtype}{list(value.shape)}"
    return repr(value)[:60]
