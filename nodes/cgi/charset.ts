/** Text of a device, whose charset is nowhere declared (facts/dahua-hanwha.md A3, A11). */
import { isAscii, isUtf8 } from 'node:buffer';

export const CHARSETS = ['auto', 'utf-8', 'windows-1252', 'gb18030', 'big5', 'windows-1251', 'windows-874'] as const;
export type Charset = (typeof CHARSETS)[number];

export type TextDecode = (bytes: Buffer) => string;

/**
 * Decoder for a charset. `auto` is UTF-8 where the bytes are valid UTF-8, else windows-1252, which is what old firmware
 * writes in Spanish and Portuguese. GB18030 must be chosen: tried by itself it turns `Câmara` into Chinese.
 */
export function decoder(charset: Charset): TextDecode {
  if (charset === 'auto') return decodeAuto;
  const decode = charset === 'windows-1252' ? decodeWindows1252 : decodeWith(charset);
  return (bytes) => (isAscii(bytes) ? bytes.toString('latin1') : decode(bytes));
}

function decodeAuto(bytes: Buffer): string {
  if (isAscii(bytes)) return bytes.toString('latin1');
  return isUtf8(bytes) ? bytes.toString('utf8') : decodeWindows1252(bytes);
}

function decodeWith(charset: Charset): TextDecode {
  const decoder = new TextDecoder(charset);
  return (bytes) => decoder.decode(bytes);
}

/** What windows-1252 has at 0x80-0x9f. */
const SIGNS = '€\u0081‚ƒ„…†‡ˆ‰Š‹Œ\u008dŽ\u008f\u0090‘’“”•–—˜™š›œ\u009džŸ';

/** Node's own TextDecoder reads windows-1252 as latin-1 (20.20), which has control characters in the place of the signs. */
function decodeWindows1252(bytes: Buffer): string {
  return bytes.toString('latin1').replace(/[\x80-\x9f]/g, (byte) => SIGNS[byte.charCodeAt(0) - 0x80] ?? byte);
}
