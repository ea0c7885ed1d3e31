/**
 * Regular expressions for names that cameras send. A pattern that could take time without bound on a hostile name is refused when
 * it is configured; what remains is at most cubic in a name of bounded length.
 */
import { CodedError } from '../kit/errors';

const MAX_PATTERN = 256;
/** Names of analytics are 255 characters at most in the tables they end up in. */
const MAX_SUBJECT = 255;
const MAX_REPEATS = 3;

/**
 * @param field the property that holds it, for the error
 * @throws CodedError CONFIG_INVALID: no valid pattern, a repeat within a repeat, alternatives that are repeated, a reference back,
 * or more than three repeats
 */
export function safePattern(source: string, field: string): (subject: string) => boolean {
  const invalid = (why: string): CodedError => new CodedError('CONFIG_INVALID', `${field}: the pattern ${why}`, { field });
  if (source.length > MAX_PATTERN) throw invalid(`is longer than ${MAX_PATTERN} characters`);
  let pattern: RegExp;
  try {
    pattern = new RegExp(source, 'iu');
  } catch {
    throw invalid('is not a valid regular expression');
  }
  const why = dangerIn(source);
  if (why !== undefined) throw invalid(why);
  return (subject) => pattern.test(subject.slice(0, MAX_SUBJECT));
}

/** Escapes, classes, group openings, the ends of groups and quantifiers; everything else stands for itself. */
const TOKENS = /\\[\s\S]|\[(?:\\[\s\S]|[^\]\\])*\]|\((?:\?(?:[:=!]|<[=!]|<\w+>))?|\)|\||[*+?]\??|\{\d+(?:,\d*)?\}\??/gu;

/** Why a valid pattern is refused, or undefined. */
function dangerIn(source: string): string | undefined {
  let repeats = 0;
  /** Whether what is in the group may be of several lengths or kinds; the innermost open group last. */
  const open: boolean[] = [];
  let varies = false;
  /** The group that has just ended, for the quantifier behind it. */
  let ended: { at: number; varied: boolean } | undefined;
  for (const { 0: token, index } of source.matchAll(TOKENS)) {
    if (/^\\([1-9]|k)/.test(token)) return 'refers back to a group';
    if (token.startsWith('(')) {
      open.push(varies);
      varies = false;
    } else if (token === ')') {
      ended = { at: index + 1, varied: varies };
      varies = (open.pop() ?? false) || varies;
    } else if (token === '|') {
      varies = true;
    } else if (/^[*+?{]/.test(token)) {
      varies = true;
      if (token.startsWith('?')) continue;
      if (ended?.at === index && ended.varied) return 'repeats a group that has alternatives or repeats in it';
      if (++repeats > MAX_REPEATS) return `has more than ${MAX_REPEATS} repeats`;
    }
  }
  return undefined;
}
