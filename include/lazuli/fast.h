// Building blocks of models, each defined by a composition of plain operations.
#pragma once

#include <optional>
#include <string>

#include "lazuli/array.h"

namespace lazuli::fast {

// x / sqrt(mean(x^2) + eps) * weight along the last axis, computed in float32. weight: [D] or none.
array rms_norm(const array& x, const std::optional<array>& weight, float eps,
               StreamOrDevice s = {});

// (x - mean) / sqrt(variance + eps) * weight + bias along the last axis, computed in float32.
array layer_norm(const array& x, const std::optional<array>& weight,
                 const std::optional<array>& bias, float eps, StreamOrDevice s = {});

// Rotary position encoding (Su et al., 2021) of the first `dims` features of x [B, ..., T, D], the
// positions being (offset + t) * scale. `traditional` rotates neighbouring features, else feature i
// with i + dims / 2. Exactly one of base and freqs ([dims / 2], the wave lengths) is given.
array rope(const array& x, int dims, bool traditional, std::optional<float> base, float scale,
           int offset, const std::optional<array>& freqs = std::nullopt, StreamOrDevice s = {});
array rope(const array& x, int dims, bool traditional, std::optional<float> base, float scale,
           const array& offset, const std::optional<array>& freqs = std::nullopt,
           StreamOrDevice s = {});

// softmax(queries keys^T * scale + mask) values, the softmax in float32. queries [B, N, T, D], keys
// and values [B, M, S, D] with N a multiple of M. mask_mode: "" (none), "causal" (the last query
// sees the last key) or "array" with mask_arr, boolean or additive, that broadcasts to [B, N, T, S].
// sinks: [N], scores that take part in the softmax and have no value.
array scaled_dot_product_attention(const array& queries, const array& keys, const array& values,
                                   const float scale, const std::string& mask_mode = "",
                                   std::optional<array> mask_arr = {},
                                   const std::optional<array>& sinks = {}, bool force_fused = false,
                                   StreamOrDevice s = {});

}  // namespace lazuli::fast
