#include "common/special_matcher.h"

#include <algorithm>
#include <functional>
#include <map>
#include <numeric>

namespace lazuli::models {

namespace {

uint64_t edge(int32_t node, unsigned char byte) {
  return (static_cast<uint64_t>(static_cast<uint32_t>(node)) << 8) | byte;
}

}  // namespace

void SpecialMatcher::add(std::string_view text, int32_t token, bool control) {
  if (text.empty()) return;
  int32_t node = 0;
  for (unsigned char byte : text) {
    auto [found, is_new] = children_.try_emplace(edge(node, byte), nodes_.size());
    if (is_new) {
      Node added;
      added.depth = nodes_[node].depth + 1;
      added.parent = node;
      added.byte = byte;
      nodes_.push_back(added);
      if (node == 0) root_children_[byte] = found->second;
    }
    node = found->second;
  }
  if (nodes_[node].token >= 0) return;
  nodes_[node].token = token;
  nodes_[node].control = control;
}

int32_t SpecialMatcher::child(int32_t node, unsigned char byte) const {
  auto found = children_.find(edge(node, byte));
  return found == children_.end() ? -1 : found->second;
}

int32_t SpecialMatcher::step(int32_t node, unsigned char byte) const {
  // Nearly all text is outside of patterns, so the root answers without a look-up.
  while (node != 0) {
    int32_t next = child(node, byte);
    if (next >= 0) return next;
    node = nodes_[node].failure;
  }
  return root_children_[byte];
}

void SpecialMatcher::finish() {
  // A node's suffixes are shorter than it, so the nodes are done in the order of their depth.
  std::vector<int32_t> order(nodes_.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(),
            [&](int32_t a, int32_t b) { return nodes_[a].depth < nodes_[b].depth; });
  for (int32_t index : order) {
    Node& node = nodes_[index];
    if (node.depth < 2) continue;
    node.failure = step(nodes_[node.parent].failure, node.byte);
    const Node& suffix = nodes_[node.failure];
    node.shorter_match = suffix.token >= 0 ? node.failure : suffix.shorter_match;
  }
}

// The longest pattern that ends at `node`, 0 if none does.
int32_t SpecialMatcher::first_match(int32_t node, bool with_control) const {
  if (nodes_[node].token < 0) node = nodes_[node].shorter_match;
  while (node != 0 && nodes_[node].control && !with_control) node = nodes_[node].shorter_match;
  return node;
}

std::vector<SpecialMatcher::Candidate> SpecialMatcher::longest_at_each_end(
    std::string_view text, bool with_control) const {
  std::vector<Candidate> found;
  int32_t node = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    node = step(node, static_cast<unsigned char>(text[i]));
    int32_t match = node == 0 ? 0 : first_match(node, with_control);
    if (match != 0) found.push_back({i + 1, match});
  }
  return found;
}

std::vector<SpecialMatcher::Match> SpecialMatcher::find(std::string_view text,
                                                        bool with_control) const {
  std::vector<Match> matches;
  std::vector<Candidate> candidates = longest_at_each_end(text, with_control);
  if (candidates.empty()) return matches;
  std::map<uint32_t, std::vector<Candidate>, std::greater<>> by_length;
  for (const Candidate& candidate : candidates) {
    by_length[nodes_[candidate.node].depth].push_back(candidate);
  }
  std::vector<bool> covered(text.size());
  while (!by_length.empty()) {
    auto [length, longest] = std::move(*by_length.begin());
    by_length.erase(by_length.begin());
    std::sort(longest.begin(), longest.end(), [&](const Candidate& a, const Candidate& b) {
      int32_t first = nodes_[a.node].token;
      int32_t second = nodes_[b.node].token;
      return first != second ? first < second : a.end < b.end;
    });
    for (const Candidate& candidate : longest) {
      // What is covered was covered by matches at least as long, so an overlap shows at an end.
      if (covered[candidate.end - 1]) continue;
      size_t begin = candidate.end - length;
      if (!covered[begin]) {
        std::fill(covered.begin() + begin, covered.begin() + candidate.end, true);
        matches.push_back({begin, candidate.end, nodes_[candidate.node].token});
      } else if (int32_t next = nodes_[candidate.node].shorter_match; next != 0) {
        next = first_match(next, with_control);
        if (next != 0) by_length[nodes_[next].depth].push_back({candidate.end, next});
      }
    }
  }
  std::sort(matches.begin(), matches.end(),
            [](const Match& a, const Match& b) { return a.begin < b.begin; });
  return matches;
}

}  // namespace lazuli::models
