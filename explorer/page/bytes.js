// Numbers as the server writes them: base64 of little-endian floats.

export function floatsOf(text) {
  if (typeof text !== 'string') return Float32Array.from(text);  // of the page
  const letters = atob(text);
  const bytes = new Uint8Array(letters.length);
  for (let i = 0; i < letters.length; ++i) bytes[i] = letters.charCodeAt(i);
  return new Float32Array(bytes.buffer);
}

export function base64OfBytes(bytes) {
  let letters = '';
  const kAtOnce = 0x8000;  // arguments that a call may have
  for (let at = 0; at < bytes.length; at += kAtOnce)
    letters += String.fromCharCode(...bytes.subarray(at, at + kAtOnce));
  return btoa(letters);
}

/// Four digits, as many as a person reads.
export function numberText(value) {
  if (value === null || value === undefined) return '–';
  if (value === 0) return '0';
  const size = Math.abs(value);
  return size >= 1e-3 && size < 1e5 ? String(Number(value.toPrecision(4)))
                                    : value.toExponential(2);
}
