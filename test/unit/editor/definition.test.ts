import { describe, expect, test, vi } from 'vitest';
import { LANGUAGES, NODES, editorDefinition, exists, read, scripts, texts } from './support/node-files';

interface RuntimeDefinition {
  type: string;
  config: { shape: object };
  credentials?: Record<string, 'text' | 'password'>;
}

// The harness hands back what a node defines instead of registering it.
vi.mock('../../../nodes/kit/node', () => ({ defineNode: (definition: RuntimeDefinition) => definition }));

async function runtimeDefinition(family: string, type: string): Promise<RuntimeDefinition> {
  const file = (await import(`../../../nodes/${family}/${type}.ts`)) as { default: RuntimeDefinition };
  return file.default;
}

describe.each(NODES)('$type', ({ family, type }) => {
  const editor = editorDefinition(family, type);

  test('has the same properties in editor and runtime', async () => {
    const runtime = await runtimeDefinition(family, type);
    expect(runtime.type).toBe(type);
    // The name is for people; not every runtime needs it.
    const named = (properties: string[]): string[] => [...new Set([...properties, 'name'])].sort();
    expect(named(Object.keys(editor.defaults))).toEqual(named(Object.keys(runtime.config.shape)));
  });

  test('has the same credentials in editor and runtime', async () => {
    const runtime = await runtimeDefinition(family, type);
    const types = Object.entries(editor.credentials ?? {}).map(([name, credential]): [string, string] => [name, credential.type]);
    expect(Object.fromEntries(types)).toEqual(runtime.credentials ?? {});
  });

  test('has an element for every property and credential', () => {
    const html = read('nodes', family, `${type}.html`);
    const prefix = editor.category === 'config' ? 'node-config-input-' : 'node-input-';
    const properties = [...Object.keys(editor.defaults), ...Object.keys(editor.credentials ?? {})];
    expect(properties.filter((property) => !html.includes(`id="${prefix}${property}"`))).toEqual([]);
  });

  test('is registered by a literal name and inline defaults, in plain scripts', () => {
    const html = read('nodes', family, `${type}.html`);
    expect(scripts(html, 'text/javascript').join()).toMatch(new RegExp(`RED\\.nodes\\.registerType\\('${type}', \\{[^}]*?\\bdefaults: \\{`));
    expect(html).not.toMatch(/type="module"|<script[^>]* src=/);
  });

  test('has a category, and an icon that exists', () => {
    expect(editor.category).toMatch(/^(config|camera events)$/);
    expect(editor.icon).toMatch(/^aforo-/);
    expect(exists('icons', editor.icon)).toBe(true);
  });

  describe('validation', () => {
    const english = texts(family, type, 'en-US');
    const node = {
      ...Object.fromEntries(Object.entries(editor.defaults).map(([property, { value }]) => [property, value])),
      _def: editor,
      _: (key: string, given: Record<string, unknown> = {}) =>
        (english.get(key) ?? '').replace(/__(\w+?)__/g, (_, value: string) => String(given[value])),
    };
    const validated = Object.entries(editor.defaults).flatMap(([property, { validate }]) => (validate ? [{ property, validate }] : []));

    test.each(validated)('$property takes an environment variable, with and without a fallback', ({ validate }) => {
      expect(validate.call(node, '${CAMERA}', {})).toBe(true);
      expect(validate.call(node, '${CAMERA:-}', {})).toBe(true);
      expect(validate.call(node, '${CAMERA_1:-some thing}', {})).toBe(true);
    });

    test.each(validated)('$property: what it refuses, it refuses with a text that names it', ({ property, validate }) => {
      // Node-RED shows a text only of validators with two parameters.
      expect(validate.length).toBe(2);
      const active = { ...node, format: 'template' };
      const verdicts = ['', '-1', 'a b/c?', '!'].map((value) => validate.call(active, value, {}));
      for (const verdict of verdicts.filter((one) => one !== true)) {
        expect(verdict).toMatch(new RegExp(`^${english.get(`label.${property}`)?.replace(/[()]/g, '\\$&') ?? '?'}: \\S`));
      }
      expect(verdicts.some((verdict) => verdict !== true)).toBe(true);
    });
  });
});

describe('numbers', () => {
  const { defaults } = editorDefinition('cgi', 'cgi-device');
  const english = texts('cgi', 'cgi-device', 'en-US');
  const node = { _: (key: string) => english.get(key) };
  const takes = (property: string, value: unknown): boolean => defaults[property]?.validate?.call(node, value, {}) === true;

  test.each([1, 60, '5', ' 5 ', ''])('a heartbeat of %j is taken', (value) => expect(takes('heartbeat', value)).toBe(true));
  test.each([0, 61, '2.5', 'five', '5s'])('a heartbeat of %j is refused', (value) => expect(takes('heartbeat', value)).toBe(false));
  test.each([1.1, '1.5', 10])('a retry growth of %j is taken', (value) => expect(takes('backoffBase', value)).toBe(true));
  test.each([1, '10.1'])('a retry growth of %j is refused', (value) => expect(takes('backoffBase', value)).toBe(false));
});

describe('addresses', () => {
  const { defaults } = editorDefinition('cgi', 'cgi-device');
  const node = { _: () => 'no' };
  const takes = (value: unknown): boolean => defaults.host?.validate?.call(node, value, {}) === true;

  test.each(['192.168.1.108', 'camera.local:8080', 'https://camera', 'http://10.0.0.1:81/', '[fe80::1]:80'])('%s is taken', (host) => expect(takes(host)).toBe(true));
  test.each(['', '10.0.0.1/cgi-bin', 'user:pass@camera', 'ftp://camera', 'my camera', 'camera:99999'])('%j is refused', (host) => expect(takes(host)).toBe(false));
});

test('the languages are those of the build', () => {
  expect(LANGUAGES.every((language) => exists('nodes', 'kit', 'locales', language, 'kit.json'))).toBe(true);
});
