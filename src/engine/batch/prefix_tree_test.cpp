#include "engine/batch/prefix_tree.h"

#include <doctest/doctest.h>

#include <numeric>
#include <vector>

namespace toolkit::engine {

namespace {

constexpr tensor::KvBlockShape kShape{.layers = 1, .kv_heads = 1, .head_dim = 16};

std::vector<int32_t> text(int32_t first) {
  std::vector<int32_t> tokens(tensor::KvBlockShape::kTokens);
  std::iota(tokens.begin(), tokens.end(), first);
  return tokens;
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("blocks are taken up to the limit and used again") {
    BlockPool pool(kShape, 2 * kShape.bytes() + 100);
    CHECK(pool.limit() == 2);
    uint8_t* one = pool.take();
    uint8_t* two = pool.take();
    REQUIRE((one && two));
    CHECK(one[0] == 0);
    CHECK(two[kShape.bytes() - 1] == 0);
    CHECK(pool.take() == nullptr);
    CHECK(pool.used() == 2);
    pool.give_back(one);
    CHECK(pool.used() == 1);
    CHECK(pool.take() == one);
    pool.give_back(one), pool.give_back(two);
  }

  TEST_CASE("a text is found by all its tokens and by the adapter it was computed with") {
    BlockPool pool(kShape, 8 * kShape.bytes());
    PrefixTree tree(pool);
    PrefixBlock* first = tree.add(0, nullptr, text(1), pool.take());
    PrefixBlock* second = tree.add(0, first, text(100), pool.take());
    CHECK(tree.find(0, nullptr, text(1)) == first);
    CHECK(tree.find(0, first, text(100)) == second);
    CHECK(tree.find(0, first, text(101)) == nullptr);
    CHECK(tree.find(0, nullptr, text(100)) == nullptr);
    CHECK(tree.find(5, nullptr, text(1)) == nullptr);
    CHECK(first->users == 2);
  }

  TEST_CASE("what two computed is kept once") {
    BlockPool pool(kShape, 8 * kShape.bytes());
    PrefixTree tree(pool);
    PrefixBlock* first = tree.add(0, nullptr, text(1), pool.take());
    CHECK(tree.add(0, nullptr, text(1), pool.take()) == first);
    CHECK(pool.used() == 1);
    CHECK(first->users == 2);
  }

  TEST_CASE("what was unused longest ends first, from its end on, and nothing that is in use") {
    BlockPool pool(kShape, 8 * kShape.bytes());
    PrefixTree tree(pool);
    PrefixBlock* trunk = tree.add(0, nullptr, text(1), pool.take());
    PrefixBlock* old = tree.add(0, trunk, text(100), pool.take());
    PrefixBlock* used = tree.add(0, trunk, text(200), pool.take());
    CHECK_FALSE(tree.forget_one());
    tree.release(old);
    tree.release(used);
    CHECK(tree.find(0, trunk, text(100)) == old);  // used again: now the younger one
    tree.release(old);
    tree.release(trunk);
    CHECK(tree.unused() == 3);
    CHECK(tree.forget_one());
    CHECK(tree.find(0, trunk, text(200)) == nullptr);
    CHECK(tree.find(0, nullptr, text(1)) == trunk);
    CHECK(tree.forget_one());
    CHECK(tree.find(0, trunk, text(100)) == nullptr);
    CHECK_FALSE(tree.forget_one());  // the trunk is in use
    tree.release(trunk);
    CHECK(tree.forget_one());
    CHECK(pool.used() == 0);
    CHECK(tree.unused() == 0);
  }
}

}  // namespace toolkit::engine
