#pragma once

#include <string>

#include "core/http/client.h"
#include "core/model_store/name.h"
#include "core/model_store/settings.h"

namespace toolkit::model_store::hub {

/// Why the hub would not give a model out, and the exact next step: gated (the page to accept, how
/// to log in), not there (the nearest name that is, or a private one), an unknown revision (the
/// ones there are), a token that is not valid, too many requests, trouble of its own. Asks the hub
/// for names where that helps. Throws Error(kNotFound | kUserInput | kNetwork).
[[noreturn]] void refuse(http::Client& client, const Environment& environment, const HubName& name,
                         const std::string& token, const http::Response& response);

/// A GET below the hub's address with the token, as every question to it is sent.
http::Request hub_request(const Environment& environment, const std::string& target,
                          const std::string& token);

}  // namespace toolkit::model_store::hub
