/**
 * Line and path templates: literal text with `{{a.b.c}}` and `{{a.b.c|filter}}` in it. A value from a device never
 * brings a line break or a terminal sequence along, so that a hostile camera name cannot forge a log line.
 */
import { CodedError } from './errors';

/** The value at a dotted path, or undefined. The template never walks objects itself. */
export type View = (path: string) => unknown;

export interface Template {
  /**
   * The text with its values filled in. Numbers and flags plain, dates as ISO 8601, other objects as JSON, null and
   * undefined as nothing. `encode` makes a value safe for where it goes; by default {@link oneLine}.
   */
  render(view: View, encode?: (value: string) => string): string;
  /** The paths that it reads, each once, in the order of the text. */
  readonly placeholders: string[];
  /** The literal text in front of the first placeholder. */
  readonly prefix: string;
}

type Filter = (value: unknown) => string;
type Part = string | { path: string; filters: Filter[] };

/** Single braces are literal text, so a JSON line can be written as it is: `{"id":{{id|json}}}`. */
const PLACEHOLDER = /\{\{(?!\{)([^{}]*)\}\}/g;

/** Control characters, line separators, and the marks that reverse the reading direction of what follows. */
// eslint-disable-next-line no-control-regex -- they are what it is for
const UNPRINTABLE = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g;

const SHORT_ESCAPES: Record<string, string> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/** The text in one printable line: control characters become escapes such as `\n` or `\u001b`, written out. */
export const oneLine = (text: string): string =>
  text.replace(UNPRINTABLE, (mark) => SHORT_ESCAPES[mark] ?? `\\u${mark.charCodeAt(0).toString(16).padStart(4, '0')}`);

const FILTERS = new Map<string, Filter>([
  ['title', (value) => plain(value).replace(/(?<=^|\s)\p{L}/gu, (letter) => letter.toUpperCase())],
  ['upper', (value) => plain(value).toUpperCase()],
  ['json', json],
  ['local', (value) => wallClock(value, ' ')],
  ['local-iso', (value) => wallClock(value, 'T')],
]);

/**
 * Compiles a template once, to be rendered per message. Filters: `title`, `upper`, `json` (null where there is
 * nothing), `local` (`YYYY-MM-DD HH:MM:SS`) and `local-iso` (`YYYY-MM-DDTHH:MM:SS`), both on this machine's wall clock,
 * from ISO 8601 text, ms since 1970 or a Date; what is not a time stays as it is. Several filters: `{{a|title|json}}`.
 * @param field the configuration property that holds the template, for the error
 * @throws CodedError CONFIG_INVALID for an unknown filter, an empty placeholder or unbalanced double braces
 */
export function compileTemplate(source: string, field?: string): Template {
  const parts: Part[] = [];
  const placeholders = new Set<string>();
  const literal = (from: number, to: number): void => {
    if (to > from) parts.push(source.slice(from, to));
  };

  let end = 0;
  for (const found of source.matchAll(PLACEHOLDER)) {
    literal(end, found.index);
    const placeholder = parsePlaceholder(found[1] ?? '', field);
    parts.push(placeholder);
    placeholders.add(placeholder.path);
    end = found.index + found[0].length;
  }
  literal(end, source.length);
  checkBraces(parts, field);

  const [first] = parts;
  return {
    render: (view, encode = oneLine) =>
      parts.map((part) => (typeof part === 'string' ? part : encode(fill(part, view)))).join(''),
    placeholders: [...placeholders],
    prefix: typeof first === 'string' ? first : '',
  };
}

function parsePlaceholder(inner: string, field: string | undefined): { path: string; filters: Filter[] } {
  const [path = '', ...names] = inner.split('|').map((word) => word.trim());
  if (path.split('.').includes('')) throw invalid(`{{${inner}}} names no value`, field);
  const filters = names.map((name) => {
    const filter = FILTERS.get(name);
    if (filter) return filter;
    throw invalid(`{{${inner}}}: there is no filter "${name}"; there are ${[...FILTERS.keys()].join(', ')}`, field);
  });
  return { path, filters };
}

function checkBraces(parts: readonly Part[], field: string | undefined): void {
  let depth = 0;
  for (const part of parts) {
    if (typeof part !== 'string') continue;
    if (part.includes('{{')) throw invalid('a {{ has no }}', field);
    for (const [braces] of part.matchAll(/\{|\}+/g)) {
      if (braces === '{') depth++;
      else if (braces.length > 1 && braces.length > depth) throw invalid('a }} has no {{', field);
      else depth = Math.max(0, depth - braces.length);
    }
  }
}

function fill({ path, filters }: { path: string; filters: Filter[] }, view: View): string {
  const value = view(path);
  const [first = plain, ...others] = filters;
  return others.reduce((text, filter) => filter(text), first(value));
}

function plain(value: unknown): string {
  switch (typeof value) {
    case 'string':
      return value;
    case 'number':
    case 'boolean':
    case 'bigint':
      return String(value);
    case 'object':
      if (value === null) return '';
      return value instanceof Date && !Number.isNaN(value.getTime()) ? value.toISOString() : json(value);
    default:
      return '';
  }
}

function json(value: unknown): string {
  try {
    return JSON.stringify([value]).slice(1, -1); // in a list, what JSON has no word for is null
  } catch {
    // A cycle or a bigint inside: a log line with a hole is worth more than none.
    return 'null';
  }
}

function wallClock(value: unknown, between: string): string {
  if (typeof value !== 'string' && typeof value !== 'number' && !(value instanceof Date)) return plain(value);
  const at = new Date(value);
  if (Number.isNaN(at.getTime())) return plain(value);
  const two = (part: number): string => String(part).padStart(2, '0');
  const date = `${String(at.getFullYear()).padStart(4, '0')}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  return `${date}${between}${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}

const invalid = (text: string, field: string | undefined): CodedError =>
  field === undefined ? new CodedError('CONFIG_INVALID', text) : new CodedError('CONFIG_INVALID', `${field}: ${text}`, { field });
