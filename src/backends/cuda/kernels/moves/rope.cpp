// Rotary positions: see rope.cu. Inputs: x, offset (int32, int64 or float32, one or one an
// example) and, instead of a base, freqs (float32).
#include "backends/cuda/kernels/moves/rope.h"

#include <cmath>
#include <cstring>
#include <numbers>
#include <optional>

#include "backends/cuda/kernel_table.h"
#include "backends/cuda/kernels/byte_range.h"
#include "backends/cuda/kernels/function_table.h"
#include "backends/cuda/kernels/reductions/axes.h"
#include "ops/table/params.h"

namespace lazuli::cuda {

#include "backends/cuda/device/rope_jobs.cuh"

namespace {

constexpr int64_t threads = 128, blocks_max = int64_t{1} << 30;
constexpr int vector = 2;

// By dtype, traditional, dense.
FunctionTable<float_count * 4> functions("rope.cu", [](size_t slot) {
  const bool traditional = slot & 2, dense = slot & 1;
  return instance_name("rope",
                       {device_type(float_types[slot / 4]), std::to_string(dense ? vector : 1),
                        truth(traditional), truth(dense)});
});

double constant_of(const Operand& operand) {
  switch (operand.dtype) {
    case Dtype::Val::int32: return *operand.as<int32_t>();
    case Dtype::Val::int64: return static_cast<double>(*operand.as<int64_t>());
    default: return *operand.as<float>();
  }
}

// Rows that are to be written with these steps, elements apart. Nothing if there are too many axes.
std::optional<RopeJob> job_of(const Operand& x, void* out, const Strides& to, int64_t half) {
  Strides from = strides_of(x);
  const size_t rank = from.size();
  AxisList heads;
  for (size_t d = 1; d + 2 < rank; ++d) heads.push_back({(*x.shape)[d], from[d], to[d]});
  merge_axes(heads);
  if (heads.size() > rope_axes_max) return std::nullopt;
  RopeJob job{};
  job.x = device_data<>(x);
  job.out = out;
  job.heads = packed_axes<rope_axes_max>(heads);
  job.example_from = from[0], job.example_to = to[0];
  job.row_from = from[rank - 2], job.row_to = to[rank - 2];
  job.step = from[rank - 1];
  job.length = x.extent(-2);
  job.width = x.extent(-1);
  job.half = half;
  return job;
}

// Whether vectors are read and written at once.
bool fits_vectors(const RopeJob& job, int64_t itemsize) {
  Alignment alignment;
  for (const void* place : {job.x, static_cast<const void*>(job.out)}) alignment.see(place);
  for (int64_t step : {job.example_from, job.example_to, job.row_from, job.row_to}) {
    alignment.see(step * itemsize);
  }
  for (int d = 0; d < job.heads.rank; ++d) {
    alignment.see(job.heads.axis[d].from * itemsize);
    alignment.see(job.heads.axis[d].to * itemsize);
  }
  return job.step == 1 && job.half % vector == 0 && job.width % vector == 0 &&
         alignment.bytes() >= vector * itemsize;
}

// Shares the job out among threads; how many blocks they are.
int64_t place_blocks(RopeJob& job, int64_t examples, bool dense) {
  job.slots = (job.width - job.half) / (dense ? vector : 1);
  job.slot = divided_axis(job.slots, 0, 0);
  job.row = divided_axis(job.length, 0, 0);
  job.count = examples * job.length * job.slots;
  job.wide = job.count >= int64_t{1} << 31;
  // Sines serve several heads where that leaves enough threads.
  const int64_t heads = job.heads.count, wanted = int64_t{gpu().multiprocessors} * 1024;
  job.group = static_cast<int32_t>(std::min<int64_t>(
      heads, std::max<int64_t>({1, job.count * heads / wanted, ceil_div(heads, 65535)})));
  job.columns = static_cast<int32_t>(ceil_div(job.count, threads));
  return job.columns * ceil_div(heads, job.group);
}

// Turns of one position for each pair, once for each kind.
struct TurnTable {
  double scale = 0, base = 0, turn[rope_turns_max] = {};
  int64_t half = -1;

  void make(double of_scale, double of_base, int64_t of_half) {
    if (scale == of_scale && base == of_base && half == of_half) return;
    scale = of_scale, base = of_base, half = of_half;
    double log2_base = std::log2(base);
    for (int64_t i = 0; i < half; ++i) {
      double power = -log2_base * static_cast<double>(i) / static_cast<double>(half);
      turn[i] = scale * (0.5 * std::numbers::inv_pi) * std::exp2(power);
    }
  }
};

RopeTurns turns_of(const KernelCall& call, const RopeParams& given) {
  RopeTurns turns{};
  const Operand& offset = call.inputs[1];
  if (offset.constant) {
    turns.offset = constant_of(offset);
  } else {
    turns.offset_kind = offset.dtype == int32 ? 1 : offset.dtype == int64 ? 2 : 3;
    turns.offset_step = offset.size() > 1 ? strides_of(offset)[0] : 0;
    turns.offsets = device_data<>(offset);
  }
  turns.half = given.dims / 2;
  turns.scale = given.scale;
  if (call.inputs.size() > 2) {
    turns.freqs = device_data<float>(call.inputs[2]);
    turns.freqs_step = strides_of(call.inputs[2])[0];
    return turns;
  }
  turns.log2_base = std::log2(given.base);
  turns.known = turns.half <= rope_turns_max;
  if (!turns.known) return turns;
  thread_local TurnTable table;
  table.make(turns.scale, given.base, turns.half);
  std::memcpy(turns.turn, table.turn, static_cast<size_t>(turns.half) * sizeof(double));
  return turns;
}

ByteRange read_by(const RopeJob& job, int64_t itemsize) {
  ByteRange range = ByteRange::of(job.x, itemsize)
                        .along(job.count / (job.length * job.slots), job.example_from * itemsize)
                        .along(job.length, job.row_from * itemsize)
                        .along(job.width, job.step * itemsize);
  for (int d = 0; d < job.heads.rank; ++d) {
    range = range.along(job.heads.axis[d].extent, job.heads.axis[d].from * itemsize);
  }
  return range;
}
ByteRange written_by(const RopeJob& job, int64_t itemsize) {
  ByteRange range = ByteRange::of(job.out, job.width * itemsize)
                        .along(job.count / (job.length * job.slots), job.example_to * itemsize)
                        .along(job.length, job.row_to * itemsize);
  for (int d = 0; d < job.heads.rank; ++d) {
    range = range.along(job.heads.axis[d].extent, job.heads.axis[d].to * itemsize);
  }
  return range;
}
ByteRange written_too(const RopeJob& job, int64_t itemsize) {
  return ByteRange::of(job.also, job.width * itemsize)
      .along(job.count / (job.length * job.slots), job.example_also * itemsize)
      .along(job.length, job.row_also * itemsize)
      .along(job.heads.count, job.head_also * itemsize);
}

// Whether nothing that the jobs read or write lies in the range; or nothing that they write.
bool is_apart(const RopeJobs& all, const ByteRange& range, bool from_reads, int64_t itemsize) {
  for (int k = 0; k < all.count; ++k) {
    const RopeJob& job = all.job[k];
    if (from_reads && !range.apart_from(read_by(job, itemsize))) return false;
    if (!range.apart_from(written_by(job, itemsize))) return false;
    if (job.also && !range.apart_from(written_too(job, itemsize))) return false;
  }
  return true;
}

// One more job of a launch, where the jobs do not depend on each other.
bool add_job(LaunchShape& shape, RopeJobs& all, RopeJob job, int64_t blocks, int64_t itemsize) {
  if (all.count == rope_jobs_max || shape.grid.x + blocks > blocks_max) return false;
  if (!is_apart(all, written_by(job, itemsize), true, itemsize)) return false;
  if (!is_apart(all, read_by(job, itemsize), false, itemsize)) return false;
  job.first_block = static_cast<int32_t>(shape.grid.x);
  shape.grid.x += static_cast<unsigned>(blocks);
  all.job[all.count++] = job;
  return true;
}

// The update is all that a job makes: it writes it to a second place.
bool add_place(RopeJobs& all, const Operand& update, void* to, const Strides& steps,
               int64_t itemsize) {
  if (!update.layout->dense) return false;
  for (int k = 0; k < all.count; ++k) {
    RopeJob job = all.job[k];
    int64_t examples = job.count / (job.length * job.slots);
    bool same = job.out == device_data<>(update) && !job.also && job.heads.rank == 1 &&
                examples == update.extent(0) && job.heads.count == update.extent(1) &&
                job.length == update.extent(2) && job.width == update.extent(3);
    if (!same) continue;
    job.also = to;
    job.example_also = steps[0], job.head_also = steps[1], job.row_also = steps[2];
    Alignment alignment;
    alignment.see(to);
    for (size_t d = 0; d < 3; ++d) alignment.see(steps[d] * itemsize);
    if (alignment.bytes() < vector * itemsize) return false;
    if (!is_apart(all, written_too(job, itemsize), true, itemsize)) return false;
    all.job[k] = job;
    return true;
  }
  return false;
}

bool write_with(LaunchShape& shape, RopeJobs& all, const Operand& update, void* to,
                const Strides& steps) {
  const int64_t itemsize = dtype_of(update.dtype).size();
  if (add_place(all, update, to, steps, itemsize)) return true;
  std::optional<RopeJob> job = job_of(update, to, steps, 0);
  if (!job || !fits_vectors(*job, itemsize)) return false;
  int64_t blocks = place_blocks(*job, update.extent(0), true);
  return add_job(shape, all, *job, blocks, itemsize);
}

}  // namespace

bool write_with_rope(int stream, const Operand& update, void* to, const Strides& steps) {
  bool floats = update.dtype == float32 || update.dtype == float16 || update.dtype == bfloat16;
  if (!floats || steps.size() != 4 || steps[3] != 1 || update.size() == 0) return false;
  for (size_t traditional : {0, 1}) {
    const Function* function = functions.known(float_slot(update.dtype) * 4 + traditional * 2 + 1);
    if (!function) continue;
    auto change = [&](LaunchShape& shape, RopeJobs& all) {
      return write_with(shape, all, update, to, steps);
    };
    if (extend_last<RopeJobs>(stream, *function, change)) return true;
  }
  return false;
}

void kernel_rope(const KernelCall& call) {
  const Operand& x = call.inputs[0];
  const int64_t itemsize = dtype_of(x.dtype).size();
  const auto given = params<RopeParams>(call.node);
  RopeJobs jobs{1, {}, turns_of(call, given)};
  RopeJob& job = jobs.job[0];
  auto made = job_of(x, device_data<>(call.output), dense_strides(*x.shape), jobs.turns.half);
  if (!made) throw_too_many_axes(call, rope_axes_max);
  job = *made;
  if (call.output.size() == 0) return;
  const bool dense = fits_vectors(job, itemsize);
  int64_t blocks = place_blocks(job, x.extent(0), dense);
  const Function& function =
      functions.at(float_slot(x.dtype) * 4 + (given.traditional ? 2 : 0) + (dense ? 1 : 0));
  bool joined =
      extend_last<RopeJobs>(call.stream, function, [&](LaunchShape& shape, RopeJobs& all) {
        return std::memcmp(&all.turns, &jobs.turns, sizeof(RopeTurns)) == 0 &&
               add_job(shape, all, job, blocks, itemsize);
      });
  if (joined) return;
  launch(call.stream, function, {{static_cast<unsigned>(blocks)}, {threads}}, jobs);
}

}  // namespace lazuli::cuda
