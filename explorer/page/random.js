// Random numbers that are the same for the same seed.

/// Uniform numbers in (0,1) (mulberry32).
export function uniforms(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (((t ^ (t >>> 14)) >>> 0) + 0.5) / 4294967296;
  };
}

export function normalOf(uniform) {
  return Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
}

/// So many normal numbers.
export function normals(seed, count) {
  const uniform = uniforms(seed);
  return Float32Array.from({length: count}, () => normalOf(uniform));
}
