#pragma once

#include <string>
#include <vector>

#include "core/data/chat_rows.h"
#include "engine/generate/generator.h"

namespace toolkit::engine {

/// The conversation of a row up to its last question; empty for plain text.
std::vector<text::Message> question_of(const data::Row& row);

/// What a row's assistant says to that question; "" if nothing.
std::string expected_answer(const data::Row& row);

/// What the model says to it: greedy, without white space at the end. Ctrl-C ends it early.
std::string answer_row(Generator& generator, const LanguageModel& model, const data::Row& row,
                       int max_tokens);

}  // namespace toolkit::engine
