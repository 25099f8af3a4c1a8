// Products of one row, with a step before them that makes the row and one after them that takes
// them as operands.
#include <algorithm>

#include "backends/cuda/fused/emitter.h"
#include "backends/cuda/kernel.h"

namespace lazuli::cuda {
namespace {

// A step as a functor: finish(j, products of column j).
class FinishEmitter : public Emitter {
 public:
  FinishEmitter(const FusedStep& step, const Variant& variant, const ProductsForm& form)
      : Emitter(step, variant), form_(form) {}

 private:
  void functions() override {
    std::string matrices = number(static_cast<int64_t>(form_.given.size()));
    line("const Parameters& p;");
    line("static constexpr int matrices = " + matrices + ";");
    open("__device__ __forceinline__ void operator()(index_t j, const " +
         std::string(device_type(form_.dtype)) + " (&given)[" + matrices + "]) const");
    line("constexpr int n = 0, e = 0;");
    constants();
    single_operands("");
    for (uint16_t v = 0; v < count(); ++v) {
      if (!is_full_operand(v)) continue;
      std::string a = "a" + number(v);
      line("Read<" + stored_type(v) + ", 1> " + a + "[1];");
      auto found = std::find(form_.given.begin(), form_.given.end(), v);
      if (found == form_.given.end()) load(v, pointer(v), "j", a + "[0]");
      else line(a + "[0].set(0, given[" + number(found - form_.given.begin()) + "]);");
    }
    declare_stores(0);
    compute(swept(step_, 0, false), 0, false);
    fill_stores(0);
    stores(0, "j", false);
    close();
  }

  const ProductsForm& form_;
};

}  // namespace

std::string emit_products(const ProductsForm& form) {
  std::string type = device_type(form.dtype), takes, x_of, finish = "NoFinish()";
  std::string text = "#include \"fused.cuh\"\n#include \"few_rows.cuh\"\n" +
                     definitions({form.before, form.after});
  if (form.before) {
    text += emit_make_row(*form.before, *form.before_variant, form.x);
    takes = "const __grid_constant__ Parameters p, ";
    x_of = "make_row(p)";
  } else {
    x_of = "static_cast<const " + type + "*>(products.x)";
  }
  takes += "const __grid_constant__ FewRows products";
  if (form.after) {
    Variant one = *form.after_variant;
    one.vector = one.vectors = 1;
    text += "struct Finish {\n" + FinishEmitter(*form.after, one, form).body() + "};\n";
    takes += ", const __grid_constant__ Finish::Parameters after";
    finish = "Finish{after}";
  }
  return text + "extern \"C\" __global__ void __launch_bounds__(512, 2) fused_step(" + takes +
         ") {\n  let_later_start();\n  multiply_few_rows<" + type + ", 1, " +
         std::to_string(form.columns) + ">(products, [&] { wait_for_earlier(); return " + x_of +
         "; }, " + finish + ");\n}\n";
}

}  // namespace lazuli::cuda
