#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/text/chat_template.h"

namespace toolkit::text {

/// Renders the given messages, with or without the generation prompt.
using RenderMessages = std::function<std::string(const std::vector<Message>&, bool)>;

/// Finds what the assistant says in a rendered conversation by comparing renderings of it:
/// - a turn begins where the conversation before it, rendered with the generation prompt, ends;
///   where that is not a prefix (a template that moves the system prompt), where the turn's content
///   begins, provided the content stands in exactly one place;
/// - its content ends where a rendering with another content ends to differ;
/// - the end-of-turn mark is what the template writes after the content of a last turn, without
///   trailing white space.
/// Throws Error(kUnsupported) naming the turn where the renderings contradict each other.
RenderedChat find_assistant_ranges(const std::vector<Message>& messages, bool generation_prompt,
                                   const RenderMessages& render);

}  // namespace toolkit::text
