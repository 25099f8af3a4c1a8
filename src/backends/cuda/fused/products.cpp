#include "backends/cuda/fused/products.h"

#include <map>
#include <mutex>

#include "backends/cuda/kernels/products/few_rows.h"
#include "base/log.h"

namespace lazuli::cuda {
namespace {

using Kind = FusedValue::Kind;

// The row as products take it.
Variant variant_of_row(const LastStep& row, int64_t threads) {
  Variant variant = row.variant;
  variant.vectors = 1;
  variant.exact = row.vectors() == threads;
  variant.warp_rows = false;
  return variant;
}

// Functions are one for each source, so those of a launch's parts stand for what the parts are.
struct Key {
  const Function *before, *after;
  uint16_t x;
  int columns;
  bool exact;
  uint16_t given[2];
  auto operator<=>(const Key&) const = default;
};

const Function& function_of(const Key& key, const ProductsForm& form) {
  static std::mutex mutex;
  static auto* functions = new std::map<Key, const Function*>;
  std::lock_guard lock(mutex);
  const Function*& known = (*functions)[key];
  if (known) return *known;
  std::string source = emit_products(form);
  if (debugging(4)) debug_line("emitted:\n" + source);
  known = load_function(source, "fused_step");
  // As products alone: the first cache gets what no row needs.
  if (!form.before) known->prefer_shared_percent(0);
  return *known;
}

// The operands that are the products, in their order; empty if one is missing.
SmallVector<uint16_t, 2> given_to(const FinishStep& finish, const LastProducts& last) {
  SmallVector<uint16_t, 2> given;
  const FewRows& p = last.products;
  for (int i = 0; i < p.count; ++i) {
    for (const LastStep::Place& place : finish.places) {
      const FusedValue& value = finish.step.values[place.value];
      bool same = !place.output && place.bytes.begin == p.out[i] && value.dtype == last.dtype &&
                  finish.variant.access[place.value] == Access::direct;
      if (same && p.n[i] == finish.length) given.push_back(place.value);
    }
  }
  if (static_cast<int>(given.size()) != p.count) given.clear();
  return given;
}

// Whether a thread may do the step for a column whose products it has, while others work on theirs.
bool is_apart(const FinishStep& finish, const LastProducts& last, const LastStep* row,
              const SmallVector<uint16_t, 2>& given) {
  const FewRows& p = last.products;
  const int64_t item = dtype_of(last.dtype).size();
  auto in_place = [](const ByteRange& a, const ByteRange& b) {
    return a.begin == b.begin && a.end == b.end;
  };
  const ByteRange nothing = ByteRange::of(nullptr, 0);
  for (const LastStep::Place& place : finish.places) {
    if (std::find(given.begin(), given.end(), place.value) != given.end()) continue;
    const ByteRange& bytes = place.bytes;
    if (row && !row->allows(bytes, place.output ? bytes : nothing)) return false;
    for (int i = 0; i < p.count; ++i) {
      ByteRange out = bytes_of_out(p, i, item);
      bool apart = bytes.apart_from(out) || (place.output && in_place(bytes, out));
      if (!apart || (place.output && !bytes.apart_from(bytes_of_w(p, i, item)))) return false;
    }
    if (!place.output) continue;
    if (!row && !bytes.apart_from(bytes_of_x(p, item))) return false;
    for (const LastStep::Place& other : finish.places) {
      if (!bytes.apart_from(other.bytes) && !in_place(bytes, other.bytes)) return false;
    }
  }
  return true;
}

}  // namespace

const Function& row_and_products(const LastStep& row, uint16_t x, int columns, int64_t threads) {
  Variant variant = variant_of_row(row, threads);
  ProductsForm form{
      row.step->values[x].dtype, columns, row.step.get(), &variant, x, nullptr, nullptr, {}};
  return function_of({row.function, nullptr, x, columns, variant.exact, {}}, form);
}

bool finish_last_products(int stream, const FinishStep& finish) {
  LastProducts* last = last_products(stream);
  if (!last || last->products.count > 2 || last->products.out_column != 1) return false;
  SmallVector<uint16_t, 2> given = given_to(finish, *last);
  LastStep* row = last->makes_row ? last_step(stream) : nullptr;
  if (given.empty() || last->makes_row != (row != nullptr)) return false;
  if (!is_apart(finish, *last, row, given)) return false;
  const int64_t threads = last->shape.block.x;
  FewRows products = last->products;
  LaunchShape shape = last->shape;
  if (products.count == 2) {
    int64_t groups = threads / 32 / products.shares, own = last->columns / 2;
    shape.grid.x = static_cast<unsigned>(ceil_div(products.n[0], own * groups));
  }
  Variant before;
  ProductsForm form{last->dtype, last->columns, nullptr,         nullptr,
                    last->x,     &finish.step,  &finish.variant, given};
  if (row) {
    before = variant_of_row(*row, threads);
    form.before = row->step.get();
    form.before_variant = &before;
  }
  Key key{last->function, finish.function, last->x, last->columns, before.exact, {given[0], 0}};
  if (given.size() > 1) key.given[1] = given[1];
  const Function& function = function_of(key, form);
  SmallVector<void*, 3> arguments;
  SmallVector<uint32_t, 3> sizes;
  auto take = [&](const void* argument, size_t bytes) {
    arguments.push_back(const_cast<void*>(argument));
    sizes.push_back(static_cast<uint32_t>(bytes));
  };
  if (row) take(row->arguments.data(), row->arguments.size() * sizeof(uint64_t));
  take(&products, sizeof products);
  take(finish.arguments.data(), finish.arguments.size_bytes());
  bool replaced = replace_last(stream, *last->function, function, shape, arguments.data(),
                               {sizes.data(), sizes.size()});
  if (!replaced) return false;
  last->launched = 0;
  if (row) row->launched = 0;
  return true;
}

}  // namespace lazuli::cuda
