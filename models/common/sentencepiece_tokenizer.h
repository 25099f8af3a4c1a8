// Text to tokens by a SentencePiece vocabulary.
//
// The method is the one of the SentencePiece paper (Kudo and Richardson 2018) for BPE models: text
// is cut into characters, and of all neighbours whose joined text is in the vocabulary the pair of
// the highest score is joined, the leftmost at a tie, until none is left. Spaces are written as
// U+2581; what is not in the vocabulary becomes one token for each byte. The ids are those of
// llama.cpp: tests/models/tokenizer_oracle.py compares.
#pragma once

#include "common/vocabulary.h"

namespace lazuli::models {

// Reads the scores and the byte tokens. IoError, naming the file and the key, if they are damaged.
std::unique_ptr<const PlainText> make_sentencepiece(const VocabularyReader& reader,
                                                    Vocabulary& vocabulary);

}  // namespace lazuli::models
