/**
 * What a server asks for: the challenges of `WWW-Authenticate` (RFC 9110 11.6.1), read as leniently as firmware needs
 * (facts/dahua-hanwha.md A8). Strings are Latin-1, one character per byte, as undici gives them: a realm in UTF-8 keeps
 * its bytes, and they are what is hashed and sent back.
 */

export interface Challenge {
  /** As the server wrote it: `Digest`, `Basic`, … */
  scheme: string;
  /** The single opaque value of schemes such as Negotiate. */
  token68?: string;
  /** By name in lower case; values without quotes and quoted pairs. Of a repeated name the first counts. */
  params: ReadonlyMap<string, string>;
}

/**
 * All challenges, in the order offered. A header may hold several, and there may be several headers; quoted values may
 * hold commas and escaped quotes. Never throws: what makes no sense is skipped.
 * @param headerValues each `WWW-Authenticate` value received
 */
export function parseChallenges(headerValues: readonly string[]): Challenge[] {
  return headerValues.flatMap((value) => parseHeader(value));
}

/** The parameters of a header that is a plain list of them, such as `Authentication-Info`. */
export function parseAuthParams(headerValue: string): ReadonlyMap<string, string> {
  return parseHeader(`info ${headerValue}`)[0]?.params ?? new Map<string, string>();
}

// Only blank and tab are white space here: \s would take byte A0 of a UTF-8 sequence for one.
const SEPARATORS = /[ \t,]*/y;
const TOKEN = /[^ \t,="]+/y;
const TOKEN68 = /[ \t]+([A-Za-z0-9._~+/-]+=*)[ \t]*(?=,|$)/y;
const EQUALS = /[ \t]*=[ \t]*/y;
const QUOTED = /"((?:[^"\\]|\\[^])*)(?:"|\\?$)/y;
/** To the comma, for firmware that forgets the quotes, but not into a `name=`, for firmware that forgets the comma. */
const UNQUOTED = /[^ \t,]*(?:[ \t]+(?![^ \t,="]+[ \t]*=)[^ \t,]+)*/y;

function parseHeader(value: string): Challenge[] {
  const challenges: Challenge[] = [];
  let params = new Map<string, string>();
  let at = 0;
  const take = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    const match = pattern.exec(value);
    if (match) at = pattern.lastIndex;
    return match;
  };
  for (take(SEPARATORS); at < value.length; take(SEPARATORS)) {
    const name = take(TOKEN)?.[0];
    if (name === undefined) {
      at += 1;
    } else if (take(EQUALS)) {
      const quoted = take(QUOTED);
      const text = quoted ? unquote(quoted[1] ?? '') : (take(UNQUOTED)?.[0] ?? '');
      const key = name.toLowerCase();
      if (!params.has(key)) params.set(key, text);
    } else {
      params = new Map();
      const token68 = take(TOKEN68)?.[1];
      challenges.push(token68 === undefined ? { scheme: name, params } : { scheme: name, token68, params });
    }
  }
  return challenges;
}

const unquote = (text: string) => text.replace(/\\([^])/g, '$1');
