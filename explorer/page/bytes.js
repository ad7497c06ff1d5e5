// Numbers as the server writes them: base64 of little-endian floats, or of
// their high bytes alone.

export function floatsOf(text, numBytes = 4) {
  if (typeof text !== 'string') return Float32Array.from(text);  // of the page
  const letters = atob(text), low = 4 - numBytes;
  const bytes = new Uint8Array(letters.length / numBytes * 4);
  for (let i = 0, to = low; i < letters.length; to += low)
    for (let k = 0; k < numBytes; ++k) bytes[to++] = letters.charCodeAt(i++);
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
