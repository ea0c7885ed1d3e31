/** File names out of text that a device gives, safe on Linux, macOS and Windows alike. */
import { createHash } from 'node:crypto';
import { dirname, resolve, sep } from 'node:path';
import { CodedError } from './errors';
import type { Template, View } from './template';

/** Longest name that is kept as it is, bytes of UTF-8; file systems take 255 for the name, its literal parts and `.5`. */
const MAX_BYTES = 120;

/** Separators, wildcards, control characters, lone surrogates, reading-direction marks, and `..` wherever it stands. */
const UNSAFE = /[<>:"|?*/\\\p{Cc}\p{Zl}\p{Zp}\p{Cs}\u202a-\u202e\u2066-\u2069]|\.{2,}/gu;

const BLANK_OR_DOT_AT_EDGE = /^[.\s]+|[.\s]+$/g;

/** Windows opens a device for these, with any extension. */
const RESERVED = /^(?:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[\d\u00b9\u00b2\u00b3])\s*(?:\.|$)/i;

/** What a changed name looks like: an underscore, then the hash. A name that looks so by itself is changed too. */
const LOOKS_CHANGED = /_.*-[\da-f]{8}$/s;

/**
 * One path segment, or a part of one: never empty, no separator, at most 129 bytes. Safe names stay as they are;
 * in others `_` replaces what is unsafe and `-` plus 8 hex digits of the SHA-256 of the original follow, so that two
 * names which differ only in unsafe characters stay two files.
 */
export function safeFileName(value: string): string {
  const safe = shorten(
    value
      .replace(UNSAFE, '_')
      .replace(BLANK_OR_DOT_AT_EDGE, '_')
      .replace(RESERVED, (name) => `_${name}`)
      .replace(/^$/, '_'),
  );
  return safe === value && !LOOKS_CHANGED.test(value) ? value : `${safe}-${hashOf(value)}`;
}

/**
 * The path of a template whose values each went through {@link safeFileName}; its literal text is the user's own.
 * @throws CodedError CONFIG_INVALID when a literal `..` behind a placeholder leads out of the folder in front of it
 */
export function renderPath(template: Template, view: View): string {
  const path = template.render(view, safeFileName);
  // `x` stands for the placeholder: the prefix `logs/cam-` names the folder logs, the prefix `logs/` too.
  const folder = dirname(resolve(`${template.prefix}x`));
  const inside = folder.endsWith(sep) ? folder : folder + sep;
  if (template.placeholders.length > 0 && !resolve(path).startsWith(inside)) {
    throw new CodedError('CONFIG_INVALID', `the path ${path} leads out of the folder ${folder}`);
  }
  return path;
}

function shorten(name: string): string {
  if (Buffer.byteLength(name) <= MAX_BYTES) return name;
  let kept = '';
  let bytes = 1; // the underscore
  for (const character of name) {
    bytes += Buffer.byteLength(character);
    if (bytes > MAX_BYTES) break;
    kept += character;
  }
  return `${kept}_`;
}

/** Lone surrogates are all one in UTF-8; as JSON escapes they differ. */
const hashOf = (value: string): string =>
  createHash('sha256')
    .update(/\p{Cs}/u.test(value) ? JSON.stringify(value) : value)
    .digest('hex')
    .slice(0, 8);
