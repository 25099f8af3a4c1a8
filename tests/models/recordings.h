// Recorded answers of others: lines of fields, parted by bars.
#pragma once

#include <cstdint>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace lazuli::models {

inline std::vector<std::string> lines_of(const std::string& path) {
  std::ifstream file(path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

inline std::vector<std::string> fields_of(const std::string& line) {
  std::vector<std::string> fields(1);
  for (char character : line) {
    if (character == '|') {
      fields.emplace_back();
    } else {
      fields.back() += character;
    }
  }
  return fields;
}

inline std::vector<int32_t> numbers_of(const std::string& field) {
  std::istringstream stream(field);
  std::vector<int32_t> numbers;
  for (int32_t number; stream >> number;) numbers.push_back(number);
  return numbers;
}

// Of hexadecimal digits.
inline std::string bytes_of(const std::string& field) {
  std::string bytes;
  for (size_t i = 0; i + 1 < field.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(field.substr(i, 2), nullptr, 16));
  }
  return bytes;
}

// A file of tests/models/data.
inline std::string recorded(const std::string& name) {
  return std::string(LAZULI_SOURCE_DIR) + "/tests/models/data/" + name;
}

}  // namespace lazuli::models
