// Text to tokens by byte-level BPE (Sennrich et al., 2016; Radford et al., 2019).
//
// Text is cut into pieces (split_rules.h); the bytes of a piece are tokens of their own at first,
// and of all neighbours that stand in the list of merges the pair that stands first there is
// merged, the leftmost at a tie, until none is left. Files spell a byte as a printable character.
// A byte for which a vocabulary has no token is left out; text is not normalised. The ids are those
// of the package `tokenizers`: tests/models/bpe_oracle.py compares.
#pragma once

#include "common/vocabulary.h"

namespace lazuli::models {

// Reads the split rule and the merges. IoError, naming the file and the key, if they are damaged or
// the rule is none of those that are known.
std::unique_ptr<const PlainText> make_byte_level_bpe(const VocabularyReader& reader,
                                                     Vocabulary& vocabulary);

}  // namespace lazuli::models
