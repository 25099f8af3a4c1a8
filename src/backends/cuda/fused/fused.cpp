#include "backends/cuda/fused/fused.h"

#include <bit>
#include <deque>
#include <map>
#include <mutex>

#include "backends/cuda/fused/choose.h"
#include "backends/cuda/fused/last_step.h"
#include "backends/cuda/fused/products.h"
#include "backends/cuda/kernels/products/few_rows.h"
#include "base/log.h"
#include "core/visit.h"
#include "lazuli/error.h"
#include "ops/table/params.h"

namespace lazuli::cuda {
namespace {

using Kind = FusedValue::Kind;

constexpr int blocks_at_once = 8;  // on a multiprocessor, about
constexpr size_t slots_max = 4000;  // a kernel takes less than 32 KiB of arguments

int itemsize(Dtype::Val dtype) {
  return visit(dtype, []<class T>() { return static_cast<int>(sizeof(T)); });
}

// One form of a step, compiled.
struct Emitted {
  Variant variant;
  Slots slots;
  const Function* function;
};

// Steps of other plans with the same source share the function.
const Function* function_of(const std::string& source) {
  static std::mutex mutex;
  static auto* functions = new std::map<std::string, const Function*>;
  std::lock_guard lock(mutex);
  const Function*& function = (*functions)[source];
  if (!function) function = load_function(source, "fused_step");
  return function;
}

class FusedProgram : public CompiledStep {
 public:
  explicit FusedProgram(const FusedStep& step)
      : step_(std::make_shared<const FusedStep>(step)), kept_(kept_bytes(step)) {}

  std::string text() const override {
    return "emitted when the sizes are known, once for each way its values lie\n";
  }
  const FusedStep& step() const { return *step_; }
  int kept() const { return kept_; }
  std::shared_ptr<const FusedStep> shared_step() const { return step_; }

  const Emitted& form(const Variant& variant) const {
    std::lock_guard lock(mutex_);
    for (const Emitted& known : forms_) {
      if (known.variant == variant) return known;
    }
    std::string source = emit(*step_, variant);
    if (debugging(4)) debug_line("emitted:\n" + source);
    Slots slots = make_slots(*step_, variant);
    if (slots.count > slots_max) {
      throw RuntimeError("[cuda] A fused step has too many operands of too many dimensions.");
    }
    return forms_.emplace_back(Emitted{variant, std::move(slots), function_of(source)});
  }

 private:
  std::shared_ptr<const FusedStep> step_;
  int kept_;
  mutable std::mutex mutex_;
  mutable std::deque<Emitted> forms_;
};

// What `divide` in device/fused.cuh takes: extent, factor, shift.
void put_extent(uint64_t* to, int64_t extent) {
  auto d = static_cast<uint64_t>(extent);
  to[0] = d;
  if (d == 0 || d >> 31) return;  // 64-bit positions divide by the extent itself
  auto shift = static_cast<uint64_t>(std::bit_width(d - 1));
  to[1] = ((uint64_t{1} << 32) * ((uint64_t{1} << shift) - d)) / d + 1;
  to[2] = shift;
}

uint64_t constant_bits(const Node* node) {
  uint64_t bits = params<ConstantParams>(node).bits;
  auto widened = [](float value) { return static_cast<uint64_t>(std::bit_cast<uint32_t>(value)); };
  if (node->dtype == Dtype::Val::float16) {
    return widened(static_cast<float>(std::bit_cast<float16_t>(static_cast<uint16_t>(bits))));
  }
  if (node->dtype == Dtype::Val::bfloat16) {
    return widened(static_cast<float>(std::bit_cast<bfloat16_t>(static_cast<uint16_t>(bits))));
  }
  return bits;
}

// One run of a step. Kept by its thread, so that nothing is allocated in a steady state.
class Runner {
 public:
  void run(const FusedProgram& program, const FusedBinding& binding) {
    const FusedStep& step = program.step();
    const Shape& space = binding.graph->nodes[step.space]->shape;
    bind(step, binding);
    make_walk(space, step.row_axes, {inputs_.data(), inputs_.size()}, walk_);
    if (walk_.rows == 0 || (walk_.length == 0 && !step.row_axes)) return;
    choice_ = Choice{};
    choose(step, program.kept(), space, {places_.data(), places_.size()}, walk_, choice_);
    if (choice_.variant.form == Form::row_in_parts) return run_parts(program, binding);
    const Emitted& emitted = program.form(choice_.variant);
    fill(step, emitted.slots, binding);
    int stream = binding.stream;
    if (choice_.variant.form == Form::elements && finish_last(step, emitted, stream)) return;
    if (choice_.variant.form != Form::row_in_registers) return start(emitted, stream);
    find_bytes();
    if (join_last(program, emitted, stream)) return;
    start(emitted, stream);
    remember(program, emitted, stream);
  }

 private:
  void bind(const FusedStep& step, const FusedBinding& binding) {
    inputs_.clear();
    places_.clear();
    for (uint16_t v = 0; v < step.values.size(); ++v) {
      const FusedValue& x = step.values[v];
      if (x.kind != Kind::operand && !x.output) continue;
      const Shape* shape = &binding.graph->nodes[x.shape]->shape;
      const Layout* layout = binding.value[v];
      inputs_.push_back({layout, shape, step.row_axes > 0 && x.scope == Scope::row});
      places_.push_back({v, layout, shape, itemsize(x.dtype), x.output});
    }
  }

  void fill(const FusedStep& step, const Slots& slots, const FusedBinding& binding) {
    arguments_.clear();
    arguments_.resize(slots.count, 0);
    uint64_t* to = arguments_.data();
    to[Slots::rows] = static_cast<uint64_t>(walk_.rows);
    to[Slots::length] = static_cast<uint64_t>(walk_.length);
    to[Slots::parts] = static_cast<uint64_t>(choice_.parts);
    to[Slots::part_length] = static_cast<uint64_t>(choice_.part_length);
    const Variant& variant = choice_.variant;
    for (size_t d = 0; d < variant.outer_rank; ++d)
      put_extent(to + slots.outer + 3 * d, walk_.outer[d]);
    for (size_t d = 0; d < variant.inner_rank; ++d)
      put_extent(to + slots.inner + 3 * d, walk_.inner[d]);
    for (uint16_t v = 0; v < step.values.size(); ++v) {
      const FusedValue& x = step.values[v];
      if (x.kind == Kind::constant) {
        to[slots.pointer[v]] = constant_bits(binding.graph->nodes[x.node]);
      }
    }
    for (size_t k = 0; k < places_.size(); ++k) {
      uint16_t v = places_[k].value;
      const Walk::Place& lies = walk_.places[k];
      to[slots.pointer[v]] = reinterpret_cast<uint64_t>(device_data(*places_[k].layout));
      for (size_t d = 0; d < variant.outer_rank; ++d) {
        to[slots.outer_strides[v] + d] = static_cast<uint64_t>(lies.outer[d]);
      }
      for (size_t d = 0; d < variant.inner_rank; ++d) {
        to[slots.inner_strides[v] + d] = static_cast<uint64_t>(lies.inner[d]);
      }
    }
  }

  // One launch a phase; the parts' reductions travel through scratch.
  void run_parts(const FusedProgram& program, const FusedBinding& binding) {
    const FusedStep& step = program.step();
    auto partials = static_cast<size_t>(walk_.rows * choice_.parts) * sizeof(double);
    size_t reductions = 0;
    for (const FusedValue& x : step.values) reductions += x.kind == Kind::reduce;
    Scratch scratch(binding.stream, partials * reductions);
    for (uint8_t part = 0; part <= step.phases; ++part) {
      bool finish = part == step.phases;
      if (!finish && !has_sweep(step, part)) continue;
      if (finish && !has_row_outputs(step)) break;
      choice_.variant.part = part;
      const Emitted& emitted = program.form(choice_.variant);
      fill(step, emitted.slots, binding);
      size_t k = 0;
      for (uint16_t v = 0; v < step.values.size(); ++v) {
        if (step.values[v].kind != Kind::reduce) continue;
        arguments_[emitted.slots.partials[v]] =
            reinterpret_cast<uint64_t>(scratch.data<char>() + partials * k++);
      }
      if (finish) choice_.shape.grid.x = 1;
      start(emitted, binding.stream);
    }
  }

  static bool has_sweep(const FusedStep& step, uint8_t phase) {
    std::vector<bool> needed = swept(step, phase, false);
    return std::find(needed.begin(), needed.end(), true) != needed.end();
  }
  static bool has_row_outputs(const FusedStep& step) {
    for (const FusedValue& x : step.values) {
      if (x.output && x.scope == Scope::row) return true;
    }
    return false;
  }

  void start(const Emitted& emitted, int stream) {
    void* arguments[] = {arguments_.data()};
    const uint32_t sizes[] = {static_cast<uint32_t>(arguments_.size() * sizeof(uint64_t))};
    launch_raw(stream, *emitted.function, choice_.shape, arguments, sizes);
  }

  ByteRange bytes_of(size_t k) const {
    const Walk::Place& lies = walk_.places[k];
    int64_t item = places_[k].itemsize;
    ByteRange bytes = ByteRange::of(device_data(*places_[k].layout), item);
    for (size_t d = 0; d < walk_.outer.size(); ++d) {
      bytes = bytes.along(walk_.outer[d], lies.outer[d] * item);
    }
    for (size_t d = 0; d < walk_.inner.size(); ++d) {
      bytes = bytes.along(walk_.inner[d], lies.inner[d] * item);
    }
    return bytes;
  }

  void find_bytes() {
    touched_.clear();
    for (size_t k = 0; k < places_.size(); ++k) {
      touched_.push_back({bytes_of(k), places_[k].value, places_[k].output});
    }
  }

  bool finish_last(const FusedStep& step, const Emitted& emitted, int stream) {
    if (!last_products(stream) || has_coordinates(emitted.variant)) return false;
    find_bytes();
    return finish_last_products(stream, {step,
                                         emitted.variant,
                                         emitted.function,
                                         {arguments_.data(), arguments_.size()},
                                         {touched_.data(), touched_.size()},
                                         walk_.length});
  }

  // Makes one launch of this step and the one of the same form that the stream was given last,
  // where neither fills the GPU and neither writes what the other reads or writes.
  bool join_last(const FusedProgram& program, const Emitted& emitted, int stream) {
    LastStep* last = last_step(stream);
    const LaunchShape& now = choice_.shape;
    auto few = static_cast<unsigned>(blocks_at_once * gpu().multiprocessors);
    bool alike = last && !last->has_followers && last->function == emitted.function &&
                 last->shape.block == now.block && last->shape.grid.x <= few && now.grid.x <= few &&
                 2 * arguments_.size() < slots_max;
    if (!alike) return false;
    ByteRange nothing = ByteRange::of(nullptr, 0);
    for (const LastStep::Place& place : touched_) {
      if (!last->allows(place.bytes, place.output ? place.bytes : nothing)) return false;
    }
    Variant both = choice_.variant;
    both.joined = true;
    const Function& function = *program.form(both).function;
    SmallVector<uint64_t, 64>& words = last->arguments;
    for (uint64_t word : arguments_) words.push_back(word);
    words.push_back(last->shape.grid.x);
    LaunchShape shape = now;
    shape.grid.x += last->shape.grid.x;
    last->has_followers = true;
    void* arguments[] = {words.data()};
    const uint32_t sizes[] = {static_cast<uint32_t>(words.size() * sizeof(uint64_t))};
    return replace_last(stream, *last->function, function, shape, arguments, sizes);
  }

  void remember(const FusedProgram& program, const Emitted& emitted, int stream) const {
    LastStep& last = new_last_step(stream);
    last.function = emitted.function;
    last.shape = choice_.shape;
    last.arguments = arguments_;
    last.places = touched_;
    last.step = program.shared_step();
    last.variant = emitted.variant;
    last.length = walk_.length;
    last.makes_one_row = walk_.rows == 1 && !has_coordinates(emitted.variant) && is_apart(last);
  }
  static bool has_coordinates(const Variant& variant) {
    return std::any_of(variant.access.begin(), variant.access.end(),
                       [](Access access) { return access >= Access::strided; });
  }
  static bool is_apart(const LastStep& last) {
    for (const LastStep::Place& read : last.places) {
      for (const LastStep::Place& written : last.places) {
        if (written.output && &read != &written && !read.bytes.apart_from(written.bytes)) {
          return false;
        }
      }
    }
    return true;
  }

  SmallVector<WalkInput, 8> inputs_;
  SmallVector<BoundPlace, 8> places_;
  SmallVector<LastStep::Place, 8> touched_;  // what the places are in memory
  Walk walk_;
  Choice choice_;
  SmallVector<uint64_t, 64> arguments_;
};

}  // namespace

std::unique_ptr<CompiledStep> compile_fused(const FusedStep& step) {
  return std::make_unique<FusedProgram>(step);
}

void run_fused(const FusedStep&, const CompiledStep& compiled, const FusedBinding& binding) {
  thread_local Runner runner;
  runner.run(static_cast<const FusedProgram&>(compiled), binding);
}

// A thread reads an element before it writes the one at the same place, in the last phase.
bool may_take_over(const CompiledStep& compiled, uint16_t in, uint16_t out) {
  const FusedStep& step = static_cast<const FusedProgram&>(compiled).step();
  const FusedValue &from = step.values[in], &to = step.values[out];
  if (step.row_axes && (from.scope == Scope::row || to.scope == Scope::row)) return false;
  return itemsize(from.dtype) == itemsize(to.dtype) && to.phase + 1 == step.phases;
}

}  // namespace lazuli::cuda
