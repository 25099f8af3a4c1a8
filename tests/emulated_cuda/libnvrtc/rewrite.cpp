#include "emulated_cuda/libnvrtc/rewrite.h"

#include <regex>

namespace emulated {

std::string rewritten(const std::string& source) {
  // extern __shared__ [alignas(...)] type name[];
  static const std::regex declaration(
      R"(extern\s+__shared__\s+(?:(?:alignas|__align__)\s*\([^;]*?\)\s*)?)"
      R"(([^;\[\]()]+?)\s+(\w+)\s*\[\s*\]\s*;)");
  return std::regex_replace(
      source, declaration,
      "$1* $2 = reinterpret_cast<$1*>(::emulated::emulated_thread.dynamic_shared);");
}

std::string entry_table(const std::vector<std::string>& expressions) {
  std::string table =
      "\nextern \"C\" __attribute__((visibility(\"default\"))) "
      "const emulated::Entry emulated_entries[] = {\n";
  for (const std::string& expression : expressions) {
    std::string function = expression.starts_with('&') ? expression.substr(1) : expression;
    table += "    emulated::entry(R\"name(" + expression + ")name\", &" + function + "),\n";
  }
  return table + "    {nullptr, nullptr, nullptr, nullptr, 0}};\n";
}

}  // namespace emulated
