/** Finding `@name` parameters in SQL text: outside of texts, quoted names and comments; never `@@FUNCTION`. */
import { LRUCache } from 'lru-cache';

/** What is skipped whole; a quote that is doubled ends one piece and begins the next, which comes to the same. */
const TOKENS = /'[^']*'|"[^"]*"|\[[^\]]*\]|`[^`]*`|--[^\r\n]*|\/\*[\s\S]*?\*\/|@@?[\p{L}_][\p{L}\p{N}_$#]*/gu;

/** The names of the parameters, each once, in the order of their first appearance. */
export function parameterNames(sql: string): string[] {
  const names = new Set<string>();
  for (const [token] of sql.matchAll(TOKENS)) if (isParameter(token)) names.add(token.slice(1));
  return [...names];
}

export interface Positional {
  /** The text with `?` for each parameter. */
  sql: string;
  /** The name for each `?`. */
  names: readonly string[];
}

const known = new LRUCache<string, Positional>({ max: 256 });

/** The statement for drivers that bind by position. */
export function positional(sql: string): Positional {
  const before = known.get(sql);
  if (before) return before;
  const names: string[] = [];
  const text = sql.replace(TOKENS, (token) => {
    if (!isParameter(token)) return token;
    names.push(token.slice(1));
    return '?';
  });
  const result = { sql: text, names };
  known.set(sql, result);
  return result;
}

const isParameter = (token: string): boolean => token.startsWith('@') && !token.startsWith('@@');

/** Whether nothing follows the statement but blanks and comments. */
export function isSingle(sql: string): boolean {
  const bare = sql.replace(TOKENS, (token) => (token.startsWith('--') || token.startsWith('/*') ? ' ' : 'x'));
  return !/;\s*\S/.test(bare.replace(/[;\s]+$/, ''));
}
