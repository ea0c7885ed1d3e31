/** The dialogs, help and texts of the nodes that package.json lists, read as files, and their editor scripts run without an editor. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';

const root = join(import.meta.dirname, '../../../..');

export const LANGUAGES = ['en-US', 'es-ES', 'pt-BR'] as const;

const manifest = z.object({ name: z.string(), 'node-red': z.object({ nodes: z.record(z.string(), z.string()) }) });
const { name, 'node-red': nodeRed } = manifest.parse(JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')));
export const PACKAGE = name;

/** Type and folder of each node. */
export const NODES = Object.entries(nodeRed.nodes).map(([type, file]) => ({ type, family: /^dist\/([\w-]+)\//.exec(file)?.[1] ?? '' }));

export const read = (...path: string[]): string => readFileSync(join(root, ...path), 'utf8');
export const exists = (...path: string[]): boolean => existsSync(join(root, ...path));

/** A catalogue as flat keys, `label.name`. */
export type Texts = ReadonlyMap<string, string>;

export function catalogue(family: string, file: string, language: string): Texts {
  const flat = new Map<string, string>();
  const walk = (tree: unknown, path: string): void => {
    if (typeof tree === 'string') flat.set(path, tree);
    else for (const [key, value] of Object.entries(tree as object)) walk(value, path ? `${path}.${key}` : key);
  };
  walk(JSON.parse(read('nodes', family, 'locales', language, `${file}.json`)), '');
  return flat;
}

/** What the build makes of a node's own texts and those that all nodes share. */
export const texts = (family: string, type: string, language: string): Texts =>
  new Map([...catalogue('kit', 'kit', language), ...catalogue(family, type, language)]);

/** The text of all `<script>` elements of a type. */
export function scripts(html: string, type: string): string[] {
  return [...html.matchAll(/<script type="([^"]+)"[^>]*>(.*?)<\/script>/gs)].filter((found) => found[1] === type).map((found) => found[2] ?? '');
}

export interface Property {
  value: unknown;
  validate?: (this: object, value: unknown, options: object) => unknown;
}

export interface EditorDefinition {
  category: string;
  defaults: Record<string, Property>;
  credentials?: Record<string, { type: string }>;
  icon: string;
}

type Run = (RED: object, window: object, $: () => object) => void;

/** Runs the shared editor script and the node's own, and returns what they registered. */
export function editorDefinition(family: string, type: string): EditorDefinition {
  const registered = new Map<string, EditorDefinition>();
  const RED = { nodes: { registerType: (id: string, definition: EditorDefinition) => registered.set(id, definition), node: () => null } };
  const window = {};
  for (const html of [read('nodes', 'kit', 'editor.html'), read('nodes', family, `${type}.html`)]) {
    for (const body of scripts(html, 'text/javascript')) {
      // eslint-disable-next-line @typescript-eslint/no-implied-eval -- it is what the editor does
      const run = new Function('RED', 'window', '$', body) as Run;
      run(RED, window, () => ({ length: 0, val: () => undefined }));
    }
  }
  const definition = registered.get(type);
  if (!definition) throw new Error(`${type}.html registers ${[...registered.keys()].join(', ') || 'nothing'}`);
  return definition;
}
