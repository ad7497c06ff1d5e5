#pragma once

namespace calotype {

/// Whether oneDNN may be asked: LibTorch has it, nobody has turned it off, and
/// what it computes is right. Some builds are wrong, without a word: with 3.7.2
/// as Debian 13 has it, gradients of convolutions of 3x3 with AVX-512 are off
/// by 70 %, and maps of many numbers by half. Some small ones are compared with
/// double, once per process; if they differ, oneDNN is turned off for the
/// process, which a note says: LibTorch then multiplies matrices, and numbers
/// are right, slower, and no longer the same bits in any batch. To be asked
/// before anything is computed on the CPU.
bool use_onednn();

}  // namespace calotype
