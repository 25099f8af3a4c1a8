// Logits of a float32 computation that bench/accuracy recorded, and how others compare with them.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <sstream>
#include <string>
#include <vector>

#include "lazuli/lazuli.h"
#include "models/recordings.h"

namespace lazuli::models {

// A position of the recording: its token and the likeliest continuations.
struct Position {
  int32_t token;
  std::vector<int32_t> ids;
  std::vector<double> log_probabilities;
};

inline std::vector<Position> recorded_logits(const std::string& name) {
  std::vector<Position> positions;
  for (const std::string& line : lines_of(recorded(name))) {
    std::istringstream words(line);
    Position p{};
    words >> p.token;
    char colon;
    int32_t id;
    for (double value; words >> id >> colon >> value;) {
      p.ids.push_back(id);
      p.log_probabilities.push_back(value);
    }
    positions.push_back(p);
  }
  return positions;
}

inline array token_array(const std::vector<Position>& positions, size_t first, size_t count) {
  std::vector<int32_t> tokens;
  for (size_t i = first; i < first + count; ++i) tokens.push_back(positions[i].token);
  return array(tokens.begin(), Shape{1, static_cast<int64_t>(count)}, int32);
}

// How logits compare with the recording: first choices that agree, and the divergence over the
// recorded continuations.
struct Agreement {
  size_t positions = 0, same = 0;
  double divergence = 0;

  void add(const array& logits, const std::vector<Position>& wanted, size_t first) {
    array rows = reshape(logits, {-1, logits.shape(-1)});
    array best = argmax(rows, -1), total = logsumexp(rows, -1);
    eval({rows, best, total});
    for (int64_t i = 0; i < rows.shape(0); ++i) {
      const Position& p = wanted[first + static_cast<size_t>(i)];
      const float* row = rows.data<float>() + i * rows.shape(1);
      ++positions;
      same += best.data<uint32_t>()[i] == static_cast<uint32_t>(p.ids[0]);
      for (size_t k = 0; k < p.ids.size(); ++k) {
        double got = static_cast<double>(row[p.ids[k]]) - total.data<float>()[i];
        divergence += std::exp(p.log_probabilities[k]) * (p.log_probabilities[k] - got);
      }
    }
  }

  void expect_close() const {
    EXPECT_GE(static_cast<double>(same), 0.99 * static_cast<double>(positions));
    EXPECT_LE(std::abs(divergence) / static_cast<double>(positions), 1e-3);
  }
};

}  // namespace lazuli::models
