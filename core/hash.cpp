#include "core/hash.h"

#include <fmt/format.h>
#include <openssl/evp.h>
#include <xxhash.h>

#include <memory>
#include <new>

#include "core/files.h"

namespace calotype {
namespace {

/// A running SHA-256.
class Sha256 {
 public:
  Sha256() : context_(EVP_MD_CTX_new(), &EVP_MD_CTX_free) {
    EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr);
  }

  void add(const void* data, size_t size) {
    EVP_DigestUpdate(context_.get(), data, size);
  }

  std::string hex() {
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    EVP_DigestFinal_ex(context_.get(), digest, &size);
    std::string text;
    for (unsigned i = 0; i < size; ++i)
      text += fmt::format("{:02x}", digest[i]);
    return text;
  }

 private:
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_;
};

}  // namespace

uint64_t xxh64(std::span<const uint8_t> bytes) {
  return XXH3_64bits(bytes.data(), bytes.size());
}

uint64_t xxh64(std::string_view text) {
  return XXH3_64bits(text.data(), text.size());
}

std::string sha256_hex(std::span<const uint8_t> bytes) {
  Sha256 hash;
  hash.add(bytes.data(), bytes.size());
  return hash.hex();
}

std::string sha256_hex_of_file(const std::filesystem::path& path) {
  Sha256 hash;
  visit_file(path, [&](std::span<const uint8_t> bytes) {
    hash.add(bytes.data(), bytes.size());
  });
  return hash.hex();
}

uint64_t xxh64_of_file(const std::filesystem::path& path) {
  const std::unique_ptr<XXH3_state_t, decltype(&XXH3_freeState)> state(
      XXH3_createState(), &XXH3_freeState);
  if (!state) throw std::bad_alloc();
  XXH3_64bits_reset(state.get());
  visit_file(path, [&](std::span<const uint8_t> bytes) {
    XXH3_64bits_update(state.get(), bytes.data(), bytes.size());
  });
  return XXH3_64bits_digest(state.get());
}

std::string hex64(uint64_t value) {
  return fmt::format("{:016x}", value);
}

}  // namespace calotype
