"""Each check of ./dev tidy finds what it is for, and leaves alone what is in order."""

import os

from conftest import ROOT
from tidy import dead, formatting, layers, sizes, words
from tidy.source import blank


def places(findings):
    return sorted((finding.path, finding.line) for finding in findings)


def test_blank_keeps_lines_and_columns():
    text = 'int a; // printf(\nconst char* s = "abort()"; /* exit(\n1) */ int b; char c = \'"\';\n'
    code = blank(text)
    assert len(code) == len(text)
    assert code.count("\n") == text.count("\n")
    assert "printf" not in code and "abort" not in code and "exit" not in code
    assert "int b;" in code


def test_blank_understands_digit_separators_and_raw_strings():
    assert "tail()" in blank("int n = 1'000'000; tail();")
    assert "abort" not in blank('auto s = R"(abort() "quoted")";')


def test_an_include_against_the_layers_is_found_at_its_line(checkout):
    tree = checkout({
        "src/base/a.h": '#pragma once\n#include "core/b.h"\n',
        "src/core/b.h": '#pragma once\n#include "base/a.h"\n',
        "src/backends/cpu/k.cpp": '#include "backends/reference/r.h"\n',
        "src/backends/reference/r.h": '#include "compiler/plan.h"\n',
        "src/compiler/plan.h": '#include "ops/add.h"\n#include "ops/table/op.h"\n',
        "src/ops/add.h": "",
        "src/ops/table/op.h": "",
        "models/llm/g.cpp": '#include "base/a.h"\n#include "lazuli/ops.h"\n#include <vector>\n',
        "include/lazuli/ops.h": "",
    })
    assert places(layers.check(tree)) == [
        ("models/llm/g.cpp", 1), ("src/backends/cpu/k.cpp", 1), ("src/base/a.h", 2),
        ("src/compiler/plan.h", 1)]


def test_a_commented_include_does_not_count(checkout):
    tree = checkout({"src/base/a.h": '// #include "core/b.h"\n/*\n#include "core/b.h"\n*/\n',
                     "src/core/b.h": ""})
    assert not list(layers.check(tree))


def test_public_headers_have_layers_too(checkout):
    tree = checkout({
        "src/core/a.cpp": '#include "lazuli/dtype.h"\n#include "lazuli/ops.h"\n',
        "src/ops/a.cpp": '#include "lazuli/ops.h"\n',
        "include/lazuli/dtype.h": "", "include/lazuli/ops.h": "",
    })
    assert places(layers.check(tree)) == [("src/core/a.cpp", 2)]


def test_only_the_registry_sees_backends(checkout):
    tree = checkout({
        "src/runtime/registry.cpp": '#include "backends/cpu/cpu.h"\n',
        "src/runtime/other.cpp": '#include "backends/cpu/cpu.h"\n',
        "src/backends/cpu/cpu.h": "",
    })
    assert places(layers.check(tree)) == [("src/runtime/other.cpp", 1)]


FUNCTIONS = """
namespace a {
class C {
  int small() const { return 1; }
  void with_init(int x) noexcept {
    if (x) {
      x = 2;
    }
  }
};
template <class T>
std::vector<T> made(const T& x,
                    int n = f(3)) {
  auto inner = [&] {
    return n;
  };
  return {x, inner()};
}
bool operator==(const C& a, const C& b) {
  return true;
}
int table[] = {1,
  2};
enum class E {
  one,
};
}  // namespace a
"""


def test_functions_are_measured_from_their_header_to_their_brace():
    found = {name: size for name, _, size in sizes.cpp_functions(blank(FUNCTIONS))}
    assert found == {"small": 1, "with_init": 5, "made": 8, "operator==": 3}


def test_constructors_with_initialisers_are_functions():
    code = "A::A(int x)\n    : x_(x), y_(f(x)) {\n  g();\n}\n"
    assert [(name, size) for name, _, size in sizes.cpp_functions(code)] == [("A::A", 4)]


def long_function(name, lines):
    return f"int {name}() {{\n" + "  f();\n" * (lines - 2) + "}\n"


def test_sizes_over_their_limits_are_found(checkout):
    tree = checkout({
        "src/ops/long.cpp": long_function("far_too_long", 71),
        "src/ops/fine.cpp": long_function("just_fits", 70),
        "src/backends/cpu/kernels/k.cpp": long_function("kernel", 120),
        "src/ops/lines.cpp": "int a;\n" * 501,
        "src/ops/wide.cpp": "// " + "x" * 98 + "\n// " + "x" * 97 + "\n",
    })
    assert places(sizes.check(tree, {})) == [
        ("src/ops/lines.cpp", 1), ("src/ops/long.cpp", 1), ("src/ops/wide.cpp", 1)]


def test_the_ratchet_allows_its_size_and_no_more(checkout):
    tree = checkout({"src/ops/long.cpp": long_function("long_one", 80)})
    assert not list(sizes.check(tree, {"function src/ops/long.cpp long_one": 80}))
    assert len(list(sizes.check(tree, {"function src/ops/long.cpp long_one": 79}))) == 1


def test_no_ratchet_allows_800_lines(checkout):
    tree = checkout({"src/ops/long.cpp": "int a;\n" * 801})
    assert len(list(sizes.check(tree, {"file src/ops/long.cpp": 900}))) == 1


def test_a_crowded_folder_is_found(checkout):
    tree = checkout({f"src/ops/f{number}.cpp": "" for number in range(26)})
    assert [finding.path for finding in sizes.check(tree, {})] == ["src/ops"]


def test_calls_that_print_or_end_the_process_are_found_outside_base(checkout):
    tree = checkout({
        "src/base/flags.cpp": 'auto v = getenv("A");\n',
        "src/ops/a.cpp": 'int a = std::getenv("A") != nullptr;\nstd::cerr << 1;\n// abort();\n'
                         'fprintf(stderr, "exit()");\nsnprintf(b, 1, "");\ns.exit();\nabort();\n',
        "apps/lazuli/main.cpp": 'printf("hello");\n',
    })
    assert places(words.check(tree)) == [("src/ops/a.cpp", line) for line in (1, 2, 4, 7)]


def test_parameters_taken_by_number_are_found(checkout):
    tree = checkout({
        "src/ops/table/params.h": "int64_t first = params[0];\n",
        "src/core/node.cpp": "int64_t first = node->params[0];\n",
        "src/backends/cpu/kernels/k.cpp": "int a = call.node->params[0];\n// params[1]\n"
                                          "int b = r.params()[1];\nint c = all_params[0];\n",
        "tests/ops/a.cpp": "int a = node->params[0];\n",
    })
    assert places(words.check(tree)) == [("src/backends/cpu/kernels/k.cpp", line)
                                         for line in (1, 3)]


def test_machine_paths_and_hosts_are_found(checkout):
    tree = checkout({
        "README.md": "See /ro" + "ot/secret\nand docs/work/plan\nand py" + "pi.org\n",
        "data.bin": "\0/ro" + "ot/x",
    })
    assert places(words.check(tree)) == [("README.md", 1), ("README.md", 3)]


def test_dead_files_are_found(checkout):
    tree = checkout({
        "src/elsewhere/a.cpp": "", "src/ops/a.cpp": '#include "ops/used.h"\n',
        "src/ops/used.h": "", "src/ops/unused.h": "", "src/ops/rows.def": "",
        "bench/add_bench.cpp": "", "bench/stray.cpp": "",
        "tools/lonely.py": "", "tools/gen_ops.py": "", "tools/called.py": "",
        "dev": "python3 tools/called.py\n",
    })
    assert [path for path, _ in places(dead.check(tree))] == [
        "bench/stray.cpp", "src/elsewhere/a.cpp", "src/ops/rows.def", "src/ops/unused.h",
        "tools/lonely.py"]


def test_formatting_is_checked_by_the_pinned_program(checkout):
    tree = checkout({
        ".clang-format": (ROOT / ".clang-format").read_text(),
        "src/ops/good.cpp": "int f() { return 1; }\n",
        "src/ops/bad.cpp": "int f() { return 1; }\nint   g( ) {return 2;}\n",
        "src/ops/later.cpp": "int   h;\n",
    })
    os.symlink(ROOT / ".cache", tree.root / ".cache")
    assert places(formatting.check(tree, {"src/ops/later.cpp"})) == [("src/ops/bad.cpp", 2)]
