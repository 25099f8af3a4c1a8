// Arrays from files and into files: npy, safetensors and GGUF.
//
// Files named by path are mapped where they can be (lazuli/io/mapped_file.h says when), so loading
// reads nothing until an array is used. Whoever truncates such a file ends the process at the next
// use of a missing page; with io::FileAccess::read the whole file is read at once instead. Saving
// computes the arrays first, writes under a temporary name and renames, so that an array may be
// saved over the file it was loaded from.
//
// Errors: IoError, naming the file, the field and the offset, for a file that cannot be read,
// written or understood; TypeError for a dtype that the format cannot hold.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "lazuli/array.h"
#include "lazuli/io/gguf.h"
#include "lazuli/io/load.h"
#include "lazuli/io/safetensors.h"

namespace lazuli {

// A GGUF metadata value: numbers as 0-d arrays, arrays of numbers as 1-d arrays.
using GGUFMetaData = std::variant<std::monostate, array, std::string, std::vector<std::string>>;
using GGUFLoad = std::pair<std::unordered_map<std::string, array>,
                           std::unordered_map<std::string, GGUFMetaData>>;
using SafetensorsLoad =
    std::pair<std::unordered_map<std::string, array>, std::unordered_map<std::string, std::string>>;

// One array in NumPy's npy format (bfloat16 as two bytes without type, like MLX). ".npy" is
// appended to a name that does not end in it. Loading takes either byte order and either memory
// order.
void save(std::shared_ptr<io::Writer> out_stream, array a);
void save(std::string file, array a);
array load(std::shared_ptr<io::Reader> in_stream, StreamOrDevice s = {});
array load(std::string file, StreamOrDevice s = {}, io::FileAccess access = io::FileAccess::map);

// Named arrays in the safetensors format. ".safetensors" is appended to a name that does not end
// in it. Tensors of 8-bit floats (F8_E4M3 ...) load as their bytes, uint8; those of dtypes that
// Lazuli has not are left out: `safetensors::open` tells of them.
void save_safetensors(std::shared_ptr<io::Writer> out_stream,
                      std::unordered_map<std::string, array> arrays,
                      std::unordered_map<std::string, std::string> metadata = {});
void save_safetensors(std::string file, std::unordered_map<std::string, array> arrays,
                      std::unordered_map<std::string, std::string> metadata = {});
SafetensorsLoad load_safetensors(std::shared_ptr<io::Reader> in_stream, StreamOrDevice s = {});
SafetensorsLoad load_safetensors(const std::string& file, StreamOrDevice s = {},
                                 io::FileAccess access = io::FileAccess::map);

// Named arrays and metadata of a GGUF file. Tensors of the types Q4_0, Q4_1 and Q8_0 become the
// three arrays of affine quantisation in groups of 32: "x.weight" (uint32), "x.scales" and
// "x.biases" (float16). The other packed types become float16, the plain types stay.
// `gguf::tensor_array` gives the packed form instead.
GGUFLoad load_gguf(const std::string& file, StreamOrDevice s = {},
                   io::FileAccess access = io::FileAccess::map);

// ".gguf" is appended to a name that does not end in it. A value of "general.alignment" in the
// metadata sets the alignment. ArgumentError for a metadata array of more than one dimension.
void save_gguf(std::string file, std::unordered_map<std::string, array> array_map,
               std::unordered_map<std::string, GGUFMetaData> meta_data = {});

namespace gguf {

// The tensor as it lies in the file: an array of its dtype, or for a packed type a uint8 array
// whose last dimension is the packed row, as packed_matmul takes it. IoError for a type that the
// library only knows the size of.
array tensor_array(const File& file, const Tensor& tensor);

}  // namespace gguf

namespace safetensors {

// The tensor over the file's bytes; a copy if they lie unaligned.
array tensor_array(const File& file, const Tensor& tensor);

}  // namespace safetensors

}  // namespace lazuli
