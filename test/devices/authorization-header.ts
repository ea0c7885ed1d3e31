/**
 * Strict reader of an `Authorization: Digest ...` header (RFC 7616 section 3.4, RFC 9110 section 11.4).
 * Names are lower-cased; `quoted` says how a value was written, because the RFC forbids quotes around some and demands them
 * around others.
 */
export interface AuthParameter {
  value: string;
  quoted: boolean;
}

const TOKEN = /[!#$%&'*+\-.^_`|~0-9A-Za-z]+/y;
const QUOTED = /"((?:[^"\\]|\\.)*)"/y;
const EXTENDED_VALUE = /[!#$%&'*+\-.^_`|~0-9A-Za-z]+/y;
const COMMA = /[ \t]*,[ \t]*/y;

/**
 * The scheme as sent and what follows it. A header without a blank (`Negotiate`) has an empty rest.
 */
export function splitScheme(header: string): { scheme: string; rest: string } {
  const [, scheme = '', rest = ''] = /^(\S*)\s*(.*)$/s.exec(header.trim()) ?? [];
  return { scheme, rest };
}

/**
 * The comma-separated parameters after the scheme; undefined when the text is not one: a value neither token nor
 * quoted-string, a name given twice, bytes left over, an empty list.
 */
export function parseParameters(text: string): Map<string, AuthParameter> | undefined {
  const found = new Map<string, AuthParameter>();
  let at = 0;
  const take = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    const match = pattern.exec(text);
    if (match) at = pattern.lastIndex;
    return match;
  };
  for (;;) {
    const name = take(TOKEN)?.[0].toLowerCase();
    if (name === undefined || text[at] !== '=' || found.has(name)) return undefined;
    at += 1;
    const quoted = take(QUOTED);
    if (quoted) {
      found.set(name, { value: (quoted[1] ?? '').replace(/\\(.)/gs, '$1'), quoted: true });
    } else {
      const plain = take(EXTENDED_VALUE);
      if (!plain) return undefined;
      found.set(name, { value: plain[0], quoted: false });
    }
    if (at === text.length) return found;
    if (!take(COMMA)) return undefined;
  }
}

/** `"` and `\` escaped, without the surrounding quotes. */
export function escapeQuoted(text: string): string {
  return text.replace(/["\\]/g, '\\$&');
}
