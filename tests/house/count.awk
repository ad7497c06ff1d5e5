# awk -f count.awk CTEST_OUTPUT LAST_TEST_LOG
#
# Names what was skipped, then ends with "N passed, N failed, N skipped". A GoogleTest
# program counts as its cases; any other test, and a program that died outside of its
# cases, counts as one.

# What ctest printed: " 3/12 Test  #3: core_test .......   Passed    6.09 sec".
FNR == NR && /^ *[0-9]+\/[0-9]+ Test +#[0-9]+: / {
  sub(/^.*#[0-9]+: /, "")
  names[++num_tests] = $1
  result[$1] = /\*\*\*Skipped/ ? "skipped" : /\*\*\*/ ? "failed" : "passed"
}
FNR == NR { next }

# What the tests printed: "[       OK ] Suite.Case (3 ms)".
/^[0-9]+\/[0-9]+ Test: / { test = $3 }
/^\[ .* \] .* \([0-9]+ ms\)$/ {
  kind = /^\[       OK \]/ ? "passed" : /^\[  FAILED  \]/ ? "failed" : "skipped"
  count[kind]++
  has_cases[test] = 1
  if (kind == "failed") has_failed_case[test] = 1
  if (kind == "skipped") print "skipped: " test ": " $4
}

END {
  for (i = 1; i <= num_tests; ++i) {
    test = names[i]
    kind = result[test]
    if (kind == "failed" ? has_failed_case[test] : has_cases[test]) continue
    count[kind]++
    if (kind == "skipped") print "skipped: " test
  }
  printf "%d passed, %d failed, %d skipped\n",
    count["passed"], count["failed"], count["skipped"]
}
