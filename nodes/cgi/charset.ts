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
  const fallback = new TextDecoder(charset === 'auto' ? 'windows-1252' : charset);
  return (bytes) => {
    if (isAscii(bytes)) return bytes.toString('latin1');
    if (charset === 'auto' && isUtf8(bytes)) return bytes.toString('utf8');
    return fallback.decode(bytes);
  };
}
