#include "core/text/chat_template.h"

#include <doctest/doctest.h>
