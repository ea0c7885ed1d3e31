import { describe, expect, test } from 'vitest';
import { ERROR_CODES } from '../../../nodes/kit/errors';
import { LANGUAGES, NODES, catalogue, editorDefinition, exists, read, scripts, texts, type Texts } from './support/node-files';

const MAX_REASON = 24;
const OTHERS = LANGUAGES.filter((language) => language !== 'en-US');

const values = (text: string | undefined): string[] => [...(text ?? '').matchAll(/__(\w+?)__/g)].map((found) => found[1] ?? '').sort();

const files = [{ family: 'kit', type: 'kit' }, ...NODES];

describe.each(files)('texts of $type', ({ family, type }) => {
  const english = catalogue(family, type, 'en-US');

  test.each(OTHERS)('%s has the keys of English, and each text the same values', (language) => {
    const translated = catalogue(family, type, language);
    expect([...translated.keys()]).toEqual([...english.keys()]);
    for (const [key, text] of translated) expect(values(text), key).toEqual(values(english.get(key)));
  });

  test.each(LANGUAGES)('%s has no empty text', (language) => {
    expect([...catalogue(family, type, language)].filter(([, text]) => text.trim() === '')).toEqual([]);
  });
});

describe.each(LANGUAGES)('reasons in %s', (language) => {
  const shared = catalogue('kit', 'kit', language);

  test('there is one for every error code, and for nothing else', () => {
    const reasons = [...shared.keys()].filter((key) => key.startsWith('reason.')).map((key) => key.slice('reason.'.length));
    expect(reasons.sort()).toEqual(Object.keys(ERROR_CODES).sort());
  });

  test('each is short enough for a status', () => {
    const long = [...shared].filter(([key, text]) => key.startsWith('reason.') && text.length > MAX_REASON);
    expect(long).toEqual([]);
  });
});

/** Keys that a form and its script name: attributes, and string literals that start with a root of the catalogue. */
function namedKeys(html: string, known: Texts): string[] {
  const roots = new Set([...known.keys()].map((key) => key.split('.')[0]));
  const attributes = [...html.matchAll(/data-i18n="([^"]+)"/g)].flatMap((found) => (found[1] ?? '').split(';')).map((key) => key.replace(/^\[[\w-]+\]/, ''));
  const literals = scripts(html, 'text/javascript').flatMap((body) => [...body.matchAll(/'([\w-]+(?:\.[\w-]+)+)'/g)].map((found) => found[1] ?? ''));
  return [...attributes, ...literals.filter((key) => roots.has(key.split('.')[0] ?? ''))];
}

describe.each(NODES)('the form of $type', ({ family, type }) => {
  const known = texts(family, type, 'en-US');
  const html = read('nodes', family, `${type}.html`);
  const shared = read('nodes', 'kit', 'editor.html');
  const { defaults } = editorDefinition(family, type);
  const labels = Object.keys(defaults).map((property) => `label.${property}`);
  const used = new Set([...namedKeys(html, known), ...namedKeys(shared, known), ...labels]);

  test('names only texts that exist', () => {
    expect([...used].filter((key) => !known.has(key))).toEqual([]);
  });

  test('leaves none of its texts unused', () => {
    const own = [...catalogue(family, type, 'en-US').keys()].filter((key) => !key.startsWith('status.'));
    expect(own.filter((key) => !used.has(key))).toEqual([]);
  });

  test('has no text of its own in any element', () => {
    const [template = ''] = scripts(html, 'text/html');
    const visible = template.replace(/<[^>]*>/g, ' ').split(/\s+/).filter((word) => /\p{L}/u.test(word));
    // Names of character sets and log levels are the same in every language.
    expect(visible.filter((word) => !/^(UTF-8|DEBUG|INFO|WARNING|ERROR)$/.test(word))).toEqual([]);
  });

  test('has a label for every field', () => {
    const [template = ''] = scripts(html, 'text/html');
    const fields = [...template.matchAll(/<(?:input|select|textarea)[^>]* id="([^"]+)"/g)].map((found) => found[1]);
    const labelled = new Set([...template.matchAll(/<label for="([^"]+)"/g)].map((found) => found[1]));
    expect(fields.filter((id) => !labelled.has(id))).toEqual([]);
  });
});

describe.each(NODES)('the help of $type', ({ family, type }) => {
  const help = (language: string): string => read('nodes', family, 'locales', language, `${type}.html`);
  const outline = (html: string): string[] => [...html.matchAll(/<(\/?(?:h3|dl|dt|dd|ol|ul|li|p|code))\b/g)].map((found) => found[1] ?? '').filter((tag) => !tag.endsWith('code'));

  test.each(LANGUAGES)('exists in %s and begins with the tooltip', (language) => {
    expect(exists('nodes', family, 'locales', language, `${type}.html`)).toBe(true);
    expect(help(language)).toMatch(new RegExp(`^<script type="text/html" data-help-name="${type}">\\s*<p>`));
  });

  test.each(OTHERS)('%s says all that English says', (language) => {
    expect(outline(help(language))).toEqual(outline(help('en-US')));
  });

  test.each(LANGUAGES)('%s names only error codes that exist', (language) => {
    const codes = [...help(language).matchAll(/\b[A-Z]+(?:_[A-Z]+)+\b/g)].map((found) => found[0]);
    expect(codes.filter((code) => !(code in ERROR_CODES))).toEqual([]);
  });
});
