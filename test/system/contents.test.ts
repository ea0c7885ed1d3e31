/** What is in the tarball, and what it drags along. */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { expect, inject, test } from 'vitest';
import { run } from './support/command';
import { PACK } from './support/pack';

const [target] = inject('targets');
const { installed } = target!;
const pack = join(installed, 'node_modules', PACK);

const filesBelow = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));

/** Every package.json of an installed package, not those that packages keep inside for other purposes. */
function manifests(folder: string): string[] {
  return filesBelow(folder).filter((path) => {
    if (basename(path) !== 'package.json') return false;
    const above = basename(dirname(dirname(path)));
    return above === 'node_modules' || (above.startsWith('@') && basename(dirname(dirname(dirname(path)))) === 'node_modules');
  });
}

const read = (path: string): Record<string, unknown> => JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>;

test('the tarball holds code, examples and texts for people, nothing else', () => {
  const expected = ['CHANGELOG.md', 'LICENSE', 'README.md', 'dist', 'examples', 'package.json', 'sql'];
  expect(readdirSync(pack).sort()).toEqual(expected);
  const strange = filesBelow(join(pack, 'dist')).filter((path) => !/\.(js|d\.ts|html|json|svg|md)$/.test(path));
  expect(strange).toEqual([]);
  expect(filesBelow(join(pack, 'examples')).filter((path) => !path.endsWith('.json'))).toEqual([]);
  expect(filesBelow(pack).filter((path) => /\.test\.|fixture|\.map$/.test(path))).toEqual([]);
});

test('every file that package.json names is there', () => {
  const { main, types, 'node-red': red } = read(join(pack, 'package.json')) as {
    main: string;
    types: string;
    'node-red': { nodes: Record<string, string> };
  };
  for (const file of [main, types, ...Object.values(red.nodes)]) expect(existsSync(join(pack, file)), file).toBe(true);
});

test('nothing runs at installation, neither ours nor of a dependency', () => {
  const found = manifests(join(installed, 'node_modules'));
  expect(found.length).toBeGreaterThan(5);
  const hooks = found.flatMap((path) => {
    const scripts = (read(path).scripts ?? {}) as Record<string, string>;
    return ['preinstall', 'install', 'postinstall'].filter((hook) => scripts[hook]).map((hook) => `${path}: ${hook}`);
  });
  expect(hooks).toEqual([]);
  // npm builds what has one without being asked to.
  expect(found.filter((path) => existsSync(join(dirname(path), 'binding.gyp')))).toEqual([]);
});

test('the installed tree is complete and consistent', async () => {
  await expect(run('npm', ['ls', '--all'], { cwd: installed })).resolves.toContain(PACK);
});
