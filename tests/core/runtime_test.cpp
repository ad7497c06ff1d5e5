#include "core/runtime.h"

#include <ATen/Context.h>
#include <ATen/Functions.h>
#include <ATen/Parallel.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>

#include "core/error.h"
#include "core/version.h"

namespace calotype {
namespace {

using testing::ThrowsMessage;

TEST(Dtype, NamesGoBothWays) {
  for (const auto* name : {"fp32", "fp16", "bf16"})
    EXPECT_EQ(dtype_name(parse_dtype(name)), name);
  EXPECT_EQ(parse_dtype("bf16"), c10::kBFloat16);
  EXPECT_THAT([] { parse_dtype("float"); },
              ThrowsMessage<ConfigError>(
                  "dtype: expected fp32, fp16 or bf16, got float"));
}

TEST(NumUsableCpus, FollowsTheAffinityMask) {
  cpu_set_t all, one;
  ASSERT_EQ(sched_getaffinity(0, sizeof all, &all), 0);
  EXPECT_GE(num_usable_cpus(), 1);
  EXPECT_LE(num_usable_cpus(), CPU_COUNT(&all));

  int first = 0;
  while (!CPU_ISSET(first, &all)) ++first;
  CPU_ZERO(&one);
  CPU_SET(first, &one);
  ASSERT_EQ(sched_setaffinity(0, sizeof one, &one), 0);
  EXPECT_EQ(num_usable_cpus(), 1);
  sched_setaffinity(0, sizeof all, &all);
}

TEST(SetUpRuntime, TakesTheThreadsThatItIsGiven) {
  EXPECT_EQ(set_up_runtime({.num_threads = 1, .device = "cpu"}),
            c10::Device("cpu"));
  EXPECT_EQ(at::get_num_threads(), 1);
  set_up_runtime({.device = "cpu"});
  EXPECT_EQ(at::get_num_threads(), num_usable_cpus());
}

TEST(SetUpRuntime, RefusesANumberOfThreadsThatNoMachineHas) {
  EXPECT_THAT(
      [] { set_up_runtime({.num_threads = -1}); },
      ThrowsMessage<ConfigError>("--threads: expected 0 to 1024, got -1"));
}

TEST(SetUpRuntime, RefusesADeviceThatIsMisspeltOrNotThere) {
  for (const std::string name :
       {"cudafoo", "cuda:", "cuda:x", "cuda:1x", "cuda:-1", "cuda:1:2", "CUDA",
        "cuda:99999999999"})
    EXPECT_THAT(
        [&] { set_up_runtime({.device = name}); },
        ThrowsMessage<ConfigError>(
            "--device: expected auto, cpu, cuda or cuda:N, got " + name));
  EXPECT_THAT([] { set_up_runtime({.device = "cuda:99"}); },
              ThrowsMessage<ConfigError>(testing::StartsWith(
                  "--device: cuda:99 is not available; this machine has cpu")));
}

TEST(SetUpRuntime, RefusesAnUnknownDevice) {
  EXPECT_THAT([] { set_up_runtime({.device = "tpu"}); },
              ThrowsMessage<ConfigError>(
                  "--device: expected auto, cpu, cuda or cuda:N, got tpu"));
}

TEST(SetUpRuntime, RefusesADeviceThatIsNotThere) {
  if (at::globalContext().hasCUDA()) GTEST_SKIP() << "this machine has CUDA";
  EXPECT_EQ(set_up_runtime({.device = "auto"}), c10::Device("cpu"));
  EXPECT_THAT([] { set_up_runtime({.device = "cuda:0"}); },
              ThrowsMessage<ConfigError>(
                  "--device: cuda:0 is not available; this machine has cpu"));
}

TEST(PeakMemory, GrowsWithWhatIsTouched) {
  const auto before = peak_memory_bytes();
  const auto touched = at::ones({int64_t{128} << 18}, at::kFloat);  // 128 MiB
  EXPECT_GE(peak_memory_bytes(), before);
  EXPECT_GE(peak_memory_bytes(), touched.numel() * 4);
}

TEST(VersionText, NamesBothVersions) {
  EXPECT_THAT(version_text(),
              testing::MatchesRegex("calotype [0-9.]+, LibTorch [0-9].*"));
  EXPECT_THAT(version_text(), testing::HasSubstr(kVersion));
}

}  // namespace
}  // namespace calotype
