// Finds the tokens that are matched in the text as they stand, before anything else is cut.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace lazuli::models {

// Where two matches overlap, the longer one counts; of equally long ones the one with the lower
// token id, then the one further left. The search is the automaton of Aho and Corasick (1975), and
// the choice takes one look at each match that is not yet covered, so hostile text costs no more
// than its length times the number of patterns that end at one place.
class SpecialMatcher {
 public:
  // Must be called before `finish`. Empty text is ignored; of equal texts the first counts.
  void add(std::string_view text, int32_t token, bool control);
  void finish();

  struct Match {
    size_t begin;
    size_t end;
    int32_t token;
  };

  // The matches in the order of the text. Control tokens are left out unless `with_control`.
  std::vector<Match> find(std::string_view text, bool with_control) const;

 private:
  // A place in the tree of all patterns.
  struct Node {
    int32_t token = -1;  // of the pattern that ends here, -1 if none does
    bool control = false;
    uint32_t depth = 0;
    int32_t parent = 0;
    unsigned char byte = 0;
    int32_t failure = 0;         // the longest proper suffix that is a node
    int32_t shorter_match = 0;   // the longest proper suffix that is a pattern, 0 if none
  };
  struct Candidate {
    size_t end;
    int32_t node;
  };

  int32_t child(int32_t node, unsigned char byte) const;
  int32_t step(int32_t node, unsigned char byte) const;
  int32_t first_match(int32_t node, bool with_control) const;
  std::vector<Candidate> longest_at_each_end(std::string_view text, bool with_control) const;

  std::vector<Node> nodes_ = std::vector<Node>(1);
  std::array<int32_t, 256> root_children_{};        // 0 if there is none
  std::unordered_map<uint64_t, int32_t> children_;  // (node, byte) -> node, the root's too
};

}  // namespace lazuli::models
